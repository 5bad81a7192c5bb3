"""Counters for Prometheus, in its text format. Labels are names of keys, models and upstreams, never a key itself."""

from __future__ import annotations

import collections
from bisect import bisect_left
from functools import lru_cache

from llm_gate.meter import Spent

BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

_HELP = {
    "llm_gateway_requests_total": ("counter", "Requests by key, endpoint, model and status."),
    "llm_gateway_refused_total": ("counter", "Requests that were refused, by key and code."),
    "llm_gateway_tokens_total": ("counter", "Tokens by key, model and direction (in, out)."),
    "llm_gateway_cost_usd_total": ("counter", "Cost in USD at the catalogue's prices, by key and model."),
    "llm_gateway_upstream_failures_total": (
        "counter",
        "Attempts that an upstream failed, by upstream, model and kind.",
    ),
    "llm_gateway_content_total": ("counter", "What the content check found, by direction, source and action."),
    "llm_gateway_spans_lost_total": ("counter", "Spans of calls that no collector has taken."),
    "llm_gateway_active_requests": ("gauge", "Requests under way, by key."),
    "llm_gateway_upstream_up": ("gauge", "1 where an upstream's model is asked, 0 while it cools down."),
    "llm_gateway_first_byte_seconds": ("histogram", "Seconds from the request to the first byte of its answer."),
    "llm_gateway_budget": ("gauge", "What a key may use, by key, unit (usd, tokens) and period (day, month; UTC)."),
    "llm_gateway_budget_used": ("gauge", "What of it is used or reserved, in the period that runs."),
    "llm_gateway_key_end_timestamp_seconds": ("gauge", "When a key ends that has an end, in seconds since 1970."),
    "llm_gateway_turns_total": ("counter", "Models put to sleep or woken, by upstream, what, and how it went."),
    "llm_gateway_turns_seconds_total": ("counter", "Seconds that this took, by upstream and what."),
    "llm_gateway_model_awake": ("gauge", "1 for the model that is awake, of those that take turns on one card."),
    "llm_gateway_calls_waiting": ("gauge", "Calls that wait for the turn of their model."),
    "llm_gateway_engine_up": ("gauge", "1 where the vLLM on this machine tells its own numbers, which stand below."),
    "llm_node_disk_bytes": ("gauge", "Bytes of a disk, by the path that it is mounted at."),
    "llm_node_disk_free_bytes": ("gauge", "Bytes of it that are free."),
    "llm_node_leaving": (
        "gauge",
        "1 while the machine drains, stops or could not be stopped, 0 while it watches; by state and its code.",
    ),
    "llm_node_certificate_end_timestamp_seconds": (
        "gauge",
        "When the certificate that the gateway's port shows ends, in seconds since 1970.",
    ),
}
Labels = tuple[tuple[str, str], ...]
Counter = tuple[str, Labels]
"""A counter's whole name and its labels."""


def counter(name: str, **labels: str) -> Counter:
    """The counter of this name with these labels."""
    return f"llm_gateway_{name}", tuple(labels.items())


class Metrics:
    """The numbers of one process, from its start."""

    def __init__(self) -> None:
        self.values: collections.Counter[Counter] = collections.Counter()
        self._first_bytes = [0] * (len(BUCKETS) + 1)
        self._first_byte_sum = 0.0

    def add(self, name: str, amount: float = 1, **labels: str) -> None:
        """Count something."""
        self.values[counter(name, **labels)] += amount  # type: ignore[assignment]

    def call(self, key: str, model: str, endpoint: str, spent: Spent) -> None:
        """Count a call that has ended."""
        requests, tokens_in, tokens_out, cost = _of_call(key, model, endpoint, spent.status)
        values = self.values
        values[requests] += 1
        values[tokens_in] += spent.tokens_in
        values[tokens_out] += spent.tokens_out
        values[cost] += spent.nanos / 1e9  # type: ignore[assignment]

    def first_byte(self, seconds: float) -> None:
        """Note how long a caller waited for the first byte."""
        self._first_bytes[bisect_left(BUCKETS, seconds)] += 1
        self._first_byte_sum += seconds

    def render(self, gauges: dict[tuple[str, Labels], float]) -> str:
        """All of it as text."""
        rows: dict[str, list[str]] = {name: [] for name in _HELP}
        for (name, labels), value in [*sorted(self.values.items()), *sorted(gauges.items())]:
            rows[name].append(f"{name}{_labels(labels)} {value:.12g}")
        total = 0
        for place, count in enumerate(self._first_bytes):
            total += count
            bound = f"{BUCKETS[place]:g}" if place < len(BUCKETS) else "+Inf"
            rows["llm_gateway_first_byte_seconds"].append(
                f'llm_gateway_first_byte_seconds_bucket{{le="{bound}"}} {total}'
            )
        rows["llm_gateway_first_byte_seconds"] += [
            f"llm_gateway_first_byte_seconds_sum {self._first_byte_sum:.6f}",
            f"llm_gateway_first_byte_seconds_count {total}",
        ]
        lines = []
        for name, (kind, text) in _HELP.items():
            if rows[name] or name.startswith("llm_gateway_"):
                lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}", *rows[name]]
        return "\n".join(lines) + "\n"


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    quoted = (
        name + '="' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
        for name, value in labels
    )
    return "{" + ",".join(quoted) + "}"


@lru_cache(1024)
def _of_call(key: str, model: str, endpoint: str, status: int) -> tuple[Counter, Counter, Counter, Counter]:
    """What is counted of each call that has ended: requests, tokens of both directions, and cost."""
    return (
        counter("requests_total", key=key, model=model, endpoint=endpoint, status=str(status)),
        counter("tokens_total", key=key, model=model, direction="in"),
        counter("tokens_total", key=key, model=model, direction="out"),
        counter("cost_usd_total", key=key, model=model),
    )
