"""What the library says when something cannot work: findings with stable codes, and the refusal that carries them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

Severity = Literal["error", "warning", "info"]

GUIDE = "troubleshooting.md"
"""The page among the documents with a section for each code."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found out about a request.

    ``code`` is stable, and ``pulumi-llm explain`` tells more about it; ``message`` says what was asked and why it
    cannot work; ``hint`` says what would work.
    """

    code: str
    message: str
    hint: str = ""
    severity: Severity = "error"
    where: str = ""

    def placed(self, where: str) -> Finding:
        """The same finding, with ``where`` in front of the place that it names."""
        return replace(self, where=".".join(filter(None, (where, self.where))))

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        hint = f"\n    try: {self.hint}" if self.hint else ""
        return f"[{self.code}] {place}{self.message}{hint}\n    see: {explained(self.code)}"


def anchor(code: str) -> str:
    """The code's anchor in the troubleshooting guide."""
    return code.replace(".", "-")


def explained(code: str) -> str:
    """Where more is said about ``code``: the command that prints it, and the page where the package names one."""
    pages = _documentation()
    return f"pulumi-llm explain {code}" + (f" or {pages}/{GUIDE}#{anchor(code)}" if pages else "")


@cache
def _documentation() -> str:
    """The address of the documents as the package's metadata has it (`Documentation` of its URLs); "" without one."""
    from importlib import metadata  # only a message needs it

    try:
        urls = metadata.metadata("pulumi-llm").get_all("Project-URL") or []
    except metadata.PackageNotFoundError:  # run from its folder alone
        return ""
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
        if near:
            advice = f"did you mean {' or '.join(near)}?"
        elif names:
            shown = ", ".join(names[:SHOWN])
            advice = f"known: {shown}{', …' if len(names) > SHOWN else ''}"
        else:
            advice = ""
        if hint:
            advice = f"{advice} {hint}".strip()
        super().__init__([Finding(code, f"there is no {kind} called {name!r}", advice, where=where)])
        self.name = str(name)
        self.suggestions = tuple(near)


def among(name: object, known: Iterable[str]) -> str:
    """The advice for a name that is not among a few: the nearest, and all that there are."""
    names = list(dict.fromkeys(known))
    near = nearest(str(name), names)
    shown = ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
    if near and len(names) > len(near):
        return f"did you mean {' or '.join(near)}? There are: {shown}"
    return f"did you mean {' or '.join(near)}?" if near else f"one of {shown}"


def nearest(name: str, known: Iterable[str], limit: int = 3) -> list[str]:
    """The known names that look most like ``name``, best first (case is ignored)."""
    by_folded: dict[str, str] = {}
    for each in known:
        by_folded.setdefault(each.casefold(), each)
    folded = name.casefold()
    # A name cut short, or one with something left out in front, before one that only looks alike.
    close = sorted((each for each in by_folded if folded and each.startswith(folded)), key=len)
    close += difflib.get_close_matches(folded, [each for each in by_folded if each not in close], n=limit, cutoff=0.6)
    close += [each for each in by_folded if folded and folded in each and each not in close]
    return [by_folded[each] for each in close[:limit]]
