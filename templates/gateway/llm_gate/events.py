"""A stream's events on their way through."""

from __future__ import annotations

import json
from typing import Any

from llm_gate import sse, texts, upstream
from llm_gate.inspection import Inspection
from llm_gate.requests import Call
from llm_gate.usage import Count

_NOT_YET = b'"finish_reason": null'


class Events:
    """A stream's events on their way through: counted, looked at, and without the usage that nobody asked for."""

    def __init__(self, call: Call, key: str | None, inspection: Inspection, count: Count) -> None:
        self.call, self.key, self.inspection, self.count = call, key, inspection, count
        self._key = key.encode() if key else None
        self.finished = False
        """The stream came to its proper end."""
        self._splitter = sse.Splitter()
        self._openai = call.endpoint in ("/v1/chat/completions", "/v1/completions")

    async def take(self, piece: bytes) -> bytes:
        """What to send on for a piece of the upstream's stream."""
        self.count.came(piece)
        if self._as_it_is(piece):
            self.count.later(piece)
            return piece
        found = [await self._one(event) for event in self._splitter.feed(piece)]
        return b"".join(found)

    def _as_it_is(self, piece: bytes) -> bool:
        """Whether a piece is whole events that nothing is to be done about: nobody looks at them, and none ends."""
        return (
            self._openai
            and self.inspection.checker is None
            and not self._splitter.waiting
            and piece.startswith(b"data: {")
            and piece.endswith(b"}\n\n")
            and b"\r" not in piece
            and b'"usage":{' not in piece
            and b'"usage": {' not in piece
            and piece.count(b'"finish_reason"') == piece.count(b'"finish_reason":null') + piece.count(_NOT_YET)
            and (self._key is None or self._key not in piece)
        )

    async def end(self) -> bytes:
        """What to send when the upstream has said all."""
        rest = self._splitter.rest()
        found = await self._one(rest) if rest else b""
        return found + self.written(await self.inspection.finish())

    def written(self, documents: list[dict[str, Any]]) -> bytes:
        """Events of our own, in the stream's form."""
        return b"".join(_event(self.call.endpoint, document) for document in documents)

    async def _one(self, event: bytes) -> bytes:
        event = upstream.scrubbed(event, self.key)
        data = sse.data_of(event)
        if data == b"[DONE]":
            self.finished = True
            return self.written(await self.inspection.finish()) + event + b"\n\n"
        document = sse.document_of(data)
        if document is None:
            # A comment keeps connections alive; anything else that is not an object says nothing to anybody.
            return event + b"\n\n" if event.startswith(b":") else b""
        self.count.report(document)
        for _, slot in texts.in_event(self.call.endpoint, document):
            self.count.hear(texts.get(slot))
        if self._ends(document):
            self.finished = True
        changed = False
        if self._openai and not self.call.wants_usage and document.get("usage") is not None:
            if not document.get("choices"):
                return b""
            del document["usage"]
            changed = True
        if self.inspection.checker is None:
            return (sse.with_data(event, document) if changed else event) + b"\n\n"
        *before, document = await self.inspection.event(document)
        return self.written(before) + sse.with_data(event, document) + b"\n\n"

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
    return (
        name.encode() + b"data: " + json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"
    )
