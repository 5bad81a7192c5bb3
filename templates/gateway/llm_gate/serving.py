"""HTTP from callers: llhttp reads it (by httptools), and what two readers could read differently is refused.

One connection has one request at a time; what comes behind it waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

import httptools

from llm_gate.messages import Answer, Request

if TYPE_CHECKING:
    from llm_gate.listening import Server

LONGEST_HEAD = 32 * 2**10
"""Bytes of a request's first line and headers together; Caddy's limit is the same."""
MOST_WAITING = 64 * 2**10
"""Bytes of later requests that are read while one is being answered."""
WORTH_READING = 256 * 2**10
"""Bytes of a body that nobody wants, and that is read all the same, so that its connection can go on."""
KEEP_ALIVE = 300.0
"""Seconds that an idle connection is kept; Caddy gives up its own after one."""
LINGER = 20.0
"""Seconds that a caller has to read a refusal before the end of what it sends."""
LINGER_PAUSE = 0.5
"""Seconds between two pieces of what is read only to be thrown away."""
SMALL_PIECE, LARGE_PIECE = 32 * 2**10, 256 * 2**10
"""Bytes that are read at a time: of what may be refused, and of the body of a request that is not."""
SLOW_HEAD = 60.0
"""Seconds for a request's head to come."""
NOT_TAKEN = 120.0
"""Seconds for a caller to take the rest of an answer."""

_REASONS = {each.value: each.phrase for each in HTTPStatus}
_NOT_IN_A_HEADER = str.maketrans({"\r": " ", "\n": " ", "\0": " "})


def _in_a_header(value: str) -> str:
    # To look is a fifth of the work of putting others in the place of what must not be there.
    return value if value.isprintable() else value.translate(_NOT_IN_A_HEADER)


Handler = Callable[[Request], Coroutine[Any, Any, Answer | None]]
"""Answers a request. None: it has sent the answer itself, to its end."""


class Connection(asyncio.BufferedProtocol):
    """One caller's connection."""

    def __init__(self, server: Server) -> None:
        self.server, self.loop = server, server.loop
        self.transport: asyncio.Transport = None  # type: ignore[assignment]
        self.parser = httptools.HttpRequestParser(self)
        self.full = False
        self.watcher: Callable[[bool], None] | None = None
        self.since = time.monotonic()
        """When it began to wait for what it waits for now."""
        self.task: asyncio.Task[None] | None = None
        self.closing = False
        """Nothing more is read; it ends with the answer that is under way."""
        self._lingering = False
        self._waiting: deque[Request] = deque()
        """The request that is being answered, and those behind it."""
        self._open: Request | None = None
        """The request that is still coming."""
        self._head_done = True
        self._head_size = 0
        self._late = 0
        """Bytes that came since the head of the open request, its chunks' own among them."""
        self._refusal: tuple[int, str] | None = None
        self._room: asyncio.Future[None] | None = None

    # -- from the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to read."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class
        transport = self.transport
        self.server.connections.add(self)
        with contextlib.suppress(OSError, AttributeError):
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_lost(self, error: Exception | None) -> None:
        """The caller has hung up: whoever answers it is told."""
        self.closing = True
        self.server.connections.discard(self)
        for each in self._waiting:
            each.failed = each.failed or (400, "the connection is gone")
        if self._open is not None:
            # It and its connection know each other, so it would wait for the collector, with all that has come of it.
            self._open.drop()
            self._open = None
        if self._room is not None and not self._room.done():
            self._room.set_exception(ConnectionResetError("the caller hung up"))
        if self.watcher is not None:
            self.watcher(True)
        if self.task is not None:
            self.task.cancel()
        self._waiting.clear()

    def pause_writing(self) -> None:
        """The caller does not take what is sent."""
        self.full = True
        if self.watcher is not None:
            self.watcher(True)

    def resume_writing(self) -> None:
        """It has taken it."""
        self.full = False
        if self.watcher is not None:
            self.watcher(False)
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next piece is read into."""
        wanted = self._lingering or (self._open is not None and self._head_done)
        return self.server.room if wanted else self.server.room[:SMALL_PIECE]

    def buffer_updated(self, nbytes: int) -> None:
        """Read what has come, and answer what is there."""
        data = self.server.room[:nbytes]
        if self._lingering:
            # Slowly: nobody wants it, and whoever sends it over and over pays with its own time.
            self._read_later()
        if self.closing:
            return
        before = len(self._waiting)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.closing = True  # whatever follows is not HTTP, and nobody reads it
        except (httptools.HttpParserError, httptools.HttpParserCallbackError) as error:
            del error  # its words would quote what was sent
            self._refusal = self._refusal or (400, "the request could not be read")
        if not self._head_done:
            self._head_size += len(data)
            if self._head_size > LONGEST_HEAD + 2**18:
                self._refusal = self._refusal or (431, f"the headers are longer than {LONGEST_HEAD} bytes")
        elif self._open is not None:
            self._late += len(data)
            if self._late > self.server.longest:
                self._refusal = self._refusal or (413, "the request is too long")
        if self._refusal is not None:
            self._give_up(*self._refusal)
        elif (
            self._waiting
            and self.task is not None
            and (len(self._waiting) > 1 and (len(self._waiting) > before or self._waiting[-1].size > MOST_WAITING))
        ):
            # Whoever sends the next request before it has its answer waits.
            self.transport.pause_reading()
        if self._waiting:
            self._waiting[0].stir()
            self._go_on()

    # -- from the parser

    def on_message_begin(self) -> None:
        """A request begins."""
        # Behind one that is refused nothing is read as a request any more.
        self._open = Request(self) if self._refusal is None else None
        self._head_done, self._head_size = False, 0
        self.since = time.monotonic()

    def on_url(self, url: bytes) -> None:
        """Its target, as it is written."""
        if self._open is not None:
            self._open.raw_path += url.decode("latin-1")
            self._sized(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header of it; one at the end of a body says nothing to anybody."""
        request = self._open
        if request is None or self._head_done:
            return
        self._sized(len(name) + len(value) + 4)
        line = value.strip(b" \t").decode("utf-8", "surrogateescape")
        request.headers.setdefault(name.lower().decode("ascii"), []).append(line)

    def on_headers_complete(self) -> None:
        """All of its head is here."""
        request = self._open
        if request is None:
            return
        self._head_done, self._late = True, 0
        request.method = self.parser.get_method().decode("ascii")
        request.keep_alive = self.parser.should_keep_alive()
        version, headers = self.parser.get_http_version(), request.headers
        if version not in ("1.1", "1.0"):
            self._refusal = self._refusal or (505, "HTTP/1.1 is spoken here")
        request.old = version == "1.0"
        codings = headers.getall("transfer-encoding")
        # llhttp refuses two lengths. These it lets pass, and somebody else may read them in another way.
        if codings and (request.old or [each.lower() for each in codings] != ["chunked"]):
            self._refusal = self._refusal or (400, "the transfer coding is not served")
        if len(headers.getall("host")) != 1 and not (request.old and "host" not in headers):
            self._refusal = self._refusal or (400, "exactly one Host is needed")
        expects = headers.getall("expect")
        if expects and [each.lower() for each in expects] != ["100-continue"]:
            self._refusal = self._refusal or (417, "this expectation cannot be met")
        request.expects = bool(expects) and not request.old
        request.length = None if codings else int(headers.get("content-length", "0"))
        if self._refusal is None:
            self._waiting.append(request)

    def on_body(self, piece: bytes) -> None:
        """A piece of its body."""
        if self._open is not None:
            self._open.take(piece)

    def on_message_complete(self) -> None:
        """It is whole."""
        if self._open is not None:
            self._open.complete = True
            if not self._open.keep_alive:
                self.closing = True
        self._open = None

    def _sized(self, more: int) -> None:
        self._head_size += more
        if self._head_size > LONGEST_HEAD:
            self._refusal = self._refusal or (431, f"the headers are longer than {LONGEST_HEAD} bytes")

    # -- answering

    def _give_up(self, status: int, message: str) -> None:
        """What comes cannot be read. Whatever was whole before it is answered first."""
        self.closing = True
        broken = self._open
        if broken is not None and not broken.complete:
            broken.failed = (status, message)
            if broken in self._waiting and (self.task is None or self._waiting[0] is not broken):
                self._waiting.remove(broken)
            elif broken in self._waiting:
                return  # whoever reads its body will say so
        if self.task is None and not self._waiting:
            self._send(self._open or Request(self), self.server.unreadable(status, message), last=True)

    def _go_on(self) -> None:
        while self.task is None and self._waiting and not self._lingering:
            self._start(self._serve(self._waiting[0]))

    def _start(self, serving: Coroutine[Any, Any, None]) -> None:
        if sys.version_info >= (3, 12):
            # It begins at once, and most refusals end there.
            task = asyncio.Task(serving, loop=self.loop, eager_start=True)
        else:
            task = self.loop.create_task(serving)
        if not task.done():
            self.task = task

    async def _serve(self, request: Request) -> None:
        try:
            answer = await self.server.handler(request)
            if answer is not None:
                self._send(request, answer, last=False)
            if self.full:
                await self.drained(NOT_TAKEN)
        except (ConnectionResetError, asyncio.CancelledError):
            self.closing = True
            self.transport.abort()
        except Exception as error:
            sys.stderr.write(f"[gate.http] {type(error).__name__}\n")
            self.closing = True
            self.transport.abort()
        finally:
            self.task, self.watcher = None, None
            self.since = time.monotonic()
            if self._waiting and self._waiting[0] is request:
                self._waiting.popleft()
            self._after(request)

    def _after(self, request: Request) -> None:
        """Go on with the connection once a request is answered."""
        if self.transport.is_closing() or self._lingering:
            return
        if not request.complete and request.failed is None:
            request.drop()
            if self.closing or request.length is None or request.length > WORTH_READING:
                self._linger()
                return
        if self._waiting:
            self.transport.resume_reading()
            self.loop.call_soon(self._go_on)
        elif self.closing:
            self._linger() if self._refusal is not None else self.transport.close()
        else:
            self.transport.resume_reading()

    def _linger(self) -> None:
        """Close, in such a way that what was sent last is read: a caller that still writes would be told of a reset."""
        self.closing = self._lingering = True
        self.since = time.monotonic()
        with contextlib.suppress(OSError, NotImplementedError):
            if self.transport.can_write_eof():
                self.transport.write_eof()
        if self._open is None:
            self.transport.resume_reading()
        else:
            self._read_later()

    def _read_later(self) -> None:
        self.transport.pause_reading()
        self.loop.call_later(LINGER_PAUSE, self._read_on)

    def _read_on(self) -> None:
        if self.transport.is_closing():
            return
        if self.gone():
            self.transport.abort()  # or all that has come would be read before it is told
        else:
            self.transport.resume_reading()

    def gone(self) -> bool:
        """Whether the caller has torn the connection down; for one of which nothing is read, so that nothing tells."""
        return bool(self.transport.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))

    def _send(self, request: Request, answer: Answer, *, last: bool) -> None:
        if request.answered:
            # A second head would be read as a part of the first one's answer: a broken one is told from a whole one.
            raise ConnectionResetError("an answer broke off behind its head")
        unread = not request.complete and (request.length is None or request.length > WORTH_READING)
        # Who was not told to go on may leave the body out, and what comes next would be taken for it.
        unasked = request.expects and not request.complete
        if last or unread or unasked or request.failed:
            request.keep_alive = False
        kind = f"Content-Type: {answer.kind}\r\n" if answer.content else ""
        head = self.head(request, answer.status, answer.headers, f"{kind}Content-Length: {len(answer.content)}\r\n")
        self.transport.write(head if request.method == "HEAD" else head + answer.content)
        if last:
            self._linger()

    def head(self, request: Request, status: int, headers: dict[str, str], framing: str) -> bytes:
        """An answer's first line and headers, and the empty line."""
        request.answered = True
        if not request.keep_alive or request.old or self.server.stopping:
            self.closing = True
            framing += "Connection: close\r\n"
        lines = "".join([f"{name}: {_in_a_header(value)}\r\n" for name, value in headers.items()])
        start = f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}\r\n{self.server.date()}{lines}{framing}\r\n"
        return start.encode("utf-8", "surrogateescape")

    async def drained(self, seconds: float) -> None:
        """Wait until the caller has taken most of what was sent."""
        if self.transport.is_closing():
            raise ConnectionResetError("the caller hung up")
        if not self.full:
            return
        self._room = self.loop.create_future()
        try:
            async with asyncio.timeout(seconds):
                await self._room
        except TimeoutError:
            raise ConnectionResetError("the caller does not read") from None
        finally:
            self._room = None

    def overdue(self, now: float) -> bool:
        """Whether it has waited too long for what it waits for."""
        if self._lingering:
            return now - self.since > LINGER
        if self.task is not None:
            return False
        return now - self.since > (KEEP_ALIVE if self._head_done else SLOW_HEAD)

    def idle(self) -> bool:
        """Whether nothing is under way."""
        return self.task is None and not self._waiting
