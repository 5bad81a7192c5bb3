"""Stopping and starting Aliyun's machines, with alibabacloud-ecs20140526.

StopInstance asks for ``StoppedMode: StopCharging`` (the economical mode). Where a machine cannot have that, the API
gives no error and stops it in the standard mode, which is paid for: docstring of StopInstanceRequest in
alibabacloud-ecs20140526 7.11.8, read 2026-11-28. So it is found out before, and looked at again after.
"""

from __future__ import annotations

import json
from typing import Any

from pulumi_llm._power.base import NO_CREDENTIALS, NO_SDK, Seen, State
from pulumi_llm._texts import _
from pulumi_llm.clouds.aliyun import account

MODE = "StopCharging"
ACTIONS = {"look": "ecs:DescribeInstances", "stop": "ecs:StopInstance", "start": "ecs:StartInstance"}
STATES: dict[str, State] = {
    "Pending": "starting",
    "Starting": "starting",
    "Running": "running",
    "Stopping": "stopping",
    "Stopped": "stopped",
}


def connect(region: str) -> _Region:
    """The machines of a region. Raises Refusal ``power.no-sdk`` or ``power.no-credentials``."""
    return _Region(account.connector(NO_SDK, NO_CREDENTIALS)(region), region)


class _Region:
    def __init__(self, client: Any, region: str) -> None:
        self.client, self.region = client, region

    def look(self, machine: str) -> Seen | None:
        from alibabacloud_ecs20140526 import models

        request = models.DescribeInstancesRequest(region_id=self.region, instance_ids=json.dumps([machine]))
        body = account.call(lambda runtime: self.client.describe_instances_with_options(request, runtime)).body
        rows = body.instances.instance if body.instances and body.instances.instance else []
        found = next((each for each in rows if each.instance_id == machine), None)
        if found is None:
            return None
        state = STATES.get(str(found.status), "other")
        return Seen(state=state, charged=state == "stopped" and found.stopped_mode != MODE, unfit=_unfit(found))

    def stop(self, machine: str) -> None:
        from alibabacloud_ecs20140526 import models

        # Not by force, which is the default: what the machine has not written yet would be lost.
        request = models.StopInstanceRequest(instance_id=machine, stopped_mode=MODE)
        account.call(lambda runtime: self.client.stop_instance_with_options(request, runtime))

    def start(self, machine: str) -> None:
        from alibabacloud_ecs20140526 import models

        request = models.StartInstanceRequest(instance_id=machine)
        account.call(lambda runtime: self.client.start_instance_with_options(request, runtime))


def _unfit(found: Any) -> str:
    """Why it cannot be stopped in the economical mode (https://help.aliyun.com/en/ecs/user-guide/economical-mode)."""
    if found.instance_charge_type not in (None, "PostPaid"):
        return _("it is paid for in advance ({kind})", kind=found.instance_charge_type)
    if found.instance_network_type == "classic":
        return _("it is in the classic network")
    if found.local_storage_amount:
        return _("it has local disks")
    return ""
