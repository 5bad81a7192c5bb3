"""HTTP to upstreams: connections that are kept, one request at a time on each, and llhttp (by httptools) reads answers.

A piece of an answer goes to whoever pours it on (`Reply.pour`) within the turn of the loop that read it, or waits to be
read (`Reply.read`). One timer watches over a whole exchange.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
import zlib
from collections import deque
from collections.abc import Callable
from typing import cast
from urllib.parse import urlsplit

import httptools

CONNECT = 10.0
"""Seconds to connect, the TLS handshake among them."""
LONGEST_HEAD = 64 * 2**10
"""Bytes of an answer's headers."""
MOST_UNREAD = 2**18
"""Bytes of an answer that wait to be read, before no more is taken."""
LARGEST_PIECE = 8 * 2**20
"""Bytes that a piece may have once it is unpacked."""


class Unreachable(Exception):  # noqa: N818 - how an exchange ended
    """There was no connection, so nothing was sent."""


class Broken(Exception):  # noqa: N818 - how an exchange ended
    """The connection ended, or what came was no HTTP. ``begun``: a byte of an answer was there. ``closed``: the other
    side closed it without a word. ``kept``: the connection had been used before."""

    def __init__(self, *, begun: bool = False, closed: bool = False, kept: bool = False) -> None:
        super().__init__("the connection broke off")
        self.begun, self.closed, self.kept = begun, closed, kept


class Reply:
    """An upstream's answer to one request."""

    def __init__(self, line: Line, limit: float) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.ended = False
        self._line = line
        self._head: asyncio.Future[None] | None = line.loop.create_future()
        self._sink: Callable[[bytes, bool], None] | None = None
        self._broke: Callable[[Exception], None] | None = None
        self._pieces: deque[bytes] = deque()
        self._unread = 0
        self._more: asyncio.Future[None] | None = None
        self._error: Exception | None = None
        self._unpack: zlib._Decompress | None = None
        self._time = line.loop.time
        self._limit, self._since = limit, line.loop.time()
        self._timer: asyncio.TimerHandle | None = line.loop.call_later(limit, self._tick)

    def wait(self, limit: float) -> None:
        """From now on it has so many seconds for its next piece."""
        self._since = self._time()
        if limit == self._limit:
            return
        if limit < self._limit and self._timer is not None:
            self._timer.cancel()
            self._timer = self._line.loop.call_later(limit, self._tick)
        self._limit = limit

    def pour(self, sink: Callable[[bytes, bool], None], broke: Callable[[Exception], None]) -> None:
        """Call ``sink`` with each piece as it comes, and whether it was the last; or ``broke``, once."""
        self._sink, self._broke = sink, broke
        if self._error is not None:
            broke(self._error)
        elif self._pieces or self.ended:
            piece = b"".join(self._pieces)
            self._pieces.clear()
            self._unread = 0
            self._line.hold(False)
            sink(piece, self.ended)  # which may have it held again

    async def read(self) -> bytes:
        """The next piece; empty at the end. Raises `Broken` or TimeoutError."""
        while not self._pieces:
            if self._error is not None:
                raise self._error
            if self.ended:
                return b""
            self._more = self._line.loop.create_future()
            await self._more
        piece = b"".join(self._pieces) if len(self._pieces) > 1 else self._pieces[0]
        self._pieces.clear()
        self._unread = 0
        self._line.hold(False)
        return piece

    def hold(self, stop: bool) -> None:
        """Take no more of it for now, or go on."""
        self._line.hold(stop)

    def release(self) -> None:
        """It is read to its end: the connection may be used again."""
        self._line.let_go(self, whole=self.ended)
        self._forget()

    def close(self) -> None:
        """Nobody wants the rest: the upstream's work ends."""
        self._line.let_go(self, whole=False)
        self._forget()

    def _forget(self) -> None:
        """Let go of all that knows this reply: else the collector would have to find the whole request."""
        self._stop()
        self._sink = self._broke = self._error = None

    async def begun(self) -> None:
        """Wait for its head, once. Raises `Broken` or TimeoutError."""
        try:
            if self._head is not None:
                await self._head
        finally:
            self._head = None

    # -- from the connection

    def headed(self, status: int, headers: dict[str, str]) -> None:
        """Its head is here."""
        self.status, self.headers = status, headers
        coding = headers.get("content-encoding", "identity").lower()
        if coding in ("gzip", "x-gzip", "deflate"):
            # Nobody asked for it, but some send it all the same.
            self._unpack = zlib.decompressobj(47)
        elif coding != "identity":
            self.broke(Broken(begun=True))
            return
        if self._head is not None and not self._head.done():
            self._head.set_result(None)

    def came(self, piece: bytes, ended: bool) -> None:
        """A piece of it, and whether that is all."""
        if self._error is not None:
            return
        if self._unpack is not None and piece:
            try:
                piece = self._unpack.decompress(piece, LARGEST_PIECE)
            except zlib.error:
                self.broke(Broken(begun=True))
                return
            if self._unpack.unconsumed_tail:
                self.broke(Broken(begun=True))
                return
        self.ended = ended
        if self._sink is not None:
            self._sink(piece, ended)
            return
        if piece:
            self._pieces.append(piece)
            self._unread += len(piece)
            if self._unread > MOST_UNREAD:
                self._line.hold(True)
        self._wake()

    def broke(self, error: Exception) -> None:
        """It will not come to its end."""
        if self._error is not None or self.ended:
            return
        self._error = error
        self._stop()
        if self._head is not None and not self._head.done():
            self._head.set_exception(error)
            self._head.exception()  # whoever waits gets it; where nobody does, nobody is told of it
        elif self._broke is not None:
            self._broke(error)
        self._wake()

    def _wake(self) -> None:
        if self._more is not None and not self._more.done():
            self._more.set_result(None)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        left = self._since + self._limit - self._line.loop.time()
        if left > 0.001:
            self._timer = self._line.loop.call_later(left, self._tick)
        else:
            self._timer = None
            self.broke(TimeoutError())


class Line(asyncio.Protocol):
    """One connection to an upstream."""

    def __init__(self, pool: Pool) -> None:
        self.pool, self.loop = pool, pool.loop
        self.transport: asyncio.Transport = None  # type: ignore[assignment]
        self.idle_since = 0.0
        self.used = 0
        self._reply: Reply | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._headers: dict[str, str] = {}
        self._pieces: list[bytes] = []
        self._fed = 0
        self._begun = self._headed = self._done = self._to_the_end = False
        self._keep = self._held = False

    def ask(self, request: bytes, limit: float) -> Reply:
        """Send a request."""
        self.used += 1
        self._parser = httptools.HttpResponseParser(self)
        self._headers, self._pieces, self._fed = {}, [], 0
        self._begun = self._headed = self._done = self._to_the_end = False
        reply = self._reply = Reply(self, limit)
        self.transport.write(request)
        return reply

    def hold(self, stop: bool) -> None:
        """Read no more for now, or go on."""
        if stop != self._held and not self.transport.is_closing():
            self._held = stop
            self.transport.pause_reading() if stop else self.transport.resume_reading()

    def let_go(self, reply: Reply, *, whole: bool) -> None:
        """The exchange is over."""
        if self._reply is not reply:
            return
        self._reply = None
        # Who answers before all of a request is there need not read the rest of it, nor what comes behind.
        sent = not self.transport.get_write_buffer_size()
        if whole and sent and self._keep and not self.transport.is_closing():
            self.hold(False)
            self.pool.put(self)
        else:
            self.transport.abort()

    # -- from the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is there."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class
        transport = self.transport
        with contextlib.suppress(OSError, AttributeError):
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        """Read what has come."""
        reply = self._reply
        if reply is None or self._parser is None or self._done:
            self.transport.abort()  # nobody has asked anything
            return
        self._begun = True
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserCallbackError, httptools.HttpParserUpgrade):
            self._keep = False
            if not self._done:
                self._hand_over(reply)
                self._fail(Broken(begun=True))
                return
        if not self._headed:
            self._fed += len(data)
            if self._fed > LONGEST_HEAD:
                self._fail(Broken(begun=True))
            return
        self._hand_over(reply)

    def _hand_over(self, reply: Reply) -> None:
        pieces = self._pieces
        if pieces or self._done:
            piece = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            self._pieces = []
            reply.came(piece, self._done)

    def connection_lost(self, error: Exception | None) -> None:
        """It has ended."""
        self.pool.lost(self)
        reply = self._reply
        if reply is None or self._done:
            return
        if self._headed and self._to_the_end and error is None:
            self._done = True
            reply.came(b"", True)
        else:
            self._fail(Broken(begun=self._begun, closed=not self._begun, kept=self.used > 1))

    def _fail(self, error: Exception) -> None:
        self.transport.abort()
        if self._reply is not None:
            self._reply.broke(error)

    # -- from the parser

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header of the answer; the last of a name counts."""
        if not self._headed:
            self._headers[name.lower().decode("latin-1")] = value.strip(b" \t").decode("latin-1")

    def on_headers_complete(self) -> None:
        """The answer's head is here. One that only says "go on" is passed over."""
        parser, reply = self._parser, self._reply
        if parser is None or reply is None:
            return
        if self._done:
            self._keep = False  # a second answer, for which nobody has asked
            return
        status = parser.get_status_code()
        if status < 200 and status != 101:
            self._headers = {}
            return
        self._headed = True
        self._keep = parser.should_keep_alive()
        self._to_the_end = "content-length" not in self._headers and "transfer-encoding" not in self._headers
        reply.headed(status, self._headers)

    def on_body(self, piece: bytes) -> None:
        """A piece of the answer."""
        if not self._done:
            self._pieces.append(piece)

    def on_message_complete(self) -> None:
        """All of it is here."""
        self._done = self._headed


class Pool:
    """The connections to one upstream. Not limited: whoever is admitted may ask."""

    def __init__(self, base_url: str, context: ssl.SSLContext | None, keep: float) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("an upstream's address begins with http:// or https://")
        self.loop = asyncio.get_running_loop()
        self.host = parts.netloc.rpartition("@")[2]
        """The address as its Host header has it."""
        self._where = (parts.hostname, parts.port or (443 if parts.scheme == "https" else 80))
        self._context = context if parts.scheme == "https" else None
        self._keep = keep
        self._idle: deque[Line] = deque()
        self._all: set[Line] = set()

    async def ask(self, request: bytes, limit: float) -> Reply:
        """Send a request, and wait for so many seconds for the head of its answer; `Reply.begun` has been waited for.

        Raises `Unreachable`, `Broken` or TimeoutError.
        """
        line = self._kept() or await self._new()
        reply = line.ask(request, limit)
        try:
            await reply.begun()
        except BaseException:
            reply.close()
            raise
        return reply

    def put(self, line: Line) -> None:
        """Keep a connection that nobody uses."""
        line.idle_since = now = time.monotonic()
        self._idle.append(line)
        while self._idle and now - self._idle[0].idle_since > self._keep:
            self._idle.popleft().transport.close()

    def lost(self, line: Line) -> None:
        """A connection has ended."""
        self._all.discard(line)
        with contextlib.suppress(ValueError):
            self._idle.remove(line)

    def close(self) -> None:
        """End all connections."""
        for each in list(self._all):
            each.transport.abort()

    def _kept(self) -> Line | None:
        now = time.monotonic()
        while self._idle:
            line = self._idle.pop()
            if now - line.idle_since < self._keep and not line.transport.is_closing():
                return line
            line.transport.close()
        return None

    async def _new(self) -> Line:
        host, port = self._where
        server = host if self._context is not None else None
        try:
            async with asyncio.timeout(CONNECT):
                _, line = await self.loop.create_connection(
                    lambda: Line(self), host, port, ssl=self._context, server_hostname=server
                )
        except (TimeoutError, OSError, ssl.SSLError, UnicodeError) as error:
            raise Unreachable from error
        self._all.add(line)
        return line
