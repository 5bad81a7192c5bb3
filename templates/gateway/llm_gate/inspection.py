"""The content check on both ways: what is asked, what is answered whole, and what is answered piece by piece."""

from __future__ import annotations

import json
from collections.abc import Hashable, Sequence
from typing import Any

from llm_gate import texts
from llm_gate.arguments import Arguments, BrokenError
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
        self._asked_for_json = False
        """The answer itself is to be JSON."""
        self._arguments: dict[tuple[Hashable, ...], Arguments] = {}
        """What reads and writes each text that is a tool's arguments."""
        self._last: dict[tuple[Hashable, ...], tuple[dict[str, Any], texts.Slot]] = {}
        """The event that last went on with each text that has not ended."""

    async def request(self, body: dict[str, Any]) -> None:
        """Look at a request, and mask it in place. Raises `Blocked`."""
        if self.checker is not None:
            self._asked_for_json = _asks_for_json(body)
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
        pieces = texts.in_event(self.endpoint, event)
        for place, (index, slot) in enumerate(pieces):
            if texts.is_whole(index, slot):
                piece = await self._at_once(index, slot)
            else:
                piece = await self._scan.feed(index, self._read(index, slot))
                self._put(index, slot, piece.text, before)
                self._last[index] = (event, slot)
            self._note("output", piece.reasons)
            if piece.blocked:
                raise self._cut([*before, *self._without(event, pieces[place:])], piece)
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
        found: list[dict[str, Any]] = []
        for index in [each for each in self._last if ended is True or each[0] == ended]:
            holder, slot = self._last.pop(index)
            piece = await self._last_of(index)
            self._note("output", piece.reasons)
            if piece.text:
                said = texts.get(slot)
                if holder is event:
                    self._put(index, slot, piece.text, found)
                    texts.put(slot, said + texts.get(slot))
                else:
                    for _, other in texts.in_event(self.endpoint, holder):
                        if not isinstance(other[0], texts.Fixed):
                            texts.put(other, "")
                    texts.without_the_end(holder)
                    self._put(index, slot, piece.text, found)
                    found.append(dict(holder))
            if piece.blocked:
                raise self._cut(found, piece)
        return found

    def _read(self, index: tuple[Hashable, ...], slot: texts.Slot) -> str:
        """A piece as it is to be looked at."""
        text = texts.get(slot)
        if self.checker is None or not self._reads_as_json(slot):
            return text
        arguments = self._arguments.get(index)
        if arguments is None:
            arguments = self._arguments[index] = Arguments(self.checker.mask)
        return arguments.read(text)

    def _without(
        self, event: dict[str, Any], pieces: list[tuple[tuple[Hashable, ...], texts.Slot]]
    ) -> list[dict[str, Any]]:
        """What may be sent of an event in which the first of these pieces is blocked: none of the others was seen."""
        if any(isinstance(slot[0], texts.Fixed) for _, slot in pieces):
            return []
        for _, slot in pieces[1:]:
            texts.put(slot, "")
        return [event]

    async def _at_once(self, index: tuple[Hashable, ...], slot: texts.Slot) -> Piece:
        """Look at a text that is here whole, such as a name, which nobody would put together again from pieces."""
        assert self._scan is not None  # noqa: S101 - made before
        text = texts.get(slot)
        first, last = await self._scan.feed(index, text), await self._scan.finish(index)
        piece = Piece(first.text + last.text, first.blocked or last.blocked, first.reasons + last.reasons)
        if isinstance(slot[0], texts.Fixed):
            return piece if piece.text == text else Piece("", blocked=True, reasons=piece.reasons)
        texts.put(slot, "" if piece.blocked else piece.text)
        return piece

    async def _last_of(self, index: tuple[Hashable, ...]) -> Piece:
        """What is still held back of a text that ends here."""
        assert self._scan is not None  # noqa: S101 - something was fed
        arguments = self._arguments.get(index)
        rest = arguments.read("", ended=True) if arguments is not None else ""
        first = await self._scan.feed(index, rest) if rest else Piece("")
        if first.blocked:
            return first
        last = await self._scan.finish(index)
        return Piece(first.text + last.text, last.blocked, first.reasons + last.reasons)

    def _put(self, index: tuple[Hashable, ...], slot: texts.Slot, text: str, before: list[dict[str, Any]]) -> None:
        """Put what may be released of a text into its place. Raises `Blocked` where that would break JSON."""
        arguments = self._arguments.get(index)
        try:
            texts.put(slot, text if arguments is None else arguments.written(text))
        except BrokenError:
            texts.put(slot, "")
            raise self._cut(before, Piece("", blocked=True)) from None

    def _cut(self, before: list[dict[str, Any]], piece: Piece) -> Blocked:
        blocked = Blocked("output", piece.reasons)
        blocked.before = before
        return blocked

    async def _whole(self, direction: str, found: list[list[texts.Slot]], *, ask: bool = True) -> bool:
        if not found or self.checker is None:
            return False
        check = self.checker.check_input if direction == "input" else self.checker.check_output
        coders = {id(slots): self._coders(slots) for slots in found}
        read = [
            [texts.get(slot) if coder is None else coder.read(texts.get(slot), ended=True) for slot, coder in pairs]
            for pairs in (zip(slots, coders[id(slots)], strict=True) for slots in found)
        ]
        decision = await check(read, ask=ask, **self.who)
        self._note(direction, decision.reasons)
        if decision.action == "block":
            raise Blocked(direction, decision.reasons)
        if decision.action != "mask":
            return False
        for slots, before, masked in zip(found, read, decision.texts, strict=True):
            for slot, coder, said, text in zip(slots, coders[id(slots)], before, masked, strict=True):
                if said == text:
                    continue
                if isinstance(slot[0], texts.Fixed):
                    raise Blocked(direction, decision.reasons)  # a name cannot be masked
                try:
                    texts.put(slot, text if coder is None else coder.written(text))
                except BrokenError:
                    raise Blocked(direction, decision.reasons) from None
        return True

    def _coders(self, slots: list[texts.Slot]) -> list[Arguments | None]:
        """What reads and writes each text that is a tool's arguments; None for all others."""
        mask = self.checker.mask if self.checker is not None else ""
        return [Arguments(mask) if self._reads_as_json(slot) and _is_json(texts.get(slot)) else None for slot in slots]

    def _reads_as_json(self, slot: texts.Slot) -> bool:
        """Whether whoever gets a text will read it as JSON."""
        answer = self._asked_for_json and slot[1] in ("content", "text", "delta")
        return texts.is_arguments(slot) or answer

    def _note(self, direction: str, reasons: Sequence[Any]) -> None:
        for each in reasons:
            if each.detail.startswith("error:"):
                self.failures.add(f"{each.source}: {each.detail.removeprefix('error:')}")
            self.verdicts.append(f"{direction}:{each.source}:{each.action}:{each.rule or each.detail}")

    @property
    def verdict(self) -> str:
        """What was found, for the audit record; empty for nothing."""
        return " ".join(dict.fromkeys(self.verdicts))[:1000]


def _asks_for_json(body: dict[str, Any]) -> bool:
    """Whether a request wants its answer as JSON, by whichever field its API has for that."""
    holders = [body.get("text"), body.get("output_config")]
    forms = [body.get("response_format"), body.get("output_format")]
    forms += [holder.get("format") for holder in holders if isinstance(holder, dict)]
    asked = any(isinstance(form, dict) and form.get("type") not in (None, "text") for form in forms)
    return asked or body.get("structured_outputs") is not None


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
