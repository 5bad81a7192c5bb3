"""Tencent Cloud: rules for key pairs, instances, addresses and disks."""

from __future__ import annotations

import base64
import binascii
import hashlib

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._simcloud.images import Image
from pulumi_llm._simcloud.rules.base import Call, CloudError, inside, key_problem, private_address
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
    ROLE,
    RULES,
    SUBNET,
    error,
    need,
)
from .images import of_id

USER_DATA_LIMIT = 16 * 1024
"""Bytes after base64 (CVM API reference, RunInstances, UserData)."""


@RULES.on_create(KEY)
def _key(call: Call) -> Props:
    name, text = call.inputs["keyName"], call.inputs.get("publicKey")
    if call.list(KEY, keyName=name):
        raise error("InvalidKeyPairName.Duplicate", f"The key pair name `{name}` is duplicate.")
    if text and key_problem(text):
        raise error("InvalidPublicKey.Malformed", "The specified public key is malformed.")
    if text and any((each.get("publicKey") or "").split()[:2] == text.split()[:2] for each in call.list(KEY)):
        raise error("InvalidPublicKey.Duplicated", "The specified public key is already in use.")
    return {}


@RULES.on_create(INSTANCE)
def _instance(call: Call) -> Props:
    given = call.inputs
    zone = given.get("availabilityZone")
    if zone not in call.offers.regions.get(call.region, ()):
        message = f"The specified zone `{zone}` is not supported in region `{call.region}`."
        raise error("InvalidParameterValue.ZoneNotSupported", message)
    subnet = _subnet(call)
    for group in [*(given.get("orderlySecurityGroups") or ()), *(given.get("securityGroups") or ())]:
        code, message = "InvalidSecurityGroupId.NotFound", "The specified security group `{id}` does not exist."
        need(call, GROUP, group, code, message)
    for key in given.get("keyIds") or ():
        need(call, KEY, key, "InvalidKeyPairId.NotFound", "The specified key pair `{id}` does not exist.")
    if (role := given.get("camRoleName")) and not call.store.list(ROLE, name=role):
        raise error("InvalidParameterValue.RoleNotExist", f"The CAM role `{role}` does not exist.")
    image = _image(call)
    _type(call, zone, image)
    near.placed(call, zone)
    _disks(call)
    _user_data(call)
    _spot(call)
    outputs: Props = {"privateIp": _private(call, subnet), "publicIp": "", "osName": image.os_name, **_size(call)}
    if given.get("allocatePublicIp"):
        outputs["publicIp"] = _public(call)
    return outputs


def _size(call: Call) -> Props:
    row = call.offers.types[call.inputs["instanceType"]]
    return {"cpu": row.vcpu, "memory": int(row.memory_gib)}


def _subnet(call: Call) -> Record:
    given = call.inputs
    code, message = "InvalidParameterValue.SubnetNotExist", "The specified subnet `{id}` does not exist."
    subnet = need(call, SUBNET, given.get("subnetId"), code, message)
    if given.get("vpcId") != subnet.get("vpcId"):
        message = f"The subnet `{subnet.id}` does not belong to the VPC `{given.get('vpcId')}`."
        raise error("InvalidParameterValue.VpcIdNotExist", message)
    if subnet.get("availabilityZone") != given.get("availabilityZone", subnet.get("availabilityZone")):
        message = f"The subnet `{subnet.id}` is not in the zone `{given['availabilityZone']}`."
        raise error("InvalidParameterValue.SubnetIdZoneIdNotMatch", message)
    return subnet


def _image(call: Call) -> Image:
    id_ = str(call.inputs.get("imageId", ""))
    found = of_id(id_)
    if found is None:
        raise error("InvalidImageId.NotFound", f"The specified image `{id_}` does not exist.")
    return found


def _type(call: Call, zone: str, image: Image) -> None:
    wanted = str(call.inputs.get("instanceType"))
    row = call.offers.types.get(wanted)
    if row is None:
        message = f"The specified instance type `{wanted}` does not exist."
        raise error("InvalidParameterValue.InstanceTypeNotFound", message)
    if zone not in call.offers.zones_of(wanted, call.region):
        message = f"This instance type `{wanted}` is not available in the current zone `{zone}`."
        raise error("ResourceUnavailable.InstanceType", message)
    if row.arch != image.arch:
        message = f"The image `{image.id}` does not support the instance type `{wanted}`."
        raise error("InvalidParameterValue.InvalidImageForGivenInstanceType", message)
    if call.faults.over_quota(wanted):
        message = "The instance quota of the account in this zone has been reached."
        raise error("LimitExceeded.InstanceQuota", message)
    if call.faults.no_stock(wanted, zone):
        message = f"The specified instance type `{wanted}` is understocked in zone `{zone}`."
        raise error("ResourceInsufficient.SpecifiedInstanceType", message)


def _disks(call: Call) -> None:
    size = call.inputs.get("systemDiskSize", 50)
    if not 20 <= size <= 1024:
        raise error("InvalidDiskSize", f"The system disk size `{size}` is not in the range 20-1024 GB.")
    for disk in call.inputs.get("dataDisks") or ():
        _size_allowed(disk["dataDiskType"], disk["dataDiskSize"])


def _size_allowed(kind: str, size: int) -> None:
    low = 10 if kind == "CLOUD_PREMIUM" else 20
    if not low <= size <= 32000 or size % 10:
        message = f"The disk size `{size}` of `{kind}` must be in {low}-32000 GB in steps of 10."
        raise error("InvalidParameterValue.DiskSizeNotMatch", message)


def _user_data(call: Call) -> None:
    raw, encoded = call.inputs.get("userDataRaw"), call.inputs.get("userData")
    if encoded:
        try:
            base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            message = "The user data is malformed: it must be base64 encoded."
            raise error("InvalidUserDataFormat", message) from None
    length = len(base64.b64encode(raw.encode())) if raw else len(encoded or "")
    if length > USER_DATA_LIMIT:
        message = f"The length of UserData `{length}` exceeds the limit `{USER_DATA_LIMIT}`."
        raise error("InvalidParameterValue.LimitExceeded", message)


def _spot(call: Call) -> None:
    given = call.inputs
    if given.get("instanceChargeType") == "SPOTPAID":
        if not (given.get("spotInstanceType") and given.get("spotMaxPrice")):
            raise CloudError("spot_instance_type and spot_max_price are required when instance_charge_type is SPOTPAID")
    elif given.get("spotInstanceType") or given.get("spotMaxPrice"):
        raise CloudError("spot_instance_type and spot_max_price are only for instance_charge_type SPOTPAID")


def _private(call: Call, subnet: Record) -> str:
    used = {each.get("privateIp") for each in call.list(INSTANCE, subnetId=subnet.id)}
    wanted = call.inputs.get("privateIp")
    if wanted:
        if not inside(f"{wanted}/32", subnet.get("cidrBlock")):
            raise error("VpcAddrNotInSubNet", f"The private IP `{wanted}` is not in the subnet `{subnet.id}`.")
        if wanted in used:
            raise error("VpcIpIsUsed", f"The private IP `{wanted}` is in use.")
        return str(wanted)
    found = private_address(subnet.get("cidrBlock"), used, reserved=2)
    if found is None:
        raise error("ResourceInsufficient.VpcIp", f"The subnet `{subnet.id}` has no free IP address.")
    return found


def _public(call: Call) -> str:
    address = call.store.public_address(call.token, call.id)
    if address is None:
        raise error("AddressQuotaLimitExceeded", "The number of EIPs has reached the quota.")
    return address


@RULES.on_update(INSTANCE)
def _update_instance(call: Call) -> Props:
    outputs: Props = {}
    if call.changed("dataDisks") and len(call.inputs.get("dataDisks") or ()) != len(call.old.get("dataDisks") or ()):
        raise CloudError("data disk count has changed, tencentcloud_instance doesn't support add or remove for now")
    if call.changed("instanceType"):
        _type(call, call.inputs.get("availabilityZone") or call.state["availabilityZone"], _image(call))
        outputs |= _size(call)
    if call.changed("imageId"):
        outputs["osName"] = _image(call).os_name
        outputs["systemDiskId"] = f"disk-{hashlib.sha256((call.id + call.inputs['imageId']).encode()).hexdigest()[:8]}"
    if call.changed("systemDiskSize") and call.inputs.get("systemDiskSize", 0) < call.old.get("systemDiskSize", 0):
        message = "The new size of the disk must be larger than its current size."
        raise error("InvalidParameterValue.DiskSizeNotMatch", message)
    if call.changed("userData", "userDataRaw"):
        _user_data(call)
    if call.changed("runningFlag"):  # the provider's own StartInstances or StopInstances
        outputs["instanceStatus"] = "RUNNING" if call.inputs["runningFlag"] else "STOPPED"
    return outputs


@RULES.on_delete(INSTANCE)
def _delete_instance(call: Call, record: Record) -> None:
    if record.get("disableApiTermination"):
        message = f"The instance `{record.id}` is under termination protection and cannot be terminated."
        raise error("UnsupportedOperation.InstancesProtected", message)


@RULES.on_delete(KEY)
def _delete_key(call: Call, record: Record) -> None:
    if any(record.id in (each.get("keyIds") or ()) for each in call.list(INSTANCE)):
        message = f"The key pair `{record.id}` is bound to an instance."
        raise error("InvalidParameterValue.KeyPairNotSupported", message)


@RULES.on_create(EIP)
def _eip(call: Call) -> Props:
    if call.faults.over_quota("eip"):
        raise error("AddressQuotaLimitExceeded", "The number of EIPs has reached the quota.")
    return {"publicIp": _public(call)}


@RULES.on_create(EIP_ASSOCIATION)
def _eip_association(call: Call) -> Props:
    given = call.inputs
    eip = need(call, EIP, given["eipId"], "InvalidAddressId.NotFound", "The EIP `{id}` does not exist.")
    instance = given.get("instanceId")
    if instance:
        found = need(call, INSTANCE, instance, "InvalidInstanceId.NotFound", "The instance `{id}` does not exist.")
        if found.get("publicIp"):
            message = f"The instance `{instance}` already has a public IP."
            raise error("InvalidInstanceId.AlreadyBindEip", message)
        if call.list(EIP_ASSOCIATION, instanceId=instance):
            message = f"The instance `{instance}` is already bound to an EIP."
            raise error("InvalidInstanceId.AlreadyBindEip", message)
    if call.list(EIP_ASSOCIATION, eipId=eip.id):
        message = f"The status of EIP `{eip.id}` does not permit this operation."
        raise error("InvalidAddressIdStatus.NotPermit", message)
    return {}


@RULES.on_delete(EIP)
def _delete_eip(call: Call, record: Record) -> None:
    if call.list(EIP_ASSOCIATION, eipId=record.id):
        message = f"The status of EIP `{record.id}` does not permit this operation."
        raise error("InvalidAddressIdStatus.NotPermit", message)


@RULES.on_create(DISK)
def _disk(call: Call) -> Props:
    given = call.inputs
    if given["availabilityZone"] not in call.offers.regions.get(call.region, ()):
        raise error("InvalidParameterValue", f"The zone `{given['availabilityZone']}` does not exist.")
    _size_allowed(given["storageType"], given["storageSize"])
    snapshots.from_snapshot(call)
    return {}


@RULES.on_update(DISK)
def _update_disk(call: Call) -> Props:
    if call.inputs["storageSize"] < call.old.get("storageSize", 0):
        raise CloudError("storage size must be greater than current storage size")
    _size_allowed(call.inputs["storageType"], call.inputs["storageSize"])
    return {}


@RULES.on_delete(DISK)
def _delete_disk(call: Call, record: Record) -> None:
    if call.list(DISK_ATTACHMENT, storageId=record.id):
        raise error("InvalidDisk.Busy", f"The disk `{record.id}` is attached to an instance.")


@RULES.on_create(DISK_ATTACHMENT)
def _disk_attachment(call: Call) -> Props:
    given = call.inputs
    code, message = "InvalidDiskId.NotFound", "The disk `{id}` does not exist."
    disk = need(call, DISK, given["storageId"], code, message)
    code, message = "InvalidInstanceId.NotFound", "The instance `{id}` does not exist."
    instance = need(call, INSTANCE, given["instanceId"], code, message)
    if disk.get("availabilityZone") != instance.get("availabilityZone"):
        message = "The cloud disk and the instance are not in the same availability zone."
        raise error("ResourceUnavailable.ZoneNotMatch", message)
    if call.list(DISK_ATTACHMENT, storageId=disk.id):
        raise error("ResourceUnavailable.Attached", f"The disk `{disk.id}` is already attached.")
    return {}
