"""The data disks of a stack that can be copied, read from its state: what is there, not what the program would make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pulumi_llm import clouds
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._plan.model import Plan
from pulumi_llm._power.machines import EVERYWHERE, place_of
from pulumi_llm._review.item import Usage
from pulumi_llm._review.items import items
from pulumi_llm._snapshots import FILE
from pulumi_llm._texts import _, either
from pulumi_llm.catalog import Catalog
from pulumi_llm.errors import Finding, Refusal

ZONES = ("availabilityZone", "zoneId")
"""What the clouds call the zone of a disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """A data disk of a stack: whose it is, what its cloud knows it by, its size in GiB."""

    place: str
    name: str
    id: str
    cloud: str
    region: str
    zone: str
    gib: int
    protected: bool
    snapshot: str
    """The snapshot that it was made from; empty: none."""
    copied: bool
    """Whether a schedule copies it."""

    def __str__(self) -> str:
        return f"{self.place} {self.id}"


def disks_of(plan: Plan, catalog: Catalog, regions: Mapping[str, str]) -> list[Disk]:
    """The data disks in a state; ``regions`` gives each package's region where nothing nearer names one."""
    by_urn = plan.by_urn()
    rows = {name: folder.read(FILE) for name, folder in clouds.folders().items()}
    types = {row["disk"]: name for name, row in rows.items() if row}
    schedules = {row["schedule"] for row in rows.values() if row}
    copied = {urn for each in plan.resources if each.type in schedules for urn in each.dependencies}
    found = []
    for item in items(plan, catalog, Usage(), regions):
        resource = by_urn[item.urn]
        if resource.type not in types or item.kind != "disk" or not resource.id:
            continue
        found.append(
            Disk(
                place=place_of(resource.parent, by_urn),
                name=resource.name,
                id=resource.id,
                cloud=types[resource.type],
                region=item.region or "",
                zone=next((each for each in map(resource.inputs.get, ZONES) if isinstance(each, str)), ""),
                gib=int(item.quantity),
                protected=resource.protect,
                snapshot=str(resource.inputs.get("snapshotId") or ""),
                copied=resource.urn in copied,
            )
        )
    return found


def chosen(disks: Iterable[Disk], at: str, stack: str) -> list[Disk]:
    """Those at the place that is asked for. Raises Refusal ``snapshots.no-disk`` where there is none."""
    known = list(disks)
    found = [each for each in known if at in (EVERYWHERE, each.place)]
    if not found:
        there = sorted({each.place for each in known})
        message = _("the stack {stack!r} has no data disk of its {place} that is up", stack=stack, place=at)
        hint = _("--at {there}", there=either(there)) if there else _("--disk ID, with the id that the disk had")
        raise Refusal([Finding("snapshots.no-disk", message, hint)])
    return found


def current(disks: Sequence[Disk], written: str | None) -> Disk:
    """The disk that the stack's file means, which names a snapshot or none: an `up` that failed may leave two."""
    return next((each for each in disks if each.snapshot == (written or "")), disks[0])
