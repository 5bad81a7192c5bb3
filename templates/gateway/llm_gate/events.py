"""A stream's events on their way through."""

from __future__ import annotations

from typing import Any

from llm_gate import sse, texts, upstream
from llm_gate.inspection import Inspection
from llm_gate.requests import Call
from llm_gate.usage import Count

_USAGE = (b'"usage":{', b'"usage": {')
"""Usage that says something; some servers write that there is none into every event."""
_FINISH: tuple[bytes, tuple[bytes, ...]] = (b'"finish_reason":', (b"null", b" null"))
"""How what ends an answer begins, and how it goes on where it does not; found without a pattern."""
_PIECES = {"/v1/messages": b"event: content_block_delta\n", "/v1/responses": b"event: response.output_text.delta\n"}
"""The names of events that are nothing but a piece of an answer."""
_OTHERS: dict[str, tuple[bytes, tuple[bytes, ...]]] = {path: (b"event:", (name[6:],)) for path, name in _PIECES.items()}


class Events:
    """A stream's events on their way through: counted, looked at, and without the usage that nobody asked for."""

    def __init__(self, call: Call, key: str | None, inspection: Inspection, count: Count) -> None:
        self.call, self.key, self.inspection, self.count = call, key, inspection, count
        self._key = key.encode() if key else None
        self.finished = False
        """The stream came to its proper end."""
        self.over = False
        """Its last event was here: nothing that anybody waits for comes behind it."""
        self._splitter = sse.Splitter()
        self._openai = call.endpoint in ("/v1/chat/completions", "/v1/completions")
        name = _PIECES.get(call.endpoint, b"")
        self._begins = name + b"data: {"
        self._other, self._harmless = _OTHERS.get(call.endpoint, _FINISH)
        """What is no piece of an answer."""
        self._marks = [b"\r", *([b"data: ["] if self._openai else [])]
        if self._key is not None:
            self._marks.append(self._key)

    def take(self, piece: bytes) -> bytes:
        """What to send on for a piece of the upstream's stream, where nothing is inspected."""
        if self.over:
            return b""
        self.count.came(piece)
        plain = 0 if self._splitter.waiting else self._plain(piece)
        if plain:
            if plain == len(piece):
                self.count.later(piece)
                return piece
            ready = piece[:plain]
            self.count.later(ready)
            return ready + b"".join([self._at_once(event) for event in self._splitter.feed(piece[plain:])])
        return b"".join([self._at_once(event) for event in self._splitter.feed(piece)])

    def pass_by(self, piece: bytes) -> bool:
        """Count a piece that is whole events about which nothing is to be done; whether it is that."""
        if self.over or self._splitter.waiting or self._plain(piece) != len(piece):
            return False
        self.count.came(piece)
        self.count.later(piece)
        return True

    async def take_checked(self, piece: bytes) -> bytes:
        """What to send on for a piece of the upstream's stream."""
        self.count.came(piece)
        found = [await self._one(event) for event in self._splitter.feed(piece)]
        return b"".join(found)

    def _plain(self, piece: bytes) -> int:
        """How many bytes at its beginning are whole events that nothing is to be done about: none of them ends the
        stream, counts it or holds the upstream's key."""
        if not piece.startswith(self._begins):
            return 0
        first = len(piece)
        usage = piece.find(b'"usage"')
        if usage >= 0 and not self._openai:
            first = usage
        for mark in (*self._marks, *_USAGE) if usage >= 0 and self._openai else self._marks:
            found = piece.find(mark, 0, first)
            if found >= 0:
                first = found
        other = piece.find(self._other, 0, first)
        while other >= 0:
            behind = other + len(self._other)
            if not piece.startswith(self._harmless, behind):
                first = other
                break
            other = piece.find(self._other, behind, first)
        end = piece.rfind(b"\n\n", 0, first)
        return end + 2 if end >= 0 else 0

    def end(self) -> bytes:
        """What to send when the upstream has said all, where nothing is inspected."""
        rest = self._splitter.rest()
        return self._at_once(rest) if rest else b""

    async def end_checked(self) -> bytes:
        """What to send when the upstream has said all."""
        rest = self._splitter.rest()
        found = await self._one(rest) if rest else b""
        return found + self.written(await self.inspection.finish())

    def written(self, documents: list[dict[str, Any]]) -> bytes:
        """Events of our own, in the stream's form."""
        return b"".join(_event(self.call.endpoint, document) for document in documents)

    def _at_once(self, event: bytes) -> bytes:
        """An event that nobody inspects."""
        event, document, changed = self._looked_at(event)
        if document is None:
            return event and event + b"\n\n"
        return (sse.with_data(event, document) if changed else event) + b"\n\n"

    async def _one(self, event: bytes) -> bytes:
        event, document, _ = self._looked_at(event)
        if document is None:
            done = sse.data_of(event) == b"[DONE]"
            return (self.written(await self.inspection.finish()) if done else b"") + (event and event + b"\n\n")
        *before_it, document = await self.inspection.event(document)
        return self.written(before_it) + sse.with_data(event, document) + b"\n\n"

    def _looked_at(self, event: bytes) -> tuple[bytes, dict[str, Any] | None, bool]:
        """An event counted and without what nobody asked for: its text, its object, and whether that was changed.

        Without an object it goes on as it is; without a text it does not.
        """
        if self.over:
            return b"", None, False
        event = upstream.scrubbed(event, self.key)
        data = sse.data_of(event)
        if data == b"[DONE]":
            self.finished = True
            self.over = self.over or self._openai
            return event, None, False
        document = sse.document_of(data)
        if document is None:
            # A comment keeps connections alive; anything else that is not an object says nothing to anybody.
            return event if event.startswith(b":") else b"", None, False
        self.count.report(document)
        for _, slot in texts.in_event(self.call.endpoint, document):
            self.count.hear(texts.get(slot))
        if self._ends(document):
            self.finished = True
            # A chat's usage comes behind its last choice, and its end is no object.
            self.over = not self._openai
        if self._openai and not self.call.wants_usage and document.get("usage") is not None:
            if not document.get("choices"):
                return b"", None, False
            del document["usage"]
            return event, document, True
        return event, document, False

    def _ends(self, document: dict[str, Any]) -> bool:
        if self._openai:
            choices = document.get("choices")
            return isinstance(choices, list) and any(
                isinstance(each, dict) and each.get("finish_reason") for each in choices
            )
        kind = document.get("type")
        return kind in ("message_stop", "response.completed", "response.incomplete", "response.failed", "error")


def _event(endpoint: str, document: dict[str, Any]) -> bytes:
    name = f"event: {document['type']}\n" if endpoint in ("/v1/messages", "/v1/responses") else ""
    return name.encode() + b"data: " + sse.written(document) + b"\n\n"
