"""Aliyun: rules for key pairs, instances, addresses and disks."""

from __future__ import annotations

import base64
import binascii

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._simcloud.images import Image, digest
from pulumi_llm._simcloud.rules.base import Call, CloudError, inside, key_problem, private_address, unique_name
from pulumi_llm._simcloud.store import Record

from . import near, snapshots
from .common import (
    DISK,
    DISK_ATTACHMENT,
    EIP,
    EIP_ASSOCIATION,
    GROUP,
    INSTANCE,
    KEY,
    RULES,
    SWITCH,
    error,
    need,
)
from .images import of_id

USER_DATA_LIMIT = 32 * 1024
"""Bytes before base64 (ECS API reference, RunInstances, UserData, 2024)."""


@RULES.on_create(KEY)
def _key(call: Call) -> Props:
    name = call.inputs.get("keyPairName") or call.inputs.get("keyName")
    if not name:
        name = call.id = unique_name(str(call.inputs.get("keyNamePrefix") or "terraform-"))
    if call.find(KEY, name):
        message = "The key pair already exist."
        raise error(call, "ImportKeyPair", "KeyPair.AlreadyExist", message)
    if (text := call.inputs.get("publicKey")) and key_problem(text):
        message = "The specified parameter PublicKeyBody is not valid."
        raise error(call, "ImportKeyPair", "InvalidPublicKeyBody.Malformed", message)
    return {"keyPairName": name, "keyName": name}


@RULES.on_create(INSTANCE)
def _instance(call: Call) -> Props:
    given, operation = call.inputs, "RunInstances"
    message = "The specified vSwitch does not exist."
    switch = need(call, SWITCH, given.get("vswitchId"), operation, "InvalidVSwitchId.NotFound", message)
    zone = switch.get("zoneId")
    if given.get("availabilityZone", zone) != zone:
        message = "The specified VSwitch is not in the specified zone."
        raise error(call, operation, "InvalidVSwitchId.NotFound", message, 404)
    for group in given.get("securityGroups") or ():
        message = "The specified SecurityGroupId does not exist."
        found = need(call, GROUP, group, operation, "InvalidSecurityGroupId.NotFound", message)
        if found.get("vpcId") != switch.get("vpcId"):
            message = "The specified security group and the specified virtual switch are not in the same VPC."
            raise error(call, operation, "InvalidSecurityGroupId.VPCMismatch", message, 403)
    if not given.get("securityGroups"):
        message = 'The input parameter "SecurityGroupId" that is mandatory for processing this request is not supplied.'
        raise error(call, operation, "MissingParameter", message)
    if key := given.get("keyName"):
        message = "The specified KeyPairName does not exist."
        need(call, KEY, key, operation, "InvalidKeyPairName.NotFound", message)
    image = _image(call, operation)
    _type(call, zone, image, operation)
    near.placed(call, zone, operation)
    _disks(call, image, operation)
    _user_data(call, operation)
    address = _private(call, switch, operation)
    outputs: Props = {"availabilityZone": zone, "vpcId": switch.get("vpcId"), "privateIp": address}
    outputs |= {"primaryIpAddress": address, "publicIp": "", **_size(call)}
    outputs["hostName"] = given.get("hostName") or f"iZ{call.id[2:]}Z"
    if given.get("internetMaxBandwidthOut"):
        outputs |= _public(call, operation)
    return outputs


def _size(call: Call) -> Props:
    row = call.offers.types[call.inputs["instanceType"]]
    return {"cpu": row.vcpu, "memory": int(row.memory_gib * 1024)}


def _image(call: Call, operation: str) -> Image:
    found = of_id(str(call.inputs.get("imageId", "")))
    if found is None:
        message = "The specified ImageId does not exist."
        raise error(call, operation, "InvalidImageId.NotFound", message, 404)
    return found


def _type(call: Call, zone: str, image: Image, operation: str) -> None:
    wanted = str(call.inputs.get("instanceType"))
    row = call.offers.types.get(wanted)
    if row is None:
        message = "The specified InstanceType does not exist or beyond the permitted range."
        raise error(call, operation, "InvalidInstanceType.ValueNotSupported", message, 403)
    zones = call.offers.zones_of(wanted, call.region)
    if not zones:
        message = f"The specified instanceType {wanted} is not supported in region {call.region}."
        raise error(call, operation, "InvalidResourceType.NotSupported", message, 403)
    if zone not in zones:
        message = (
            "The resource in the specified zone is no longer available for sale. Please try other regions and zones."
        )
        raise error(call, operation, "Zone.NotOnSale", message, 403)
    if row.arch != image.arch:
        message = "The specified instance type does not support the architecture of the specified image."
        raise error(call, operation, "InvalidInstanceType.NotSupportImage", message, 403)
    if call.faults.over_quota(wanted):
        message = (
            "The number of the specified ECS instances has exceeded the quota of the specified instance type, "
            "please submit a ticket to apply for a higher quota."
        )
        raise error(call, operation, "QuotaExceed.ElasticQuota", message, 403)
    if call.faults.no_stock(wanted, zone):
        message = (
            "The resource is out of stock in the specified zone. Please try other types, or choose other regions "
            "and zones."
        )
        raise error(call, operation, "OperationDenied.NoStock", message, 403)


def _disks(call: Call, image: Image, operation: str) -> None:
    size = call.inputs.get("systemDiskSize")
    low = max(20, image.size_gib)
    if size is not None and not low <= size <= 2048:
        message = f"The specified SystemDisk.Size is not valid: {size} is not in {low}-2048 GiB."
        raise error(call, operation, "InvalidSystemDiskSize.ValueNotSupported", message, 403)
    level = call.inputs.get("systemDiskPerformanceLevel")
    if level and call.inputs.get("systemDiskCategory", "cloud_essd") != "cloud_essd":
        message = "The specified SystemDisk.PerformanceLevel is only for the category cloud_essd."
        raise error(call, operation, "InvalidParameter.SystemDiskPerformanceLevel", message)


def _user_data(call: Call, operation: str) -> None:
    text = call.inputs.get("userData")
    if not text:
        return
    try:  # the provider sends what decodes as base64 as it is
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raw = text.encode()
    if len(raw) > USER_DATA_LIMIT:
        message = 'The specified parameter "UserData" exceeds the size.'
        raise error(call, operation, "InvalidUserData.SizeExceeded", message)


def _private(call: Call, switch: Record, operation: str) -> str:
    used = {each.get("privateIp") for each in call.list(INSTANCE, vswitchId=switch.id)}
    wanted = call.inputs.get("privateIp")
    if wanted:
        if not inside(f"{wanted}/32", switch.get("cidrBlock")):
            message = "The specified PrivateIpAddress is not in the CIDR block of the virtual switch."
            raise error(call, operation, "InvalidPrivateIpAddress.Malformed", message)
        if wanted in used:
            message = "The specified IP is already in use."
            raise error(call, operation, "InvalidPrivateIpAddress.Duplicated", message)
        return str(wanted)
    found = private_address(switch.get("cidrBlock"), used)
    if found is None:
        message = "The specified VSwitch does not have enough IP addresses."
        raise error(call, operation, "InvalidVSwitchId.IpNotEnough", message, 403)
    return found


def _public(call: Call, operation: str) -> Props:
    address = call.store.public_address(call.token, call.id)
    if address is None:
        raise error(call, operation, "QuotaExceeded.Eip", "Elastic IP address quota exceeded.", 403)
    return {"publicIp": address}


@RULES.on_update(INSTANCE)
def _update_instance(call: Call) -> Props:
    outputs: Props = {}
    zone = call.state["availabilityZone"]
    if call.changed("instanceType"):
        _type(call, zone, _image(call, "ModifyInstanceSpec"), "ModifyInstanceSpec")
        outputs |= _size(call)
    if call.changed("imageId"):
        _image(call, "ReplaceSystemDisk")
        outputs["systemDiskId"] = f"d-{digest(call.id + str(call.inputs['imageId']))[:20]}"
    if (call.inputs.get("systemDiskSize") or 0) < (call.old.get("systemDiskSize") or 0):
        message = "The specified NewSize is smaller than the current size of the disk."
        raise error(call, "ResizeDisk", "InvalidDiskSize.TooSmall", message, 403)
    if call.changed("userData"):
        _user_data(call, "ModifyInstanceAttribute")
    if call.inputs.get("internetMaxBandwidthOut") and not call.state.get("publicIp"):
        outputs |= _public(call, "AllocatePublicIpAddress")
    return outputs


@RULES.on_delete(INSTANCE)
def _delete_instance(call: Call, record: Record) -> None:
    if record.get("instanceChargeType") == "PrePaid" and not record.get("forceDelete"):
        raise CloudError(
            "Please convert 'PrePaid' instance to 'PostPaid' or set 'force_delete' as true before deleting 'PrePaid' "
            "instance."
        )
    if record.get("deletionProtection") and record.get("spotStrategy", "NoSpot") == "NoSpot":
        message = "The operation is not allowed, because the instance is deletion protected."
        raise error(call, "DeleteInstance", "InvalidOperation.DeletionProtection", message, 403)


@RULES.on_create(EIP)
def _eip(call: Call) -> Props:
    address = None if call.faults.over_quota("eip") else call.store.public_address(call.token, call.id)
    if address is None:
        message = "Elastic IP address quota exceeded."
        raise error(call, "AllocateEipAddress", "QuotaExceeded.Eip", message, 403)
    return {"ipAddress": address}


@RULES.on_create(EIP_ASSOCIATION)
def _eip_association(call: Call) -> Props:
    given, operation = call.inputs, "AssociateEipAddress"
    message = "Specified allocation ID does not exist."
    need(call, EIP, given["allocationId"], operation, "InvalidAllocationId.NotFound", message)
    if given.get("instanceType", "EcsInstance") == "EcsInstance":
        message = "The specified InstanceId does not exist."
        instance = need(call, INSTANCE, given["instanceId"], operation, "InvalidInstanceId.NotFound", message)
        if instance.get("publicIp"):
            message = "The instance already has a public IP address; an EIP cannot be associated with it."
            raise error(call, operation, "InvalidInstance.PublicIpAddressExist", message)
        if call.list(EIP_ASSOCIATION, instanceId=given["instanceId"]):
            message = "The specified instance already has an EIP."
            raise error(call, operation, "InvalidAssociation.Duplicated", message)
    if call.list(EIP_ASSOCIATION, allocationId=given["allocationId"]):
        message = "Current elastic IP status does not support this operation."
        raise error(call, operation, "IncorrectEipStatus", message)
    return {}


@RULES.on_delete(EIP)
def _delete_eip(call: Call, record: Record) -> None:
    if call.list(EIP_ASSOCIATION, allocationId=record.id):
        message = "Current elastic IP status does not support this operation."
        raise error(call, "ReleaseEipAddress", "IncorrectEipStatus", message)


MINIMUM_SIZE = {("cloud_essd", "PL0"): 1, ("cloud_essd", "PL2"): 461, ("cloud_essd", "PL3"): 1261, ("cloud", ""): 5}


@RULES.on_create(DISK)
def _disk(call: Call) -> Props:
    given, operation = call.inputs, "CreateDisk"
    zone = given.get("zoneId") or given.get("availabilityZone")
    if zone not in call.offers.regions.get(call.region, ()):
        message = "The specified ZoneId provided does not exist in our records."
        raise error(call, operation, "InvalidZoneId.NotFound", message, 404)
    kind = (given.get("category", "cloud_efficiency"), given.get("performanceLevel", ""))
    low = MINIMUM_SIZE.get(kind, 20)
    size = given.get("size")
    if size is not None and not low <= size <= 65536:
        message = f"The specified disk size beyond the permitted range: {size} is not in {low}-65536 GiB."
        raise error(call, operation, "InvalidDiskSize.NotSupported", message)
    snapshots.from_snapshot(call)
    return {"zoneId": zone, "availabilityZone": zone} | (
        {"performanceLevel": "PL1"} if kind == ("cloud_essd", "") else {}
    )


@RULES.on_update(DISK)
def _update_disk(call: Call) -> Props:
    if (call.inputs.get("size") or 0) < (call.old.get("size") or 0):
        message = "The specified new disk size is less than the original disk size."
        raise error(call, "ResizeDisk", "InvalidDiskSize.TooSmall", message, 403)
    return {}


@RULES.on_delete(DISK)
def _delete_disk(call: Call, record: Record) -> None:
    if call.list(DISK_ATTACHMENT, diskId=record.id):
        message = "The current disk status does not support this operation."
        raise error(call, "DeleteDisk", "IncorrectDiskStatus", message, 403)
    snapshots.end_with(call, record)


@RULES.on_create(DISK_ATTACHMENT)
def _disk_attachment(call: Call) -> Props:
    given, operation = call.inputs, "AttachDisk"
    message = "The specified disk does not exist."
    disk = need(call, DISK, given["diskId"], operation, "InvalidDiskId.NotFound", message)
    message = "The specified InstanceId does not exist."
    instance = need(call, INSTANCE, given["instanceId"], operation, "InvalidInstanceId.NotFound", message)
    if disk.get("zoneId") != instance.get("availabilityZone"):
        message = "The specified instance and disk are not in the same zone."
        raise error(call, operation, "ResourcesNotInSameZone", message, 403)
    if call.list(DISK_ATTACHMENT, diskId=given["diskId"]):
        message = "The current disk status does not support this operation."
        raise error(call, operation, "IncorrectDiskStatus", message, 403)
    letter = "bcdefghijklmnopq"[len(call.list(DISK_ATTACHMENT, instanceId=given["instanceId"])) % 16]
    return {"device": f"/dev/xvd{letter}"}
