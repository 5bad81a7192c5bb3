"""Tencent Cloud: rules for schedules of snapshots, and which schedules are in force.

The codes are those of CBS (errorcodes.py of tencentcloud-sdk-python-cbs 3.1.175, read 2026-11-29).
"""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._simcloud.rules.base import Call
from pulumi_llm._simcloud.store import Record, Store
from pulumi_llm.clouds.plans import SnapshotPlan

from .common import DISK, RULES, SCHEDULE, SCHEDULE_ATTACHMENT, SNAPSHOT, error, need


@RULES.on_create(SCHEDULE_ATTACHMENT)
def _attachment(call: Call) -> Props:
    given = call.inputs
    code, message = "InvalidAutoSnapshotPolicyId.NotFound", "The auto snapshot policy `{id}` does not exist."
    need(call, SCHEDULE, given["snapshotPolicyId"], code, message)
    need(call, DISK, given["storageId"], "InvalidDiskId.NotFound", "The disk `{id}` does not exist.")
    return {}


def from_snapshot(call: Call) -> None:
    """Refuse a disk from a snapshot that is not there, or that is larger."""
    wanted = call.inputs.get("snapshotId")
    if not wanted:
        return
    found = need(call, SNAPSHOT, wanted, "InvalidSnapshotId.NotFound", "The snapshot `{id}` does not exist.")
    if call.inputs["storageSize"] < (found.get("sizeGib") or 0):
        message = f"The disk size is less than that of the snapshot `{wanted}`."
        raise error("InvalidParameterValue", message)


def schedules(store: Store) -> Iterator[tuple[Record, Record, SnapshotPlan]]:
    """Each schedule that is in force, with the disk that it copies."""
    for each in store.list(SCHEDULE_ATTACHMENT):
        made = store.get(SCHEDULE, str(each.get("snapshotPolicyId")))
        disk = store.get(DISK, str(each.get("storageId")))
        if made is not None and disk is not None:
            yield (
                each,
                disk,
                SnapshotPlan(
                    days=tuple(sorted((int(day) - 1) % 7 for day in made.get("repeatWeekdays"))),
                    hour=int(made.get("repeatHours")[0]),
                    minute=0,
                    keep_days=int(made.get("retentionDays")),
                ),
            )
