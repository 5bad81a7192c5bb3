"""An upstream's answer to one request, as it comes over a connection (`asking.Line`).

A piece of it goes to whoever pours it on (`Reply.pour`) within the turn of the loop that read it, or waits to be read
(`Reply.read`). One timer watches over a whole exchange.
"""

from __future__ import annotations

import asyncio
import zlib
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llm_gate.asking import Line

MOST_UNREAD = 2**18
"""Bytes of an answer that wait to be read, before no more is taken."""
LARGEST_PIECE = 8 * 2**20
"""Bytes that a piece may have once it is unpacked."""
AFTER_THE_END = 2.0
"""Seconds that an upstream has to end an answer whose last word is here; then its connection is not used again."""


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

    def heard(self) -> None:
        """A piece of it was here at this moment."""
        self._since = self._time()

    def wait(self, limit: float) -> None:
        """From now on it has so many seconds for its next piece."""
        self._since = self._time()
        if limit == self._limit:
            return
        if limit < self._limit and self._timer is not None:
            self._timer.cancel()
            self._timer = self._line.loop.call_later(limit, self._tick)
        self._limit = limit

    def pour(
        self,
        sink: Callable[[bytes, bool], None],
        broke: Callable[[Exception], None],
        shortcut: Callable[[bytes], bool] | None = None,
    ) -> None:
        """Call ``sink`` with each piece as it comes, and whether it was the last; or ``broke``, once.

        ``shortcut``: is asked first for each piece that begins where a chunk does, as it came over the connection.
        True: it was one whole chunk, and has gone on.
        """
        self._sink, self._broke = sink, broke
        self._line.shortcut = shortcut if self._unpack is None else None
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
        """All that it had to say is here: the connection may be used again, once it has ended in form too."""
        if self.ended or self._error is not None:
            self._line.let_go(self, whole=self.ended)
            self._forget()
            return
        # Nobody waits for it: some send the last chunk apart, and some never do.
        self.hold(False)
        self.wait(AFTER_THE_END)
        self.pour(self._past_its_end, lambda _: self.close())

    def _past_its_end(self, piece: bytes, ended: bool) -> None:
        del piece
        if ended:
            self.release()

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
        self._line.shortcut = None
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
