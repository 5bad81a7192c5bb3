"""What a call took: the upstream's own numbers, or what was said may have at most where it gives none."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from llm_gate import sse, texts, tokens
from llm_gate.forms import TOKENS_PER_SECOND
from llm_gate.routes import BY_THE_TOKENIZER

MOST = 100_000_000
"""More tokens than any call has; a number above it is not believed."""
UNREAD = 2**18
"""Bytes of events that are kept to be counted later."""
UNDIGESTED = 2**15
"""Bytes of an answer that are kept to be digested together: for each of its events alone that costs more."""


@dataclass(slots=True)
class Count:
    """Tokens of one call: the upstream's own numbers where it gives them, else what was seen."""

    endpoint: str
    estimated_in: int
    reported_in: int | None = None
    reported_out: int | None = None
    usage: dict[str, Any] = field(default_factory=dict)
    """The last report that had something of the prompt."""
    pieces: int = 0
    seen: int = 0
    _digest: Any = field(default_factory=hashlib.sha256)
    _undigested: list[bytes] = field(default_factory=list)
    _undigested_bytes: int = 0
    _unread: list[bytes] = field(default_factory=list)
    _unread_bytes: int = 0

    def came(self, content: bytes) -> None:
        """Bytes of the answer, as the upstream sends them, for the audit record's digest."""
        self._undigested.append(content)
        self._undigested_bytes += len(content)
        if self._undigested_bytes > UNDIGESTED:
            self._take_in()

    def _take_in(self) -> None:
        self._digest.update(b"".join(self._undigested))
        self._undigested.clear()
        self._undigested_bytes = 0

    def hear(self, text: str) -> None:
        """Count a piece of an answer: as many tokens as its text may have."""
        if text and self.endpoint not in BY_THE_TOKENIZER:
            self.pieces += 1
            self.seen += tokens.of_text(text)

    def later(self, events: bytes) -> None:
        """Events that need not be read now: most upstreams count themselves, and then they never are."""
        self._unread.append(events)
        self._unread_bytes += len(events)
        if self._unread_bytes > UNREAD:
            self._read()

    def _read(self) -> None:
        unread, self._unread, self._unread_bytes = self._unread, [], 0
        for event in b"".join(unread).split(b"\n\n"):
            document = sse.document_of(sse.data_of(event))
            if document is not None:
                for _, slot in texts.in_event(self.endpoint, document):
                    self.hear(texts.get(slot))

    def report(self, document: dict[str, Any]) -> None:
        """Take the numbers that an answer or an event carries, wherever its kind has them."""
        for holder in (document, document.get("message"), document.get("response"), document.get("x_groq")):
            usage = holder.get("usage") if isinstance(holder, dict) else None
            if isinstance(usage, dict):
                if usage.get("type") == "duration" and (seconds := _int(usage, "seconds")) is not None:
                    self.reported_in = seconds * TOKENS_PER_SECOND
                given = _int(usage, "prompt_tokens", "input_tokens")
                if given is not None:
                    # Anthropic's cache counts come on top of its input_tokens; OpenAI's are part of its own.
                    cached = [_int(usage, name) for name in ("cache_creation_input_tokens", "cache_read_input_tokens")]
                    self.reported_in = given + sum(each or 0 for each in cached)
                answered = _int(usage, "completion_tokens", "output_tokens")
                total = _int(usage, "total_tokens")
                if given is not None and total is not None:
                    # Gemini's thinking is in its total alone, and is paid for (ai.google.dev: OpenAI compatibility).
                    answered = max(answered or 0, total - given)
                self.usage = usage if given is not None else self.usage
                if answered is not None:
                    self.reported_out = max(answered, self.reported_out or 0)

    @property
    def tokens_in(self) -> int:
        """Tokens of the prompt."""
        return self.estimated_in if self.reported_in is None else self.reported_in

    @property
    def tokens_out(self) -> int:
        """Tokens of the answer. A report of nothing about an answer that was there is not believed."""
        if not self.reported_out:
            return self.heard_out
        return self.reported_out

    @property
    def heard_out(self) -> int:
        """Tokens of the answer as far as it was seen to come, whatever was reported. What is reported on the way may
        be the number of a beginning."""
        self._read()
        return max(self.pieces, self.seen)

    @property
    def digest(self) -> str:
        """SHA-256 of what the upstream answered, byte by byte."""
        self._take_in()
        return str(self._digest.hexdigest())


def _int(usage: dict[str, Any], *names: str) -> int | None:
    for name in names:
        value = usage.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST:
            return value
    return None
