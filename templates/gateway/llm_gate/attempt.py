"""One call and one target: what is sent there, and the answer on its way back, whole or piece by piece."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import NoReturn

from llm_gate import errors, sse, texts, upstream
from llm_gate.asking import Broken, Reply, Unreachable
from llm_gate.errors import Refused
from llm_gate.events import Events
from llm_gate.flow import Flow
from llm_gate.inspection import Blocked, Inspection
from llm_gate.messages import Answer, Request
from llm_gate.metrics import Metrics
from llm_gate.progress import Progress
from llm_gate.requests import Call
from llm_gate.routes import LONGEST_COOL_DOWN, Routes, Target
from llm_gate.upstream import Pools, Secrets

CALLERS_OWN = frozenset({400, 404, 405, 413, 415, 422})
"""Upstream answers that another target would give too: the request is wrong."""
KEY_REFUSED = 60.0
"""Seconds for which a target that refuses our key is left alone."""
STREAMED = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",
}
"""The headers of every stream."""
BUSY = 5.0
"""Seconds for which a target that is busy is left alone, where it does not say how long itself."""


@dataclass(frozen=True)
class Patience:
    """How long is waited, in seconds."""

    first_byte: float = 600.0
    """Until an upstream begins to answer: an answer that is not streamed begins when it is finished."""
    between: float = 120.0
    """Between two pieces of an answer, and for the caller to take one."""


@dataclass(slots=True)
class Failure(Exception):  # noqa: N818 - it is how one attempt ended; another may follow
    """An attempt that came to nothing before a byte was sent to the caller."""

    kind: str
    status: int = 502
    wait: float | None = None

    @property
    def own(self) -> bool:
        """Whether it is the target's fault whatever was asked: nobody is there, it refuses our key, or it is busy."""
        return self.wait is not None or self.kind == "unreachable"


@dataclass(frozen=True, slots=True)
class Exchange:
    """An admitted call, and what goes with it through every attempt."""

    request: Request
    call: Call
    inspection: Inspection
    progress: Progress
    headers: dict[str, str]
    """What every answer to it carries."""
    caller: str = ""
    """The name of the caller's key."""
    ask_twice: bool = False
    """The caller pays for a second asking, where an upstream has closed the connection without a word."""
    suspects: list[Target] = field(default_factory=list)
    """Targets that have failed it, while nobody knows whose fault it is."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What all calls are relayed with."""

    routes: Routes
    secrets: Secrets
    pools: Pools
    metrics: Metrics
    patience: Patience

    def count(self, target: Target, kind: str) -> None:
        """Count what a target has failed."""
        self.metrics.add("upstream_failures_total", upstream=target.upstream.name, model=target.model, kind=kind)


class Attempt:
    """One try to have a call answered."""

    def __init__(self, tools: Tools, exchange: Exchange, target: Target) -> None:
        self.tools, self.exchange, self.target = tools, exchange, target
        name = target.upstream.secret
        self.key = tools.secrets.get(name) if name else None

    async def answer(self) -> Answer | None:
        """The target's answer; None: it was streamed. Raises `Failure` or `Refused` while nothing has been sent."""
        if self.target.upstream.secret and not self.key:
            raise Failure("no-key", wait=KEY_REFUSED)
        progress = self.exchange.progress
        reply = await self._sent()
        try:
            if reply.status != 200:
                await self._refusal(reply)
            progress.answering = True
            kind = reply.headers.get("content-type", "")
            if self.exchange.call.stream and kind.startswith("text/event-stream"):
                await self._stream(reply)
                return None
            return await self._at_once(reply)
        finally:
            # Whatever ends this ends the upstream's work too: what nobody wants any more is not read to its end.
            if progress.whole:
                reply.release()
            else:
                reply.close()

    async def _sent(self) -> Reply:
        """The upstream's reply, its headers read."""
        call, target, progress = self.exchange.call, self.target, self.exchange.progress
        try:
            pool = self.tools.pools.of(target.upstream)
            content, kind = upstream.body(target, call)
            sent = {"Content-Type": kind, **upstream.headers(target, call, self.key)}
            asked = upstream.request(pool, upstream.url(target, call.endpoint), sent, content)
        except (ValueError, OSError):
            raise Failure("protocol") from None
        for attempt in (1, 2):
            try:
                progress.handed_over = True
                return await pool.ask(asked, self.tools.patience.first_byte)
            except Unreachable:
                progress.handed_over = False
                raise Failure("unreachable") from None
            except TimeoutError:
                raise Failure("timeout", 504) from None
            except Broken as broken:
                if not broken.closed:
                    raise Failure("protocol") from None
                # An idle connection may be closed while a request is on its way; but the upstream may be at work on
                # it all the same, and charge for each.
                again = broken.kept and (self.exchange.ask_twice or not self._paid)
                if attempt == 2 or not again:
                    raise Failure("disconnected") from None
        raise AssertionError

    @property
    def _paid(self) -> bool:
        target = self.target
        known = target.price_in is not None or target.price_out is not None
        return bool(target.price_in or target.price_out) if known else target.upstream.kind != "vllm"

    def _worked(self) -> None:
        """It answers what others have not answered: then it was their fault."""
        exchange, routes = self.exchange, self.tools.routes
        routes.worked(self.target, exchange.caller)
        for each in exchange.suspects:
            routes.failed(each, caller=exchange.caller)
        exchange.suspects.clear()

    async def _refusal(self, reply: Reply) -> NoReturn:
        """Pass on what is wrong with the request; all else is the upstream's failure."""
        status = reply.status
        if status not in CALLERS_OWN:
            if status in (401, 403):
                raise Failure("key-refused", wait=KEY_REFUSED)
            if status == 429:
                raise Failure("busy", 429, _seconds(reply.headers.get("retry-after")) or BUSY)
            raise Failure(f"status-{status}", 503 if status == 503 else 502)
        content = await _all_of(reply, self.tools.patience)
        progress = self.exchange.progress
        progress.whole = progress.answering = True
        progress.count.reported_in, progress.count.reported_out = 0, 0
        self.tools.routes.worked(self.target, self.exchange.caller)
        self.exchange.suspects.clear()  # the request is wrong: whoever else failed it may be well
        said = sse.document_of(upstream.scrubbed(content, self.key).strip()) or {}
        raise errors.passed_on(status, said, self.exchange.call.endpoint, self.exchange.headers)

    async def _at_once(self, reply: Reply) -> Answer:
        call, progress = self.exchange.call, self.exchange.progress
        content = await _all_of(reply, self.tools.patience)
        progress.count.came(content)
        content = upstream.scrubbed(content, self.key)
        progress.whole = True
        document = sse.document_of(content.strip())
        if document is None:
            raise Failure("not-json")
        self._worked()
        progress.count.report(document)
        for slots in texts.in_answer(call.endpoint, document):
            for slot in slots:
                progress.count.hear(texts.get(slot))
        if await self.exchange.inspection.answer(document):
            content = sse.written(document)
        self.tools.metrics.first_byte(time.monotonic() - progress.began)
        return Answer(content, headers=self.exchange.headers)

    async def _stream(self, reply: Reply) -> None:
        exchange, progress, tools = self.exchange, self.exchange.progress, self.tools
        out = exchange.request.outgoing({**STREAMED, **exchange.headers})
        events = Events(exchange.call, self.key, exchange.inspection, progress.count)

        def begun() -> None:
            self._worked()
            tools.metrics.first_byte(time.monotonic() - progress.began)

        flow = Flow(reply, out, events, tools.patience.first_byte, tools.patience.between, begun)
        problem: Refused | None = None
        try:
            await (flow.straight() if exchange.inspection.checker is None else flow.checked())
            progress.whole = True
            return
        except Blocked as blocked:
            blocked.__context__ = None
            problem = blocked.with_traceback(None)  # which would know of this frame, and this frame of it
        except TimeoutError:
            if not out.begun:
                raise Failure("stalled", 504) from None
            problem = Refused(504, "api_error", "upstream_stalled", "the upstream said nothing for too long")
        except (Broken, ValueError):
            if not out.begun:
                raise Failure("cut") from None
            problem = Refused(502, "api_error", "upstream_cut", "the upstream broke off")
        progress.whole = reply.ended
        progress.status = problem.status
        before = events.written(problem.before) if isinstance(problem, Blocked) else b""
        if isinstance(problem, Blocked):
            progress.verdict = exchange.inspection.verdict
        else:
            tools.count(self.target, problem.code)
            tools.routes.failed(self.target, caller=exchange.caller)
        out.end(before + errors.event(problem, exchange.call.endpoint))
        await out.taken(tools.patience.between)


async def _all_of(reply: Reply, patience: Patience) -> bytes:
    content = bytearray()
    try:
        while True:
            reply.wait(patience.between)
            piece = await reply.read()
            if not piece:
                break
            content += piece
            if len(content) > upstream.LONGEST_ANSWER:
                raise Failure("too-long")
    except TimeoutError:
        raise Failure("stalled", 504) from None
    except Broken:
        raise Failure("cut") from None
    return bytes(content)


def _seconds(text: str | None) -> float | None:
    try:
        found = float(text or "")
    except ValueError:
        return None
    return min(max(0.0, found), LONGEST_COOL_DOWN) if math.isfinite(found) else None
