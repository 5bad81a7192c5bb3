"""Aliyun's wire: schedules of snapshots (ECS of 2014-05-26), and which disks they copy.

Which calls the provider makes: resource_alicloud_ecs_auto_snapshot_policy.go, its attachment's and
service_alicloud_ecs_v2.go of terraform-provider-alicloud, release/v2 at ace5bcf877. Some parameters of these actions
begin with a small letter, and lists travel as JSON. A disk has one schedule: another takes the place of the first.
"""

from __future__ import annotations

import json

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._rehearsal.calls import WireCall
from pulumi_llm._simcloud.store import Record

from ..simulated.common import SCHEDULE, SCHEDULE_ATTACHMENT
from .protocol import ACTIONS, AliyunFace, flag, ids, number, page, tag_rows, tags

NO_SCHEDULE = ("InvalidAutoSnapshotPolicy.NotFound", "The specified auto snapshot policy does not exist.")


def _given(call: WireCall) -> Props:
    given = call.parameters
    found = call.given(autoSnapshotPolicyName="autoSnapshotPolicyName")
    if "retentionDays" in given:
        found["retentionDays"] = number(given["retentionDays"])
    for name in ("repeatWeekdays", "timePoints"):
        if name in given:
            found[name] = ids(call, name)
    if "EnableCrossRegionCopy" in given:
        found["enableCrossRegionCopy"] = flag(given["EnableCrossRegionCopy"])
    return found


def _applied(face: AliyunFace, region: str, **to: object) -> list[Record]:
    return face.store.list(SCHEDULE_ATTACHMENT, region=region, **to)


def schedule_of(face: AliyunFace, disk: Record) -> str:
    """The id of the schedule that copies a disk; empty where none does."""
    held = _applied(face, disk.region, diskId=disk.id)
    return str(held[0].get("autoSnapshotPolicyId")) if held else ""


@ACTIONS.on("ecs:CreateAutoSnapshotPolicy")
def _create(face: AliyunFace, call: WireCall) -> Props:
    return {"AutoSnapshotPolicyId": face.create(call, SCHEDULE, {**_given(call), "tags": tags(call)}).id}


@ACTIONS.on("ecs:DescribeAutoSnapshotPolicyEx")
def _describe(face: AliyunFace, call: WireCall) -> Props:
    wanted = call.parameters.get("AutoSnapshotPolicyId")
    rows = [
        {
            "AutoSnapshotPolicyId": each.id,
            "AutoSnapshotPolicyName": each.get("autoSnapshotPolicyName", ""),
            "RepeatWeekdays": json.dumps(each.get("repeatWeekdays")),
            "TimePoints": json.dumps(each.get("timePoints")),
            "RetentionDays": each.get("retentionDays"),
            "EnableCrossRegionCopy": bool(each.get("enableCrossRegionCopy")),
            "CopiedSnapshotsRetentionDays": -1,
            "TargetCopyRegions": "[]",
            "CopyEncryptionConfiguration": {},
            "DiskNums": len(_applied(face, each.region, autoSnapshotPolicyId=each.id)),
            "VolumeNums": 0,
            "Status": "Normal",
            "CreationTime": each.get("createTime"),
            "RegionId": each.region,
            "ResourceGroupId": "",
            "Tags": tag_rows(each, "TagKey", "TagValue"),
        }
        for each in face.store.list(SCHEDULE, region=call.region)
        if wanted in (None, "", each.id)
    ]
    return page(call, "AutoSnapshotPolicies", "AutoSnapshotPolicy", rows)


@ACTIONS.on("ecs:ModifyAutoSnapshotPolicyEx")
def _modify(face: AliyunFace, call: WireCall) -> Props:
    made = face.need(call, SCHEDULE, call.parameters.get("autoSnapshotPolicyId"), *NO_SCHEDULE)
    face.change(call, made, _given(call))
    return {}


@ACTIONS.on("ecs:DeleteAutoSnapshotPolicy")
def _delete(face: AliyunFace, call: WireCall) -> Props:
    made = face.need(call, SCHEDULE, call.parameters.get("autoSnapshotPolicyId"), *NO_SCHEDULE)
    for each in _applied(face, call.region, autoSnapshotPolicyId=made.id):
        face.delete(call, each)
    face.delete(call, made)
    return {}


@ACTIONS.on("ecs:ApplyAutoSnapshotPolicy")
def _apply(face: AliyunFace, call: WireCall) -> Props:
    schedule = call.parameters.get("autoSnapshotPolicyId")
    for id_ in ids(call, "diskIds"):
        before = _applied(face, call.region, diskId=id_)
        face.create(call, SCHEDULE_ATTACHMENT, {"autoSnapshotPolicyId": schedule, "diskId": id_})
        for each in before:
            face.delete(call, each)
    return {}


@ACTIONS.on("ecs:CancelAutoSnapshotPolicy")
def _cancel(face: AliyunFace, call: WireCall) -> Props:
    for id_ in ids(call, "diskIds"):
        for each in _applied(face, call.region, diskId=id_):
            face.delete(call, each)
    return {}
