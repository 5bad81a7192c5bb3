"""AWS: rules for lifecycle policies, and which of them are in force.

The codes are those of DLM and EC2 (API references 2018-01-12 and 2016-11-15), from general knowledge, 2026-11-29.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._simcloud.rules.base import Call
from pulumi_llm._simcloud.store import Record, Store
from pulumi_llm.clouds.plans import SnapshotPlan

from .common import ROLE, RULES, SCHEDULE, SNAPSHOT, VOLUME, ec2, error, need

DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")


@RULES.on_create(SCHEDULE)
@RULES.on_update(SCHEDULE)
def _schedule(call: Call) -> Props:
    doing, details = "creating DLM Lifecycle Policy", call.inputs["policyDetails"]
    role = str(call.inputs["executionRoleArn"]).rpartition("/")[2]
    if call.store.get(ROLE, role) is None:
        message = f"The role {call.inputs['executionRoleArn']} cannot be assumed by DLM."
        raise error(doing, "DLM", "CreateLifecyclePolicy", "InvalidRequestException", message)
    if not details.get("targetTags"):
        message = "Target tags are required for the policy type EBS_SNAPSHOT_MANAGEMENT."
        raise error(doing, "DLM", "CreateLifecyclePolicy", "InvalidRequestException", message)
    for each in details["schedules"]:
        rule = each["createRule"]
        if bool(rule.get("cronExpression")) == bool(rule.get("interval")):
            message = "A schedule has either a cron expression or an interval."
            raise error(doing, "DLM", "CreateLifecyclePolicy", "InvalidRequestException", message)
    return {}


def from_snapshot(call: Call) -> None:
    """Refuse a volume from a snapshot that is not there, or that is larger."""
    wanted = call.inputs.get("snapshotId")
    if not wanted:
        return
    doing, operation = "creating EBS Volume", "CreateVolume"
    message = "The snapshot '{id}' does not exist."
    found = need(call, SNAPSHOT, wanted, doing, operation, "InvalidSnapshot.NotFound", message)
    size = call.inputs.get("size")
    if size is not None and size < (found.get("sizeGib") or 0):
        message = f"Volume of {size}GiB is smaller than snapshot '{wanted}', expect size>= {found.get('sizeGib')}GiB"
        raise ec2(doing, operation, "InvalidParameterValue", message)


def schedules(store: Store) -> Iterator[tuple[Record, Record, SnapshotPlan]]:
    """Each policy that is in force, with each volume that has its tags."""
    for made in store.list(SCHEDULE):
        details = made.get("policyDetails")
        wanted = details["targetTags"].items()
        for disk in store.list(VOLUME, region=made.region):
            if made.get("state", "ENABLED") == "ENABLED" and wanted <= (disk.get("tags") or {}).items():
                for each in details["schedules"]:
                    yield made, disk, _plan(each["createRule"], each["retainRule"])


def _plan(begins: Any, kept: Any) -> SnapshotPlan:
    if begins.get("cronExpression"):
        minute, hour, __, __, days, __ = begins["cronExpression"].removeprefix("cron(").removesuffix(")").split()
        named = tuple(DAYS.index(day) for day in days.split(","))
    else:
        (hour, minute), named = begins["times"].split(":"), tuple(range(7))
    return SnapshotPlan(days=named, hour=int(hour), minute=int(minute), keep_days=int(kept["interval"]))
