"""Tencent Cloud's wire: cloud disks, among them the system disks, which have no resource of their own."""

from __future__ import annotations

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._rehearsal.calls import WireCall, WireError
from pulumi_llm._rehearsal.face import status
from pulumi_llm._simcloud.store import Record

from ..simulated.common import DISK, DISK_ATTACHMENT, INSTANCE
from .protocol import ACTIONS, SYSTEM_DISK_TAGS, TencentFace, chosen, page, tag_rows, tags

NO_DISK = "InvalidDiskId.NotFound"


@ACTIONS.on("cbs:CreateDisks")
def _create(face: TencentFace, call: WireCall) -> Props:
    given = call.parameters
    if given.get("DiskCount", 1) != 1:
        raise WireError("InvalidParameterValue", "One disk at a time is made here.")
    inputs = {"storageName": given.get("DiskName"), "storageType": given.get("DiskType"), "tags": tags(call)}
    inputs |= {"storageSize": given.get("DiskSize"), "availabilityZone": (given.get("Placement") or {}).get("Zone")}
    made = face.create(call, DISK, {**inputs, "encrypt": given.get("Encrypt") == "ENCRYPT"}, "CREATING", "UNATTACHED")
    return {"DiskIdSet": [made.id]}


def _row(face: TencentFace, record: Record) -> Props:
    held = next(iter(face.store.list(DISK_ATTACHMENT, region=record.region, storageId=record.id)), None)
    now = status(record)
    return {
        "DiskId": record.id,
        "DiskName": record.get("storageName"),
        "DiskUsage": "DATA_DISK",
        "DiskType": record.get("storageType"),
        "DiskSize": record.get("storageSize"),
        "DiskState": now if now.endswith("ING") else ("ATTACHED" if held else "UNATTACHED"),
        "Attached": held is not None,
        "InstanceId": held.get("instanceId") if held else "",
        "DeleteWithInstance": False,
        "Encrypt": bool(record.get("encrypt")),
        "DiskChargeType": "POSTPAID_BY_HOUR",
        "Portable": True,
        "ThroughputPerformance": 0,
        "SnapshotId": "",
        "RenewFlag": "",
        "Placement": {"Zone": record.get("availabilityZone"), "ProjectId": 0},
        "Tags": tag_rows(record),
    }


def _system(record: Record) -> Props:
    return {
        "DiskId": record.get("systemDiskId"),
        "DiskName": "",
        "DiskUsage": "SYSTEM_DISK",
        "DiskType": record.get("systemDiskType"),
        "DiskSize": record.get("systemDiskSize"),
        "DiskState": "ATTACHED",
        "Attached": True,
        "InstanceId": record.id,
        "DeleteWithInstance": True,
        "Encrypt": False,
        "DiskChargeType": record.get("instanceChargeType"),
        "Portable": False,
        "Placement": {"Zone": record.get("availabilityZone"), "ProjectId": 0},
        "Tags": tag_rows(record, SYSTEM_DISK_TAGS),
    }


@ACTIONS.on("cbs:DescribeDisks")
def _disks(face: TencentFace, call: WireCall) -> Props:
    rows = [_system(each) for each in face.store.list(INSTANCE, region=call.region)]
    rows += [_row(face, each) for each in face.store.list(DISK, region=call.region)]
    rows = chosen(call, rows, "DiskIds", "DiskId", "disk-id")
    return page(call, "DiskSet", chosen(call, rows, "", "InstanceId", "instance-id"))


@ACTIONS.on("cbs:AttachDisks")
def _attach(face: TencentFace, call: WireCall) -> Props:
    on = call.parameters.get("InstanceId")
    for id_ in call.parameters.get("DiskIds") or ():
        face.create(call, DISK_ATTACHMENT, {"storageId": id_, "instanceId": on})
        face.go(face.need(call, DISK, id_, NO_DISK), "ATTACHING", "ATTACHED")
    return {}


@ACTIONS.on("cbs:DetachDisks")
def _detach(face: TencentFace, call: WireCall) -> Props:
    for id_ in call.parameters.get("DiskIds") or ():
        disk = face.need(call, DISK, id_, NO_DISK)
        held = face.store.list(DISK_ATTACHMENT, region=call.region, storageId=disk.id)
        if not held:
            raise WireError("InvalidDisk.NotPortable", f"The disk `{disk.id}` is not attached.")
        face.delete(call, held[0])
        face.go(disk, "DETACHING", "UNATTACHED")
    return {}


@ACTIONS.on("cbs:ResizeDisk")
def _resize(face: TencentFace, call: WireCall) -> Props:
    disk = face.need(call, DISK, call.parameters.get("DiskId"), NO_DISK)
    face.change(call, disk, {"storageSize": call.parameters.get("DiskSize")})
    return {}


@ACTIONS.on("cbs:ModifyDiskAttributes")
def _modify(face: TencentFace, call: WireCall) -> Props:
    for id_ in call.parameters.get("DiskIds") or ():
        disk = face.need(call, DISK, id_, NO_DISK)
        face.note(disk, **({"storageName": call.parameters["DiskName"]} if "DiskName" in call.parameters else {}))
    return {}


@ACTIONS.on("cbs:TerminateDisks")
def _terminate(face: TencentFace, call: WireCall) -> Props:
    for id_ in call.parameters.get("DiskIds") or ():
        face.delete(call, face.need(call, DISK, id_, NO_DISK))
    return {}
