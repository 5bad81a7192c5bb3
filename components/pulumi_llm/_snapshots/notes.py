"""What is said of a schedule beforehand: when it begins by the cloud's clock, and what becomes of its snapshots."""

from __future__ import annotations

from pulumi_llm._snapshots.schedule import facts, plan_of
from pulumi_llm._texts import Text, _
from pulumi_llm.errors import Finding
from pulumi_llm.spec.disk import DiskSpec
from pulumi_llm.spec.hours import DAYS

KEPT = "snapshots.kept"
"""The code of the note."""


def of(disk: DiskSpec | None, cloud: str) -> tuple[Finding, ...]:
    """A note of the schedule, where there is one."""
    if disk is None or disk.snapshots is None:
        return ()
    known, plan = facts(cloud), plan_of(disk.snapshots, cloud)
    message = _(
        "snapshots of the data disk begin at {at}, which is {days} {hour:02}:{minute:02} by the clock of {cloud} "
        "({clock}); {after}",
        at=disk.snapshots.at,
        days="-".join((DAYS[0], DAYS[6])) if len(plan.days) == 7 else ",".join(DAYS[each] for each in plan.days),
        hour=plan.hour,
        minute=plan.minute,
        cloud=cloud,
        clock=known["clock"]["name"],
        after=Text(known["after_destroy"]["why"]),
    )
    hint = _("`pulumi-llm snapshots list -s STACK` tells which there are; they cost as long as they are kept")
    return (Finding(KEPT, message, hint, severity="warning", where="disk.snapshots"),)
