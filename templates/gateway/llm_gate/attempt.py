"""One call and one target: what is sent there, and the answer on its way back, whole or piece by piece."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

from llm_gate import errors, sse, texts, upstream
from llm_gate.asking import Unreachable
from llm_gate.errors import Refused
from llm_gate.events import Events
from llm_gate.flow import Flow
from llm_gate.inspection import Blocked, Inspection
from llm_gate.messages import Answer, Request
from llm_gate.metrics import Metrics
from llm_gate.progress import Progress
from llm_gate.replicas import Replicas
from llm_gate.replies import Broken, Reply
from llm_gate.requests import Call
from llm_gate.routes import LONGEST_COOL_DOWN, Routes, Target
from llm_gate.starting import Starting
from llm_gate.turns import Turns
from llm_gate.upstream import Pools, Secrets

CALLERS_OWN = frozenset({400, 413, 415, 422})
"""Upstream answers that another target would give too: the request is wrong."""
NOT_HERE = frozenset({404, 405, 501})
"""Answers of an upstream that does not have what is asked, such as a model that its vendor has ended, or an endpoint.
Another may have it; nobody is ill."""
WAITED = frozenset({504, 524})
"""Answers of a front that has given up waiting for a server that may be at work; 524 is Cloudflare's."""
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
    worked: bool = False
    """The upstream had the request, and may have worked for it and charge for that."""
    told: Refused | None = None
    """What the caller is told where no other target answers. Then it is nobody's fault."""

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
    reserve: Callable[[], bool] = lambda: True
    """Reserves as much once more, where one upstream may have worked and another is asked; False: there is no room."""
    trace: str = ""
    """The `traceparent` by which the machine's own engines tell of their part; empty: they do not."""
    suspects: list[Target] = field(default_factory=list)
    """Targets that have failed it, while nobody knows whose fault it is."""

    def lose(self, said: str | None = None) -> None:
        """The target comes to nothing, and may have worked all the same. ``said``: what a gateway has counted itself,
        for others whom it asked in vain."""
        self.progress.lose(self.call, said)
        if self.progress.lost:
            # A gateway that has asked this one counts it too.
            self.headers[errors.COUNTED] = self.progress.counted

    def room(self) -> bool:
        """Whether one more upstream may be asked: for each that may have worked as much is reserved as for one call."""
        while self.progress.reservations <= len(self.progress.lost):
            if not self.reserve():
                return False
            self.progress.reservations += 1
        return True


@dataclass(frozen=True, slots=True)
class Tools:
    """What all calls are relayed with."""

    routes: Routes
    secrets: Secrets
    pools: Pools
    metrics: Metrics
    patience: Patience
    replicas: Replicas
    turns: Turns
    starting: Starting

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
            if self.target.upstream.kind == "gateway" and (said := reply.headers.get(errors.COUNTED)):
                self.exchange.lose(said)
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
            if progress.whole or reply.ended:
                reply.release()
            else:
                reply.close()

    async def _sent(self) -> Reply:
        """The upstream's reply, its headers read."""
        call, target, progress = self.exchange.call, self.target, self.exchange.progress
        try:
            pool = self.tools.pools.of(target.upstream)
            content, kind = upstream.body(target, call)
            sent = {"Content-Type": kind, **self._headers()}
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
                raise Failure("timeout", 504, worked=True) from None
            except Broken as broken:
                if not broken.closed:
                    raise Failure("protocol", worked=True) from None
                # An idle connection may be closed while a request is on its way; but the upstream may be at work on
                # it all the same, and charge for each. So each counts.
                again = broken.kept and (self.exchange.ask_twice or not self._paid)
                if attempt == 2 or not again:
                    raise Failure("disconnected", worked=True) from None
                self.exchange.lose()
                if not self.exchange.room():
                    raise Failure("disconnected") from None
        raise AssertionError

    def _headers(self) -> dict[str, str]:
        exchange = self.exchange
        found = upstream.headers(self.target, exchange.call, self.key, ask_twice=exchange.ask_twice)
        # An engine, or another machine's gateway before one. A vendor learns of nobody's traces.
        told = exchange.trace and self.target.upstream.kind == "vllm"
        return {**found, "traceparent": exchange.trace} if told else found

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
        status, exchange = reply.status, self.exchange
        if status not in CALLERS_OWN | NOT_HERE | {429}:
            if status == 401:
                raise Failure("key-refused", wait=KEY_REFUSED)
            if status == 503 and self.target.wakes:
                raise self._asleep(self.target.wakes)
            # A gateway of ours says itself what it has counted.
            worked = status in WAITED and self.target.upstream.kind != "gateway"
            # One of several that is about to be changed, or is full, says for how long the others are to do.
            wait = (
                _seconds(reply.headers.get("retry-after")) if self.target.upstream.replica and status == 503 else None
            )
            raise Failure(f"status-{status}", 503 if status == 503 else 502, wait, worked=worked)
        content = await _all_of(reply, self.tools.patience, worked=False)
        said = sse.document_of(upstream.scrubbed(content, self.key).strip()) or {}
        if status == 404 and self.target.wakes and isinstance(said.get("error"), str):
            # A router that was started while no engine was there knows the model not at all. Engines say it otherwise.
            raise self._asleep(self.target.wakes)
        if status == 429 and not errors.too_large(said):
            raise Failure("busy", 429, _seconds(reply.headers.get("retry-after")) or BUSY)
        if status not in CALLERS_OWN:
            raise Failure(f"status-{status}", told=self._passed_on(413 if status == 429 else status, said))
        progress = exchange.progress
        progress.whole = progress.answering = True
        progress.count.reported_in, progress.count.reported_out = 0, 0
        self.tools.routes.worked(self.target, exchange.caller)
        exchange.suspects.clear()  # the request is wrong: whoever else failed it may be well
        raise self._passed_on(status, said)

    def _asleep(self, seconds: int) -> Failure:
        """Nobody's fault: a fallback may answer, and else the caller is told when to come again."""
        return Failure("asleep", 503, told=errors.asleep(self.exchange.call.model, seconds))

    def _passed_on(self, status: int, said: dict[str, Any]) -> Refused:
        return errors.passed_on(status, said, self.exchange.call.endpoint, self.exchange.headers)

    async def _at_once(self, reply: Reply) -> Answer:
        call, progress = self.exchange.call, self.exchange.progress
        content = await _all_of(reply, self.tools.patience)
        progress.count.came(content)
        content = upstream.scrubbed(content, self.key)
        document = sse.document_of(content.strip())
        if document is None:
            raise Failure("not-json", worked=True)
        progress.whole = True
        self._worked()
        progress.count.report(document)
        for slots in texts.in_answer(call.endpoint, document):
            for slot in slots:
                progress.count.hear(texts.get(slot))
        if await self.exchange.inspection.answer(document):
            content = sse.written(document)
        self._first_byte()
        return Answer(content, headers=self.exchange.headers)

    def _first_byte(self) -> None:
        progress = self.exchange.progress
        progress.first = time.monotonic() - progress.began
        self.tools.metrics.first_byte(progress.first)

    async def _stream(self, reply: Reply) -> None:
        exchange, progress, tools = self.exchange, self.exchange.progress, self.tools
        out = exchange.request.outgoing({**STREAMED, **exchange.headers})
        events = Events(exchange.call, self.key, exchange.inspection, progress.count)

        def begun() -> None:
            self._worked()
            self._first_byte()

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
                raise Failure("stalled", 504, worked=True) from None
            problem = Refused(504, "api_error", "upstream_stalled", "the upstream said nothing for too long")
        except (Broken, ValueError):
            if not out.begun:
                raise Failure("cut", worked=True) from None
            problem = Refused(502, "api_error", "upstream_cut", "the upstream broke off")
        except (ConnectionResetError, Failure):
            raise
        except Exception as error:
            if not out.begun:
                raise
            # The head is out, so what went wrong here ends the stream as whatever goes wrong elsewhere does.
            sys.stderr.write(errors.log_line(error))
            problem = errors.internal()
        progress.whole = reply.ended
        progress.status = problem.status
        before = events.written(problem.before) if isinstance(problem, Blocked) else b""
        if isinstance(problem, Blocked):
            progress.verdict = exchange.inspection.verdict
        elif problem.status != 500:
            tools.count(self.target, problem.code)
            tools.routes.failed(self.target, caller=exchange.caller)
        out.end(before + errors.event(problem, exchange.call.endpoint))
        await out.taken(tools.patience.between)


async def _all_of(reply: Reply, patience: Patience, *, worked: bool = True) -> bytes:
    content = bytearray()
    try:
        while True:
            reply.wait(patience.between)
            piece = await reply.read()
            if not piece:
                break
            content += piece
            if len(content) > upstream.LONGEST_ANSWER:
                raise Failure("too-long", worked=worked)
    except TimeoutError:
        raise Failure("stalled", 504, worked=worked) from None
    except Broken:
        raise Failure("cut", worked=worked) from None
    return bytes(content)


def _seconds(text: str | None) -> float | None:
    try:
        found = float(text or "")
    except ValueError:
        return None
    return min(max(0.0, found), LONGEST_COOL_DOWN) if math.isfinite(found) else None
