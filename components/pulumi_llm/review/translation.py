"""Findings in another language: texts that are matched with the English ones, from ``data/*.<language>.json``.

``findings`` holds what the policy and the comparison say, ``refusals`` what the program and the fit check do.

A row is an English template and its translation, with the same ``{names}``. What stands in a name's place is translated
in turn if ``parts`` knows it, and kept otherwise: names, addresses and numbers are the same in every language. A text
that no row matches stays English, so a finding never says less than it does in English. ``messages`` are by code;
``anywhere`` holds what is put around a message of any code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from pulumi_llm.errors import Finding

DATA = Path(__file__).parent / "data"
_NAME = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Row:
    """One English text, as a pattern, and its translation."""

    english: str
    pattern: re.Pattern[str]
    translation: str


@dataclass(frozen=True, slots=True)
class Translator:
    """The texts of one language."""

    messages: Mapping[str, Sequence[Row]]
    anywhere: Sequence[Row]
    hints: Sequence[Row]
    parts: Sequence[Row]

    def finding(self, found: Finding) -> Finding:
        """The finding with what is known of it translated."""
        return replace(found, message=self.message(found.code, found.message), hint=self.hint(found.hint))

    def message(self, code: str, text: str) -> str:
        """A message of that code."""
        around = _first(self.anywhere, text, lambda inner: self.message(code, inner))
        if around is not None:
            return around
        return _first(self.messages.get(code, ()), text, self.part) or text

    def hint(self, text: str) -> str:
        """A hint, whatever it is of."""
        return _first(self.hints, text, self.part) or text

    def part(self, text: str) -> str:
        """What stands in a name's place; it may be another finding, behind its code."""
        code, colon, message = text.partition(": ")
        if colon and code in self.messages:
            return f"{code}: {self.message(code, message)}"
        return _first(self.parts, text, self.part) or text


def _first(rows: Iterable[Row], text: str, inner: Callable[[str], str]) -> str | None:
    """The translation by the first row that matches, with what stands in its names' places given to ``inner``."""
    for row in rows:
        match = row.pattern.fullmatch(text)
        if match is not None:
            return row.translation.format(**{name: inner(value) for name, value in match.groupdict().items()})
    return None


@cache
def translator(language: str) -> Translator | None:
    """The package's own texts of a language; None where there are none, as for English."""
    contents = [json.loads(each.read_text(encoding="utf-8")) for each in sorted(DATA.glob(f"*.{language}.json"))]
    if not contents:
        return None
    messages: dict[str, tuple[Row, ...]] = {}
    for content in contents:
        for code, rows in content["messages"].items():
            messages[code] = (*messages.get(code, ()), *_rows(rows))
    return Translator(
        messages,
        *(_rows(row for content in contents for row in content[key]) for key in ("anywhere", "hints", "parts")),
    )


def _rows(rows: Iterable[Sequence[str]]) -> tuple[Row, ...]:
    return tuple(Row(english, _pattern(english), translation) for english, translation in rows)


def _pattern(english: str) -> re.Pattern[str]:
    """A template as a pattern; a name stands for as little as can be."""
    pieces = _NAME.split(english)
    texts = [re.escape(each) if number % 2 == 0 else f"(?P<{each}>.+?)" for number, each in enumerate(pieces)]
    return re.compile("".join(texts), re.DOTALL)
