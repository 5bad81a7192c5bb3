"""How fast refusals are told. To refuse costs little, and whoever is refused asks again at once, over and over."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

AT_ONCE = 200
"""Refusals of one key that are told at once, before any waits: a burst is no attack."""
A_SECOND = 50
"""Refusals of one key that are told in a second, beyond those. To make and tell one takes 0.2 to 0.7 ms of CPU."""
LONGEST = 2.0
"""Seconds that a refusal waits at most: it is still told well within what any client waits for an answer."""


class Door:
    """When each key is told that it is refused. Those who have no key are one key."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next: dict[str, float] = {}
        """When a key's next refusal is due, were none told at once."""

    def wait(self, key: str) -> float:
        """Count a refusal; seconds until it is to be told."""
        now = self._clock()
        due = max(self._next.get(key, now), now)
        self._next[key] = min(due, now + LONGEST + AT_ONCE / A_SECOND) + 1 / A_SECOND
        wait = due - now - AT_ONCE / A_SECOND
        # Those who wait longest come at different times, as the first did not.
        return max(0.0, wait) if wait < LONGEST else random.uniform(LONGEST / 2, LONGEST)  # noqa: S311 - no secret
