"""The snapshots of AWS's volumes, with boto3 (DescribeSnapshots)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pulumi_llm._refresh.calls import Failure
from pulumi_llm._snapshots.base import NO_CREDENTIALS, NO_SDK, Copy, State
from pulumi_llm.clouds.aws import account

ACTION = "ec2:DescribeSnapshots"
STATES: dict[str, State] = {"completed": "whole", "pending": "under way"}
BY_POLICY, EXPIRES = "aws:dlm:lifecycle-policy-id", "aws:dlm:expirationtime"
"""Tags that a lifecycle policy gives to what it makes."""


def connect(region: str) -> _Region:
    """The snapshots of a region. Raises Refusal ``snapshots.no-sdk`` or ``snapshots.no-credentials``."""
    return _Region(account.client(account.session(NO_SDK, NO_CREDENTIALS), "ec2", region))


class _Region:
    def __init__(self, client: Any) -> None:
        self.client = client

    def of_disk(self, disk: str) -> list[Copy]:
        pages = self.client.get_paginator("describe_snapshots")
        with account.calls():
            asked = pages.paginate(OwnerIds=["self"], Filters=[{"Name": "volume-id", "Values": [disk]}])
            return [_copy(each) for page in asked for each in page["Snapshots"]]

    def find(self, snapshot: str) -> Copy | None:
        try:
            with account.calls():
                rows = self.client.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"]
        except Failure as failure:
            if failure.code.startswith("InvalidSnapshot"):
                return None
            raise
        return next((_copy(each) for each in rows if each["SnapshotId"] == snapshot), None)


def _copy(row: Any) -> Copy:
    tags = {each["Key"]: each["Value"] for each in row.get("Tags", ())}
    return Copy(
        id=row["SnapshotId"],
        disk=row["VolumeId"],
        taken=row["StartTime"].astimezone(UTC),
        gib=int(row["VolumeSize"]),
        state=STATES.get(row["State"], "failed"),
        expires=_time(tags.get(EXPIRES, "")),
        by_schedule=BY_POLICY in tags,
    )


def _time(text: str) -> datetime | None:
    """A time as a policy writes it into a tag; None for what is none."""
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
