"""Whether what stands between the letters of a word, and on either side of it, still lets it be that word.

A word found among the symbols of a text may be spread over it with anything in between. What is accepted:

- ``none``: nothing between the letters, except where the word itself has spaces or punctuation.
- ``guarded``: what people insert to get around a filter, but not what stands between the words of ordinary text.
- ``any``: whatever is inserted, up to `WIDEST` separators at a place.

A letter of a script with spaces (Latin, Greek, Cyrillic, digits) must not go on beyond either end of the word, so that
a word is not found inside another. That holds always.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from llm_gate.content import fold

WIDEST = 16
"""Visible separators that may stand between two letters of a word."""

FOGGIEST = 256
"""Characters of any kind, invisible ones too, that may stand between two letters of a word."""

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


@dataclass(frozen=True, slots=True)
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

    def letters(self) -> list[int]:
        """The characters that make up the word, without what stands between."""
        return sorted(set(self.places[self.first : self.last + 1]))


def is_letter(char: str) -> bool:
    """Whether a character is a letter or digit of a script that puts spaces between words."""
    symbols = fold.PLAIN[ord(char)]
    return bool(symbols) and not fold.SPACELESS.match(symbols[-1])


def is_spaced(symbol: str) -> bool:
    """The same of a symbol."""
    return not fold.SPACELESS.match(symbol)


def between(found: Found, view: fold.Fold) -> list[str] | None:
    """The visible separators after each symbol but the last; None if letters are too far from each other."""
    gaps: list[str] = []
    for one in range(found.first, found.last):
        here, there = found.places[one], found.places[one + 1]
        if there - here > FOGGIEST:
            return None
        inside = found.text[here + 1 : there] if there > here + 1 else ""
        gaps.append("".join(each for each in inside if not view[ord(each)] and not fold.is_invisible(each)))
    return gaps


def accepted(symbols: str, gaps: list[str], own: frozenset[int], policy: str) -> bool:
    """Whether a word may have these gaps. ``own`` are the places at which it has some itself."""
    if not any(gaps) and not own:
        return True
    if any(len(each) > WIDEST for each in gaps):
        return False
    inner = [gap for place, gap in enumerate(gaps, 1) if place not in own]
    # A phrase of Latin words needs what parts its words: "kill all" is not "killall".
    if any(not gaps[place - 1] and is_spaced(symbols[place - 1]) and is_spaced(symbols[place]) for place in own):
        return policy == "any"
    if policy == "any":
        return True
    if policy == "none":
        return not any(inner)
    if any(_ends_sentence(gaps[place - 1]) for place in own):
        return False
    spelled = len(inner) > 1 and all(inner)
    return spelled or all(
        _inserted(gap, symbols[place - 1], symbols[place], len(symbols))
        for place, gap in enumerate(gaps, 1)
        if gap and place not in own
    )


def _ends_sentence(gap: str) -> bool:
    if any(each in SENTENCES for each in gap) or gap.count("\n") > 1:
        return True
    return any(one in ",.!?;:" and other.isspace() for one, other in pairwise(gap))


def _inserted(gap: str, before: str, after: str, length: int) -> bool:
    """Whether one gap by itself is what nobody writes without meaning to part a word."""
    if is_spaced(before) and is_spaced(after):
        return length > 2 and not any(each.isspace() or each in JOINTS for each in gap)
    return not any(each in CLAUSES for each in gap)


def free_on_the_left(found: Found, symbols: str, gaps: list[str], own: frozenset[int], policy: str) -> bool:
    """Whether the word does not go on to the left."""
    if found.first > 0 and found.places[found.first - 1] == found.start:
        return False
    if not is_spaced(symbols[0]):
        return True
    before = _visible(found.text[max(found.start - FAR, 0) : found.start])[::-1]
    if before and is_letter(before[0]):
        return False
    pattern = _pattern(gaps, own, policy)
    return pattern is None or not _goes_on(before, pattern[0][::-1], spelled=pattern[1])


def free_on_the_right(
    found: Found, symbols: str, gaps: list[str], own: frozenset[int], policy: str, *, ended: bool
) -> tuple[bool | None, int]:
    """Whether the word does not go on to the right, None if that needs more text; and the length of text that it
    took."""
    text, end = found.text, found.end
    if found.last + 1 < len(found.places) and found.places[found.last + 1] == found.places[found.last]:
        return False, end
    spaced, far = is_spaced(symbols[-1]), end + FAR
    for place in range(end, min(far, len(text))):
        if fold.is_invisible(text[place]):
            continue
        if fold.extends(text[place]) or (spaced and is_letter(text[place])):
            return False, place + 1
        pattern = _pattern(gaps, own, policy) if spaced else None
        if pattern is None:
            return True, place + 1
        if not ended and len(text) < far:
            return None, len(text)
        return not _goes_on(_visible(text[end:far]), pattern[0], spelled=pattern[1]), min(far, len(text))
    return (True, min(far, len(text))) if ended or len(text) >= far else (None, len(text))


def _visible(text: str) -> str:
    return "".join(each for each in text if not fold.is_invisible(each))


def _pattern(gaps: list[str], own: frozenset[int], policy: str) -> tuple[str, bool] | None:
    """The one thing that is inserted, wherever something is, and whether that is everywhere; None if there is no
    such."""
    inner = [gap for place, gap in enumerate(gaps, 1) if place not in own]
    inserted = {each for each in inner if each}
    if policy != "guarded" or len(inserted) != 1:
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
