"""The snapshots of Tencent Cloud's disks, with tencentcloud-sdk-python-cbs (DescribeSnapshots).

Its times are those of China, without a zone (``2026-11-29 03:00:11``): the examples of the API reference (2017-03-12).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from pulumi_llm._snapshots.base import NO_CREDENTIALS, NO_SDK, Copy, State
from pulumi_llm.clouds.tencent import account

ACTION = "cbs:DescribeSnapshots"
# One that is rolled back or copied to another region is whole.
STATES: dict[str, State] = {
    "NORMAL": "whole",
    "ROLLBACKING": "whole",
    "CREATING": "under way",
    "COPYING_FROM_REMOTE": "under way",
    "CHECKING_COPIED": "under way",
}
CHINA = timezone(timedelta(hours=8))
PAGE = 100


def connect(region: str) -> _Region:
    """The snapshots of a region. Raises Refusal ``snapshots.no-sdk`` or ``snapshots.no-credentials``."""
    return _Region(account.connector(NO_SDK, NO_CREDENTIALS, "cbs")(region))


class _Region:
    def __init__(self, client: Any) -> None:
        self.client = client

    def of_disk(self, disk: str) -> list[Copy]:
        from tencentcloud.cbs.v20170312 import models

        found: list[Copy] = []
        while True:
            only = models.Filter()
            only.Name, only.Values = "disk-id", [disk]
            request = models.DescribeSnapshotsRequest()
            request.Filters, request.Limit, request.Offset = [only], PAGE, len(found)
            answer = self._ask(request)
            rows = answer.SnapshotSet or []
            found += [_copy(each) for each in rows]
            if not rows or len(found) >= (answer.TotalCount or 0):
                return found

    def find(self, snapshot: str) -> Copy | None:
        from tencentcloud.cbs.v20170312 import models

        request = models.DescribeSnapshotsRequest()
        request.SnapshotIds = [snapshot]
        rows = self._ask(request).SnapshotSet or []
        return next((_copy(each) for each in rows if each.SnapshotId == snapshot), None)

    def _ask(self, request: Any) -> Any:
        return account.call(lambda: self.client.DescribeSnapshots(request))


def _copy(row: Any) -> Copy:
    return Copy(
        id=row.SnapshotId,
        disk=row.DiskId,
        taken=_time(row.CreateTime),
        gib=int(row.DiskSize or 0),
        state=STATES.get(str(row.SnapshotState), "failed"),
        expires=_time(row.DeadlineTime) if row.DeadlineTime and not row.IsPermanent else None,
        by_schedule=bool(row.AutoSnapshotPolicyId),
    )


def _time(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=CHINA).astimezone(UTC)
