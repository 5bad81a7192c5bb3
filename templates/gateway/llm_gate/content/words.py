"""Word lists: what a file may hold, and each word in the form in which it is looked for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from llm_gate.content import fold

LONGEST = 64
"""Symbols that a word may have. It bounds what a stream holds back."""

LARGEST_FILE = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Word:
    """A word as it is looked for.

    ``gaps`` are the places (a number of symbols) at which the word itself has spaces or punctuation. ``line`` is where
    it stands in its file, or its place among ``words``, from 1.
    """

    symbols: str
    gaps: frozenset[int]
    line: int

    @property
    def digest(self) -> str:
        """Names the word without telling it, and stays the same when lines move."""
        return hashlib.sha256(self.symbols.encode()).hexdigest()[:12]


def is_mask(text: str) -> bool:
    """Whether this may stand in the place of each letter of a masked word: one sign, and none that JSON reads.

    Arguments of tools are JSON, and stay so.
    """
    return len(text) == 1 and text.isprintable() and not text.isalnum() and text not in ' "\\+-.,:{}[]'


def parse(text: str, line: int) -> Word | None:
    """A word from how it is written, or None if nothing in it counts (punctuation only) or it is too long."""
    symbols, gaps, separated = "", set(), False
    for char in text:
        folded = fold.PLAIN[ord(char)]
        if folded:
            if separated and symbols:
                gaps.add(len(symbols))
            symbols, separated = symbols + folded, False
        elif not fold.is_invisible(char):
            separated = True
    return Word(symbols, frozenset(gaps), line) if 0 < len(symbols) <= LONGEST else None


def in_lines(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """The words of a file: one a line; blank lines and those that begin with ``# `` (or are ``#``) say nothing."""
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if text and text != "#" and not text.startswith("# "):
            yield number, text


def read(path: Path) -> tuple[list[Word], list[str]]:
    """The words of a file, and what is wrong with it, as sentences that quote no word.

    Raises:
        OSError: the file cannot be read.
    """
    if path.stat().st_size > LARGEST_FILE:
        return [], [f"{path.name} is larger than {LARGEST_FILE >> 20} MiB"]
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        return [], [f"{path.name} is not UTF-8 (byte {error.start})"]
    return gather(in_lines(text.splitlines()), f"{path.name}, line")


def gather(texts: Iterable[tuple[int, str]], where: str) -> tuple[list[Word], list[str]]:
    """Words from numbered texts, and what is wrong with those that cannot be one."""
    found: list[Word] = []
    wrong: list[str] = []
    for number, text in texts:
        word = parse(text, number)
        if word is None:
            wrong.append(f"{where} {number}: a word needs 1 to {LONGEST} letters or digits")
        else:
            found.append(word)
    return found, wrong
