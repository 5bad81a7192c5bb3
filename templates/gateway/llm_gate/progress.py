"""How far one call has come, and what it is settled with."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from llm_gate.requests import Call
from llm_gate.routes import Target
from llm_gate.store import Spent
from llm_gate.usage import Count


@dataclass(slots=True)
class Progress:
    """What has happened to a call so far."""

    count: Count
    target: Target | None = None
    handed_over: bool = False
    """The request is with an upstream, which may be at work on it."""
    answering: bool = False
    """An answer has begun."""
    whole: bool = False
    """All that the upstream had to say is here."""
    status: int = 200
    verdict: str = ""
    began: float = field(default_factory=time.monotonic)

    def spent(self, call: Call) -> Spent:
        """What to settle the call with."""
        if self.target is None or not self.handed_over:
            tokens_in = tokens_out = 0
        elif self.answering:
            tokens_in, tokens_out = self.count.tokens_in, self.count.tokens_out
            if not self.whole:
                tokens_out = max(tokens_out, self.count.heard_out if call.stream else call.tokens_out)
        else:
            # Nobody knows how far the upstream is: hanging up is not a way to get tokens for nothing.
            tokens_in, tokens_out = call.tokens_in, call.tokens_out
        return Spent(
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            nanos=self.target.nanos(tokens_in, tokens_out) if self.target else 0,
            status=self.status,
            upstream=self.target.upstream.name if self.target else "",
            verdict=self.verdict,
            output_sha256=self.count.digest if self.answering else "",
        )
