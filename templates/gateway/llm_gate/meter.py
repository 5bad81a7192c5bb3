"""What a call asks for and took, and what one key has used of its minute, its day and its month, in memory."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from functools import lru_cache

WINDOW = 60.0
"""Seconds that a minute's limits look back."""
NANO = 1_000_000_000
"""Money is counted in whole billionths of a dollar."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What a call wants: tokens and billionths of a dollar at most, and what the audit record holds of it."""

    request: str
    endpoint: str
    model: str
    tokens: int
    nanos: int = 0
    input_sha256: str = ""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a call took in the end."""

    tokens_in: int = 0
    tokens_out: int = 0
    nanos: int = 0
    status: int = 200
    upstream: str = ""
    verdict: str = ""
    output_sha256: str = ""


@dataclass(slots=True)
class Ticket:
    """An admitted call. Settle it once, whatever becomes of it."""

    id: int
    name: str
    at: float
    day: str
    tokens: int
    nanos: int
    entry: list[float]
    again: list[list[float]] = field(default_factory=list)
    """[when, tokens] of what was reserved once more, oldest first."""
    settled: bool = False

    def take(self, used: int) -> int:
        """Put what was used in the place of what was reserved within the minute; tokens that this adds to it.

        Nobody knows how much of each part was taken. So all of it counts in the last, as far as it was reserved there,
        and what is left in the one before: no moment has fewer than were used since then.
        """
        added, over = 0, max(0, used - self.tokens)
        for entry in (*reversed(self.again), self.entry):
            if entry[1] < 0:  # older than the minute, and so is what comes before it
                break
            taken = min(entry[1] + over, used)
            added += int(taken - entry[1])
            used -= int(taken)
            over, entry[1] = 0, taken
        return added


@dataclass(slots=True)
class Sums:
    """What a day or a month took."""

    tokens: int = 0
    nanos: int = 0


@dataclass(slots=True)
class Meter:
    """One key's use, in memory, as the tables have it."""

    recent: deque[list[float]] = field(default_factory=deque)
    """[when, tokens] of each call of the last minute, oldest first."""
    again: deque[list[float]] = field(default_factory=deque)
    """The same of what was reserved once more for a call."""
    tokens: int = 0
    """Tokens in both."""
    active: int = 0
    reading: int = 0
    """Requests whose bodies are being read."""
    refused: deque[float] = field(default_factory=deque)
    """When long requests were refused within the last minute."""
    day: str = ""
    today: Sums = field(default_factory=Sums)
    month: Sums = field(default_factory=Sums)

    def forget(self, now: float) -> None:
        """Drop what is older than the window."""
        for parts in (self.recent, self.again):
            if parts and parts[-1][0] > now:
                # The clock was set back: what is then in the future counts as of now, not for hours.
                for entry in parts:
                    entry[0] = min(entry[0], now)
            while parts and parts[0][0] <= now - WINDOW:
                old = parts.popleft()
                self.tokens -= int(old[1])
                old[1] = -1

    def book(self, day: str, tokens: int, nanos: int) -> None:
        """Add what a call of that day takes to the sums that it counts in, where they are those of now."""
        if day == self.day:
            self.today.tokens += tokens
            self.today.nanos += nanos
        if day[:7] == self.day[:7]:
            self.month.tokens += tokens
            self.month.nanos += nanos


def day_at(now: float) -> str:
    """The day of a moment, UTC: ``2026-11-28``."""
    return _day_of(int(now // 86400))


@lru_cache(4)
def _day_of(number: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(number * 86400))


def nanos_of(usd: float | None) -> int | None:
    """Dollars as they are counted."""
    return None if usd is None else round(usd * NANO)


def usd_of(nanos: int) -> str:
    """Dollars as they are told."""
    return f"{nanos / NANO:.6f}".rstrip("0").rstrip(".")
