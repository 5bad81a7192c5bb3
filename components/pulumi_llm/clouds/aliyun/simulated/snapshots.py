"""Aliyun: rules for schedules of snapshots, and which schedules are in force.

What ECS refuses, with which code: CreateDisk, CreateAutoSnapshotPolicy and ApplyAutoSnapshotPolicy of the API reference
(2014-05-26), and that a disk has to be, or to have been, attached (help.aliyun.com, "Set an automatic snapshot policy
for a disk"); from general knowledge where those were not at hand, 2026-11-29.
"""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._simcloud.rules.base import Call
from pulumi_llm._simcloud.store import Record, Store
from pulumi_llm.clouds.plans import SnapshotPlan

from .common import DISK, DISK_ATTACHMENT, RULES, SCHEDULE, SCHEDULE_ATTACHMENT, SNAPSHOT, error, need

LONGEST = 65535


@RULES.on_create(SCHEDULE)
@RULES.on_update(SCHEDULE)
def _schedule(call: Call) -> Props:
    days = call.inputs["retentionDays"]
    if days != -1 and not 1 <= days <= LONGEST:
        message = "The specified RetentionDays is not valid."
        raise error(call, "CreateAutoSnapshotPolicy", "InvalidParameterValue.RetentionDays", message)
    return {}


@RULES.on_create(SCHEDULE_ATTACHMENT)
def _attachment(call: Call) -> Props:
    given, operation = call.inputs, "ApplyAutoSnapshotPolicy"
    message = "The specified auto snapshot policy does not exist."
    need(call, SCHEDULE, given["autoSnapshotPolicyId"], operation, "InvalidAutoSnapshotPolicy.NotFound", message)
    need(call, DISK, given["diskId"], operation, "InvalidDiskId.NotFound", "The specified disk does not exist.")
    if not call.list(DISK_ATTACHMENT, diskId=given["diskId"]):
        message = "The specified disk has never been attached to an instance."
        raise error(call, operation, "IncorrectDiskStatus.NeverAttached", message, 403)
    return {}


def from_snapshot(call: Call) -> None:
    """Refuse a disk from a snapshot that is not there, or that is larger."""
    wanted = call.inputs.get("snapshotId")
    if not wanted:
        return
    operation, message = "CreateDisk", "The specified snapshot does not exist."
    found = need(call, SNAPSHOT, wanted, operation, "InvalidSnapshotId.NotFound", message)
    if (call.inputs.get("size") or 0) < (found.get("sizeGib") or 0):
        message = "The specified disk size is less than the size of the snapshot."
        raise error(call, operation, "InvalidDiskSize.TooSmall", message, 403)


def end_with(call: Call, disk: Record) -> None:
    """End the automatic snapshots of a disk that is deleted, where it says so."""
    if disk.get("deleteAutoSnapshot"):
        for each in call.store.list(SNAPSHOT, diskId=disk.id):
            if each.get("auto"):
                call.store.remove(each)


def schedules(store: Store) -> Iterator[tuple[Record, Record, SnapshotPlan]]:
    """Each schedule that is in force, with the disk that it copies."""
    for each in store.list(SCHEDULE_ATTACHMENT):
        made = store.get(SCHEDULE, str(each.get("autoSnapshotPolicyId")))
        disk = store.get(DISK, str(each.get("diskId")))
        if made is not None and disk is not None:
            yield (
                each,
                disk,
                SnapshotPlan(
                    days=tuple(sorted(int(day) - 1 for day in made.get("repeatWeekdays"))),
                    hour=int(made.get("timePoints")[0]),
                    minute=0,
                    keep_days=int(made.get("retentionDays")),
                ),
            )
