"""The content check on both ways: what is asked, what is answered whole, and what is answered piece by piece."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from llm_gate import texts
from llm_gate.content import Content, OutputScan, Piece
from llm_gate.errors import Refused, bad


class Blocked(Refused):
    """Content that is not allowed here, or that could not be checked. ``reasons`` holds nothing of the text."""

    def __init__(self, direction: str, reasons: Sequence[Any]) -> None:
        what = "the request" if direction == "input" else "the answer"
        blocking = [each for each in reasons if each.action == "block"]
        if blocking and all(each.detail.startswith("error:") for each in blocking):
            # Nobody has said that the text is bad: the moderator has failed, and `on_error` says to block then.
            message = f"{what} could not be checked; try again"
            super().__init__(503, "api_error", "content_check_unavailable", message, {"Retry-After": "5"})
        else:
            super().__init__(
                400, "invalid_request_error", "content_policy_violation", f"{what} holds what is not allowed here"
            )
        self.direction, self.reasons = direction, tuple(reasons)
        self.before: list[dict[str, Any]] = []


def refuse_unreadable(checker: Content, body: dict[str, Any], *, key: str, model: str) -> None:
    """Refuse what would pass the check by: text as token numbers, and an answer that is told twice."""
    given = [body.get("prompt"), body.get("input")]
    numbers = any(isinstance(each, int | list) for value in given if isinstance(value, list) for each in value)
    if numbers and checker.covers("input", key, model):
        raise bad(
            "text as token numbers cannot be checked, and requests are checked here: send it as text",
            "content_unreadable",
        )
    asked = body.get("logprobs")
    again = (asked is not None and asked is not False) or bool(body.get("top_logprobs"))
    included = body.get("include")
    again = again or (isinstance(included, list) and any("logprobs" in str(each) for each in included))
    if again and checker.covers("output", key, model):
        raise bad(
            "log probabilities tell the answer once more, and answers are checked here: leave them out",
            "content_unreadable",
        )


class Inspection:
    """One call's check. Without a checker everything passes, at no cost."""

    def __init__(self, checker: Content | None, endpoint: str, key: str, model: str) -> None:
        self.checker, self.endpoint = checker, endpoint
        self.who = {"key": key, "model": model}
        self.verdicts: list[str] = []
        self.failures: set[str] = set()
        """Which moderator has failed how."""
        self._scan: OutputScan | None = None
        self._repeated: set[str] = set()
        """Whole texts of a stream that moderators have been asked about."""
        self._last: dict[tuple[Hashable, ...], tuple[dict[str, Any], texts.Slot]] = {}
        """The event that last went on with each text that has not ended."""

    async def request(self, body: dict[str, Any]) -> None:
        """Look at a request, and mask it in place. Raises `Blocked`."""
        if self.checker is not None:
            found = texts.in_request(body)
            # A word may be spread over parts, and it may stand alone in a part beside others.
            await self._whole("input", [[slot] for slots in found if len(slots) > 1 for slot in slots], ask=False)
            await self._whole("input", found)

    async def answer(self, answer: dict[str, Any]) -> bool:
        """Look at a whole answer, and mask it in place; whether it was changed. Raises `Blocked`."""
        return self.checker is not None and await self._whole("output", texts.in_answer(self.endpoint, answer))

    async def event(self, event: dict[str, Any]) -> list[dict[str, Any]]:
        """The events to send in the place of this one. Raises `Blocked`, with what may still be sent as ``before``."""
        if self.checker is None:
            return [event]
        if self._scan is None:
            self._scan = self.checker.output(**self.who)
        before: list[dict[str, Any]] = []
        for index, slot in texts.in_event(self.endpoint, event):
            piece = await self._scan.feed(index, texts.get(slot))
            texts.put(slot, piece.text)
            self._last[index] = (event, slot)
            self._note("output", piece.reasons)
            if piece.blocked:
                raise self._cut([*before, event], piece)
        ended = texts.ended_by_event(self.endpoint, event)
        if ended is not None:
            before += await self.finish(ended, event)
        repeated = texts.repeated_in_event(self.endpoint, event)
        said = {texts.get(slot) for slots in repeated for slot in slots}
        # The Responses API says the same text in up to four events more, and moderators charge for each question.
        await self._whole("output", repeated, ask=not said <= self._repeated)
        self._repeated |= said
        return [*before, event]

    async def finish(self, ended: Hashable = True, event: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """What is still held back of the texts that end here, as events to send first."""
        found = []
        for index in [each for each in self._last if ended is True or each[0] == ended]:
            holder, slot = self._last.pop(index)
            assert self._scan is not None  # noqa: S101 - something was fed
            piece = await self._scan.finish(index)
            self._note("output", piece.reasons)
            if piece.text:
                if holder is event:
                    texts.put(slot, texts.get(slot) + piece.text)
                else:
                    for _, other in texts.in_event(self.endpoint, holder):
                        texts.put(other, "")
                    texts.without_the_end(holder)
                    texts.put(slot, piece.text)
                    found.append(dict(holder))
            if piece.blocked:
                raise self._cut(found, piece)
        return found

    def _cut(self, before: list[dict[str, Any]], piece: Piece) -> Blocked:
        blocked = Blocked("output", piece.reasons)
        blocked.before = before
        return blocked

    async def _whole(self, direction: str, found: list[list[texts.Slot]], *, ask: bool = True) -> bool:
        if not found or self.checker is None:
            return False
        check = self.checker.check_input if direction == "input" else self.checker.check_output
        decision = await check([[texts.get(slot) for slot in slots] for slots in found], ask=ask, **self.who)
        self._note(direction, decision.reasons)
        if decision.action == "block":
            raise Blocked(direction, decision.reasons)
        if decision.action != "mask":
            return False
        for slots, masked in zip(found, decision.texts, strict=True):
            for slot, text in zip(slots, masked, strict=True):
                texts.put(slot, text)
        return True

    def _note(self, direction: str, reasons: Sequence[Any]) -> None:
        for each in reasons:
            if each.detail.startswith("error:"):
                self.failures.add(f"{each.source}: {each.detail.removeprefix('error:')}")
            self.verdicts.append(f"{direction}:{each.source}:{each.action}:{each.rule or each.detail}")

    @property
    def verdict(self) -> str:
        """What was found, for the audit record; empty for nothing."""
        return " ".join(dict.fromkeys(self.verdicts))[:1000]
