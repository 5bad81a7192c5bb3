"""Stopping and starting AWS's machines, with boto3. EC2 never charges for a machine that stands still."""

from __future__ import annotations

from typing import Any

from pulumi_llm._power.base import NO_CREDENTIALS, NO_SDK, Seen, State
from pulumi_llm._refresh.calls import Failure
from pulumi_llm._texts import _
from pulumi_llm.clouds.aws import account

ACTIONS = {"look": "ec2:DescribeInstances", "stop": "ec2:StopInstances", "start": "ec2:StartInstances"}
STATES: dict[str, State] = {
    "pending": "starting",
    "running": "running",
    "stopping": "stopping",
    "stopped": "stopped",
}
GONE = ("shutting-down", "terminated")
TROUBLE = ("Server.", "Client.InternalError", "Client.VolumeLimitExceeded", "Client.InvalidSnapshot")
"""How the reasons start for which EC2 stops a machine that was to be started (StateReason, EC2 API, 2016-11-15)."""


def connect(region: str) -> _Region:
    """The machines of a region. Raises Refusal ``power.no-sdk`` or ``power.no-credentials``."""
    return _Region(account.client(account.session(NO_SDK, NO_CREDENTIALS), "ec2", region))


class _Region:
    def __init__(self, client: Any) -> None:
        self.client = client

    def look(self, machine: str) -> Seen | None:
        try:
            with account.calls():
                answer = self.client.describe_instances(InstanceIds=[machine])
        except Failure as failure:
            if failure.code.startswith("InvalidInstanceID."):
                return None
            raise
        rows = [each for group in answer["Reservations"] for each in group["Instances"]]
        found = next((each for each in rows if each["InstanceId"] == machine), None)
        if found is None or found["State"]["Name"] in GONE:
            return None
        state = STATES.get(found["State"]["Name"], "other")
        reason = found.get("StateReason") or {}
        trouble = state == "stopped" and str(reason.get("Code", "")).startswith(TROUBLE)
        return Seen(
            state=state,
            unfit=_unfit(found),
            trouble=f"{reason.get('Code')}: {reason.get('Message', '')}" if trouble else "",
        )

    def stop(self, machine: str) -> None:
        with account.calls():
            self.client.stop_instances(InstanceIds=[machine])

    def start(self, machine: str) -> None:
        with account.calls():
            self.client.start_instances(InstanceIds=[machine])


def _unfit(found: Any) -> str:
    if found.get("RootDeviceType", "ebs") != "ebs":
        return _("its system disk is in the machine itself (instance store)")
    return ""
