"""Help of a command in the language that is spoken: what argparse shows, and how lines of Chinese are broken."""

from __future__ import annotations

import argparse
import re
from typing import Any

from pulumi_llm import _language as language
from pulumi_llm._tables import width as width_of

_PIECES = r"[\u2e80-\u9fff\uff00-\uffef][，。；：、）」！？]*|[^\s\u2e80-\u9fff\uff00-\uffef]+|\s+"
"""A Chinese character with what may not begin a line, a word, or blanks."""


def translate(parser: argparse.ArgumentParser) -> None:
    """What an argparse parser shows in ``--help``, in the language spoken now."""
    parser.description = language.written(parser.description) or None
    for action in parser._actions:
        if action.help not in (None, "==SUPPRESS=="):
            action.help = language.written(action.help)


def filled(text: str, width: int) -> list[str]:
    """``text`` in lines of ``width`` columns: broken at blanks, and between Chinese characters, which take two."""
    lines: list[str] = [""]
    for piece in re.findall(_PIECES, text):
        if piece.isspace():
            lines[-1] += " " if lines[-1] else ""
        elif lines[-1] and width_of(lines[-1] + piece) > width:
            lines[-1] = lines[-1].rstrip()
            lines.append(piece)
        else:
            lines[-1] += piece
    return [lines[-1].rstrip()] if len(lines) == 1 else [*lines[:-1], lines[-1].rstrip()]


def formatter(base: Any) -> Any:
    """``base``, with lines that are broken where the language that is spoken now breaks them."""
    if language.current() == "en":
        return base

    class Wide(base):  # type: ignore[misc]
        """Counts columns in place of letters; the lines of a translated text are its translator's."""

        def _split_lines(self, text: str, width: int) -> list[str]:
            return filled(text, width)

        def _fill_text(self, text: str, width: int, indent: str) -> str:
            kept = (filled(each, width) if each and not each.startswith(" ") else [each] for each in text.splitlines())
            return "\n".join(f"{indent}{line}" for lines in kept for line in lines)

    return Wide
