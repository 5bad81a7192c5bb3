"""Aliyun's wire: disks, among them the system disks, which have no resource of their own."""

from __future__ import annotations

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._rehearsal.calls import WireCall, WireError
from pulumi_llm._rehearsal.face import status
from pulumi_llm._simcloud.store import Record

from ..simulated.common import DISK, DISK_ATTACHMENT, INSTANCE
from .machines import NO_INSTANCE
from .protocol import ACTIONS, AliyunFace, flag, ids, number, page, tag_rows, tags
from .snapshots import schedule_of

NO_DISK = ("InvalidDiskId.NotFound", "The specified disk does not exist.")


@ACTIONS.on("ecs:CreateDisk")
def _create(face: AliyunFace, call: WireCall) -> Props:
    given = call.parameters
    inputs = {"diskName": given.get("DiskName"), "zoneId": given.get("ZoneId"), "size": number(given.get("Size"))}
    inputs |= {"category": given.get("DiskCategory"), "performanceLevel": given.get("PerformanceLevel")}
    inputs |= {"encrypted": flag(given.get("Encrypted")), "description": given.get("Description"), "tags": tags(call)}
    return {"DiskId": face.create(call, DISK, inputs, "Creating", "Available").id}


def _row(face: AliyunFace, record: Record) -> Props:
    held = next(iter(face.store.list(DISK_ATTACHMENT, region=record.region, diskId=record.id)), None)
    now = status(record)
    return {
        "DiskId": record.id,
        "DiskName": record.get("diskName", ""),
        "Description": record.get("description", ""),
        "Type": "data",
        "Category": record.get("category", "cloud_efficiency"),
        "PerformanceLevel": record.get("performanceLevel", ""),
        "Size": record.get("size"),
        "Status": now if now.endswith("ing") else ("In_use" if held else "Available"),
        "InstanceId": held.get("instanceId") if held else "",
        "Device": held.get("device") if held else "",
        "Encrypted": bool(record.get("encrypted")),
        "KMSKeyId": "",
        "DiskChargeType": "PostPaid",
        "DeleteWithInstance": bool(record.get("deleteWithInstance")),
        "DeleteAutoSnapshot": bool(record.get("deleteAutoSnapshot")),
        "EnableAutoSnapshot": bool(record.get("enableAutoSnapshot")),
        "AutoSnapshotPolicyId": schedule_of(face, record),
        "Portable": True,
        "MultiAttach": "Disabled",
        "ZoneId": record.get("zoneId"),
        "RegionId": record.region,
        "CreationTime": record.get("createTime"),
        "ResourceGroupId": "",
        "Tags": tag_rows(record, "TagKey", "TagValue"),
    }


def _system(record: Record) -> Props:
    return {
        "DiskId": record.get("systemDiskId"),
        "DiskName": "",
        "Description": "",
        "Type": "system",
        "Category": record.get("systemDiskCategory"),
        "PerformanceLevel": record.get("systemDiskPerformanceLevel", ""),
        "Size": record.get("systemDiskSize"),
        "Status": "In_use",
        "InstanceId": record.id,
        "Device": "/dev/xvda",
        "Encrypted": bool(record.get("systemDiskEncrypted")),
        "KMSKeyId": "",
        "DiskChargeType": record.get("instanceChargeType"),
        "DeleteWithInstance": True,
        "ZoneId": record.get("availabilityZone"),
        "RegionId": record.region,
        "CreationTime": record.get("createTime"),
        "ResourceGroupId": "",
        "Tags": {"Tag": []},
    }


@ACTIONS.on("ecs:DescribeDisks")
def _disks(face: AliyunFace, call: WireCall) -> Props:
    wanted, kind = ids(call, "DiskIds"), call.parameters.get("DiskType") or "all"
    on = call.parameters.get("InstanceId")
    rows: list[Props] = []
    if kind in ("all", "system"):
        rows += [_system(each) for each in face.store.list(INSTANCE, region=call.region)]
    if kind in ("all", "data"):
        rows += [_row(face, each) for each in face.store.list(DISK, region=call.region)]
    rows = [each for each in rows if (not wanted or each["DiskId"] in wanted) and on in (None, "", each["InstanceId"])]
    schedule = call.parameters.get("AutoSnapshotPolicyId")
    rows = [each for each in rows if schedule in (None, "", each.get("AutoSnapshotPolicyId"))]
    return page(call, "Disks", "Disk", rows)


@ACTIONS.on("ecs:AttachDisk")
def _attach(face: AliyunFace, call: WireCall) -> Props:
    given = call.parameters
    instance = face.need(call, INSTANCE, given.get("InstanceId"), *NO_INSTANCE)
    if status(instance, "Running") not in ("Running", "Stopped"):
        message = "The current status of the resource does not support this operation."
        raise WireError("IncorrectInstanceStatus", message, 403)
    face.create(call, DISK_ATTACHMENT, {"diskId": given.get("DiskId"), "instanceId": instance.id})
    disk = face.need(call, DISK, given.get("DiskId"), *NO_DISK)
    face.go(face.note(disk, deleteWithInstance=bool(flag(given.get("DeleteWithInstance")))), "Attaching", "In_use")
    return {}


@ACTIONS.on("ecs:DetachDisk")
def _detach(face: AliyunFace, call: WireCall) -> Props:
    disk = face.need(call, DISK, call.parameters.get("DiskId"), *NO_DISK)
    on = call.parameters.get("InstanceId")
    held = face.store.list(DISK_ATTACHMENT, region=call.region, diskId=disk.id, instanceId=on)
    if not held:
        raise WireError("DependencyViolation", "The specified disk is not attached to the instance.", 403)
    face.delete(call, held[0])
    face.go(disk, "Detaching", "Available")
    return {}


@ACTIONS.on("ecs:ModifyDiskAttribute")
def _modify(face: AliyunFace, call: WireCall) -> Props:
    disk = face.need(call, DISK, call.parameters.get("DiskId"), *NO_DISK)
    given = call.parameters
    texts = {"DiskName": "diskName", "Description": "description"}
    flags = {"DeleteWithInstance": "deleteWithInstance", "DeleteAutoSnapshot": "deleteAutoSnapshot"}
    changes: Props = {ours: given[name] for name, ours in texts.items() if name in given}
    changes |= {ours: flag(given[name]) for name, ours in flags.items() if name in given}
    face.note(disk, **changes)
    return {}


@ACTIONS.on("ecs:ResizeDisk")
def _resize(face: AliyunFace, call: WireCall) -> Props:
    id_, size = call.parameters.get("DiskId"), number(call.parameters.get("NewSize"))
    for machine in face.store.list(INSTANCE, region=call.region, systemDiskId=id_):
        face.change(call, machine, {"systemDiskSize": size})
        return {"OrderId": ""}
    face.change(call, face.need(call, DISK, id_, *NO_DISK), {"size": size})
    return {"OrderId": ""}


@ACTIONS.on("ecs:DeleteDisk")
def _delete(face: AliyunFace, call: WireCall) -> Props:
    face.delete(call, face.need(call, DISK, call.parameters.get("DiskId"), *NO_DISK))
    return {}
