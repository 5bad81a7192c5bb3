"""All word lists in one Aho-Corasick automaton, and what of a text they match."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import ahocorasick

from llm_gate.content import fold, gaps
from llm_gate.content.window import FOGGIEST, Found, Window, encoded
from llm_gate.content.words import Word


@dataclass(frozen=True, slots=True)
class Rules:
    """What one word list asks for. ``action``: block, mask or log; ``separators``: see `gaps`."""

    name: str
    action: str
    separators: str = "guarded"
    leet: bool = False


@dataclass(frozen=True, slots=True)
class Match:
    """A word in a text: its characters, and how much of the text (in characters) it took to know."""

    rules: Rules
    word: Word
    start: int
    end: int
    letters: tuple[int, ...]
    known: int


@dataclass(frozen=True, slots=True)
class Findings:
    """What `Matcher.search` found: the matches, and from where on the text must wait for more."""

    matches: list[Match]
    hold: int


class Matcher:
    """Word lists, ready to be looked for. It never changes, so a scan keeps the one that it began with."""

    def __init__(self, lists: Sequence[tuple[Rules, Iterable[Word]]]) -> None:
        self.rules = [rules for rules, _ in lists]
        rows: dict[str, list[tuple[int, Word]]] = {}
        for number, (_, words) in enumerate(lists):
            for word in words:
                rows.setdefault(word.symbols, []).append((number, word))
        self._automaton = ahocorasick.Automaton()
        for symbols, row in rows.items():
            self._automaton.add_word(encoded(symbols), (symbols, tuple(row)))
        self.size = len(rows)
        if rows:
            self._automaton.make_automaton()
        self._longest = max(map(len, rows), default=0)

    def search(self, text: str, begin: int, active: frozenset[int], *, ended: bool) -> Findings:
        """Match ``text[begin:]``; what stands before ``begin`` is there to see where words begin.

        ``active`` are the lists that apply, by their place in `rules`. Matches come in the order in which they are
        known; at the same length of text, in the order of their beginnings.
        """
        if not self.size or not active or begin == len(text):
            return Findings([], len(text))
        leet = any(self.rules[each].leet for each in active)
        matches: dict[tuple[int, int, int, int], Match] = {}
        hold = len(text)
        for view, symbols in fold.views(text[begin:], leet=leet):
            found, waits = self._search_view(Window(text, begin, view, symbols), active, ended=ended)
            hold = min(hold, waits)
            for each in found:
                key = (id(each.rules), each.word.line, each.start, each.end)
                if key not in matches or each.known < matches[key].known:
                    matches[key] = each
            if not ended:
                hold = min(hold, self.waits_from(text, begin, view))
        return Findings(sorted(matches.values(), key=lambda each: (each.known, each.start, each.end)), hold)

    def _search_view(self, window: Window, active: frozenset[int], *, ended: bool) -> tuple[list[Match], int]:
        matches: list[Match] = []
        hold, view = len(window.text), window.view
        for end, (symbols, row) in self._automaton.iter(window.encoded):
            found = window.found(end, len(symbols))
            between = window.between(found)
            if between is None:
                continue
            for number, word in row:
                rules = self.rules[number]
                if number not in active or (view is fold.LEET and not rules.leet):
                    continue
                holds, known = _holds(found, word, between, rules.separators, ended=ended)
                if holds is not False and view is not fold.PLAIN and not _is_meant(found, view):
                    continue
                if holds is None:
                    hold = min(hold, found.start)
                elif holds:
                    matches.append(Match(rules, word, found.start, found.end, found.letters(), known))
        return matches, hold

    def waits_from(self, text: str, begin: int, view: fold.Fold) -> int:
        """Where in a text that goes on a word may have begun that is not whole yet."""
        symbols, places = _tail(text, begin, view, self._longest)
        for first in range(len(symbols)):
            rest = encoded(symbols[first:])
            if self._automaton.longest_prefix(rest) < len(rest):
                continue
            start = places[first]
            spaced = gaps.is_spaced(symbols[first])
            if not (spaced and _letter_touches(text, start)):
                return start
        return len(text)


def _tail(text: str, begin: int, view: fold.Fold, longest: int) -> tuple[str, list[int]]:
    """The last symbols of a text, with their places; none before a gap that no word may span."""
    symbols: list[str] = []
    places: list[int] = []
    wide, last = 0, len(text)
    for place in range(len(text) - 1, begin - 1, -1):
        folded = view[ord(text[place])]
        if last - place > FOGGIEST:
            break
        if folded:
            last = place
            symbols += reversed(folded)
            places += [place] * len(folded)
            wide = 0
            if len(symbols) >= longest:
                break
        elif fold.is_seen(text[place]):
            wide += 1
            if wide > gaps.WIDEST:
                break
    return "".join(reversed(symbols)), places[::-1]


def _letter_touches(text: str, start: int) -> bool:
    for place in range(start - 1, max(start - gaps.FAR, 0) - 1, -1):
        if fold.is_seen(text[place]):
            return gaps.is_letter(text[place])
    return False


def _is_meant(found: Found, view: fold.Fold) -> bool:
    """Whether a word that is there only as it looks is meant to look so: it mixes scripts, or signs with letters.

    A whole word of another script may look like a Latin one by chance, and a number may read as a word.
    """
    chars = [found.text[place] for place in found.letters()]
    changed = [each for each in chars if fold.is_substituted(view, each)]
    if not changed:
        return False
    kept = [each for each in chars if not fold.is_substituted(view, each)]
    if view is fold.LEET:
        return any(gaps.is_letter(each) and not each.isdecimal() for each in kept)
    return len({fold.script(each) for each in chars}) > 1


def _holds(found: Found, word: Word, between: Sequence[str], policy: str, *, ended: bool) -> tuple[bool | None, int]:
    """Whether a word that is among the symbols is meant as one; None if that needs more text."""
    symbols = word.symbols
    if not gaps.accepted(symbols, between, word.gaps, policy):
        return False, found.end
    pattern = gaps.pattern_of(between, word.gaps, policy)
    if not gaps.free_on_the_left(found, symbols, pattern):
        return False, found.end
    return gaps.free_on_the_right(found, symbols, pattern, ended=ended)
