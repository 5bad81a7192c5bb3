"""Whether what stands between the letters of a word, and on either side of it, still lets it be that word.

A word found among the symbols of a text may be spread over it with anything in between. What is accepted:

- ``none``: nothing between the letters, except where the word itself has spaces or punctuation.
- ``guarded``: what people insert to get around a filter, but not what stands between the words of ordinary text.
- ``any``: whatever is inserted, up to `WIDEST` separators at a place.

A letter of a script with spaces (Latin, Greek, Cyrillic, digits) must not go on beyond either end of the word, so that
a word is not found inside another. That holds always.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from llm_gate.content import fold
from llm_gate.content.window import Found

Pattern = tuple[str, bool] | None
"""See `pattern_of`."""

WIDEST = 16
"""Visible separators that may stand between two letters of a word."""

FAR = 32
"""Characters that are looked at on either side of a word. Text is held back for no more than these once a word is
whole."""

JOINTS = frozenset(".,:;'\"’‘“”`_/\\()[]{}<>。，、；：！？!?…")
"""Between two Latin letters these end or join words in prose, names and program text, so one alone is no evasion."""

CLAUSES = frozenset("。，、；：！？…,;:!?\n\r\u2028\u2029\"'“”‘’()（）「」『』《》〈〉[]【】{}<>")
"""Between two Chinese characters these end a clause, a line or a name, so one alone is no evasion."""

LONE = frozenset("aiu")

SENTENCES = frozenset("。！？；…")
"""These never stand inside a phrase; nor do ``, . ! ? ; :`` before a space, or an empty line."""


class _Letters(dict[str, bool]):
    """Character to whether it is a letter or digit of a script that puts spaces between words."""

    def __missing__(self, char: str) -> bool:
        symbols = self._symbols(char)
        found = bool(symbols) and not fold.SPACELESS.match(symbols[-1])
        if len(self) < 65536:
            self[char] = found
        return found

    def _symbols(self, char: str) -> str:
        return fold.PLAIN[ord(char)]


class _Spaced(_Letters):
    """The same of a symbol, which is what it is."""

    def _symbols(self, char: str) -> str:
        return char


_LETTERS, _SPACED = _Letters(), _Spaced()


def is_letter(char: str) -> bool:
    """Whether a character is a letter or digit of a script that puts spaces between words."""
    return _LETTERS[char]


def is_spaced(symbol: str) -> bool:
    """The same of a symbol."""
    return _SPACED[symbol]


def accepted(symbols: str, gaps: Sequence[str], own: frozenset[int], policy: str) -> bool:
    """Whether a word may have these gaps. ``own`` are the places at which it has some itself."""
    inserted = any(gaps)
    if not inserted and not own:
        return True
    if inserted and max(map(len, gaps)) > WIDEST:
        return False
    # A phrase of Latin words needs what parts its words: "kill all" is not "killall".
    if own and any(
        not gaps[place - 1] and is_spaced(symbols[place - 1]) and is_spaced(symbols[place]) for place in own
    ):
        return policy == "any"
    if policy == "any" or not inserted:
        return True
    inner = [gap for place, gap in enumerate(gaps, 1) if place not in own] if own else gaps
    if policy == "none":
        return not any(inner)
    if own and any(_ends_sentence(gaps[place - 1]) for place in own):
        return False
    if len(inner) > 1 and all(inner):
        return True  # spelled letter by letter
    length = len(symbols)
    for place, gap in enumerate(gaps, 1):
        if gap and place not in own and not _inserted(gap, symbols[place - 1], symbols[place], length):
            return False
    return True


def _ends_sentence(gap: str) -> bool:
    if any(each in SENTENCES for each in gap) or gap.count("\n") > 1:
        return True
    return any(one in ",.!?;:" and other.isspace() for one, other in pairwise(gap))


def _inserted(gap: str, before: str, after: str, length: int) -> bool:
    """Whether one gap by itself is what nobody writes without meaning to part a word."""
    if is_spaced(before) and is_spaced(after):
        return length > 2 and JOINTS.isdisjoint(gap) and not any(map(str.isspace, gap))
    return CLAUSES.isdisjoint(gap)


def free_on_the_left(found: Found, symbols: str, pattern: Pattern) -> bool:
    """Whether the word does not go on to the left."""
    if found.first > 0 and found.places[found.first - 1] == found.start:
        return False
    if not is_spaced(symbols[0]):
        return True
    start = found.start
    if start and is_letter(found.text[start - 1]):
        return False  # most words within words end here
    before = fold.visible(found.text[max(start - FAR, 0) : start])[::-1]
    if before and is_letter(before[0]):
        return False
    return pattern is None or not _goes_on(before, pattern[0][::-1], spelled=pattern[1])


def free_on_the_right(found: Found, symbols: str, pattern: Pattern, *, ended: bool) -> tuple[bool | None, int]:
    """Whether the word does not go on to the right, None if that needs more text; and the length of text that it
    took."""
    text, end = found.text, found.end
    if found.last + 1 < len(found.places) and found.places[found.last + 1] == found.places[found.last]:
        return False, end
    spaced, far = is_spaced(symbols[-1]), end + FAR
    for place in range(end, min(far, len(text))):
        if not fold.is_seen(text[place]):
            continue
        if fold.extends(text[place]) or (spaced and is_letter(text[place])):
            return False, place + 1
        if not spaced or pattern is None:
            return True, place + 1
        if not ended and len(text) < far:
            return None, len(text)
        return not _goes_on(fold.visible(text[end:far]), pattern[0], spelled=pattern[1]), min(far, len(text))
    return (True, min(far, len(text))) if ended or len(text) >= far else (None, len(text))


def pattern_of(gaps: Sequence[str], own: frozenset[int], policy: str) -> Pattern:
    """The one thing that is inserted, wherever something is, and whether that is everywhere; None if there is no
    such."""
    if policy != "guarded":
        return None
    inner = [gap for place, gap in enumerate(gaps, 1) if place not in own]
    inserted = {each for each in inner if each}
    if len(inserted) != 1:
        return None
    return inserted.pop(), all(inner)


def _goes_on(text: str, gap: str, *, spelled: bool) -> bool:
    """Whether text, read away from the word, goes on as the word was written: c-l-a-s-s, the-pen-is-mightier.

    A one-letter English word beside a word that is spelled with spaces does not count: I f u c k.
    """
    first = _run(text, gap)
    if not first:
        return False
    if not spelled:
        return True
    if len(first) > 1:
        return False
    return not (gap.isspace() and first.casefold() in LONE and len(_run(text[len(gap) + 1 :], gap)) != 1)


def _run(text: str, gap: str) -> str:
    """The letters that follow after exactly this gap."""
    rest = text[len(gap) :]
    if not text.startswith(gap) or not rest or not is_letter(rest[0]):
        return ""
    return rest[: next((place for place, each in enumerate(rest) if not is_letter(each)), len(rest))]
