"""A span for each admitted call, sent to a collector: which model, how long, how much, and nothing that was said.

OpenTelemetry's protocol over HTTP in its JSON form (OTLP 1.10: ids in hexadecimal, whole numbers of 64 bits as text).
The attributes' names are those of the conventions for generative AI, where these have one.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llm_gate.counting import Post
from llm_gate.messages import Headers
from llm_gate.meter import Spent
from llm_gate.metrics import Metrics
from llm_gate.progress import Progress
from llm_gate.requests import Call
from llm_gate.routes import Upstream

MOST = 4096
"""Spans that wait to be sent; of more the oldest are lost, and counted."""
BATCH = 512
"""Spans of one request."""
PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds before a collector that did not take them is asked again: twice as long each time, up to the second."""
AGAIN = frozenset({429, 502, 503, 504})
"""What a collector answers that may take the same spans later (OTLP 1.10)."""
_PARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")
"""W3C Trace Context, level 1."""
_OPERATIONS = {
    "/v1/chat/completions": "chat",
    "/v1/responses": "chat",
    "/v1/messages": "chat",
    "/v1/completions": "text_completion",
    "/v1/embeddings": "embeddings",
}
_SERVER, _CLIENT_LEFT, _ERROR = 2, 499, 2


@dataclass(slots=True)
class Span:
    """A call that is traced, from its beginning. Times are nanoseconds since 1970."""

    trace: str
    id: str
    parent: str
    began: int


class Traces:
    """The spans of one gateway, and the collector that gets them. ``asked``: what the settings say, at this moment."""

    def __init__(self, asked: Callable[[], Any], post: Post, metrics: Metrics, complain: Callable[..., None]) -> None:
        self._asked, self._post, self._metrics, self._complain = asked, post, metrics, complain
        self._waiting: deque[dict[str, Any]] = deque()
        self._next = 0.0
        self._pause = PAUSE
        self._sending = False

    def begin(self, headers: Headers) -> Span | None:
        """The span of a call that begins; None where it is not traced."""
        asked = self._asked()
        if not isinstance(asked, dict) or not asked.get("endpoint"):
            return None
        found = _PARENT.fullmatch(headers.get("traceparent", ""))
        if found is not None and not int(found[3], 16) & 1:
            return None  # the caller traces nothing of this
        trace, parent = (found[1], found[2]) if found else (secrets.token_hex(16), "")
        # By the id, so that all who see the same trace leave it out or none does.
        if int(trace[16:], 16) >> 1 >= asked.get("share", 1.0) * (1 << 63):
            return None
        return Span(trace, secrets.token_hex(8), parent, time.time_ns())

    def goes_on(self, headers: Headers, span: Span | None) -> str:
        """The `traceparent` for the machine's own engines, where they are to tell of their part; empty: they are not.

        A gateway that has no collector is before the engines of a further machine: what the first one says goes on.
        """
        asked = self._asked()
        if not isinstance(asked, dict) or not asked.get("engine"):
            return ""
        if span is not None:
            return f"00-{span.trace}-{span.id}-01"
        found = None if asked.get("endpoint") else _PARENT.fullmatch(headers.get("traceparent", ""))
        return found[0] if found is not None and int(found[3], 16) & 1 else ""

    def end(self, span: Span, request: str, key: str, call: Call, progress: Progress, spent: Spent) -> None:
        """The call is over."""
        attributes: dict[str, str | int | float | bool] = {
            "gen_ai.operation.name": _OPERATIONS.get(call.endpoint, call.endpoint),
            "gen_ai.request.model": call.model,
            "gen_ai.request.stream": call.stream,
            "gen_ai.usage.input_tokens": spent.tokens_in,
            "gen_ai.usage.output_tokens": spent.tokens_out,
            "http.response.status_code": spent.status,
            "url.path": call.endpoint,
            "llm_gateway.key": key,
            "llm_gateway.request_id": request,
            "llm_gateway.cost_usd": spent.nanos / 1e9,
        }
        if spent.upstream:
            attributes["llm_gateway.upstream"] = spent.upstream
        if progress.target is not None:
            attributes["gen_ai.provider.name"] = progress.target.upstream.kind
        if progress.first:
            attributes["gen_ai.response.time_to_first_chunk"] = progress.first
        if spent.verdict:
            attributes["llm_gateway.verdict"] = spent.verdict
        failed = spent.status >= 500 or spent.status == _CLIENT_LEFT
        if failed:
            attributes["error.type"] = str(spent.status)
        row: dict[str, Any] = {
            "traceId": span.trace,
            "spanId": span.id,
            "name": f"{attributes['gen_ai.operation.name']} {call.model}",
            "kind": _SERVER,
            "startTimeUnixNano": str(span.began),
            "endTimeUnixNano": str(max(span.began, time.time_ns())),
            "attributes": [{"key": name, "value": _value(each)} for name, each in attributes.items()],
            "status": {"code": _ERROR} if failed else {},
        }
        if span.parent:
            row["parentSpanId"] = span.parent
        if len(self._waiting) >= MOST:
            self._waiting.popleft()
            self._metrics.add("spans_lost_total")
        self._waiting.append(row)

    async def send(self) -> None:
        """Send what waits, where it is time to. One sending at a time."""
        if not self._waiting or self._sending or time.monotonic() < self._next:
            return
        asked = self._asked()
        if not isinstance(asked, dict) or not asked.get("endpoint"):
            self._waiting.clear()  # nobody wants them any more
            return
        self._sending = True
        try:
            while batch := [self._waiting[place] for place in range(min(BATCH, len(self._waiting)))]:
                if not await self._sent(str(asked["endpoint"]), str(asked.get("service", "llm-gateway")), batch):
                    self._next = time.monotonic() + self._pause
                    self._pause = min(2 * self._pause, LONGEST_PAUSE)
                    return
                self._pause = PAUSE
                for each in batch:
                    # Those that were lost meanwhile, as too many came, are gone already.
                    if self._waiting and self._waiting[0] is each:
                        self._waiting.popleft()
        finally:
            self._sending = False

    async def _sent(self, endpoint: str, service: str, batch: list[dict[str, Any]]) -> bool:
        """Whether these need not be sent again: the collector took them, or never will."""
        body = {
            "resourceSpans": [
                {
                    "resource": {"attributes": [{"key": "service.name", "value": _value(service)}]},
                    "scopeSpans": [{"scope": {"name": "llm_gate"}, "spans": batch}],
                }
            ]
        }
        where = Upstream("traces", "custom", endpoint)
        sent = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "pulumi-llm-gateway"}
        try:
            status, __ = await self._post(where, endpoint, sent, json.dumps(body, separators=(",", ":")).encode())
        except OSError as error:
            self._complain(f"[gate.traces] the collector does not answer: {error}")
            return False
        if status in AGAIN:
            self._complain(f"[gate.traces] the collector takes no spans at the moment: it answers {status}")
            return False
        if not 200 <= status < 300:
            self._metrics.add("spans_lost_total", len(batch))
            self._complain(f"[gate.traces] the collector refuses spans: it answers {status}")
        return True


def _value(value: str | int | float | bool) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    return {"doubleValue": value} if isinstance(value, float) else {"stringValue": value}
