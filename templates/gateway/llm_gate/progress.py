"""How far one call has come, and what it is settled with."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from llm_gate.requests import Call
from llm_gate.routes import Target
from llm_gate.store import Spent
from llm_gate.usage import Count

SHOWN = {
    "vllm": ("*",),
    "deepseek": ("*",),
    "qwen": ("*",),
    "openai": ("gpt-3", "gpt-4", "chatgpt-4"),
}
"""Kinds of upstream, and how the names of those of their models begin, that stream all that they make, thinking too
(vLLM, DeepSeek, Qwen) or do not think. Others may have made more than has come."""


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
            tokens_in = self.count.tokens_in
            tokens_out = self.count.tokens_out if self.whole else self._cut_off(call, self.target)
            if call.tokens_out and _is_bounded(call, self.target):
                # No answer is longer than the bound that went with the request: see `oddities`.
                tokens_out = min(tokens_out, call.tokens_out)
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

    def oddities(self, call: Call) -> list[str]:
        """What the upstream says of itself and cannot be: for the log, with nothing of what was said."""
        reported = self.count.reported_out or 0
        if self.target is None or not call.tokens_out or reported <= call.tokens_out:
            return []
        if not _is_bounded(call, self.target):
            return []
        who = f"{self.target.upstream.name} reports answers of {self.target.model!r}"
        return [f"[gate.usage] {who} that are longer than the bound they were asked with: they count as long as that"]

    def _cut_off(self, call: Call, target: Target) -> int:
        """Tokens of an answer whose end has not come: as far as it came, where all that is made is seen to come."""
        heard = self.count.heard_out
        if not call.stream or not heard or not _shows_all(call, target):
            return max(call.tokens_out, heard)
        return max(heard, self.count.reported_out or 0)


def _is_bounded(call: Call, target: Target) -> bool:
    """Whether the bound that goes with a request bounds all that is made for it."""
    # Qwen's max_tokens bounds the answer alone (help.aliyun.com/zh/model-studio/deep-thinking, 2026-11).
    thinks_freely = call.body.get("enable_thinking") is not False and call.body.get("thinking_budget") is None
    return not (target.upstream.kind == "qwen" and thinks_freely)


def _shows_all(call: Call, target: Target) -> bool:
    if call.body.get("include_reasoning") is False:
        return False
    kind, thinking = target.upstream.kind, call.body.get("thinking")
    if kind == "anthropic":
        # What Claude thinks is streamed in short; it thinks where it is asked to.
        return call.endpoint == "/v1/messages" and (
            thinking is None or (isinstance(thinking, dict) and thinking.get("type") == "disabled")
        )
    return any(each == "*" or target.model.startswith(each) for each in SHOWN.get(kind, ()))
