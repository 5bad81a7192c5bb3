"""One growing text, looked through for words as it comes.

What is released, and what is found, depends on the text alone and not on the pieces that it comes in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from llm_gate.content import gaps
from llm_gate.content.matcher import Match, Matcher

STEP = 1024
"""Characters that are searched at a time, so that a long text does not keep the event loop from other requests, and
only the parts that may hold a word are looked at closely."""


@dataclass(slots=True)
class Step:
    """What one step gave: text to release, words that were new, and whether one of them blocks."""

    text: str
    matches: list[Match] = field(default_factory=list)
    blocked: bool = False


class WordScan:
    """The word lists' part of a scan. ``active``: which of the matcher's lists apply, by place."""

    def __init__(self, matcher: Matcher, active: frozenset[int], mask: str) -> None:
        self._matcher, self._active, self._mask = matcher, active, mask
        self._before = ""  # the end of what was released, to see where words begin
        self._held = ""
        self._masked: set[int] = set()  # places in what is held
        self._seen: set[tuple[str, int]] = set()
        self.blocked = False

    def steps(self, text: str) -> Iterator[Step]:
        """Feed a piece, in steps."""
        for place in range(0, len(text), STEP):
            if self.blocked:
                return
            yield self._step(text[place : place + STEP], ended=False)

    def finish(self) -> Step:
        """The rest. The text ends here."""
        return Step("") if self.blocked else self._step("", ended=True)

    def _step(self, more: str, *, ended: bool) -> Step:
        begin, text = len(self._before), self._before + self._held + more
        findings = self._matcher.search(text, begin, self._active, ended=ended)
        matches, release = findings.matches, findings.hold
        blocking = next((each for each in matches if each.rules.action == "block"), None)
        if blocking is not None:
            # As if the text had come character by character: nothing after the one that told is looked at.
            matches = [each for each in matches if each.known <= blocking.known]
            self.blocked = True
            release = min(each.start for each in matches if each.rules.action == "block")
            if not ended:
                waits = self._matcher.search(text[: blocking.known], begin, self._active, ended=False)
                release = min(release, waits.hold)
        for each in matches:
            if each.rules.action == "mask":
                self._masked.update(place - begin for place in each.letters)
        new = []
        for each in matches:
            key = (each.rules.name, each.word.line)
            if key not in self._seen:
                self._seen.add(key)
                new.append(each)
        return Step(self._release(text, begin, release), new, self.blocked)

    def _release(self, text: str, begin: int, end: int) -> str:
        out = text[begin:end]
        if self._masked:
            out = "".join(self._mask if place in self._masked else each for place, each in enumerate(out))
            self._masked = {place - (end - begin) for place in self._masked if place >= end - begin}
        self._held = "" if self.blocked else text[end:]
        self._before = text[max(end - gaps.FAR, 0) : end]
        return out
