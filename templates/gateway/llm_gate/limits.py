"""What a key's limits refuse, of what its meter shows: each refusal says how long to wait, where waiting helps."""

from __future__ import annotations

import math
import time
from calendar import monthrange
from functools import partial
from heapq import merge

from llm_gate.errors import Refused, bad
from llm_gate.meter import WINDOW, Ask, Meter, nanos_of, usd_of
from llm_gate.policy import Rules

LEAST = Ask("", "", "", tokens=1)
"""What every call takes at least: asked for one whose body is still to be read."""


def headers(rules: Rules, meter: Meter, now: float) -> dict[str, str]:
    """OpenAI's rate headers, for the limits that the key has."""
    found: dict[str, str] = {}
    oldest = min((each[0][0] + WINDOW - now for each in (meter.recent, meter.again) if each), default=0.0)
    for unit, limit, used in (
        ("requests", rules.requests_per_minute, len(meter.recent)),
        ("tokens", rules.tokens_per_minute, meter.tokens),
    ):
        if limit is not None:
            found[f"x-ratelimit-limit-{unit}"] = str(limit)
            found[f"x-ratelimit-remaining-{unit}"] = str(max(0, limit - used))
            found[f"x-ratelimit-reset-{unit}"] = f"{oldest:.3f}s"
    return found


def refuse_what_exceeds(rules: Rules, meter: Meter, ask: Ask, now: float) -> None:
    """Raise `Refused` where the call is more than the key may ever make, or may make now."""
    limited = partial(_limited, rules, meter, now)
    at_the_door = ask is LEAST
    for limit, what in rules.token_limits:
        if ask.tokens > limit:
            raise bad(
                f"this request may take {ask.tokens} tokens, and the key has {limit} {what}: "
                "it can never be served; ask for fewer tokens (max_tokens), or send a shorter prompt",
                "request_exceeds_limit",
            )
    concurrent, reading = rules.max_concurrency, meter.reading if at_the_door else 0
    if concurrent is not None and meter.active + reading >= concurrent:
        under_way = meter.active + reading
        raise limited("concurrency_limit_exceeded", f"{under_way} requests of this key are under way, its limit", 1)
    requests = rules.requests_per_minute
    if requests is not None and len(meter.recent) >= requests:
        wait = meter.recent[len(meter.recent) - requests][0] + WINDOW - now if requests else WINDOW
        raise limited("rate_limit_exceeded", f"this key may make {requests} requests per minute", wait)
    if requests is not None and at_the_door and len(meter.recent) + len(meter.refused) + reading >= requests:
        # Those who are being read may be refused in the next moment, and then there is room.
        wait = 1.0 if reading or not meter.refused else meter.refused[0] + WINDOW - now
        raise limited("rate_limit_exceeded", f"this key may make {requests} requests per minute", wait)
    refuse_what_is_used_up(rules, meter, ask, now)


def refuse_what_is_used_up(rules: Rules, meter: Meter, ask: Ask, now: float) -> None:
    """The same for tokens and money alone, whoever asks for them."""
    limited, per_minute = partial(_limited, rules, meter, now), rules.tokens_per_minute
    if per_minute is not None and meter.tokens + ask.tokens > per_minute:
        over, wait = meter.tokens + ask.tokens - per_minute, WINDOW
        for at, tokens in merge(meter.recent, meter.again):
            over -= int(tokens)
            if over <= 0:
                wait = at + WINDOW - now
                break
        more = "and any request takes more" if ask is LEAST else f"and this request may take {ask.tokens}"
        raise limited(
            "rate_limit_exceeded",
            f"this key may use {per_minute} tokens per minute, {meter.tokens} are used or reserved, {more}",
            wait,
        )
    if rules.has_budget:
        _refuse_over_budget(rules, meter, ask, now)


def _limited(
    rules: Rules, meter: Meter, now: float, code: str, message: str, wait: float, kind: str = "rate_limit_error"
) -> Refused:
    seconds = max(1, math.ceil(wait))
    told = {"Retry-After": str(seconds), **headers(rules, meter, now)}
    if kind == "insufficient_quota":
        told["x-should-retry"] = "false"  # OpenAI's own clients heed it
    return Refused(429, kind, code, f"{message}; try again in {seconds} s", told)


def _refuse_over_budget(rules: Rules, meter: Meter, ask: Ask, now: float) -> None:
    until_tomorrow = 86400 - now % 86400
    moment = time.gmtime(now)
    days_left = monthrange(moment.tm_year, moment.tm_mon)[1] - moment.tm_mday
    until_next_month = until_tomorrow + 86400 * days_left
    for limit, used, asked, unit, span, wait in (
        (rules.daily_tokens, meter.today.tokens, ask.tokens, "tokens", "day", until_tomorrow),
        (rules.monthly_tokens, meter.month.tokens, ask.tokens, "tokens", "month", until_next_month),
        (nanos_of(rules.daily_budget_usd), meter.today.nanos, ask.nanos, "USD", "day", until_tomorrow),
        (nanos_of(rules.monthly_budget_usd), meter.month.nanos, ask.nanos, "USD", "month", until_next_month),
    ):
        if limit is not None and used + asked > limit:
            shown = (limit, used, asked) if unit == "tokens" else tuple(usd_of(each) for each in (limit, used, asked))
            raise _limited(
                rules,
                meter,
                now,
                "budget_exceeded",
                f"this key's budget is {shown[0]} {unit} per {span} (UTC), {shown[1]} are used or reserved, "
                + ("and any request takes more" if ask is LEAST else f"and this request may take {shown[2]}"),
                wait,
                "insufficient_quota",
            )
