"""Whether another machine with the same model takes calls now: it is asked, so that no caller has to find out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from llm_gate.asking import Pool, Unreachable
from llm_gate.replies import Broken
from llm_gate.routes import MODELS, Upstream
from llm_gate.use import NO, SERVES

LOOK = 5.0
"""Seconds between two questions."""
PATIENCE = 5.0
"""Seconds for an answer that the gateway there has at hand."""


class Watch:
    """Asks one machine over and over."""

    def __init__(self, upstream: Upstream, pool: Callable[[Upstream], Pool], key: Callable[[str], str | None]) -> None:
        """``key``: the key of an upstream by its secret's name."""
        self._upstream, self._pool, self._key = upstream, pool, key
        self.away = False
        """Whether it took no calls when it was last asked, or could not be reached since."""
        self.looked = False
        """Whether it has been asked at all."""
        self._task = asyncio.get_running_loop().create_task(self._look())

    async def _look(self) -> None:
        while True:
            self.away, self.looked = not await self.serves(), True
            await asyncio.sleep(LOOK)

    async def serves(self) -> bool:
        """Whether it takes calls now."""
        upstream = self._upstream
        key = self._key(upstream.secret) if upstream.secret else None
        told = f"Authorization: Bearer {key}\r\n" if key else ""
        try:
            pool = self._pool(upstream)
            asked = f"GET {MODELS} HTTP/1.1\r\nHost: {pool.host}\r\n{told}\r\n".encode()
            async with asyncio.timeout(PATIENCE):
                reply = await pool.ask(asked, PATIENCE)
                try:
                    while await reply.read():
                        pass
                    return reply.status == 200 and reply.headers.get(SERVES.lower()) != NO
                finally:
                    # Read to its end, the connection is kept; else it is closed.
                    if reply.ended:
                        reply.release()
                    else:
                        reply.close()
        except (Unreachable, Broken, ValueError, OSError):
            return False

    async def end(self) -> None:
        """Ask no more."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def stop(self) -> None:
        """The same, without waiting for it."""
        self._task.cancel()
