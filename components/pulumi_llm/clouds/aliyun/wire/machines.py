"""Aliyun's wire: key pairs and instances."""

from __future__ import annotations

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._rehearsal.calls import WireCall, WireError
from pulumi_llm._rehearsal.face import status
from pulumi_llm._simcloud.images import digest
from pulumi_llm._simcloud.store import Record

from ..simulated.common import DISK_ATTACHMENT, EIP, EIP_ASSOCIATION, INSTANCE, KEY
from .protocol import ACTIONS, AliyunFace, flag, ids, number, page, tag_rows, tags

NO_MODE = "Not-applicable"
"""The mode of a machine that runs. The provider sends it in the stop before a change of type (2026-11-28). Aliyun's
page of StopInstance does not list it, but the provider's own acceptance tests change types so at the real cloud
(resource_alicloud_instance_test.go, release/v2 at ace5bcf877), so it is taken for no mode: the account's default.
"""
NO_INSTANCE = ("InvalidInstanceId.NotFound", "The specified InstanceId does not exist.")


@ACTIONS.on("ecs:ImportKeyPair")
def _import_key(face: AliyunFace, call: WireCall) -> Props:
    text = call.parameters.get("PublicKeyBody")
    inputs = {"keyPairName": call.parameters.get("KeyPairName"), "publicKey": text, "tags": tags(call)}
    made = face.create(call, KEY, inputs)
    made = face.note(made, fingerPrint=digest(str(text))[:32])
    return {"KeyPairName": made.id, "KeyPairFingerPrint": made.get("fingerPrint")}


@ACTIONS.on("ecs:DescribeKeyPairs")
def _keys(face: AliyunFace, call: WireCall) -> Props:
    rows = [
        {
            "KeyPairName": each.id,
            "KeyPairFingerPrint": each.get("fingerPrint", ""),
            "CreationTime": each.get("createTime"),
            "ResourceGroupId": "",
            "Tags": tag_rows(each, "TagKey", "TagValue"),
        }
        for each in face.store.list(KEY, region=call.region)
        if call.parameters.get("KeyPairName") in (None, "", each.id)
    ]
    return page(call, "KeyPairs", "KeyPair", rows)


@ACTIONS.on("ecs:DeleteKeyPairs")
def _delete_keys(face: AliyunFace, call: WireCall) -> Props:
    for name in ids(call, "KeyPairNames"):
        if found := face.store.get(KEY, name, call.region):
            face.delete(call, found)
    return {}


@ACTIONS.on("ecs:RunInstances")
def _run(face: AliyunFace, call: WireCall) -> Props:
    given = call.parameters
    if number(given.get("Amount", "1")) != 1:
        raise WireError("InvalidAmount.NotSupported", "The specified Amount is beyond the permitted range.")
    disk = given.get("SystemDisk") or {}
    groups = given.get("SecurityGroupIds") or [given.get("SecurityGroupId")]
    options = given.get("ImageOptions") or {}
    made = face.create(
        call,
        INSTANCE,
        {
            "imageId": given.get("ImageId"),
            "instanceType": given.get("InstanceType"),
            "instanceName": given.get("InstanceName"),
            "hostName": given.get("HostName"),
            "description": given.get("Description"),
            "vswitchId": given.get("VSwitchId"),
            "availabilityZone": given.get("ZoneId"),
            "securityGroups": [each for each in groups if each],
            "keyName": given.get("KeyPairName"),
            "privateIp": given.get("PrivateIpAddress"),
            "userData": given.get("UserData"),
            "instanceChargeType": given.get("InstanceChargeType"),
            "spotStrategy": given.get("SpotStrategy"),
            "internetChargeType": given.get("InternetChargeType"),
            "internetMaxBandwidthOut": number(given.get("InternetMaxBandwidthOut")),
            "systemDiskCategory": disk.get("Category"),
            "systemDiskSize": number(disk.get("Size")),
            "systemDiskPerformanceLevel": disk.get("PerformanceLevel"),
            "systemDiskEncrypted": flag(disk.get("Encrypted")),
            "httpEndpoint": given.get("HttpEndpoint"),
            "httpTokens": given.get("HttpTokens"),
            "deletionProtection": flag(given.get("DeletionProtection")),
            "deploymentSetId": given.get("DeploymentSetId"),
            "imageOptions": {"loginAsNonRoot": flag(options.get("LoginAsNonRoot")) or False},
            "tags": tags(call),
        },
        "Pending",
        "Starting",
        "Running",
    )
    return {"InstanceIdSets": {"InstanceIdSet": [made.id]}, "OrderId": ""}


def _row(face: AliyunFace, record: Record) -> Props:
    held = next(iter(face.store.list(EIP_ASSOCIATION, region=record.region, instanceId=record.id)), None)
    eip = face.store.get(EIP, held.get("allocationId"), record.region) if held else None
    now = status(record, "Running")
    public = [record.get("publicIp")] if record.get("publicIp") else []
    return {
        "InstanceId": record.id,
        "InstanceName": record.get("instanceName"),
        "HostName": record.get("hostName"),
        "Description": record.get("description", ""),
        "Status": now,
        "RegionId": record.region,
        "ZoneId": record.get("availabilityZone"),
        "ImageId": record.get("imageId"),
        "InstanceType": record.get("instanceType"),
        "Cpu": record.get("cpu"),
        "Memory": record.get("memory"),
        "OSName": record.get("osName"),
        "OSType": record.get("osType"),
        "KeyPairName": record.get("keyName", ""),
        "InstanceChargeType": record.get("instanceChargeType"),
        "InstanceNetworkType": "vpc",
        "InternetChargeType": record.get("internetChargeType", ""),
        "InternetMaxBandwidthOut": record.get("internetMaxBandwidthOut"),
        "InternetMaxBandwidthIn": -1,
        "SpotStrategy": record.get("spotStrategy"),
        "StoppedMode": record.get("stoppedMode") if now == "Stopped" else "Not-applicable",
        "DeletionProtection": bool(record.get("deletionProtection")),
        "CreationTime": record.get("createTime"),
        "StartTime": record.get("startTime"),
        "ExpiredTime": record.get("expiredTime"),
        "AutoReleaseTime": "",
        "DeploymentSetId": record.get("deploymentSetId") or "",
        "DeploymentSetGroupNo": "",
        "HpcClusterId": "",
        "ResourceGroupId": "",
        "SecurityGroupIds": {"SecurityGroupId": record.get("securityGroups") or []},
        "PublicIpAddress": {"IpAddress": public},
        "InnerIpAddress": {"IpAddress": []},
        "EipAddress": {"AllocationId": eip.id, "IpAddress": eip.get("ipAddress")} if eip else {},
        "VpcAttributes": {
            "VpcId": record.get("vpcId"),
            "VSwitchId": record.get("vswitchId"),
            "PrivateIpAddress": {"IpAddress": [record.get("privateIp")]},
        },
        "NetworkInterfaces": {
            "NetworkInterface": [
                {
                    "NetworkInterfaceId": record.get("networkInterfaceId"),
                    "PrimaryIpAddress": record.get("privateIp"),
                    "Type": "Primary",
                }
            ]
        },
        "MetadataOptions": {"HttpEndpoint": record.get("httpEndpoint"), "HttpTokens": record.get("httpTokens")},
        "ImageOptions": {"LoginAsNonRoot": bool((record.get("imageOptions") or {}).get("loginAsNonRoot"))},
        "OperationLocks": {"LockReason": []},
        "Tags": tag_rows(record, "TagKey", "TagValue"),
    }


@ACTIONS.on("ecs:DescribeInstances")
def _instances(face: AliyunFace, call: WireCall) -> Props:
    wanted = ids(call, "InstanceIds")
    found = face.store.list(INSTANCE, region=call.region)
    return page(call, "Instances", "Instance", [_row(face, each) for each in found if not wanted or each.id in wanted])


@ACTIONS.on("ecs:DescribeInstanceStatus")
def _statuses(face: AliyunFace, call: WireCall) -> Props:
    wanted = call.parameters.get("InstanceId") or ()
    rows = [
        {"InstanceId": each.id, "Status": status(each, "Running")}
        for each in face.store.list(INSTANCE, region=call.region)
        if not wanted or each.id in wanted
    ]
    return page(call, "InstanceStatuses", "InstanceStatus", rows)


def named(face: AliyunFace, call: WireCall) -> Record:
    """The instance that a call is about. Raises :class:`WireError`."""
    return face.need(call, INSTANCE, call.parameters.get("InstanceId"), *NO_INSTANCE)


def _in_state(face: AliyunFace, call: WireCall, *states: str) -> Record:
    record = named(face, call)
    if status(record, "Running") not in states:
        message = "The current status of the resource does not support this operation."
        raise WireError("IncorrectInstanceStatus", message, 403)
    return record


@ACTIONS.on("ecs:DescribeInstanceAttribute")
def _attribute(face: AliyunFace, call: WireCall) -> Props:
    row = _row(face, named(face, call))
    row.pop("Tags")
    return row


@ACTIONS.on("ecs:DescribeUserData")
def _user_data(face: AliyunFace, call: WireCall) -> Props:
    record = named(face, call)
    return {"InstanceId": record.id, "RegionId": record.region, "UserData": record.get("userData") or ""}


@ACTIONS.on("ecs:StopInstance")
def _stop(face: AliyunFace, call: WireCall) -> Props:
    record = _in_state(face, call, "Running", "Stopped")
    mode = call.parameters.get("StoppedMode") or "KeepCharging"
    if mode == NO_MODE:
        mode = "KeepCharging"
    if mode not in ("StopCharging", "KeepCharging"):
        raise WireError("InvalidParameter", "The specified parameter StoppedMode is not valid.")
    if status(record, "Running") == "Running":
        face.go(face.note(record, stoppedMode=mode), "Stopping", "Stopped")
    return {}


@ACTIONS.on("ecs:StartInstance")
def _start(face: AliyunFace, call: WireCall) -> Props:
    face.go(_in_state(face, call, "Stopped"), "Starting", "Running")
    return {}


@ACTIONS.on("ecs:RebootInstance")
def _reboot(face: AliyunFace, call: WireCall) -> Props:
    face.go(_in_state(face, call, "Running"), "Starting", "Running")
    return {}


@ACTIONS.on("ecs:ModifyInstanceSpec")
def _spec(face: AliyunFace, call: WireCall) -> Props:
    record = _in_state(face, call, "Stopped")
    face.change(call, record, call.given(InstanceType="instanceType"))
    return {"OrderId": ""}


@ACTIONS.on("ecs:ModifyInstanceAttribute")
def _modify(face: AliyunFace, call: WireCall) -> Props:
    record, given = named(face, call), call.parameters
    changes = call.given(InstanceName="instanceName", Description="description", UserData="userData")
    if "SecurityGroupIds" in given:
        changes["securityGroups"] = given["SecurityGroupIds"]
    if "DeletionProtection" in given:
        changes["deletionProtection"] = flag(given["DeletionProtection"])
    face.change(call, record, changes)
    return {}


@ACTIONS.on("ecs:ModifyInstanceMetadataOptions")
def _metadata(face: AliyunFace, call: WireCall) -> Props:
    given = {"httpEndpoint": call.parameters.get("HttpEndpoint"), "httpTokens": call.parameters.get("HttpTokens")}
    face.note(named(face, call), **{name: value for name, value in given.items() if value})
    return {}


@ACTIONS.on("ecs:DeleteInstance")
def _delete(face: AliyunFace, call: WireCall) -> Props:
    record = named(face, call)
    if status(record, "Running") != "Stopped" and not flag(call.parameters.get("Force")):
        message = "The current status of the resource does not support this operation."
        raise WireError("IncorrectInstanceStatus", message, 403)
    face.delete(call, record)
    for held in face.store.list(EIP_ASSOCIATION, DISK_ATTACHMENT, region=call.region, instanceId=record.id):
        face.store.remove(held)  # addresses and disks that were attached stay, and are free again
    return {}
