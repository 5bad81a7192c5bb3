"""One card and the models that take turns on it: who is awake, who waits, and what is to be done next.

Nothing here waits or asks anybody: `turns` does what `Card.next` says, and tells what came of it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

IDLE = 5.0
"""Seconds without a call after which the awake one makes room, however short it was awake."""
MOST_WAITING = 100
"""Calls that may wait for a model at a time."""
GRACE = 15.0
"""Seconds that a model which was given the card has to take its lock."""
PAUSE = 2.0
"""Seconds before one that loads, or that has failed, is looked at again."""
LONGEST_BACKOFF = 600.0
"""Seconds that a model which does not come up waits at most before it gets the card again."""

Kind = Literal["look", "sleep", "wake", "rest"]
Seen = Literal["awake", "asleep", "busy", "away"]
"""What is seen of a model: ``busy`` does not answer, and its process is there; ``away``: there is none."""
Verdict = Literal["granted", "failed", "away", "crowded", "full"]


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done next. ``wait``: seconds to rest; None: until somebody comes."""

    kind: Kind
    name: str = ""
    wait: float | None = None


@dataclass(slots=True, eq=False)
class Waiter:
    """A call that waits for a model, or (``loads``) the model itself, which waits for the card to load."""

    name: str
    tell: Callable[[Verdict], None]
    loads: bool = False
    caller: str = ""
    """Whose key it is."""
    over: bool = False
    """It was told, or has gone."""


@dataclass(slots=True)
class Card:
    """``least``: seconds that a busy model stays awake. ``drain``: seconds that its answers may take to end."""

    members: tuple[str, ...]
    least: float = 30.0
    drain: float = 120.0
    clock: Callable[[], float] = time.monotonic
    awake: str | None = None
    running: Counter[str] = field(default_factory=Counter)
    codes: dict[str, str] = field(default_factory=dict)
    """What a model has failed last: ``sleep``, ``wake`` or ``load``."""
    swaps: int = 0
    queue: list[Waiter] = field(default_factory=list)
    _known: bool = False
    _since: float = 0.0
    """When the awake one woke."""
    _quiet: float = 0.0
    """When its last answer ended."""
    _closing: float | None = None
    """Since when it takes nothing new."""
    _seen: dict[str, Seen] = field(default_factory=dict)
    _loading: str | None = None
    _granted: float = 0.0
    _look: float = 0.0
    """When it is looked again at what loads."""
    _pause: float = 0.0
    _failures: Counter[str] = field(default_factory=Counter)
    _not_before: dict[str, float] = field(default_factory=dict)

    def open(self, name: str) -> bool:
        """Whether a call for this model goes on at once."""
        return self._known and self.awake == name and self._closing is None

    def enter(self, name: str) -> None:
        """A call goes to the model."""
        self.running[name] += 1

    def leave(self, name: str) -> None:
        """It has come to its end there."""
        self.running[name] -= 1
        if not self.running[name] and name == self.awake:
            self._quiet = self.clock()

    def wait(self, waiter: Waiter) -> bool:
        """Let somebody wait; False where too many do.

        Where all places are taken, the caller who has most of them gives up the newest to one who has fewer: nobody
        can keep others out by filling them.
        """
        self.queue = [each for each in self.queue if not each.over]
        if not waiter.loads and len(self.queue) >= MOST_WAITING and not self._gives_up(waiter.caller):
            return False
        if waiter.loads and waiter.name == self._loading:
            self._not_loaded(waiter.name)  # the process that had the card is gone, and this is the next one
        self.queue.append(waiter)
        return True

    def _gives_up(self, caller: str) -> bool:
        """Whether somebody with more places than that caller would have gave one up."""
        places = Counter(each.caller for each in self.queue if not each.loads)
        most = max(places, key=lambda each: places[each], default=caller)
        if places[most] <= places[caller] + 1:
            return False
        newest = next(each for each in reversed(self.queue) if each.caller == most and not each.loads)
        self._say(newest, "full")
        self.queue.remove(newest)
        return True

    # -- what comes of it

    def saw(self, seen: Mapping[str, Seen]) -> None:
        """What each model said, or did not say."""
        now = self.clock()
        self._seen = dict(seen)
        self._known, self._look = True, now + PAUSE
        loading = self._loading
        if loading is not None:
            if seen[loading] in ("awake", "asleep"):
                self._loading = None
                self._failures.pop(loading, None)
                self._not_before.pop(loading, None)
                self.codes.pop(loading, None)
            elif seen[loading] == "away" and now < self._granted + GRACE:
                self._seen[loading] = "busy"
            elif seen[loading] == "away":
                self._not_loaded(loading)
        up = [name for name in self.members if self._seen[name] == "awake"]
        if self.awake not in up:
            self.awake, self._since, self._quiet = next(iter(up), None), now, now
            self._closing = None
        for name in self.members:
            if self._seen[name] == "away":
                self._tell("away", name)

    def _not_loaded(self, name: str) -> None:
        self._loading = None
        self._failures[name] += 1
        self.codes[name] = "load"
        longer = self.least * 2 ** min(10, self._failures[name] - 1)
        self._not_before[name] = self.clock() + min(LONGEST_BACKOFF, longer)

    def slept(self, name: str, *, well: bool) -> None:
        """A model was put to sleep, or would not."""
        if well:
            self._seen[name] = "asleep"
            if self.awake == name:
                self.awake = self._closing = None
        else:
            self._failed(name, "sleep")

    def woke(self, name: str, *, well: bool) -> None:
        """A model was woken, or would not."""
        if well:
            self.awake, self._closing = name, None
            self._since = self._quiet = self.clock()
            self._seen[name] = "awake"
            self.codes.pop(name, None)
            self.swaps += 1
        else:
            self._failed(name, "wake")
            self._tell("failed", name)

    def _failed(self, name: str, what: str) -> None:
        self.codes[name] = what
        self._known, self._pause = False, self.clock() + PAUSE

    # -- what is to be done

    def next(self) -> Step:
        """What is to be done next."""
        now = self.clock()
        self.queue = [each for each in self.queue if not each.over]
        if now < self._pause:
            self._admit()
            return Step("rest", wait=self._pause - now)
        if not self._known:
            return Step("look")
        for name in self.members:
            if self._seen[name] == "awake" and name != self.awake:
                return Step("sleep", name)  # somebody else has woken it, and one alone finds room
        while True:
            self._admit()
            step = self._step(now)
            if step is not None:
                return step

    def _step(self, now: float) -> Step | None:
        busy = any(seen == "busy" for seen in self._seen.values())
        if busy and now >= self._look:
            return Step("look")
        if any(self._seen[each.name] == "away" and not each.loads for each in self.queue):
            return Step("look") if now >= self._look else Step("rest", wait=self._look - now)
        wanted, later = self._wanted(now)
        if wanted is None:
            self._closing = None
            self._admit()
            later = min(later or self._look, self._look) if busy else later
            return Step("rest", wait=None if later is None else later - now)
        if any(seen == "busy" for name, seen in self._seen.items() if not (wanted.loads and name == wanted.name)):
            # It loads, and measures what the card has less of meanwhile: nothing is woken beside it.
            return Step("rest", wait=self._look - now)
        if wanted.loads and wanted.name == self.awake:
            self.awake = self._closing = None  # it is a new process that asks: the one before it is gone
        if self.awake is None:
            return self._given(wanted, now)
        return self._made_room(wanted, now)

    def _given(self, wanted: Waiter, now: float) -> Step:
        if not wanted.loads:
            return Step("wake", wanted.name)
        self._loading, self._granted = wanted.name, now
        self._seen[wanted.name], self._look = "busy", now + PAUSE
        self._say(wanted, "granted")
        return Step("rest", wait=PAUSE)

    def _made_room(self, wanted: Waiter, now: float) -> Step | None:
        awake = self.awake
        assert awake is not None  # noqa: S101 - as whoever calls it has seen
        if not wanted.loads:
            ready = self._since + self.least
            if not self.running[awake]:
                ready = min(ready, max(self._since, self._quiet) + IDLE)
            if now < ready:
                self._closing = None
                return Step("rest", wait=ready - now)
        if self._closing is None:
            self._closing = now
        if not self.running[awake]:
            return Step("sleep", awake)
        if now < self._closing + self.drain:
            return Step("rest", wait=self._closing + self.drain - now)
        # Its answers take too long. None is cut off: it goes on, and whoever waited is told.
        self._closing, self._since = None, now
        for each in self.queue:
            if each.name != awake and not each.loads:
                self._say(each, "crowded")
        if wanted.loads:
            self._not_before[wanted.name] = now + self.least
        self.queue = [each for each in self.queue if not each.over]
        return None

    def _wanted(self, now: float) -> tuple[Waiter | None, float | None]:
        """Who has waited longest for something else than the awake one; or None, and when somebody may."""
        later: float | None = None
        for each in self.queue:
            if each.loads and now < self._not_before.get(each.name, 0.0):
                due = self._not_before[each.name]
                later = due if later is None else min(later, due)
            elif each.loads or each.name != self.awake:
                return each, None
        return None, later

    def _admit(self) -> None:
        if self.awake is None or self._closing is not None or not self._known:
            return
        for each in self.queue:
            if each.name == self.awake and not each.loads and not each.over:
                self.enter(each.name)
                self._say(each, "granted")
        self.queue = [each for each in self.queue if not each.over]

    def _tell(self, verdict: Verdict, name: str) -> None:
        for each in self.queue:
            if each.name == name and not each.loads:
                self._say(each, verdict)
        self.queue = [each for each in self.queue if not each.over]

    @staticmethod
    def _say(waiter: Waiter, verdict: Verdict) -> None:
        if not waiter.over:
            waiter.over = True
            waiter.tell(verdict)
