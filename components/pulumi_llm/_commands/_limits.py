"""The limits that a gateway's key can have, as the command line reads them."""

from __future__ import annotations

from pulumi_llm._commands._values import number, whole

LIMITS = {
    "requests_per_minute": whole(1, 10**6),
    "tokens_per_minute": whole(1, 10**9),
    "max_concurrency": whole(1, 10**5),
    "daily_tokens": whole(1, 10**12),
    "monthly_tokens": whole(1, 10**12),
    "daily_budget_usd": number(0, 10**7),
    "monthly_budget_usd": number(0, 10**8),
}
"""A key's limits, as options of `add`."""
