"""The snapshots of Aliyun's disks, with alibabacloud-ecs20140526 (DescribeSnapshots)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from pulumi_llm._snapshots.base import NO_CREDENTIALS, NO_SDK, Copy, State
from pulumi_llm.clouds.aliyun import account

ACTION = "ecs:DescribeSnapshots"
STATES: dict[str, State] = {"accomplished": "whole", "progressing": "under way"}
PAGE = 100


def connect(region: str) -> _Region:
    """The snapshots of a region. Raises Refusal ``snapshots.no-sdk`` or ``snapshots.no-credentials``."""
    return _Region(account.connector(NO_SDK, NO_CREDENTIALS)(region), region)


class _Region:
    def __init__(self, client: Any, region: str) -> None:
        self.client, self.region = client, region

    def of_disk(self, disk: str) -> list[Copy]:
        return self._all(disk_id=disk)

    def find(self, snapshot: str) -> Copy | None:
        found = self._all(snapshot_ids=json.dumps([snapshot]))
        return next((each for each in found if each.id == snapshot), None)

    def _all(self, **asked: str) -> list[Copy]:
        from alibabacloud_ecs20140526 import models

        found: list[Copy] = []
        token: str | None = None
        while True:
            request = models.DescribeSnapshotsRequest(
                region_id=self.region, max_results=PAGE, next_token=token, **asked
            )

            def ask(runtime: Any, request: Any = request) -> Any:
                return self.client.describe_snapshots_with_options(request, runtime)

            body = account.call(ask).body
            found += [_copy(each) for each in (body.snapshots.snapshot or [] if body.snapshots else [])]
            token = body.next_token
            if not token:
                return found


def _copy(row: Any) -> Copy:
    taken = datetime.fromisoformat(str(row.creation_time).replace("Z", "+00:00")).astimezone(UTC)
    days = row.retention_days
    return Copy(
        id=row.snapshot_id,
        disk=row.source_disk_id,
        taken=taken,
        gib=int(row.source_disk_size or 0),
        state=STATES.get(str(row.status), "failed"),
        expires=taken + timedelta(days=days) if days and days > 0 else None,
        by_schedule=row.snapshot_type in ("auto", "timer"),
    )
