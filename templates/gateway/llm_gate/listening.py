"""Whoever listens: all callers' connections, and how long one may keep its place."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

from llm_gate.messages import Answer
from llm_gate.serving import LARGE_PIECE, Connection, Handler

BACKLOG = 4096
"""Callers that may wait to be taken, as many as Linux lets by default (net.core.somaxconn); systemd's socket has as
many, and they are all who ask while the gateway starts anew."""
STOPPING_PAUSE = 0.02
"""Seconds between two looks at what is still under way."""


class Server:
    """Listens, and hands requests to a handler. Handlers are cancelled when their caller hangs up."""

    def __init__(self, handler: Handler, unreadable: Callable[[int, str], Answer], longest: int) -> None:
        self.handler, self.unreadable = handler, unreadable
        self.longest = 4 * longest
        """Bytes of a request on the wire; chunks may take more than what they hold."""
        self.connections: set[Connection] = set()
        self.stopping = False
        self.addresses: list[Any] = []
        self.loop: asyncio.AbstractEventLoop = None  # type: ignore[assignment]
        self._listener: asyncio.Server | None = None
        self._sweep: asyncio.TimerHandle | None = None
        self._date = (0, "")
        self.room = memoryview(bytearray(LARGE_PIECE))
        """Where what comes is read into, whoever sends it: it is looked at before anything else is read."""

    async def start(self, listener: socket.socket) -> None:
        """Serve on a socket that is bound."""
        self.loop = asyncio.get_running_loop()
        listener.setblocking(False)
        # Else the kernel takes megabytes of a body that nobody reads.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, LARGE_PIECE)
        self.addresses = [listener.getsockname()]
        self._listener = await self.loop.create_server(lambda: Connection(self), sock=listener, backlog=BACKLOG)
        self._sweep = self.loop.call_later(1.0, self._look)

    async def stop(self, patience: float, parting: float = 0.0) -> None:
        """Take no more callers, and let requests under way come to their end, for ``patience`` seconds.

        ``parting``: seconds for which a connection that asks nothing is kept. Whoever was not told that it will be
        closed may be sending a request at this moment; it is answered, with the word that it was the last.
        """
        self.stopping = True
        if self._sweep is not None:
            self._sweep.cancel()
        if self._listener is not None:
            self._listener.close()
        begun = time.monotonic()
        while True:
            # First of all: a caller that was taken may not be among the connections yet.
            await asyncio.sleep(STOPPING_PAUSE)
            now = time.monotonic()
            for each in list(self.connections):
                if each.idle() and now - max(each.since, begun) >= parting:
                    each.transport.close()
            if not self.connections or now - begun >= patience:
                break
        tasks = [each.task for each in self.connections if each.task is not None]
        for each in list(self.connections):
            each.transport.abort()
        if tasks:
            await asyncio.wait(tasks, timeout=5)
        await asyncio.sleep(0)

    def date(self) -> str:
        """The two headers that every answer has."""
        now = int(time.time())
        if now != self._date[0]:
            self._date = (now, f"Server: llm-gate\r\nDate: {formatdate(now, usegmt=True)}\r\n")
        return self._date[1]

    def _look(self) -> None:
        now = time.monotonic()
        for each in list(self.connections):
            if each.overdue(now):
                each.transport.abort() if each.closing else each.transport.close()
        self._sweep = self.loop.call_later(1.0, self._look)
