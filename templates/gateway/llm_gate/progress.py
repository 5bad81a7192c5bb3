"""How far one call has come, and what it is settled with."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field

from llm_gate.meter import Spent
from llm_gate.money import dearer, dearer_at_most
from llm_gate.requests import LIMITS, Call
from llm_gate.routes import Target
from llm_gate.usage import Count

SHOWN = {
    "vllm": ("*",),
    "deepseek": ("*",),
    "qwen": ("*",),
    "openai": ("gpt-3", "gpt-4", "chatgpt-4"),
}
"""Kinds of upstream, and how the names of those of their models begin, that stream all that they make, thinking too
(vLLM, DeepSeek, Qwen) or do not think. Others may have made more than has come."""
_COUNTED = re.compile(r"([0-9]{1,9}), ([0-9]{1,9})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Taken:
    """What one target takes for a call. ``dearer``: see `money`."""

    target: Target
    tokens_in: int
    tokens_out: int
    dearer: float


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
    first: float = 0.0
    """Seconds from then to the first byte of the answer; 0: none has come."""

    lost: list[Taken] = field(default_factory=list)
    """Upstreams that have not answered, and may have worked all the same; and the tokens that count for it."""

    reservations: int = 1
    """How many times as much is reserved as one upstream may take."""

    def asks(self, target: Target, count: Count) -> None:
        """Another target is asked."""
        self.target, self.count = target, count
        self.handed_over = self.answering = self.whole = False

    def lose(self, call: Call, said: str | None = None) -> None:
        """The target comes to nothing, and may have worked all the same. ``said``: the tokens that it says itself."""
        if self.target is None:
            return
        if said is None:
            self.lost.append(self._taken(call, self.target))
            self.handed_over = False
        elif (found := _COUNTED.fullmatch(said)) is not None:
            dearer = dearer_at_most(call, self.target)
            self.lost.append(Taken(self.target, int(found[1]), int(found[2]), dearer))

    @property
    def counted(self) -> str:
        """What is lost, as a gateway tells it to another: tokens in, and tokens out."""
        return f"{sum(each.tokens_in for each in self.lost)}, {sum(each.tokens_out for each in self.lost)}"

    def spent(self, call: Call) -> Spent:
        """What to settle the call with."""
        rows = list(self.lost)
        if self.target is not None and self.handed_over:
            rows.append(self._taken(call, self.target))
        named = self.target or (rows[-1].target if rows else None)
        return Spent(
            tokens_in=sum([each.tokens_in for each in rows]),
            tokens_out=sum([each.tokens_out for each in rows]),
            nanos=sum([each.target.nanos(each.tokens_in, each.tokens_out, each.dearer) for each in rows]),
            status=self.status,
            upstream=named.upstream.name if named else "",
            verdict=self.verdict,
            output_sha256=self.count.digest if self.answering else "",
        )

    def _taken(self, call: Call, target: Target) -> Taken:
        """What a request takes that is with a target."""
        if not self.answering:
            # Nobody knows how far the upstream is: hanging up is not a way to get tokens for nothing.
            return Taken(target, call.tokens_in, call.tokens_out, dearer_at_most(call, target))
        tokens_out = self.count.tokens_out if self.whole else self._cut_off(call, target)
        if call.tokens_out and _is_bounded(call, target):
            # No answer is longer than the bound that went with the request: see `oddities`.
            tokens_out = min(tokens_out, call.tokens_out)
        told = self.count.reported_in is not None
        more = dearer(self.count.usage, target.upstream.kind) if told else dearer_at_most(call, target)
        return Taken(target, self.count.tokens_in, tokens_out, more)

    def oddities(self, call: Call) -> list[str]:
        """What the upstream says of itself and cannot be: for the log, with nothing of what was said."""
        reported = self.count.reported_out
        if not reported or self.target is None or not call.tokens_out or reported <= call.tokens_out:
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
    """Whether the bound that goes with a request bounds all that is made for it. With speech there goes none."""
    if call.endpoint not in LIMITS:
        return False
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
