"""The day that it is in the tests: a version that a cloud sold on it is sold in them for ever."""

from __future__ import annotations

from datetime import date

from pulumi_llm import _day as day

DAY = date(2026, 11, 29)
LINES = f"""import datetime
from pulumi_llm import _day
_day.today = lambda: datetime.date{DAY.timetuple()[:3]}
"""
"""What a program of a test's own begins with, where it is run by a process of its own."""


def stand_on_it() -> None:
    """Have it be that day in this process."""
    day.today = lambda: DAY
