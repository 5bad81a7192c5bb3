"""What the library says when something cannot work: findings with stable codes, and the refusal that carries them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from typing import Literal

from pulumi_llm import _entry_points
from pulumi_llm import _language as languages
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._texts import _, either, listed, sentences, under

Severity = Literal["error", "warning", "info"]

GUIDE = "troubleshooting.md"
"""The page among the documents with a section for each code; it has a twin in each language."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found out about a request.

    ``code`` is stable, and ``pulumi-llm explain`` tells more about it; ``message`` says what was asked and why it
    cannot work; ``hint`` says what would work. Both are English; made by ``_`` (see `pulumi_llm._texts`) they can be
    told in another language too, and a plain ``str`` stays as it is.
    """

    code: str
    message: str
    hint: str = ""
    severity: Severity = "error"
    where: str = ""

    def placed(self, where: str) -> Finding:
        """The same finding, with ``where`` in front of the place that it names."""
        return replace(self, where=under(where, self.where))

    def told(self, language: str | None = None) -> Finding:
        """The same finding in a language, by default the one that is spoken now (`pulumi_llm._language`)."""
        message, hint, where = (languages.told(each, language) for each in (self.message, self.hint, self.where))
        return replace(self, message=message, hint=hint, where=where)

    def text(self, language: str | None = None) -> str:
        """All of it in a language: code, place, message, what to try, and where more is said."""
        told = self.told(language)
        place = f"{told.where}: " if told.where else ""
        lines = [f"[{self.code}] {place}{told.message}"]
        if self.hint:
            lines.append("    " + languages.told(_("try: {hint}", hint=self.hint), language))
        lines.append("    " + languages.told(_("see: {place}", place=explained(self.code, language)), language))
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.text("en")


def anchor(code: str) -> str:
    """The code's anchor in the troubleshooting guide."""
    return code.replace(".", "-")


def explained(code: str, language: str | None = None) -> str:
    """Where more is said about ``code``: the command that prints it, and the page where the package names one."""
    pages = _documentation()
    command = f"pulumi-llm explain {code}"
    if not pages:
        return command
    return _("{command} or {page}", command=command, page=f"{pages}/{languages.page(GUIDE, language)}#{anchor(code)}")


@cache
def _documentation() -> str:
    """The address of the documents as the package's metadata has it (`Documentation` of its URLs); "" without one."""
    urls = _entry_points.headers("pulumi-llm", "Project-URL")  # none where it is run from its folder alone
    named = dict(url.split(", ", 1) for url in urls if ", " in url)
    return next((url.strip().rstrip("/") for name, url in named.items() if name.casefold() == "documentation"), "")


class Refusal(Exception):  # noqa: N818 - it is a verdict, and its name is read by users
    """A request that cannot work. Carries every finding at once, not only the first."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings: tuple[Finding, ...] = tuple(findings)
        super().__init__("\n".join(str(finding) for finding in self.findings))


SHOWN = 20
"""How many names are listed at most."""


class UnknownName(Refusal):
    """A name that the catalogue or the spec does not know, with the nearest ones that it does."""

    def __init__(
        self, code: str, kind: str, name: object, known: Iterable[str], *, where: str = "", hint: str = ""
    ) -> None:
        names = sorted({str(each) for each in known})
        near = nearest(str(name), names)
        advice = _meant(near) if near else (_("known: {names}", names=shortened(names)) if names else "")
        message = _("there is no {kind} called {name!r}", kind=kind, name=name)
        super().__init__([Finding(code, message, sentences(advice, hint), where=where)])
        self.name = str(name)
        self.suggestions = tuple(near)


def among(name: object, known: Iterable[str]) -> str:
    """The advice for a name that is not among a few: the nearest, and all that there are."""
    names = list(dict.fromkeys(known))
    near = nearest(str(name), names)
    if near and len(names) > len(near):
        return sentences(_meant(near), _("There are: {names}", names=shortened(names)))
    return _meant(near) if near else _("one of {names}", names=shortened(names))


def _meant(near: Iterable[str]) -> str:
    return _("did you mean {names}?", names=either(near))


def shortened(names: Sequence[str], most: int = SHOWN) -> str:
    """Names in a row; no more than ``most`` of them, and then it is said that there are more."""
    return listed([*names[:most], "…"] if len(names) > most else names)


def nearest(name: str, known: Iterable[str], limit: int = 3) -> list[str]:
    """The known names that look most like ``name``, best first (case is ignored)."""
    by_folded: dict[str, str] = {}
    for each in known:
        by_folded.setdefault(each.casefold(), each)
    folded = name.casefold()
    # A name cut short, or one with something left out in front, before one that only looks alike.
    close = sorted((each for each in by_folded if folded and each.startswith(folded)), key=len)
    import difflib  # takes its time, and most of what is asked for is there

    close += difflib.get_close_matches(folded, [each for each in by_folded if each not in close], n=limit, cutoff=0.6)
    close += [each for each in by_folded if folded and folded in each and each not in close]
    return [by_folded[each] for each in close[:limit]]
