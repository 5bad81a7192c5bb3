"""Tencent Cloud's wire: schedules of snapshots (cbs of 2017-03-12), and which disks they copy.

Which calls the provider makes: services/cbs/resource_tc_cbs_snapshot_policy.go, its attachment's and
service_tencentcloud_cbs.go of terraform-provider-tencentcloud v1.82.42. What is answered: the models of
tencentcloud-sdk-python-cbs 3.1.175. A schedule goes while disks are bound to it, and they are bound no more.
"""

from __future__ import annotations

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._rehearsal.calls import WireCall, WireError
from pulumi_llm._simcloud.store import Record

from ..simulated.common import SCHEDULE, SCHEDULE_ATTACHMENT
from .protocol import ACTIONS, TencentFace, chosen, created, page

NO_SCHEDULE = "InvalidAutoSnapshotPolicyId.NotFound"
NAMES = {"AutoSnapshotPolicyName": "snapshotPolicyName", "RetentionDays": "retentionDays"}


def _given(call: WireCall) -> Props:
    found = call.given(**NAMES)
    for policy in call.parameters.get("Policy") or ():
        found |= {"repeatWeekdays": policy.get("DayOfWeek") or [], "repeatHours": policy["Hour"]}
    return found


def _bound(face: TencentFace, region: str, **to: object) -> list[Record]:
    return face.store.list(SCHEDULE_ATTACHMENT, region=region, **to)


def _row(face: TencentFace, record: Record) -> Props:
    when = {"DayOfWeek": record.get("repeatWeekdays"), "Hour": record.get("repeatHours")}
    return {
        "AutoSnapshotPolicyId": record.id,
        "AutoSnapshotPolicyName": record.get("snapshotPolicyName"),
        "AutoSnapshotPolicyState": "NORMAL",
        "IsActivated": True,
        "IsPermanent": False,
        "Policy": [when],
        "RetentionDays": record.get("retentionDays"),
        "CreateTime": created(record),
        "DiskIdSet": [each.get("storageId") for each in _bound(face, record.region, snapshotPolicyId=record.id)],
    }


@ACTIONS.on("cbs:CreateAutoSnapshotPolicy")
def _create(face: TencentFace, call: WireCall) -> Props:
    return {"AutoSnapshotPolicyId": face.create(call, SCHEDULE, {"retentionDays": 7, **_given(call)}).id}


@ACTIONS.on("cbs:DescribeAutoSnapshotPolicies")
def _describe(face: TencentFace, call: WireCall) -> Props:
    rows = [_row(face, each) for each in face.store.list(SCHEDULE, region=call.region)]
    rows = chosen(call, rows, "AutoSnapshotPolicyIds", "AutoSnapshotPolicyId", "auto-snapshot-policy-id")
    return page(call, "AutoSnapshotPolicySet", rows)


@ACTIONS.on("cbs:ModifyAutoSnapshotPolicyAttribute")
def _modify(face: TencentFace, call: WireCall) -> Props:
    made = face.need(call, SCHEDULE, call.parameters.get("AutoSnapshotPolicyId"), NO_SCHEDULE)
    face.change(call, made, _given(call))
    return {}


@ACTIONS.on("cbs:DeleteAutoSnapshotPolicies")
def _delete(face: TencentFace, call: WireCall) -> Props:
    for id_ in call.parameters.get("AutoSnapshotPolicyIds") or ():
        made = face.need(call, SCHEDULE, id_, NO_SCHEDULE)
        for each in _bound(face, call.region, snapshotPolicyId=made.id):
            face.delete(call, each)
        face.delete(call, made)
    return {}


@ACTIONS.on("cbs:BindAutoSnapshotPolicy")
def _bind(face: TencentFace, call: WireCall) -> Props:
    for id_ in call.parameters.get("DiskIds") or ():
        inputs = {"snapshotPolicyId": call.parameters.get("AutoSnapshotPolicyId"), "storageId": id_}
        face.create(call, SCHEDULE_ATTACHMENT, inputs)
    return {}


@ACTIONS.on("cbs:UnbindAutoSnapshotPolicy")
def _unbind(face: TencentFace, call: WireCall) -> Props:
    schedule = call.parameters.get("AutoSnapshotPolicyId")
    for id_ in call.parameters.get("DiskIds") or ():
        held = _bound(face, call.region, snapshotPolicyId=schedule, storageId=id_)
        if not held:
            raise WireError(NO_SCHEDULE, f"The disk `{id_}` is not bound to the auto snapshot policy `{schedule}`.")
        face.delete(call, held[0])
    return {}


@ACTIONS.on("cbs:DescribeDiskAssociatedAutoSnapshotPolicy")
def _of_disk(face: TencentFace, call: WireCall) -> Props:
    held = _bound(face, call.region, storageId=call.parameters.get("DiskId"))
    found = [face.store.get(SCHEDULE, str(each.get("snapshotPolicyId")), call.region) for each in held]
    rows = [_row(face, each) for each in found if each]
    return {"TotalCount": len(rows), "AutoSnapshotPolicySet": rows}
