"""Snapshots of simulated disks: what a cloud's `snapshots` does, done to the store of `pulumi-llm sim`.

Nobody makes snapshots while no command runs. So whoever looks has those made first that would have begun meanwhile, by
the schedules that there are, and those ended that would have: a store that is looked at shows what a cloud would.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pulumi_llm import clouds
from pulumi_llm._simcloud import booting
from pulumi_llm._simcloud.store import FILE, Record, Store
from pulumi_llm._snapshots.base import Copy
from pulumi_llm._snapshots.schedule import facts
from pulumi_llm.clouds.plans import SnapshotPlan

PREFIX = {"s-[0-9a-z]+": ("s-", 20), "snap-[0-9a-z]+": ("snap-", 8), "snap-[0-9a-f]+": ("snap-0", 16)}
"""How an id of that form begins, and how many letters and digits follow."""


def connect(home: Path, cloud: str) -> SimulatedSnapshots:
    """The snapshots of a cloud in the simulation of that folder, with all that are due by now."""
    found = SimulatedSnapshots(Store(home / FILE), cloud, home)
    found.catch_up(datetime.now(UTC))
    return found


class SimulatedSnapshots:
    """The snapshots of a simulated cloud. What it is asked is that of `_snapshots.base.Snapshots`."""

    def __init__(self, store: Store, cloud: str, home: Path) -> None:
        self.store, self.cloud, self.home = store, cloud, home
        self.facts = facts(cloud)
        self.size = clouds.folders()[cloud].read("simulated.json")["reach"]["disk_size"]

    def of_disk(self, disk: str) -> list[Copy]:
        """All of that disk."""
        return [_copy(each) for each in self.store.list(self.facts["snapshot"], diskId=disk)]

    def find(self, snapshot: str) -> Copy | None:
        """The one of that id."""
        found = self.store.get(self.facts["snapshot"], snapshot)
        return None if found is None else _copy(found)

    def take(self, disk: Record, at: datetime, keep_days: int | None) -> Record:
        """Copy a disk; ``keep_days``: as a schedule does that keeps it so long."""
        expires = None if keep_days is None else (at + timedelta(days=keep_days)).isoformat()
        made = Record(
            package=disk.package,
            type=self.facts["snapshot"],
            id=self._new_id(),
            region=disk.region,
            urn=disk.urn,
            properties={
                "diskId": disk.id,
                "sizeGib": disk.get(self.size),
                "taken": at.isoformat(),
                "expires": expires,
                "auto": keep_days is not None,
            },
            made=at.timestamp(),
        )
        if (self.home / "world" / "world.json").exists():
            booting.part("cloud").copied(self.home, disk.id, made.id)
        self.store.put(made)
        return made

    def catch_up(self, now: datetime) -> None:
        """Make what would have begun since the schedules are there, and end what is kept no longer."""
        with self.store.transaction():
            for schedule, disk, plan in self._schedules():
                since = datetime.fromtimestamp(max(schedule.made, disk.made), UTC)
                there = {each.taken for each in self.of_disk(disk.id)}
                oldest = now - timedelta(days=plan.keep_days)
                for at in begins(plan, self.facts["clock"]["hours"], max(since, oldest), now):
                    if at not in there:
                        self.take(disk, at, plan.keep_days)
                for record in self.store.list(self.facts["snapshot"], diskId=disk.id):
                    expires = _copy(record).expires
                    if expires is not None and expires <= now:
                        self.store.remove(record)

    def _schedules(self) -> Iterator[tuple[Record, Record, SnapshotPlan]]:
        module = clouds.folders()[self.cloud].part("simulated.snapshots")
        if module is not None:
            yield from module.schedules(self.store)

    def _new_id(self) -> str:
        start, count = PREFIX[self.facts["id"]]
        letters = string.hexdigits[:16] if self.cloud == "aws" else string.ascii_lowercase + string.digits
        return start + "".join(secrets.choice(letters) for _ in range(count))


def begins(plan: SnapshotPlan, clock: float, since: datetime, until: datetime) -> Iterator[datetime]:
    """When snapshots of a plan begin between two times, the first left out; ``clock``: hours ahead of UTC."""
    ahead = timedelta(hours=clock)
    day = (since + ahead).replace(hour=0, minute=0, second=0, microsecond=0)
    while day - ahead <= until:
        at = day + timedelta(hours=plan.hour, minutes=plan.minute) - ahead
        if day.weekday() in plan.days and since < at <= until:
            yield at
        day += timedelta(days=1)


def moved_back(store: Store, record: Record, days: float) -> None:
    """Have it that a resource was made so many days earlier: time that passes in a test."""
    store.put(replace(record, made=record.made - days * 86400))


def _copy(record: Record) -> Copy:
    expires = record.get("expires")
    return Copy(
        id=record.id,
        disk=str(record.get("diskId")),
        taken=datetime.fromisoformat(record.get("taken")),
        gib=int(record.get("sizeGib") or 0),
        state="whole",
        expires=datetime.fromisoformat(expires) if expires else None,
        by_schedule=bool(record.get("auto")),
    )
