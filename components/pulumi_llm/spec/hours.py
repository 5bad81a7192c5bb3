"""When a machine runs and when it stops by itself."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from pulumi_llm._texts import _
from pulumi_llm.errors import among
from pulumi_llm.spec.fields import Count, Part, Text, invalid

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DAY = 24 * 60
WEEK = 7 * DAY
HOURS_PER_WEEK = 168
SHORTEST = 30
"""Minutes of a window: a machine takes minutes to be ready, and is then stopped again."""
EXAMPLE = "Mon-Fri 08:00-20:00 Asia/Shanghai"

Window = tuple[int, int]
"""Minutes since Monday 00:00, from and to; the end may be in the week after."""


class IdleStopSpec(Part):
    """Stop the machine when nobody asks it."""

    minutes: Annotated[Count, Field(ge=5, le=1440)] = 30
    """Minutes without a request, after which the machine stops itself. The start does not count, and a request that
    runs keeps it.

    zh: 多少分钟没有请求，机器就自己停下。启动期间不计，正在处理的请求会让它继续运行。"""
    keep: Annotated[Count, Field(ge=0, le=7)] = 0
    """With ``replicas``: so many machines do not stop for that, the first one with the gateway and those after it.

    zh: 与 ``replicas`` 一起用：有多少台机器不因空闲停下，从网关所在的第一台数起。"""
    fill: Annotated[Count, Field(ge=1, le=4096)] | None = None
    """With ``replicas``: calls at once that a machine gets before the next one gets any, so that machines which are
    not needed stand idle. Left out: 8.

    zh: 与 ``replicas`` 一起用：一台机器同时有多少个请求之后才用到下一台，这样用不着的机器才会空闲。不写则为 8。"""
    starts_per_day: Annotated[Count, Field(ge=1, le=200)] | None = None
    """With ``started_by: request``: so many starts of further machines within 24 hours, and no more. Left out: 12.

    zh: 与 ``started_by: request`` 一起用：24 小时内最多启动其他机器多少次。不写则为 12。"""

    def stops(self, number: int) -> bool:
        """Whether the machine with that number among replicas stops when nobody asks it; the first one is 1."""
        return number > self.keep


def windows_of(text: str) -> tuple[tuple[Window, ...], str]:
    """The windows of such hours, in order and none touching another, and the name of their time zone.

    Raises:
        PydanticCustomError: ``spec.bad-hours`` or ``spec.unknown-time-zone``.
    """
    said, __, zone = text.rpartition(" ")
    found: list[Window] = []
    for part in said.split(","):
        found += _part(part.strip(), text)
    # Some systems list their own setting as a zone, which is another one on the node.
    zones = available_timezones() - {"localtime"}
    # A machine without a database of zones knows none; the node has one.
    if zones and zone not in zones:
        raise invalid(
            "spec.unknown-time-zone",
            _("{zone!r} is not a time zone", zone=zone),
            among(zone, sorted(each for each in zones if "/" in each)) if zone else EXAMPLE,
        )
    merged = _merged(found)
    if sum(end - start for start, end in merged) >= WEEK:
        raise invalid("spec.bad-hours", _("{hours!r} is the whole week", hours=text), _("leave it out"))
    return merged, zone


def starts_of(text: str) -> tuple[tuple[tuple[int, ...], int], ...]:
    """When windows of such hours begin: days of the week (Monday as 0) and the minute of the day, one row a minute."""
    found: dict[int, list[int]] = {}
    for start, __ in windows_of(text)[0]:
        found.setdefault(start % DAY, []).append(start // DAY % 7)
    return tuple((tuple(sorted(days)), minute) for minute, days in sorted(found.items()))


def hours_per_week(text: str) -> float:
    """How long a machine with these hours runs in a week in which no clock is changed."""
    return sum(end - start for start, end in windows_of(text)[0]) / 60


def _part(part: str, text: str) -> list[Window]:
    names = "|".join(DAYS)
    found = re.fullmatch(rf"(?:({names})(?:-({names}))? )?(\d\d):(\d\d)-(\d\d):(\d\d)", part)
    if found is None:
        raise _bad(text, part)
    first = DAYS.index(found[1]) if found[1] else 0
    last = DAYS.index(found[2] or found[1]) if found[1] else 6
    start, end = int(found[3]) * 60 + int(found[4]), int(found[5]) * 60 + int(found[6])
    if max(int(found[4]), int(found[6])) > 59 or start >= DAY or end > DAY or start == end:
        raise _bad(text, part)
    length = (end - start) % DAY or DAY
    if length < SHORTEST:
        raise invalid(
            "spec.bad-hours",
            _("{part!r} is shorter than {shortest} minutes", part=part, shortest=SHORTEST),
            _("a machine takes minutes to be ready"),
        )
    days = range(first, last + 1) if first <= last else [*range(first, 7), *range(last + 1)]
    return [(day * DAY + start, day * DAY + start + length) for day in days]


def _bad(text: str, part: str) -> PydanticCustomError:
    return invalid(
        "spec.bad-hours",
        _("{hours!r} is not understood at {part!r}", hours=text, part=part),
        _("days and times, then a time zone: {example}; more windows after a comma", example=EXAMPLE),
    )


def _merged(windows: list[Window]) -> tuple[Window, ...]:
    """None of them overlaps or touches another; one that goes on into the next week is held against Monday's too."""
    merged: list[Window] = []
    for start, end in sorted(windows):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    while len(merged) > 1 and merged[-1][1] - WEEK >= merged[0][0]:
        start, end = merged.pop(0)
        merged[-1] = merged[-1][0], max(merged[-1][1], end + WEEK)
    return tuple(merged)


def _hours(value: str) -> str:
    windows_of(value)
    return value


Hours = Annotated[Text, AfterValidator(_hours)]
StartedBy = Literal["hand", "cloud", "request"]

__all__ = ["EXAMPLE", "Hours", "IdleStopSpec", "StartedBy", "hours_per_week", "starts_of", "windows_of"]
