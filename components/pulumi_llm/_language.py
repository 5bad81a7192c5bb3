"""Which language is spoken, and its catalogue of texts.

The first of these that says something decides: ``--lang`` of the command, the variable ``PULUMI_LLM_LANG`` (by which
``--lang`` reaches the programs that a command starts), then as in GNU gettext ``LANGUAGE``, ``LC_ALL``, ``LC_MESSAGES``
and ``LANG``. English is spoken where none does, and where the locale is C or POSIX.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pulumi_llm import _texts as texts

if TYPE_CHECKING:
    from gettext import NullTranslations

DOMAIN = "pulumi_llm"
FOLDER = Path(__file__).parent / "locale"
VARIABLE = "PULUMI_LLM_LANG"
CATALOGUES = {"zh": "zh_CN"}
"""The languages other than English, each with the folder of its catalogue."""
LANGUAGES = ("en", *CATALOGUES)

_SIMPLIFIED = re.compile(r"zh([_-](hans|cn|sg|my).*)?", re.IGNORECASE)


class UnknownLanguageError(ValueError):
    """A language that there is no catalogue for; ``name`` is what was asked for."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def of_environment(environ: Mapping[str, str]) -> str:
    """The language that the environment asks for, as far as there is a catalogue for it; else English."""
    own = environ.get(VARIABLE, "")
    if own:
        return _known(own) or "en"
    locale = next(filter(None, (environ.get(each, "") for each in ("LC_ALL", "LC_MESSAGES", "LANG"))), "")
    if locale.partition(".")[0] in ("C", "POSIX"):
        return "en"
    names = [*filter(None, environ.get("LANGUAGE", "").split(":")), locale]
    return next(filter(None, map(_known, names)), "en")


def _known(name: str) -> str | None:
    """The language by a name of it, such as ``zh_CN.UTF-8``; traditional Chinese is another one, as in gettext."""
    plain = re.split(r"[.@]", name)[0]
    if _SIMPLIFIED.fullmatch(plain):
        return "zh"
    return "en" if re.split(r"[_-]", plain)[0].lower() == "en" else None


def choose(argv: Sequence[str], environ: MutableMapping[str, str]) -> list[str]:
    """The arguments without ``--lang``, which is kept in the environment for this process and those that it starts.

    Raises UnknownLanguageError. What stands behind ``--`` is somebody else's.
    """
    rest: list[str] = []
    given = iter(argv)
    for each in given:
        name, equals, value = each.partition("=")
        if each == "--":
            rest += [each, *given]
        elif name == "--lang":
            value = value if equals else next(given, "")
            if _known(value) is None:
                raise UnknownLanguageError(value)
            environ[VARIABLE] = str(_known(value))
        else:
            rest.append(each)
    return rest


def current() -> str:
    """The language that is spoken now."""
    return of_environment(os.environ)


@cache
def catalogue(language: str) -> NullTranslations | None:
    """The texts of a language; None for English, which stands in the source."""
    if language not in CATALOGUES:
        return None
    import gettext  # English needs none of it

    with (FOLDER / CATALOGUES[language] / "LC_MESSAGES" / f"{DOMAIN}.mo").open("rb") as file:
        return gettext.GNUTranslations(file)


def _translate(language: str) -> Callable[[str], str]:
    found = catalogue(language)
    return _as_it_is if found is None else found.gettext


def _as_it_is(template: str) -> str:
    return template


def told(text: object, language: str | None = None) -> str:
    """A text in a language; by default in the one that is spoken now."""
    return texts.told(text, _translate(current() if language is None else language))


def tr(template: str, /, **values: object) -> str:
    """A sentence in the language that is spoken now, for what a command prints at once."""
    return told(texts.Text(template, values))


def page(name: str, language: str | None = None) -> str:
    """The file of a page of the documents that has a twin in each language, beside the English one of that name."""
    spoken = current() if language is None else language
    return f"{name.removesuffix('.md')}.{spoken}.md" if spoken in CATALOGUES else name


def word(context: str, text: str, language: str) -> str:
    """A short text in a language; ``context`` is what tells it from others that are spelt so in English."""
    found = catalogue(language)
    return text if found is None else found.pgettext(context, text)


# -- a command line


@contextlib.contextmanager
def spoken(argv: Sequence[str]) -> Iterator[list[str]]:
    """The arguments without ``--lang``; while it lasts, that language is spoken here and by what is started.

    Raises UnknownLanguageError.
    """
    before = os.environ.get(VARIABLE)
    rest = choose(argv, os.environ)
    words: dict[str, object] = {}
    found = catalogue(current())
    if found is not None:
        import argparse  # its own sentences are looked up by these two names

        words = {name: getattr(argparse, name) for name in ("_", "ngettext")}
        vars(argparse).update(_=found.gettext, ngettext=lambda one, many, n: found.gettext(one if n == 1 else many))
    try:
        yield rest
    finally:
        if words:
            vars(argparse).update(words)
        if before is None:
            os.environ.pop(VARIABLE, None)
        else:
            os.environ[VARIABLE] = before


def written(text: str | None) -> str:
    """A text that stands in the source without a mark (an option's help, a docstring), in the language spoken now."""
    if not text or isinstance(text, texts.Text):
        return told(text or "")
    found = catalogue(current())
    if found is None:
        return text
    # argparse is given a docstring with its ends cut off.
    told_whole = found.gettext(text)
    return told_whole if told_whole != text else found.gettext(f"{text.strip()}\n").strip("\n")
