"""One admitted call, to its end: target after target until one begins to answer, then the answer, as it comes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from llm_gate import errors, sse, texts, upstream
from llm_gate.errors import Refused
from llm_gate.inspection import Blocked, Inspection
from llm_gate.metrics import Metrics
from llm_gate.requests import Call
from llm_gate.routes import LONGEST_COOL_DOWN, Routes, Target
from llm_gate.store import Spent
from llm_gate.upstream import Secrets, Sessions
from llm_gate.usage import Count

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


@dataclass(slots=True)
class Progress:
    """How far a call has come, for its settlement."""

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
            tokens_in, tokens_out = self.count.tokens_in, self.count.tokens_out
            if not self.whole:
                tokens_out = max(tokens_out, self.count.heard_out if call.stream else call.tokens_out)
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


class Relay:
    """What calls are relayed with."""

    def __init__(
        self, routes: Routes, secrets: Secrets, sessions: Sessions, metrics: Metrics, patience: Patience
    ) -> None:
        self.routes, self.secrets, self.sessions, self.metrics = routes, secrets, sessions, metrics
        self.patience = patience

    async def answer(
        self,
        request: web.BaseRequest,
        call: Call,
        targets: list[Target],
        inspection: Inspection,
        progress: Progress,
        headers: dict[str, str],
    ) -> web.StreamResponse:
        """Relay the call. Raises `Refused` as long as nothing has been sent."""
        failures: list[Failure] = []
        for target in targets:
            progress.target, progress.handed_over, progress.answering = target, False, False
            try:
                return await self._attempt(request, call, target, inspection, progress, headers)
            except Failure as failure:
                failures.append(failure)
                self.routes.failed(target, failure.wait)
                self.metrics.add(
                    "upstream_failures_total",
                    upstream=target.upstream.name,
                    model=target.model,
                    kind=failure.kind,
                )
        # No target has answered, so none is paid.
        progress.target = None
        raise _unavailable(failures)

    async def _attempt(
        self,
        request: web.BaseRequest,
        call: Call,
        target: Target,
        inspection: Inspection,
        progress: Progress,
        headers: dict[str, str],
    ) -> web.StreamResponse:
        key = self.secrets.get(target.upstream.secret) if target.upstream.secret else None
        if target.upstream.secret and not key:
            raise Failure("no-key", wait=KEY_REFUSED)
        async with self._sent(call, target, key, progress) as reply:
            if reply.status != 200:
                return await self._refusal(reply, call, target, key, progress, headers)
            progress.answering = True
            kind = reply.headers.get("Content-Type", "")
            if call.stream and kind.startswith("text/event-stream"):
                return await self._stream(request, reply, call, target, key, inspection, progress, headers)
            return await self._at_once(reply, call, target, key, inspection, progress, headers)

    @contextlib.asynccontextmanager
    async def _sent(
        self, call: Call, target: Target, key: str | None, progress: Progress
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The upstream's reply, its headers read. Whatever ends the block ends the upstream's work too."""
        session = self.sessions.of(target.upstream)
        address, content = upstream.url(target, call.endpoint), upstream.body(target, call)
        sent = upstream.headers(target, call, key)
        reply = None
        for attempt in (1, 2):
            try:
                progress.handed_over = True
                async with asyncio.timeout(self.patience.first_byte):
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

    async def _refusal(
        self,
        reply: aiohttp.ClientResponse,
        call: Call,
        target: Target,
        key: str | None,
        progress: Progress,
        headers: dict[str, str],
    ) -> web.Response:
        """Pass on what is wrong with the request; all else is the upstream's failure."""
        status = reply.status
        if status not in CALLERS_OWN:
            if status in (401, 403):
                raise Failure("key-refused", wait=KEY_REFUSED)
            if status == 429:
                raise Failure("busy", 429, _seconds(reply.headers.get("Retry-After")) or BUSY)
            raise Failure(f"status-{status}", 503 if status == 503 else 502)
        content = await _all_of(reply, self.patience)
        progress.whole = progress.answering = True
        progress.count.reported_in, progress.count.reported_out = 0, 0
        self.routes.worked(target)
        said = sse.document_of(upstream.scrubbed(content, key).strip()) or {}
        error = said.get("error")
        message = error.get("message") if isinstance(error, dict) else error if isinstance(error, str) else None
        message = message or said.get("message") or said.get("detail") or f"the upstream answered {status}"
        code = error.get("code") if isinstance(error, dict) else None
        raise Refused(
            status,
            "invalid_request_error",
            str(code) if isinstance(code, str) else "upstream_refused",
            str(message)[:2000],
            headers,
            counted="upstream_refused",
        )

    async def _at_once(
        self,
        reply: aiohttp.ClientResponse,
        call: Call,
        target: Target,
        key: str | None,
        inspection: Inspection,
        progress: Progress,
        headers: dict[str, str],
    ) -> web.Response:
        content = await _all_of(reply, self.patience)
        progress.count.came(content)
        content = upstream.scrubbed(content, key)
        progress.whole = True
        document = sse.document_of(content.strip())
        if document is None:
            raise Failure("not-json")
        self.routes.worked(target)
        progress.count.report(document)
        for slots in texts.in_answer(call.endpoint, document):
            for slot in slots:
                progress.count.hear(texts.get(slot))
        if await inspection.answer(document):
            content = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        self.metrics.first_byte(time.monotonic() - progress.began)
        return web.Response(body=content, content_type="application/json", headers=headers)

    async def _stream(
        self,
        request: web.BaseRequest,
        reply: aiohttp.ClientResponse,
        call: Call,
        target: Target,
        key: str | None,
        inspection: Inspection,
        progress: Progress,
        headers: dict[str, str],
    ) -> web.StreamResponse:
        out = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream; charset=utf-8",
                "Cache-Control": "no-cache",
                "X-Accel-Buffering": "no",
                **headers,
            }
        )
        events = _Events(call, key, inspection, progress)
        problem: Refused | None = None
        begun = writing = False
        try:
            clock = asyncio.get_running_loop().time
            async with asyncio.timeout(self.patience.first_byte) as limit:
                while piece := await reply.content.readany():
                    ready = await events.take(piece)
                    if ready:
                        if not begun:
                            begun = True
                            self.routes.worked(target)
                            self.metrics.first_byte(time.monotonic() - progress.began)
                            await out.prepare(request)
                        writing = True
                        await out.write(ready)
                        writing = False
                        limit.reschedule(clock() + self.patience.between)
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
                progress.verdict = inspection.verdict
            else:
                self.routes.failed(target)
                self.metrics.add(
                    "upstream_failures_total", upstream=target.upstream.name, model=target.model, kind=problem.code
                )
            if not out.prepared:
                await out.prepare(request)
            await self._write(out, before + errors.event(problem, call.endpoint))
        await out.write_eof()
        return out

    async def _write(self, out: web.StreamResponse, content: bytes) -> None:
        """Send a piece; a caller that does not take it for too long has hung up."""
        try:
            async with asyncio.timeout(self.patience.between):
                await out.write(content)
        except TimeoutError:
            raise ConnectionResetError("the caller does not read") from None


_NOT_YET = b'"finish_reason": null'


class _Events:
    """A stream's events on their way through: counted, looked at, and without the usage that nobody asked for."""

    def __init__(self, call: Call, key: str | None, inspection: Inspection, progress: Progress) -> None:
        self.call, self.key, self.inspection, self.count = call, key, inspection, progress.count
        self._key = key.encode() if key else None
        self.finished = False
        """The stream came to its proper end."""
        self._splitter = sse.Splitter()
        self._openai = call.endpoint in ("/v1/chat/completions", "/v1/completions")

    async def take(self, piece: bytes) -> bytes:
        """What to send on for a piece of the upstream's stream."""
        self.count.came(piece)
        if self._as_it_is(piece):
            self.count.later(piece)
            return piece
        found = [await self._one(event) for event in self._splitter.feed(piece)]
        return b"".join(found)

    def _as_it_is(self, piece: bytes) -> bool:
        """Whether a piece is whole events that nothing is to be done about: nobody looks at them, and none ends."""
        return (
            self._openai
            and self.inspection.checker is None
            and not self._splitter.waiting
            and piece.startswith(b"data: {")
            and piece.endswith(b"}\n\n")
            and b"\r" not in piece
            and b'"usage":{' not in piece
            and b'"usage": {' not in piece
            and piece.count(b'"finish_reason"') == piece.count(b'"finish_reason":null') + piece.count(_NOT_YET)
            and (self._key is None or self._key not in piece)
        )

    async def end(self) -> bytes:
        """What to send when the upstream has said all."""
        rest = self._splitter.rest()
        found = await self._one(rest) if rest else b""
        return found + self.written(await self.inspection.finish())

    def written(self, documents: list[dict[str, Any]]) -> bytes:
        """Events of our own, in the stream's form."""
        return b"".join(_event(self.call.endpoint, document) for document in documents)

    async def _one(self, event: bytes) -> bytes:
        event = upstream.scrubbed(event, self.key)
        data = sse.data_of(event)
        if data == b"[DONE]":
            self.finished = True
            return self.written(await self.inspection.finish()) + event + b"\n\n"
        document = sse.document_of(data)
        if document is None:
            # A comment keeps connections alive; anything else that is not an object says nothing to anybody.
            return event + b"\n\n" if event.startswith(b":") else b""
        self.count.report(document)
        for _, slot in texts.in_event(self.call.endpoint, document):
            self.count.hear(texts.get(slot))
        if self._ends(document):
            self.finished = True
        changed = False
        if self._openai and not self.call.wants_usage and document.get("usage") is not None:
            if not document.get("choices"):
                return b""
            del document["usage"]
            changed = True
        if self.inspection.checker is None:
            return (sse.with_data(event, document) if changed else event) + b"\n\n"
        *before, document = await self.inspection.event(document)
        return self.written(before) + sse.with_data(event, document) + b"\n\n"

    def _ends(self, document: dict[str, Any]) -> bool:
        if self._openai:
            choices = document.get("choices")
            return isinstance(choices, list) and any(
                isinstance(each, dict) and each.get("finish_reason") for each in choices
            )
        kind = document.get("type")
        return kind in ("message_stop", "response.completed", "response.incomplete", "response.failed", "error")


def _event(endpoint: str, document: dict[str, Any]) -> bytes:
    name = f"event: {document['type']}\n" if endpoint in ("/v1/messages", "/v1/responses") else ""
    return (
        name.encode() + b"data: " + json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"
    )


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


def _unavailable(failures: list[Failure]) -> Refused:
    """What the caller is told: which kinds of trouble there were, and nothing that an upstream said."""
    kinds = ", ".join(dict.fromkeys(each.kind for each in failures))
    if failures and all(each.status == 429 for each in failures):
        wait = max(1, round(min(each.wait or BUSY for each in failures)))
        return Refused(
            429,
            "rate_limit_error",
            "upstream_rate_limited",
            f"the upstream is busy; try again in {wait} s",
            {"Retry-After": str(wait)},
        )
    status = failures[-1].status if failures else 503
    return Refused(
        status if status != 429 else 503,
        "api_error",
        "upstream_unavailable",
        f"no upstream answered ({kinds or 'none is there'})",
    )
