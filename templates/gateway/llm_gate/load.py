"""How many calls a model has had at once lately: what a cluster's autoscaler asks, so that engines follow the load."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable

PATH = "/load"
WINDOW = 30.0
"""Seconds for which the most at once is remembered, and as long again at most: an autoscaler asks four times a minute,
and a call that finds no engine is over in a moment."""


class Load:
    """Calls under way by the model, those that wait among them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._active: Counter[str] = Counter()
        self._most: dict[str, int] = {}
        """The most at once in the window that runs, and in the one before it."""
        self._before: dict[str, int] = {}
        self._since = clock()

    def begin(self, model: str) -> None:
        """A call goes to the model's engines."""
        self._turn()
        count = self._active[model] = self._active[model] + 1
        if count > self._most.get(model, 0):
            self._most[model] = count

    def end(self, model: str) -> None:
        """It has come to its end there."""
        self._turn()  # until now it was under way
        self._active[model] -= 1

    def document(self, models: Iterable[str]) -> dict[str, dict[str, int]]:
        """The most calls at once of the last half minute to a minute, by the model."""
        self._turn()
        return {"models": {each: max(self._most.get(each, 0), self._before.get(each, 0)) for each in models}}

    def _turn(self) -> None:
        windows = (self._clock() - self._since) // WINDOW
        if windows >= 1:
            # Nothing began or ended in a whole window in which nobody asked: what is under way is the most of it.
            self._before = self._most if windows < 2 else +self._active
            self._most = +self._active
            # Windows follow each other without a gap, whenever somebody asks: else the one before would last longer.
            self._since += windows * WINDOW
