"""A streamed answer on its way: from the upstream's connection to the caller's.

It is over with the last event that its API has: an upstream that does not close then keeps nobody's place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from llm_gate.events import Events
from llm_gate.messages import Outgoing
from llm_gate.replies import Broken, Reply


class Flow:
    """One stream. ``first`` and ``between``: seconds until its first event, and between two pieces; the caller has
    ``between`` to take one. ``begun`` is called once, before the first event goes out."""

    def __init__(
        self, reply: Reply, out: Outgoing, events: Events, first: float, between: float, begun: Callable[[], None]
    ) -> None:
        self.reply, self.out, self.events = reply, out, events
        self.between, self._begun = between, begun
        self._done: asyncio.Future[None] | None = None
        self._full: asyncio.TimerHandle | None = None
        reply.wait(first)

    async def straight(self) -> None:
        """Send on what nobody inspects: each piece within the turn of the loop in which it came.

        Raises `Broken`, ValueError or TimeoutError where the upstream does not come to a proper end, and
        `ConnectionResetError` where the caller does not take what comes.
        """
        self._done = asyncio.get_running_loop().create_future()
        self.out.watch(self._caller)
        try:
            self.reply.pour(self._came, self._fail, self._as_it_came)
            await self._done
        finally:
            self.out.watch(None)
            self._done = None
            if self._full is not None:
                self._full.cancel()

    async def checked(self) -> None:
        """The same, for a stream whose pieces wait for what inspects them."""
        while piece := await self.reply.read():
            ready = await self.events.take_checked(piece)
            if self.events.over:
                self._end(ready)
                await self.out.taken(self.between)
                return
            self._send(ready)
            if self.out.full:
                self.reply.hold(True)
                await self.out.taken(self.between)
                self.reply.hold(False)
                self.reply.wait(self.between)
        last = await self.events.end_checked()
        if not self.events.finished:
            raise Broken(begun=True)
        self._end(last)
        await self.out.taken(self.between)

    def _as_it_came(self, wire: bytes) -> bool:
        """One whole chunk, as it came: it goes on as it is, if it holds events about which nothing is to be done.

        Most pieces of a stream that takes its time are such chunks. Nobody has to read and write their framing anew.
        """
        begins = wire.find(b"\r\n", 1, 9) + 2
        size = len(wire) - begins - 2
        # A chunk of nothing ends a body: whether the stream was whole is not for the upstream alone to say.
        framed = begins > 2 and size > 0 and wire.startswith(b"%x\r\n" % size) and wire.endswith(b"\r\n")
        if not framed or not self.out.chunked or self._done is None or self._done.done():
            return False
        try:
            if not self.events.pass_by(wire[begins:-2]):
                return False
            self.out.send_as_it_is(wire)
        except Exception as error:
            self._fail(error)
        self.reply.heard()
        return True

    def _came(self, piece: bytes, ended: bool) -> None:
        if self._done is None or self._done.done():
            return
        try:
            ready = self.events.take(piece) if piece else b""
            if self.events.over:
                self._end(ready)
            elif not ended:
                self._send(ready)
                return
            else:
                last = self.events.end()
                if not self.events.finished:
                    self._send(ready)
                    raise Broken(begun=True)
                self._end(ready + last)
        except Exception as error:
            self._fail(error)
            return
        self._done.set_result(None)

    def _send(self, ready: bytes) -> None:
        if ready:
            if not self.out.begun:
                self._begun()
            self.out.send(ready)
            self.reply.wait(self.between)

    def _end(self, ready: bytes) -> None:
        if ready and not self.out.begun:
            self._begun()
        self.out.end(ready)

    def _fail(self, error: Exception) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(error)

    def _caller(self, full: bool) -> None:
        """The caller takes nothing more for now, or goes on."""
        self.reply.hold(full)
        if self._full is not None:
            self._full.cancel()
            self._full = None
        if full:
            # Nothing is read meanwhile, so it is not the upstream that is waited for.
            self.reply.wait(self.between + 3600)
            loop = asyncio.get_running_loop()
            stuck = ConnectionResetError("the caller does not read")
            self._full = loop.call_later(self.between, self._fail, stuck)
        else:
            self.reply.wait(self.between)
