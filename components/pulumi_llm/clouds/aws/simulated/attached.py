"""AWS: rules for addresses, volumes, their attachments, and roles."""

from __future__ import annotations

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._simcloud.rules.base import Call, CloudError
from pulumi_llm._simcloud.store import Record

from . import snapshots
from .common import (
    ATTACHMENT,
    EIP,
    EIP_ASSOCIATION,
    GATEWAY,
    INSTANCE,
    PROFILE,
    ROLE,
    RULES,
    SUBNET,
    VOLUME,
    ec2,
    error,
    need,
)
from .instance import public_address


@RULES.on_create(EIP)
def _eip(call: Call) -> Props:
    if call.faults.over_quota("eip"):
        message = "The maximum number of addresses has been reached."
        raise ec2("creating EC2 EIP", "AllocateAddress", "AddressLimitExceeded", message)
    outputs = public_address(call)
    if instance := call.inputs.get("instance"):
        outputs["associationId"] = f"eipassoc-0{call.id[-16:]}"
        outputs["privateIp"] = _bind(call, instance, "associating EC2 EIP").get("privateIp")
    return outputs


def _bind(call: Call, instance: str, doing: str) -> Record:
    code, message = "InvalidInstanceID.NotFound", "The instance ID '{id}' does not exist"
    found = need(call, INSTANCE, instance, doing, "AssociateAddress", code, message)
    subnet = call.find(SUBNET, found.get("subnetId"))
    vpc = subnet.get("vpcId") if subnet else None
    if not call.list(GATEWAY, vpcId=vpc):
        message = f"Network {vpc} is not attached to any internet gateway"
        raise ec2(doing, "AssociateAddress", "Gateway.NotAttached", message)
    return found


@RULES.on_create(EIP_ASSOCIATION)
def _eip_association(call: Call) -> Props:
    doing, operation = "associating EC2 EIP", "AssociateAddress"
    given, outputs = call.inputs, {}
    if allocation := given.get("allocationId"):
        code, message = "InvalidAllocationID.NotFound", "The allocation ID '{id}' does not exist"
        address = need(call, EIP, allocation, doing, operation, code, message)
        outputs["publicIp"] = address.get("publicIp")
    instance = given.get("instanceId")
    if instance:
        outputs["privateIpAddress"] = _bind(call, instance, doing).get("privateIp")
    for other in call.list(EIP_ASSOCIATION, allocationId=allocation):
        if given.get("allowReassociation") is False:
            message = f"resource {allocation} is already associated with associate-id {other.id}"
            raise ec2(doing, operation, "Resource.AlreadyAssociated", message)
        call.store.remove(other)  # in a VPC an address moves to the new instance by default
    return outputs


@RULES.on_create(VOLUME)
def _volume(call: Call) -> Props:
    given, doing, operation = call.inputs, "creating EBS Volume", "CreateVolume"
    zone, kind = given["availabilityZone"], given.get("type", "gp2")
    if zone not in call.offers.regions.get(call.region, ()):
        raise ec2(doing, operation, "InvalidZone.NotFound", f"The zone '{zone}' does not exist.")
    if given.get("iops") and kind not in ("io1", "io2", "gp3"):
        raise CloudError(f"'iops' must not be set when 'type' is '{kind}'")
    if kind in ("io1", "io2") and not given.get("iops"):
        raise CloudError(f"'iops' must be set when 'type' is '{kind}'")
    if given.get("throughput") and kind != "gp3":
        raise CloudError(f"'throughput' must not be set when 'type' is '{kind}'")
    low = {"io1": 4, "io2": 4, "st1": 125, "sc1": 125}.get(kind, 1)
    high = {"io1": 16384, "io2": 65536, "gp3": 65536}.get(kind, 16384)
    if given.get("size") is not None and not low <= given["size"] <= high:
        far = "smaller" if given["size"] < low else "larger"
        message = f"Volume of {given['size']}GiB is {far} than allowed for {kind}: {low}-{high}GiB"
        raise ec2(doing, operation, "InvalidParameterValue", message)
    snapshots.from_snapshot(call)
    return {"iops": given.get("iops") or 3000, "throughput": given.get("throughput") or 125} if kind == "gp3" else {}


@RULES.on_update(VOLUME)
def _update_volume(call: Call) -> Props:
    if (call.inputs.get("size") or 0) < (call.old.get("size") or 0):
        message = "New size cannot be smaller than existing size"
        doing = f"modifying EBS Volume ({call.id})"
        raise ec2(doing, "ModifyVolume", "InvalidParameterValue", message)
    return {}


@RULES.on_delete(VOLUME)
def _delete_volume(call: Call, record: Record) -> None:
    for each in call.list(ATTACHMENT, volumeId=record.id):
        message = f"Volume {record.id} is currently attached to {each.get('instanceId')}"
        raise ec2(f"deleting EBS Volume ({record.id})", "DeleteVolume", "VolumeInUse", message)


@RULES.on_create(ATTACHMENT)
def _attachment(call: Call) -> Props:
    given = call.inputs
    volume_id, instance_id, device = given["volumeId"], given["instanceId"], given["deviceName"]
    doing = f"attaching EBS Volume ({volume_id}) to EC2 Instance ({instance_id})"
    operation = "AttachVolume"
    code, message = "InvalidInstanceID.NotFound", "The instance ID '{id}' does not exist"
    instance = need(call, INSTANCE, instance_id, doing, operation, code, message)
    code, message = "InvalidVolume.NotFound", "The volume '{id}' does not exist."
    volume = need(call, VOLUME, volume_id, doing, operation, code, message)
    if volume.get("availabilityZone") != instance.get("availabilityZone"):
        message = f"The volume '{volume_id}' is not in the same availability zone as instance '{instance_id}'"
        raise ec2(doing, operation, "InvalidVolume.ZoneMismatch", message)
    if call.list(ATTACHMENT, volumeId=volume_id):
        raise ec2(doing, operation, "VolumeInUse", f"{volume_id} is already attached to an instance")
    taken = {each.get("deviceName") for each in call.list(ATTACHMENT, instanceId=instance_id)} | {"/dev/sda1"}
    if device in taken:
        message = f"Invalid value '{device}' for unixDevice. Attachment point {device} is already in use"
        raise ec2(doing, operation, "InvalidParameterValue", message)
    return {}


@RULES.on_create(PROFILE)
def _profile(call: Call) -> Props:
    name, role = call.inputs["name"], call.inputs.get("role")
    doing = f"creating IAM Instance Profile ({name})"
    if call.store.get(PROFILE, name):
        message = f"Instance Profile {name} already exists."
        raise error(doing, "IAM", "CreateInstanceProfile", "EntityAlreadyExists", message, 409)
    if role and call.store.get(ROLE, role) is None:
        message = f"The role with name {role} cannot be found."
        raise error(doing, "IAM", "AddRoleToInstanceProfile", "NoSuchEntity", message, 404)
    return {}


@RULES.on_create(ROLE)
def _role(call: Call) -> Props:
    name = call.inputs["name"]
    if call.store.get(ROLE, name):
        message = f"Role with name {name} already exists."
        raise error(f"creating IAM Role ({name})", "IAM", "CreateRole", "EntityAlreadyExists", message, 409)
    return {}
