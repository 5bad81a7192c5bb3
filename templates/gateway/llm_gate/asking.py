"""HTTP to upstreams: connections that are kept, one request at a time on each, and llhttp (by httptools) reads answers.

What it reads goes to the request's `replies.Reply`.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable
from typing import cast
from urllib.parse import urlsplit

import httptools

from llm_gate.replies import Broken, Reply

CONNECT = 10.0
"""Seconds to connect, the TLS handshake among them."""
NEAR = 2.0
"""The same, to a machine of the same network."""
GONE = (
    (socket.TCP_KEEPIDLE, 5),
    (socket.TCP_KEEPINTVL, 2),
    (socket.TCP_KEEPCNT, 3),
    (socket.TCP_USER_TIMEOUT, 10_000),
)
"""What a near machine that says nothing is asked by the kernel, and after how long it is gone: some 11 s (tcp(7))."""
LONGEST_HEAD = 64 * 2**10
"""Bytes of an answer's headers."""


class Unreachable(Exception):  # noqa: N818 - how an exchange ended
    """There was no connection, so nothing was sent."""


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
        self._whole = self._between = False
        """What was read last ended a chunk, and nothing of the next one is here."""
        self.shortcut: Callable[[bytes], bool] | None = None
        """Takes one whole chunk as it came, if nothing is to be done about it; whether it has."""

    def ask(self, request: bytes, limit: float) -> Reply:
        """Send a request."""
        self.used += 1
        self._parser = httptools.HttpResponseParser(self)
        self._headers, self._pieces, self._fed = {}, [], 0
        self._begun = self._headed = self._done = self._to_the_end = self._whole = self._between = False
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
        self._reply = self.shortcut = None
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
            opened = transport.get_extra_info("socket")
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.pool.near:
                # A machine that is gone without a word is found out in seconds, not when nobody waits any more.
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                for name, value in GONE:
                    opened.setsockopt(socket.IPPROTO_TCP, name, value)

    def data_received(self, data: bytes) -> None:
        """Read what has come."""
        if self._between and self.shortcut is not None and self.shortcut(data):
            return
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
        self._between = self._whole and data.endswith(b"\r\n")
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

    def on_chunk_header(self) -> None:
        """A chunk begins."""
        self._whole = False

    def on_chunk_complete(self) -> None:
        """It is all here."""
        self._whole = True

    def on_message_complete(self) -> None:
        """All of it is here."""
        self._done = self._headed


class Pool:
    """The connections to one upstream. Not limited: whoever is admitted may ask."""

    def __init__(self, base_url: str, context: ssl.SSLContext | None, keep: float, near: bool = False) -> None:
        """``keep``: seconds for which an idle connection is kept. ``near``: it is a machine of the same network."""
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("an upstream's address begins with http:// or https://")
        self.loop = asyncio.get_running_loop()
        self.host = parts.netloc.rpartition("@")[2]
        """The address as its Host header has it."""
        self._where = (parts.hostname, parts.port or (443 if parts.scheme == "https" else 80))
        self._context = context if parts.scheme == "https" else None
        self._keep, self.near = keep, near
        self._idle: deque[Line] = deque()
        self._all: set[Line] = set()
        self._retired = False

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

    async def reach(self) -> None:
        """Make a connection, and keep it for whoever asks next. Raises `Unreachable`."""
        self.put(await self._new())

    def put(self, line: Line) -> None:
        """Keep a connection that nobody uses."""
        if self._retired:
            line.transport.close()
            return
        line.idle_since = now = time.monotonic()
        self._idle.append(line)
        while self._idle and now - self._idle[0].idle_since > self._keep:
            self._idle.popleft().transport.close()

    def lost(self, line: Line) -> None:
        """A connection has ended."""
        self._all.discard(line)
        with contextlib.suppress(ValueError):
            self._idle.remove(line)

    def retire(self) -> None:
        """Another pool has taken its place: what is under way comes to its end, and no connection is kept."""
        self._retired = True
        while self._idle:
            self._idle.popleft().transport.close()

    @property
    def over(self) -> bool:
        """Whether there is no connection left."""
        return not self._all

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
            async with asyncio.timeout(NEAR if self.near else CONNECT):
                _, line = await self.loop.create_connection(
                    lambda: Line(self), host, port, ssl=self._context, server_hostname=server
                )
        except (TimeoutError, OSError, ssl.SSLError, UnicodeError) as error:
            raise Unreachable from error
        self._all.add(line)
        return line
