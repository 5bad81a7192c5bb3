"""The data disk: copies of it that its cloud makes, and the copy that it was made from."""

from __future__ import annotations

import re
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field

from pulumi_llm._texts import _
from pulumi_llm.errors import among
from pulumi_llm.spec.fields import Count, Part, Text, invalid
from pulumi_llm.spec.hours import DAYS

EXAMPLE = "03:00 Asia/Shanghai"
EVERY_DAY = "day"


def days_of(text: str) -> tuple[int, ...]:
    """The days of the week that ``every`` names, Monday as 0, in order. Raises PydanticCustomError for any other."""
    if text == EVERY_DAY:
        return tuple(range(7))
    names = "|".join(DAYS)
    found: set[int] = set()
    for part in text.split(","):
        read = re.fullmatch(rf"\s*({names})(?:-({names}))?\s*", part)
        if read is None:
            raise invalid(
                "spec.bad-days",
                _("{days!r} says no days of the week, at {part!r}", days=text, part=part.strip()),
                _("day, Sun, Mon,Thu or Mon-Fri"),
            )
        first, last = DAYS.index(read[1]), DAYS.index(read[2] or read[1])
        found |= set(range(first, last + 1)) if first <= last else {*range(first, 7), *range(last + 1)}
    return tuple(sorted(found))


def time_of(text: str) -> tuple[int, int, str]:
    """Hour, minute and time zone of ``at``. Raises PydanticCustomError for what is no such time."""
    read = re.fullmatch(r"(\d\d):(\d\d) (\S+)", text)
    if read is None or int(read[1]) > 23 or int(read[2]) > 59:
        message = _("{time!r} is no time of day with a time zone", time=text)
        raise invalid("spec.bad-time", message, EXAMPLE)
    # As for hours: some systems list their own setting as a zone, and one without a database knows none.
    zones = available_timezones() - {"localtime"}
    if zones and read[3] not in zones:
        raise invalid(
            "spec.unknown-time-zone",
            _("{zone!r} is not a time zone", zone=read[3]),
            among(read[3], sorted(each for each in zones if "/" in each)),
        )
    return int(read[1]), int(read[2]), read[3]


def _days(value: str) -> str:
    days_of(value)
    return value


def _time(value: str) -> str:
    time_of(value)
    return value


class SnapshotsSpec(Part):
    """When the cloud makes a snapshot of the data disk, and how long it keeps each."""

    every: Annotated[Text, AfterValidator(_days)] = EVERY_DAY
    """``day``, or days of the week: ``Sun``, ``Mon,Thu``, ``Mon-Fri``.

    zh: ``day``（每天），或星期几：``Sun``、``Mon,Thu``、``Mon-Fri``。"""
    at: Annotated[Text, AfterValidator(_time)]
    """The time of day and its time zone, such as ``03:00 Asia/Shanghai``: the zone's standard time, in summer too.

    zh: 一天中的时刻和时区，如 ``03:00 Asia/Shanghai``：按该时区的标准时间，夏令时期间也不变。"""
    keep_days: Annotated[Count, Field(ge=1, le=3650)] = 7
    """Days that each snapshot is kept. What a cloud keeps at most is checked.

    zh: 每个快照保留的天数。各家云的上限会检查。"""


class DiskSpec(Part):
    """Copies of the data disk."""

    snapshots: SnapshotsSpec | None = None
    """Have the cloud make snapshots on a schedule: see ``snapshots``. Left out: none are made.

    zh: 由云厂商定时做快照，见 [``snapshots``](#snapshots)。不写则不做。"""
    from_snapshot: Text | None = None
    """The snapshot that the disk is made from. ``pulumi-llm snapshots restore`` writes it, and it stays: without it the
    disk is another, empty one. Left out: an empty disk.

    zh: 数据盘由哪个快照创建。由 ``pulumi-llm snapshots restore`` 写入并一直保留：
    去掉它就会换成另一块空盘。不写则为空盘。"""


__all__ = ["EVERY_DAY", "DiskSpec", "SnapshotsSpec", "days_of", "time_of"]
