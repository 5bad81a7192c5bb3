"""Tencent Cloud's wire: key pairs and instances."""

from __future__ import annotations

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._rehearsal.calls import WireCall, WireError
from pulumi_llm._rehearsal.face import status
from pulumi_llm._simcloud.store import Record

from ..simulated.common import DISK, DISK_ATTACHMENT, EIP, EIP_ASSOCIATION, INSTANCE, KEY
from .protocol import ACTIONS, TencentFace, chosen, filters, page, tag_rows, tags

NO_INSTANCE = "InvalidInstanceId.NotFound"
NO_KEY = "InvalidKeyPairId.NotFound"


@ACTIONS.on("cvm:ImportKeyPair")
def _import(face: TencentFace, call: WireCall) -> Props:
    given = call.parameters
    inputs = {"keyName": given.get("KeyName"), "publicKey": given.get("PublicKey"), "tags": tags(call)}
    return {"KeyId": face.create(call, KEY, inputs).id}


@ACTIONS.on("cvm:DescribeKeyPairs")
def _keys(face: TencentFace, call: WireCall) -> Props:
    machines = face.store.list(INSTANCE, region=call.region)
    rows = [
        {
            "KeyId": each.id,
            "KeyName": each.get("keyName"),
            "ProjectId": 0,
            "Description": "",
            "PublicKey": each.get("publicKey"),
            "AssociatedInstanceIds": [one.id for one in machines if each.id in (one.get("keyIds") or ())],
            "CreatedTime": each.get("createdTime"),
            "Tags": tag_rows(each),
        }
        for each in face.store.list(KEY, region=call.region)
    ]
    return page(call, "KeyPairSet", chosen(call, rows, "KeyIds", "KeyId", "key-id"))


@ACTIONS.on("cvm:DeleteKeyPairs")
def _delete_keys(face: TencentFace, call: WireCall) -> Props:
    for id_ in call.parameters.get("KeyIds") or ():
        face.delete(call, face.need(call, KEY, id_, NO_KEY))
    return {}


@ACTIONS.on("cvm:RunInstances")
def _run(face: TencentFace, call: WireCall) -> Props:
    given = call.parameters
    if given.get("InstanceCount", 1) != 1:
        raise WireError("InvalidParameterValue.Range", "One instance at a time is made here.")
    place, disk = given.get("Placement") or {}, given.get("SystemDisk") or {}
    net, reach = given.get("VirtualPrivateCloud") or {}, given.get("InternetAccessible") or {}
    market = (given.get("InstanceMarketOptions") or {}).get("SpotOptions") or {}
    addresses = net.get("PrivateIpAddresses") or [None]
    made = face.create(
        call,
        INSTANCE,
        {
            "imageId": given.get("ImageId"),
            "instanceType": given.get("InstanceType"),
            "instanceName": given.get("InstanceName"),
            "instanceChargeType": given.get("InstanceChargeType"),
            "spotInstanceType": market.get("SpotInstanceType"),
            "spotMaxPrice": market.get("MaxPrice"),
            "availabilityZone": place.get("Zone"),
            "vpcId": net.get("VpcId"),
            "subnetId": net.get("SubnetId"),
            "privateIp": addresses[0],
            "orderlySecurityGroups": given.get("SecurityGroupIds") or [],
            "keyIds": (given.get("LoginSettings") or {}).get("KeyIds") or [],
            "userData": given.get("UserData"),
            "systemDiskType": disk.get("DiskType"),
            "systemDiskSize": disk.get("DiskSize"),
            "allocatePublicIp": reach.get("PublicIpAssigned"),
            "disableApiTermination": given.get("DisableApiTermination"),
            "camRoleName": given.get("CamRoleName"),
            "hpcClusterId": given.get("HpcClusterId"),
            "tags": tags(call),
        },
        "PENDING",
        "STARTING",
        "RUNNING",
    )
    return {"InstanceIdSet": [made.id]}


OPERATIONS = {"PENDING", "STARTING", "STOPPING", "REBOOTING"}
"""States in which an operation is under way."""


def _row(face: TencentFace, record: Record) -> Props:
    now = status(record, "RUNNING")
    held = next(iter(face.store.list(EIP_ASSOCIATION, region=record.region, instanceId=record.id)), None)
    eip = face.store.get(EIP, str(held.get("eipId")), record.region) if held else None
    public = eip.get("publicIp") if eip else record.get("publicIp")
    disks = face.store.list(DISK_ATTACHMENT, region=record.region, instanceId=record.id)
    return {
        "InstanceId": record.id,
        "InstanceName": record.get("instanceName"),
        "InstanceState": now,
        "LatestOperationState": "OPERATING" if now in OPERATIONS else "SUCCESS",
        "RestrictState": "NORMAL",
        "InstanceType": record.get("instanceType"),
        "CPU": record.get("cpu"),
        "Memory": record.get("memory"),
        "OsName": record.get("osName"),
        "ImageId": record.get("imageId"),
        "Uuid": record.get("uuid"),
        "CreatedTime": record.get("createTime"),
        "ExpiredTime": None,
        "RenewFlag": None,
        "InstanceChargeType": record.get("instanceChargeType"),
        "StopChargingMode": record.get("stoppedMode", "NOT_APPLICABLE") if now == "STOPPED" else "NOT_APPLICABLE",
        "Placement": {"Zone": record.get("availabilityZone"), "ProjectId": 0},
        "VirtualPrivateCloud": {"VpcId": record.get("vpcId"), "SubnetId": record.get("subnetId")},
        "PrivateIpAddresses": [record.get("privateIp")],
        "PublicIpAddresses": [public] if public else None,
        "InternetAccessible": {"InternetMaxBandwidthOut": record.get("internetMaxBandwidthOut")},
        "SecurityGroupIds": record.get("orderlySecurityGroups") or [],
        "LoginSettings": {"KeyIds": record.get("keyIds") or []},
        "CamRoleName": record.get("camRoleName") or "",
        "HpcClusterId": record.get("hpcClusterId") or "",
        "DisableApiTermination": bool(record.get("disableApiTermination")),
        "SystemDisk": {
            "DiskId": record.get("systemDiskId"),
            "DiskType": record.get("systemDiskType"),
            "DiskSize": record.get("systemDiskSize"),
        },
        "DataDisks": [_disk(face, each) for each in disks],
        "Tags": tag_rows(record),
    }


def _disk(face: TencentFace, attached: Record) -> Props:
    """A disk that was attached. The provider takes each of these for given once it has read them into its state."""
    disk = face.store.get(DISK, str(attached.get("storageId")), attached.region)
    if disk is None:
        return {"DiskId": attached.get("storageId")}
    return {
        "DiskId": disk.id,
        "DiskName": disk.get("storageName"),
        "DiskType": disk.get("storageType"),
        "DiskSize": disk.get("storageSize"),
        "DeleteWithInstance": False,
        "Encrypt": bool(disk.get("encrypt")),
        "SnapshotId": None,
        "KmsKeyId": None,
        "ThroughputPerformance": 0,
    }


@ACTIONS.on("cvm:DescribeInstances")
def _instances(face: TencentFace, call: WireCall) -> Props:
    rows = [_row(face, each) for each in face.store.list(INSTANCE, region=call.region)]
    rows = chosen(call, rows, "InstanceIds", "InstanceId", "instance-id")
    named = filters(call).get("instance-name")
    return page(call, "InstanceSet", [each for each in rows if not named or each["InstanceName"] in named])


@ACTIONS.on("cvm:DescribeInstancesAttributes")
def _attributes(face: TencentFace, call: WireCall) -> Props:
    wanted = call.parameters.get("InstanceIds") or ()
    found = [each for each in face.store.list(INSTANCE, region=call.region) if each.id in wanted]
    return {
        "InstanceSet": [
            {"InstanceId": each.id, "Attributes": {"UserData": each.get("userData") or ""}} for each in found
        ]
    }


@ACTIONS.on("cvm:DescribeInstancesStatus")
def _statuses(face: TencentFace, call: WireCall) -> Props:
    wanted = call.parameters.get("InstanceIds") or ()
    rows = [
        {"InstanceId": each.id, "InstanceState": status(each, "RUNNING")}
        for each in face.store.list(INSTANCE, region=call.region)
        if not wanted or each.id in wanted
    ]
    return page(call, "InstanceStatusSet", rows)


def _named(face: TencentFace, call: WireCall, *states: str) -> list[Record]:
    """The instances that a call is about. Raises :class:`WireError` where one is in none of ``states``."""
    named = call.parameters.get("InstanceIds") or [call.parameters.get("InstanceId")]
    found = [face.need(call, INSTANCE, id_, NO_INSTANCE) for id_ in named]
    for each in found:
        now = status(each, "RUNNING")
        if states and now not in states:
            code = f"UnsupportedOperation.InstanceState{now.capitalize()}"
            raise WireError(code, f"The instance `{each.id}` in state `{now}` does not support this operation.")
    return found


@ACTIONS.on("cvm:StopInstances")
def _stop(face: TencentFace, call: WireCall) -> Props:
    mode = call.parameters.get("StoppedMode") or "KEEP_CHARGING"
    for each in _named(face, call, "RUNNING"):
        face.go(face.note(each, stoppedMode=mode), "STOPPING", "STOPPED")
    return {}


@ACTIONS.on("cvm:StartInstances")
def _start(face: TencentFace, call: WireCall) -> Props:
    for each in _named(face, call, "STOPPED"):
        face.go(each, "STARTING", "RUNNING")
    return {}


@ACTIONS.on("cvm:ResetInstancesType")
def _type(face: TencentFace, call: WireCall) -> Props:
    states = ("RUNNING", "STOPPED") if call.parameters.get("ForceStop") else ("STOPPED",)
    for each in _named(face, call, *states):
        running = status(each, "RUNNING") == "RUNNING"
        changed = face.change(call, each, {"instanceType": call.parameters.get("InstanceType")})
        if running:
            face.go(changed, "STOPPING", "STARTING", "RUNNING")
    return {}


@ACTIONS.on("cvm:ResizeInstanceDisks")
def _resize(face: TencentFace, call: WireCall) -> Props:
    disk = call.parameters.get("SystemDisk") or {}
    for each in _named(face, call, "RUNNING", "STOPPED"):
        face.change(call, each, {"systemDiskSize": disk.get("DiskSize")} if disk else {})
    return {}


@ACTIONS.on("cvm:ModifyInstancesAttribute")
def _modify(face: TencentFace, call: WireCall) -> Props:
    changes = call.given(
        InstanceName="instanceName",
        SecurityGroups="orderlySecurityGroups",
        UserData="userData",
        DisableApiTermination="disableApiTermination",
        CamRoleName="camRoleName",
    )
    for each in _named(face, call):
        face.change(call, each, changes)
    return {}


@ACTIONS.on("cvm:AssociateInstancesKeyPairs", "cvm:DisassociateInstancesKeyPairs")
def _bind(face: TencentFace, call: WireCall) -> Props:
    given = [face.need(call, KEY, id_, NO_KEY).id for id_ in call.parameters.get("KeyIds") or ()]
    for each in _named(face, call, *(() if call.parameters.get("ForceStop") else ("STOPPED",))):
        kept = [key for key in each.get("keyIds") or () if key not in given]
        face.note(each, keyIds=kept if call.action.startswith("Dis") else [*kept, *given])
    return {}


@ACTIONS.on("cvm:TerminateInstances")
def _terminate(face: TencentFace, call: WireCall) -> Props:
    for each in _named(face, call):
        face.delete(call, each)
        for held in face.store.list(EIP_ASSOCIATION, DISK_ATTACHMENT, region=call.region, instanceId=each.id):
            face.store.remove(held)  # addresses and disks that were attached stay, and are free again
    return {}
