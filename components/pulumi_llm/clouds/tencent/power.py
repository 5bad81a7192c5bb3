"""Stopping and starting Tencent Cloud's machines, with tencentcloud-sdk-python-cvm.

StopInstances asks for ``StoppedMode: STOP_CHARGING``, as it goes on charging by default, and for ``StopType:
SOFT_FIRST``: by force where the system does not shut down. Both calls are taken at once and done afterwards; how they
end is in ``LatestOperationState`` (StopInstances and StartInstances, API 3.0 of 2017-03-12, read 2026-11-28).
"""

from __future__ import annotations

from typing import Any

from pulumi_llm._power.base import NO_CREDENTIALS, NO_SDK, Seen, State
from pulumi_llm._refresh.calls import Failure
from pulumi_llm._texts import _
from pulumi_llm.clouds.tencent import account

MODE = "STOP_CHARGING"
BY_THE_HOUR = "POSTPAID_BY_HOUR"
ACTIONS = {"look": "cvm:DescribeInstances", "stop": "cvm:StopInstances", "start": "cvm:StartInstances"}
STATES: dict[str, State] = {
    "PENDING": "starting",
    "STARTING": "starting",
    "REBOOTING": "starting",
    "RUNNING": "running",
    "STOPPING": "stopping",
    "STOPPED": "stopped",
}
GONE = ("LAUNCH_FAILED", "SHUTDOWN", "TERMINATING")
"""Never made, isolated before its end, or on the way out."""


def connect(region: str) -> _Region:
    """The machines of a region. Raises Refusal ``power.no-sdk`` or ``power.no-credentials``."""
    return _Region(account.connector(NO_SDK, NO_CREDENTIALS)(region))


class _Region:
    def __init__(self, client: Any) -> None:
        self.client = client
        self.orders: dict[str, str] = {}
        """The last order for each machine, by the id that the cloud gave it."""

    def look(self, machine: str) -> Seen | None:
        from tencentcloud.cvm.v20170312 import models

        request = models.DescribeInstancesRequest()
        request.InstanceIds = [machine]
        try:
            rows = account.call(lambda: self.client.DescribeInstances(request)).InstanceSet or []
        except Failure as failure:
            if failure.code.startswith("InvalidInstanceId.NotFound"):
                return None
            raise
        found = next((each for each in rows if each.InstanceId == machine), None)
        if found is None or found.InstanceState in GONE:
            return None
        state = STATES.get(str(found.InstanceState), "other")
        failed = found.LatestOperationState == "FAILED" and found.LatestOperationRequestId == self.orders.get(machine)
        return Seen(
            state=state,
            charged=state == "stopped" and found.StopChargingMode != MODE,
            unfit=_unfit(found),
            trouble=str(found.LatestOperationErrorMsg or found.LatestOperation) if failed else "",
        )

    def stop(self, machine: str) -> None:
        from tencentcloud.cvm.v20170312 import models

        request = models.StopInstancesRequest()
        request.InstanceIds, request.StopType, request.StoppedMode = [machine], "SOFT_FIRST", MODE
        self.orders[machine] = account.call(lambda: self.client.StopInstances(request)).RequestId

    def start(self, machine: str) -> None:
        from tencentcloud.cvm.v20170312 import models

        request = models.StartInstancesRequest()
        request.InstanceIds = [machine]
        self.orders[machine] = account.call(lambda: self.client.StartInstances(request)).RequestId


def _unfit(found: Any) -> str:
    """Why it is charged for while it stands still (https://www.tencentcloud.com/document/product/213/19918)."""
    if found.InstanceChargeType not in (None, BY_THE_HOUR):
        return _("it is not paid by the hour ({kind})", kind=found.InstanceChargeType)
    disks = [found.SystemDisk, *(found.DataDisks or [])]
    local = next((each.DiskType for each in disks if each and str(each.DiskType or "").startswith("LOCAL")), None)
    return _("it has a local disk ({kind})", kind=local) if local else ""
