"""Aliyun: rules for deployment sets of low latency, and for the machines in one.

The refusal of a deletion is that of DeleteDeploymentSet's page (help.aliyun.com/document_detail/91311, read
2026-11-30). RunInstances' codes for a set that is none, and for a type that may not be in it, could not be read there:
here it is the API's code for a parameter that is not valid.
"""

from __future__ import annotations

from pulumi_llm._simcloud.rules.base import Call
from pulumi_llm._simcloud.store import Record
from pulumi_llm.clouds import near

from .common import DEPLOYMENT_SET, INSTANCE, RULES, error, need

CLOUD, LOW_LATENCY = "aliyun", "LowLatency"


def placed(call: Call, zone: str, operation: str) -> None:
    """Refuse a machine in a set that is not there, that takes no such type, or whose machines are in another zone."""
    wanted = call.inputs.get("deploymentSetId")
    if not wanted:
        return
    code, message = "InvalidParameter", "The specified parameter DeploymentSetId is not valid."
    found = need(call, DEPLOYMENT_SET, wanted, operation, code, message)
    group = near.group_of(CLOUD)
    kind, spot = str(call.inputs.get("instanceType")), call.inputs.get("spotStrategy", "NoSpot") != "NoSpot"
    if found.get("strategy") != LOW_LATENCY:
        return
    if group is None or not group.takes(kind, spot=spot):
        message = f"The specified instance type {kind} is not supported by the specified deployment set."
        raise error(call, operation, code, message)
    if any(each.get("availabilityZone") != zone for each in call.list(INSTANCE, deploymentSetId=wanted)):
        message = "The instances of the specified deployment set are in another zone."
        raise error(call, operation, code, message)


@RULES.on_delete(DEPLOYMENT_SET)
def _delete(call: Call, record: Record) -> None:
    if call.list(INSTANCE, deploymentSetId=record.id):
        message = "There are still instance(s) in the specified DeploymentSetId."
        raise error(call, "DeleteDeploymentSet", "DependencyViolation.NotEmpty", message, 403)
