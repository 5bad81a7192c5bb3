"""One call and one target: what is sent there, and the answer on its way back, whole or piece by piece."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import NoReturn

import aiohttp
from aiohttp import web

from llm_gate import errors, sse, texts, upstream
from llm_gate.errors import Refused
from llm_gate.events import Events
from llm_gate.inspection import Blocked, Inspection
from llm_gate.metrics import Metrics
from llm_gate.progress import Progress
from llm_gate.requests import Call
from llm_gate.routes import LONGEST_COOL_DOWN, Routes, Target
from llm_gate.upstream import Secrets, Sessions

CALLERS_OWN = frozenset({400, 404, 405, 413, 415, 422})
"""Upstream answers that another target would give too: the request is wrong."""
KEY_REFUSED = 60.0
"""Seconds for which a target that refuses our key is left alone."""
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


@dataclass(frozen=True, slots=True)
class Exchange:
    """An admitted call, and what goes with it through every attempt."""

    request: web.BaseRequest
    call: Call
    inspection: Inspection
    progress: Progress
    headers: dict[str, str]
    """What every answer to it carries."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What all calls are relayed with."""

    routes: Routes
    secrets: Secrets
    sessions: Sessions
    metrics: Metrics
    patience: Patience

    def failed(self, target: Target, kind: str, wait: float | None = None) -> None:
        """A target has not answered, or not to the end."""
        self.routes.failed(target, wait)
        self.metrics.add("upstream_failures_total", upstream=target.upstream.name, model=target.model, kind=kind)


class Attempt:
    """One try to have a call answered."""

    def __init__(self, tools: Tools, exchange: Exchange, target: Target) -> None:
        self.tools, self.exchange, self.target = tools, exchange, target
        name = target.upstream.secret
        self.key = tools.secrets.get(name) if name else None

    async def answer(self) -> web.StreamResponse:
        """The target's answer, sent on. Raises `Failure` or `Refused` as long as nothing has been sent."""
        if self.target.upstream.secret and not self.key:
            raise Failure("no-key", wait=KEY_REFUSED)
        async with self._sent() as reply:
            if reply.status != 200:
                await self._refusal(reply)
            self.exchange.progress.answering = True
            kind = reply.headers.get("Content-Type", "")
            if self.exchange.call.stream and kind.startswith("text/event-stream"):
                return await self._stream(reply)
            return await self._at_once(reply)

    @contextlib.asynccontextmanager
    async def _sent(self) -> AsyncIterator[aiohttp.ClientResponse]:
        """The upstream's reply, its headers read. Whatever ends the block ends the upstream's work too."""
        call, target, progress = self.exchange.call, self.target, self.exchange.progress
        session = self.tools.sessions.of(target.upstream)
        address, (content, kind) = upstream.url(target, call.endpoint), upstream.body(target, call)
        sent = {"Content-Type": kind, **upstream.headers(target, call, self.key)}
        reply = None
        for attempt in (1, 2):
            try:
                progress.handed_over = True
                async with asyncio.timeout(self.tools.patience.first_byte):
                    reply = await session.post(address, data=content, headers=sent, allow_redirects=False)
                break
            except (aiohttp.ServerDisconnectedError, ConnectionResetError):
                # An idle connection that the upstream closed while the request was on its way: once more, on a new one.
                if attempt == 2:
                    raise Failure("disconnected") from None
            except aiohttp.ClientConnectorError:
                progress.handed_over = False
                raise Failure("unreachable") from None
            except TimeoutError:
                raise Failure("timeout", 504) from None
            except (aiohttp.ClientError, OSError, ValueError):
                raise Failure("protocol") from None
        assert reply is not None  # noqa: S101 - or an exception has left
        try:
            yield reply
        finally:
            # Not `release`: that would read on to the end of what nobody wants any more.
            if progress.whole:
                reply.release()
            else:
                reply.close()

    async def _refusal(self, reply: aiohttp.ClientResponse) -> NoReturn:
        """Pass on what is wrong with the request; all else is the upstream's failure."""
        status = reply.status
        if status not in CALLERS_OWN:
            if status in (401, 403):
                raise Failure("key-refused", wait=KEY_REFUSED)
            if status == 429:
                raise Failure("busy", 429, _seconds(reply.headers.get("Retry-After")) or BUSY)
            raise Failure(f"status-{status}", 503 if status == 503 else 502)
        content = await _all_of(reply, self.tools.patience)
        progress = self.exchange.progress
        progress.whole = progress.answering = True
        progress.count.reported_in, progress.count.reported_out = 0, 0
        self.tools.routes.worked(self.target)
        said = sse.document_of(upstream.scrubbed(content, self.key).strip()) or {}
        raise errors.passed_on(status, said, self.exchange.call.endpoint, self.exchange.headers)

    async def _at_once(self, reply: aiohttp.ClientResponse) -> web.Response:
        call, progress = self.exchange.call, self.exchange.progress
        content = await _all_of(reply, self.tools.patience)
        progress.count.came(content)
        content = upstream.scrubbed(content, self.key)
        progress.whole = True
        document = sse.document_of(content.strip())
        if document is None:
            raise Failure("not-json")
        self.tools.routes.worked(self.target)
        progress.count.report(document)
        for slots in texts.in_answer(call.endpoint, document):
            for slot in slots:
                progress.count.hear(texts.get(slot))
        if await self.exchange.inspection.answer(document):
            content = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        self.tools.metrics.first_byte(time.monotonic() - progress.began)
        return web.Response(body=content, content_type="application/json", headers=self.exchange.headers)

    async def _stream(self, reply: aiohttp.ClientResponse) -> web.StreamResponse:
        exchange, progress, patience = self.exchange, self.exchange.progress, self.tools.patience
        out = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream; charset=utf-8",
                "Cache-Control": "no-cache",
                "X-Accel-Buffering": "no",
                **exchange.headers,
            }
        )
        events = Events(exchange.call, self.key, exchange.inspection, progress.count)
        problem: Refused | None = None
        begun = writing = False
        try:
            clock = asyncio.get_running_loop().time
            async with asyncio.timeout(patience.first_byte) as limit:
                while piece := await reply.content.readany():
                    ready = await events.take(piece)
                    if ready:
                        if not begun:
                            begun = True
                            self.tools.routes.worked(self.target)
                            self.tools.metrics.first_byte(time.monotonic() - progress.began)
                            await out.prepare(exchange.request)
                        writing = True
                        await out.write(ready)
                        writing = False
                        limit.reschedule(clock() + patience.between)
            ready = await events.end()
            progress.whole = True
            if not events.finished:
                raise Failure("cut")
            if ready:
                await self._write(out, ready)
        except Blocked as blocked:
            problem = blocked
        except Failure as failure:
            if not begun:
                raise
            problem = Refused(502, "api_error", "upstream_cut", f"the upstream broke off ({failure.kind})")
        except TimeoutError:
            if writing:
                raise ConnectionResetError("the caller does not read") from None
            if not begun:
                raise Failure("stalled", 504) from None
            problem = Refused(504, "api_error", "upstream_stalled", "the upstream said nothing for too long")
        except (aiohttp.ClientError, ValueError):
            if not begun:
                raise Failure("cut") from None
            problem = Refused(502, "api_error", "upstream_cut", "the upstream broke off")
        if problem is not None:
            progress.status = problem.status
            before = events.written(problem.before) if isinstance(problem, Blocked) else b""
            if isinstance(problem, Blocked):
                progress.verdict = exchange.inspection.verdict
            else:
                self.tools.failed(self.target, problem.code)
            if not out.prepared:
                await out.prepare(exchange.request)
            await self._write(out, before + errors.event(problem, exchange.call.endpoint))
        await out.write_eof()
        return out

    async def _write(self, out: web.StreamResponse, content: bytes) -> None:
        """Send a piece; a caller that does not take it for too long has hung up."""
        try:
            async with asyncio.timeout(self.tools.patience.between):
                await out.write(content)
        except TimeoutError:
            raise ConnectionResetError("the caller does not read") from None


async def _all_of(reply: aiohttp.ClientResponse, patience: Patience) -> bytes:
    content = bytearray()
    try:
        while True:
            async with asyncio.timeout(patience.between):
                piece = await reply.content.readany()
            if not piece:
                break
            content += piece
            if len(content) > upstream.LONGEST_ANSWER:
                raise Failure("too-long")
    except TimeoutError:
        raise Failure("stalled", 504) from None
    except aiohttp.ClientError:
        raise Failure("cut") from None
    return bytes(content)


def _seconds(text: str | None) -> float | None:
    try:
        found = float(text or "")
    except ValueError:
        return None
    return min(max(0.0, found), LONGEST_COOL_DOWN) if math.isfinite(found) else None
