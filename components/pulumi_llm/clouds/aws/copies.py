"""What AWS is told of a schedule of snapshots: when it begins, what it looks for, and what its role may do. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pulumi_llm import catalog

if TYPE_CHECKING:
    from pulumi_llm.clouds.plans import SnapshotPlan

MARK = "pulumi-llm-snapshots"
"""The tag by which a lifecycle policy finds its volume."""
MARK_LIMIT = 255
"""Characters of a tag's value are 256 at most (EC2 user guide, tag restrictions)."""
ABOUT = "Lets AWS copy one disk of pulumi-llm and end its copies, and nothing else"
DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")


def trust(service: str = "dlm.amazonaws.com") -> str:
    """Who may take a role on: that service, or the one that keeps lifecycle policies."""
    statement = {"Action": "sts:AssumeRole", "Effect": "Allow", "Principal": {"Service": service}}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, sort_keys=True)


def policy(volume: str, mark: str, region: str) -> str:
    """What lets AWS copy one volume and end what carries its mark, and nothing else."""
    partition = catalog.load().region("aws", region).partition
    copies = f"arn:{partition}:ec2:{region}::snapshot/*"
    marked = {"StringEquals": {f"aws:ResourceTag/{MARK}": mark}}
    statements: list[dict[str, object]] = [
        {"Effect": "Allow", "Action": ["ec2:DescribeSnapshots", "ec2:DescribeVolumes"], "Resource": ["*"]},
        {"Effect": "Allow", "Action": ["ec2:CreateSnapshot"], "Resource": [volume, copies]},
        {"Effect": "Allow", "Action": ["ec2:CreateTags"], "Resource": [copies]},
        {"Effect": "Allow", "Action": ["ec2:DeleteSnapshot"], "Resource": [copies], "Condition": marked},
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, sort_keys=True)


def begins(plan: SnapshotPlan) -> dict[str, Any]:
    """When a snapshot begins, as a rule of a policy: each day, or on some by a cron expression. UTC."""
    if len(plan.days) == len(DAYS):
        return {"interval": 24, "interval_unit": "HOURS", "times": f"{plan.hour:02}:{plan.minute:02}"}
    days = ",".join(DAYS[each] for each in plan.days)
    return {"cron_expression": f"cron({plan.minute} {plan.hour} ? * {days} *)"}


def details(plan: SnapshotPlan, mark: str) -> dict[str, Any]:
    """What a lifecycle policy copies, when, and how long it keeps each."""
    schedule = {
        # Of another name it would leave the snapshots of this one alone.
        "name": "data disk",
        "copy_tags": True,
        "create_rule": begins(plan),
        # By age: a count of a policy that is changed to days cannot be.
        "retain_rule": {"interval": plan.keep_days, "interval_unit": "DAYS"},
    }
    return {
        "policy_type": "EBS_SNAPSHOT_MANAGEMENT",
        "resource_types": ["VOLUME"],
        "target_tags": {MARK: mark},
        "schedules": [schedule],
    }
