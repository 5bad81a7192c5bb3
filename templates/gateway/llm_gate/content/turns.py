"""Long checks take turns, so that one caller's longest text costs the others' requests next to nothing.

The words are looked for in Python, in the thread that serves everybody. So a long text is looked through in short
steps, one step of one text at a time, whoever else waits with a long text; each key has one text under way; and the
loop has at least as long for everybody else as such steps take.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import TypeVar

LONG = 4096
"""Characters; a check of fewer takes no turn, as it is over within some milliseconds at worst."""

BURST = 0.004
"""Seconds of steps after which there is a pause as long. Others come in between after each step; but a pause gives the
processor away, and what is in its cache."""

_Step = TypeVar("_Step")


class Turns:
    """Who is to make the next step. For one event loop."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._turn = asyncio.Lock()
        self._owed = 0.0
        """Seconds of steps since the last pause."""
        self._keys: dict[str, tuple[asyncio.Lock, int]] = {}
        """The lock of each key that has a long text, and how many of its texts want it."""

    @asynccontextmanager
    async def of(self, key: str, length: int) -> AsyncIterator[bool]:
        """A key's turn with a text of so many characters; gives whether its steps are paced."""
        if length <= LONG:
            yield False
            return
        lock, users = self._keys.get(key) or (asyncio.Lock(), 0)
        self._keys[key] = lock, users + 1
        try:
            async with lock:
                yield True
        finally:
            lock, users = self._keys[key]
            if users > 1:
                self._keys[key] = lock, users - 1
            else:
                del self._keys[key]

    async def next(self, steps: Iterator[_Step], *, paced: bool) -> _Step | None:
        """The next step of a check, with room for others after it; None when there is none."""
        if not paced:
            step = next(steps, None)
            await asyncio.sleep(0)
            return step
        async with self._turn:
            began = self._clock()
            step = next(steps, None)
            self._owed += self._clock() - began
            pause, self._owed = (self._owed, 0.0) if self._owed >= BURST else (0.0, self._owed)
            await asyncio.sleep(pause)
            return step
