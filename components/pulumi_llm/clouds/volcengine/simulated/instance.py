"""Volcengine: rules for key pairs, instances, volumes and their attachments."""

from __future__ import annotations

import base64
import binascii

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._simcloud.images import Image, digest
from pulumi_llm._simcloud.rules.base import Call, CloudError, inside, key_problem, private_address
from pulumi_llm._simcloud.store import Record

from .common import ATTACHMENT, GROUP, INSTANCE, KEY, RULES, SUBNET, VOLUME, error, need
from .images import of_id

USER_DATA_LIMIT = 16 * 1024
"""Bytes before base64 (volcengine.com/docs/6396/79337)."""
SYSTEM_SIZES, DATA_SIZES = (20, 2048), (10, 32768)
"""GiB of ESSD volumes (docstrings of pulumi-volcengine 0.0.47)."""


@RULES.on_create(KEY)
def _key(call: Call) -> Props:
    name = call.inputs["keyPairName"]
    if call.find(KEY, name):
        message = f"The specified KeyPairName {name} exists already."
        raise error(call, "creating", "InvalidKeyPairName.Duplicate", message, 409)
    if (text := call.inputs.get("publicKey")) and key_problem(str(text)):
        raise error(call, "creating", "InvalidPublicKey.Malformed", "The specified PublicKey is not valid.")
    return {}


@RULES.on_create(INSTANCE)
def _instance(call: Call) -> Props:
    given = call.inputs
    message = "The specified subnet does not exist."
    subnet = need(call, SUBNET, given["subnetId"], "InvalidSubnet.NotFound", message)
    zone = subnet.get("zoneId")
    if given.get("zoneId", zone) != zone:
        message = "The specified subnet is not in the specified zone."
        raise error(call, "creating", "InvalidSubnet.ZoneMismatch", message)
    for group in given["securityGroupIds"]:
        message = "The specified security group does not exist."
        found = need(call, GROUP, group, "InvalidSecurityGroup.NotFound", message)
        if found.get("vpcId") != subnet.get("vpcId"):
            message = "The specified security group and the specified subnet are not in the same VPC."
            raise error(call, "creating", "InvalidSecurityGroup.VpcMismatch", message)
    if not given.get("keyPairName") and not given.get("password") and not given.get("keepImageCredential"):
        message = "One of Password, KeyPairName and KeepImageCredential must be specified."
        raise error(call, "creating", "MissingParameter.KeyPairName", message)
    if key := given.get("keyPairName"):
        message = "The specified KeyPairName does not exist."
        need(call, KEY, key, "InvalidKeyPairName.NotFound", message)
    image = _image(call, "creating")
    _type(call, zone, image, "creating")
    size = int(given["systemVolumeSize"])
    low = max(SYSTEM_SIZES[0], image.size_gib)
    if not low <= size <= SYSTEM_SIZES[1]:
        message = f"The specified size {size} of the system volume is not between {low} and {SYSTEM_SIZES[1]}."
        raise error(call, "creating", "InvalidVolumeSize.Malformed", message)
    _user_data(call)
    return {"zoneId": zone, "vpcId": subnet.get("vpcId"), "primaryIpAddress": _private(call, subnet), **_size(call)}


def _image(call: Call, doing: str) -> Image:
    found = of_id(str(call.inputs["imageId"]))
    if found is None:
        raise error(call, doing, "InvalidImage.NotFound", "The specified image does not exist.", 404)
    return found


def _type(call: Call, zone: str, image: Image, doing: str) -> None:
    wanted = str(call.inputs["instanceType"])
    row = call.offers.types.get(wanted)
    if row is None or zone not in call.offers.zones_of(wanted, call.region):
        message = f"The specified instance type {wanted} does not exist in zone {zone}."
        raise error(call, doing, "InvalidInstanceType.NotFound", message, 404)
    if row.arch != image.arch:
        message = "The specified image does not support the specified instance type."
        raise error(call, doing, "InvalidImage.InstanceTypeMismatch", message)
    if call.faults.over_quota(wanted):
        message = f"The quota of {wanted} is exceeded."
        raise error(call, doing, "QuotaExceeded.InstanceType", message, 403)
    if call.faults.no_stock(wanted, zone):
        message = f"The specified instance type {wanted} is out of stock in zone {zone}."
        raise error(call, doing, "OperationDenied.NoStock", message, 403)


def _size(call: Call) -> Props:
    row = call.offers.types[call.inputs["instanceType"]]
    return {"cpus": row.vcpu, "memorySize": int(row.memory_gib * 1024), "isGpu": row.gpu_count > 0}


def _user_data(call: Call) -> None:
    text = str(call.inputs.get("userData") or "")
    try:  # the provider sends what decodes as base64 as it is
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raw = text.encode()
    if len(raw) > USER_DATA_LIMIT:
        raise error(call, "creating", "InvalidUserData.TooLong", "The specified UserData exceeds 16 KB.")


def _private(call: Call, subnet: Record) -> str:
    used = {each.get("primaryIpAddress") for each in call.list(INSTANCE, subnetId=subnet.id)}
    wanted = call.inputs.get("primaryIpAddress")
    if wanted:
        if not inside(f"{wanted}/32", subnet.get("cidrBlock")) or wanted in used:
            message = f"The specified PrimaryIpAddress {wanted} is taken, or not in the subnet."
            raise error(call, "creating", "InvalidPrivateIp.Malformed", message)
        return str(wanted)
    found = private_address(subnet.get("cidrBlock"), used)
    if found is None:
        message = "The subnet has no free addresses."
        raise error(call, "creating", "InvalidSubnet.InsufficientIpAddress", message, 403)
    return found


@RULES.on_update(INSTANCE)
def _update_instance(call: Call) -> Props:
    outputs: Props = {}
    if call.changed("instanceType"):
        _type(call, call.state["zoneId"], _image(call, "updating"), "updating")
        outputs |= _size(call)
    if call.changed("imageId"):
        _image(call, "updating")
        outputs["systemVolumeId"] = f"vol-{digest(call.id + str(call.inputs['imageId']))[:20]}"
    if int(call.inputs["systemVolumeSize"]) < int(call.old.get("systemVolumeSize") or 0):
        message = "The specified NewSize is smaller than the current size of the volume."
        raise error(call, "updating", "InvalidVolumeSize.TooSmall", message)
    return outputs


@RULES.on_create(VOLUME)
def _volume(call: Call) -> Props:
    given = call.inputs
    if given["zoneId"] not in call.offers.regions.get(call.region, ()):
        message = f"The specified zone {given['zoneId']} does not exist."
        raise error(call, "creating", "InvalidZone.NotFound", message, 404)
    low, high = DATA_SIZES
    if not low <= int(given["size"]) <= high:
        message = f"The specified size {given['size']} is not between {low} and {high}."
        raise error(call, "creating", "InvalidVolumeSize.Malformed", message)
    return {}


@RULES.on_update(VOLUME)
def _update_volume(call: Call) -> Props:
    if int(call.inputs["size"]) < int(call.old.get("size") or 0):
        message = "The specified NewSize is smaller than the current size of the volume."
        raise error(call, "updating", "InvalidVolumeSize.TooSmall", message)
    return {}


@RULES.on_delete(VOLUME)
def _delete_volume(call: Call, record: Record) -> None:
    if call.list(ATTACHMENT, volumeId=record.id):
        raise CloudError(
            "error:  Only volume with a status of `available` can be deleted. \n msg: For volume with a status of "
            "`attached`, please use `terraform state rm volcengine_volume.resource_name` command to remove it from "
            "terraform state file and management."
        )


@RULES.on_create(ATTACHMENT)
def _attachment(call: Call) -> Props:
    given = call.inputs
    message = "The specified volume does not exist."
    volume = need(call, VOLUME, given["volumeId"], "InvalidVolume.NotFound", message)
    message = "The specified instance does not exist."
    machine = need(call, INSTANCE, given["instanceId"], "InvalidInstance.NotFound", message)
    if volume.get("zoneId") != machine.get("zoneId"):
        message = "The volume and the instance are not in the same zone."
        raise error(call, "creating", "InvalidVolume.ZoneMismatch", message)
    if call.list(ATTACHMENT, volumeId=given["volumeId"]):
        message = "The volume is attached already."
        raise error(call, "creating", "InvalidVolume.InvalidStatus", message, 409)
    return {}
