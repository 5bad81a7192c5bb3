"""A schedule as its owner says it, by the clock of the cloud that keeps it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pulumi_llm import clouds
from pulumi_llm._snapshots import FILE
from pulumi_llm._texts import _
from pulumi_llm.clouds.capabilities import Capability
from pulumi_llm.clouds.plans import SnapshotPlan
from pulumi_llm.errors import Finding
from pulumi_llm.preflight import capabilities
from pulumi_llm.spec.disk import DiskSpec, SnapshotsSpec, days_of, time_of

DAY = 24 * 60
WEEK = 7 * DAY


def facts(cloud: str) -> Mapping[str, Any]:
    """What is known of a cloud's snapshots; empty where nothing is."""
    return clouds.folders()[cloud].read(FILE)


def plan_of(wanted: SnapshotsSpec, cloud: str) -> SnapshotPlan:
    """When a snapshot begins by the cloud's own clock: another time zone may move it to another day of the week."""
    hour, minute, zone = time_of(wanted.at)
    shift = int(facts(cloud)["clock"]["hours"] * 60) - _standard(zone)
    starts = [(day * DAY + hour * 60 + minute + shift) % WEEK for day in days_of(wanted.every)]
    of_day = starts[0] % DAY
    return SnapshotPlan(
        days=tuple(sorted(each // DAY for each in starts)),
        hour=of_day // 60,
        minute=of_day % 60,
        keep_days=wanted.keep_days,
    )


def mistakes(disk: DiskSpec | None, cloud: str) -> Iterator[Finding]:
    """What the cloud would refuse: a time that is on no hour, a time that it does not keep, an id that is none."""
    if disk is None or (disk.snapshots is None and disk.from_snapshot is None):
        return
    if lacking := capabilities.lacking(cloud, [Capability.SNAPSHOTS]):
        yield from lacking
        return
    known = facts(cloud)
    if disk.from_snapshot is not None:
        yield from _of_id(disk.from_snapshot, cloud, known["id"])
    if disk.snapshots is None:
        return
    wanted, plan = disk.snapshots, plan_of(disk.snapshots, cloud)
    if plan.minute and not known["minutes"]["is"]:
        hour, __, zone = time_of(wanted.at)
        fit = f"{hour:02}:{_minute_on_the_hour(zone, cloud):02} {zone}"
        message = _("{cloud} makes snapshots on the hour of its own clock ({clock}), and {at} is not on one",
                    cloud=cloud, clock=known["clock"]["name"], at=wanted.at)  # fmt: skip
        yield Finding("snapshots.not-on-the-hour", message, fit, where="disk.snapshots.at")
    most = int(known["keep_days"]["most"])
    per_disk = known["most_kept"]["is"]
    if wanted.keep_days > most:
        message = _("{cloud} keeps a snapshot for {most} days at most, and {days} are asked for",
                    cloud=cloud, most=most, days=wanted.keep_days)  # fmt: skip
        yield Finding("snapshots.kept-too-long", message, f"keep_days: {most}", where="disk.snapshots.keep_days")
    elif per_disk and wanted.keep_days * len(plan.days) > per_disk * 7:
        most = per_disk * 7 // len(plan.days)
        message = _("{cloud} keeps {count} snapshots of a disk, and {days} days of this schedule are more",
                    cloud=cloud, count=per_disk, days=wanted.keep_days)  # fmt: skip
        yield Finding("snapshots.kept-too-long", message, f"keep_days: {most}", where="disk.snapshots.keep_days")
    if wanted.keep_days * len(plan.days) < 7:
        message = _("each snapshot is deleted after {days} days, before there is a next one", days=wanted.keep_days)
        hint = _("keep_days: {days}, or more days in `every`", days=-(-7 // len(plan.days)))
        yield Finding("snapshots.kept-too-short", message, hint, where="disk.snapshots.keep_days")


def _of_id(said: str, cloud: str, pattern: str) -> Iterator[Finding]:
    if not re.fullmatch(pattern, said):
        message = _("{said!r} is not the id of a snapshot on {cloud}", said=said, cloud=cloud)
        hint = _("an id of the form {pattern}; `pulumi-llm snapshots list -s STACK` tells those that there are",
                 pattern=pattern)  # fmt: skip
        yield Finding("snapshots.bad-id", message, hint, where="disk.from_snapshot")


def _minute_on_the_hour(zone: str, cloud: str) -> int:
    return (_standard(zone) - int(facts(cloud)["clock"]["hours"] * 60)) % 60


def _standard(zone: str) -> int:
    """Minutes that the zone's standard time is ahead of UTC: the lesser of winter's and summer's."""
    try:
        found = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):  # a machine without a database of zones
        return 0
    offsets = [datetime(2026, month, 15, tzinfo=found).utcoffset() or timedelta() for month in (1, 7)]
    return int(min(offsets).total_seconds() // 60)
