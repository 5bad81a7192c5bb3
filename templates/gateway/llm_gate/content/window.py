"""A stretch of text that is looked through at once, in one view: its symbols, where they stand, what is between them.

Everything is worked out once for the stretch, by functions that run in C, and only where a word may be. What a close
look at one place then costs depends on the word, and not on what else there is in the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, repeat

from llm_gate.content import fold

FOGGIEST = 256
"""Characters of any kind, invisible ones too, that may stand between two letters of a word."""

_BEGINS = bytes(each & 0xC0 != 0x80 for each in range(256))
"""Whether a byte of UTF-8 begins a character."""
_NOTHING = ("",) * 256


class Window:
    """``text[begin:]`` in a view; ``symbols`` is what it folds to there."""

    __slots__ = ("_between", "_numbers", "_places", "begin", "encoded", "text", "view")

    def __init__(self, text: str, begin: int, view: fold.Fold, symbols: str) -> None:
        self.text, self.begin, self.view = text, begin, view
        self.encoded = encoded(symbols)
        self._places: list[int] = []
        self._numbers: list[int] | None = None
        self._between: list[str | None] = []

    def found(self, end: int, length: int) -> Found:
        """The word of so many symbols whose last byte is the one at ``end``."""
        if not self._places:
            self._begin()
        last = end if self._numbers is None else self._numbers[end] - 1
        return Found(self.text, self._places, last - length + 1, last)

    def between(self, found: Found) -> Sequence[str] | None:
        """The visible separators after each symbol but the last; None if letters are too far from each other."""
        places, first, last = found.places, found.first, found.last
        if places[last] - places[first] == last - first:
            return _NOTHING[: last - first]
        known = self._between
        gaps: list[str] = []
        for place in range(first, last):
            gap = known[place]
            if gap is None:
                here, there = places[place], places[place + 1]
                if there - here > FOGGIEST:
                    return None
                gap = known[place] = fold.visible(self.text[here + 1 : there]) if there > here + 1 else ""
            gaps.append(gap)
        return gaps

    def _begin(self) -> None:
        text = self.text[self.begin :]
        counts = map(len, map(self.view.__getitem__, map(ord, text)))
        self._places = list(chain.from_iterable(map(repeat, range(self.begin, len(self.text)), counts)))
        self._between = [None] * len(self._places)
        if not self.encoded.isascii():
            self._numbers = list(accumulate(self.encoded.encode("latin-1").translate(_BEGINS)))


@dataclass(slots=True)
class Found:
    """Symbols ``first``..``last`` of a text, by their places in it: ``places[i]`` is the character of symbol ``i``."""

    text: str
    places: list[int]
    first: int
    last: int

    @property
    def start(self) -> int:
        """The first character."""
        return self.places[self.first]

    @property
    def end(self) -> int:
        """The character after the last."""
        return self.places[self.last] + 1

    def letters(self) -> tuple[int, ...]:
        """The characters that make up the word, without what stands between."""
        return tuple(dict.fromkeys(self.places[self.first : self.last + 1]))


def encoded(symbols: str) -> str:
    """Symbols as the automaton takes them: each byte of their UTF-8 form as one character.

    The automaton looks through a node's branches one after another, so a root with ten thousand Chinese characters
    would make it ten times slower. A word cannot be found at half a character: no character's first byte is another's
    later one.
    """
    return symbols if symbols.isascii() else symbols.encode("utf-8", "surrogatepass").decode("latin-1")
