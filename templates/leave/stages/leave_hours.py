"""The hours in which a machine shall run: windows of the week by the wall clock of a time zone, summer time or not."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

DAY = 24 * 60
WEEK = 7 * DAY
STEP = 15 * 60
"""Seconds of a step back: shorter than any window, so that none is stepped over."""


class Hours:
    """Windows as pairs of minutes since Monday 00:00 by that clock; the end is not in it, and may be in the next week.

    Raises ZoneInfoNotFoundError (a KeyError) where the machine does not know the zone.
    """

    def __init__(self, zone: str, windows: list[list[int]]) -> None:
        self._zone = ZoneInfo(zone)
        self._windows = [(start, end) for start, end in windows]

    def inside(self, now: float) -> bool:
        """Whether it shall run at that time (seconds since 1970)."""
        local = datetime.fromtimestamp(now, self._zone)
        minute = local.weekday() * DAY + local.hour * 60 + local.minute
        return any(start <= each < end for start, end in self._windows for each in (minute, minute + WEEK))

    def ended(self, now: float) -> float:
        """When the last window ended, of a time that is in none: the first second that was not in it."""
        late, early = now, now - STEP
        while not self.inside(early):
            late, early = early, early - STEP
        while late - early > 0.5:
            middle = (early + late) / 2
            early, late = (middle, late) if self.inside(middle) else (early, middle)
        return float(round(late))
