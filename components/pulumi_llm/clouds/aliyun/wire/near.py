"""Aliyun's wire: deployment sets (ECS of 2014-05-26).

Which calls the provider makes: resource_alicloud_ecs_deployment_set.go and service_alicloud_ecs.go of
terraform-provider-alicloud at 81c43b67. What is answered: the models of alibabacloud-ecs20140526 7.11.8. Strategy,
name and description have other names in the answer than in the call.
"""

from __future__ import annotations

import time

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._rehearsal.calls import WireCall, WireError
from pulumi_llm._simcloud.store import Record

from ..simulated.common import DEPLOYMENT_SET, INSTANCE
from .protocol import ACTIONS, AliyunFace, ids, page

NO_SET = ("InvalidParameter", "The specified parameter DeploymentSetId is not valid.")
STRATEGIES = ("Availability", "AvailabilityGroup", "LowLatency")
NAMES = {"DeploymentSetName": "deploymentSetName", "Description": "description"}


def _members(face: AliyunFace, record: Record) -> list[str]:
    return [each.id for each in face.store.list(INSTANCE, region=record.region, deploymentSetId=record.id)]


def _row(face: AliyunFace, record: Record) -> Props:
    members = _members(face, record)
    return {
        "DeploymentSetId": record.id,
        "DeploymentSetName": record.get("deploymentSetName", ""),
        "DeploymentSetDescription": record.get("description", ""),
        "DeploymentStrategy": record.get("strategy"),
        "Strategy": "LooseDispersion",
        "Domain": "default",
        "Granularity": "host",
        "InstanceAmount": len(members),
        "InstanceIds": {"InstanceId": members},
        "CreationTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.made)),
    }


@ACTIONS.on("ecs:CreateDeploymentSet")
def _create(face: AliyunFace, call: WireCall) -> Props:
    strategy = call.parameters.get("Strategy") or "Availability"
    if strategy not in STRATEGIES:
        raise WireError("InvalidParameter", "The specified parameter Strategy is not valid.")
    made = face.create(call, DEPLOYMENT_SET, {"strategy": strategy, **call.given(**NAMES)})
    return {"DeploymentSetId": made.id}


@ACTIONS.on("ecs:DescribeDeploymentSets")
def _describe(face: AliyunFace, call: WireCall) -> Props:
    wanted = ids(call, "DeploymentSetIds")
    found = [each for each in face.store.list(DEPLOYMENT_SET, region=call.region) if not wanted or each.id in wanted]
    rows = [_row(face, each) for each in found]
    return {"RegionId": call.region, **page(call, "DeploymentSets", "DeploymentSet", rows)}


@ACTIONS.on("ecs:ModifyDeploymentSetAttribute")
def _modify(face: AliyunFace, call: WireCall) -> Props:
    made = face.need(call, DEPLOYMENT_SET, call.parameters.get("DeploymentSetId"), *NO_SET)
    face.change(call, made, call.given(**NAMES))
    return {}


@ACTIONS.on("ecs:DeleteDeploymentSet")
def _delete(face: AliyunFace, call: WireCall) -> Props:
    face.delete(call, face.need(call, DEPLOYMENT_SET, call.parameters.get("DeploymentSetId"), *NO_SET))
    return {}
