"""What some tokens cost more than others: those that go into a vendor's cache, and those that are no text.

A target has one price for a prompt and one for an answer. Vendors read a cache at less than that, which a budget need
not know; they write one at more. Sound costs up to sixty times as much as text, and has no price here.

Factors: litellm 1.110.2's table of prices (cache_creation_input_token_cost beside input_cost_per_token), 2026-11-28;
Anthropic's and Alibaba Cloud's own pages on prompt caching say the same of theirs.
"""

from __future__ import annotations

from typing import Any

from llm_gate.requests import PARTS, Call
from llm_gate.routes import Target

WRITTEN = {"qwen": 0.34}
"""How much more than a prompt's token one costs that goes into the cache, by kind of upstream."""
WRITTEN_ELSEWHERE = 0.25
WRITTEN_FOR_AN_HOUR = 1.0
"""The same where Anthropic is to keep it for an hour."""
UNASKED = ("openai", "gateway")
"""Kinds that may write a cache for which nobody asked: OpenAI from gpt-5.6 on, and who knows behind a gateway."""

_ANSWERLESS = frozenset({"/v1/embeddings", "/v1/rerank", "/v1/score"})
"""Endpoints whose answers have no tokens."""
_SOUND = frozenset({"input_audio", "audio_url", "audio"})


def dearer(usage: dict[str, Any], kind: str) -> float:
    """Tokens of a prompt's price that a usage adds to its own number, for what was written to a cache."""
    details = [usage, usage.get("prompt_tokens_details"), usage.get("input_tokens_details")]
    rows = [each for each in details if isinstance(each, dict)]
    written = max([_number(row, name) for row in rows for name in _NAMES], default=0)
    if not written:
        return 0.0
    kept = [each.get("cache_creation") for each in rows]
    for_an_hour = max(
        (_number(each, "ephemeral_1h_input_tokens") for each in kept if isinstance(each, dict)), default=0
    )
    for_an_hour = min(for_an_hour, written)
    return for_an_hour * WRITTEN_FOR_AN_HOUR + (written - for_an_hour) * WRITTEN.get(kind, WRITTEN_ELSEWHERE)


_NAMES = ("cache_creation_input_tokens", "cache_write_tokens")


def _number(row: dict[str, Any], name: str) -> int:
    value = row.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 10**8 else 0


def dearer_at_most(call: Call, target: Target) -> float:
    """The same before anybody has counted: the most that it can be."""
    if not target.price_in:
        return 0.0
    kind = target.upstream.kind
    marks = _marks(call.body)
    if "1h" in marks:
        return WRITTEN_FOR_AN_HOUR * call.tokens_in
    if marks or kind in UNASKED:
        return WRITTEN.get(kind, WRITTEN.get("qwen", 0.0) if kind == "gateway" else WRITTEN_ELSEWHERE) * call.tokens_in
    return 0.0


def _marks(body: dict[str, Any]) -> set[str]:
    """For how long parts of a request are to be kept in a cache; empty where none is."""
    found: set[str] = set()
    pending: list[Any] = [body]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            mark = value.get("cache_control")
            if mark is not None:
                found.add(str(mark.get("ttl", "5m")) if isinstance(mark, dict) else "5m")
            pending += [each for each in value.values() if isinstance(each, PARTS)]
        else:
            pending += [each for each in value if isinstance(each, PARTS)]
    return found


def known(target: Target, call: Call) -> bool:
    """Whether it is known what a call may cost there. What costs nothing costs nothing for sound either."""
    if target.price_in is None or (target.price_out is None and call.endpoint not in _ANSWERLESS):
        return False
    return not (target.price_in or target.price_out) or not _sounds(call.body)


def _sounds(body: dict[str, Any]) -> bool:
    """Whether there is sound in a chat, or any answer but text is asked for. A form with a sound has a price of its own
    (see `forms`)."""
    asked = body.get("modalities")
    if isinstance(asked, list) and any(each != "text" for each in asked):
        return True
    pending = [body.get(name) for name in ("messages", "input", "system")]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            if value.get("type") in _SOUND or any(isinstance(value.get(name), dict | str) for name in _SOUND):
                return True
            pending += [each for each in value.values() if isinstance(each, PARTS)]
        elif isinstance(value, list):
            pending += [each for each in value if isinstance(each, PARTS)]
    return False
