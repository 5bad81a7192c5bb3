"""AWS: rules for key pairs and instances."""

from __future__ import annotations

import base64
import hashlib

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._simcloud.images import Image
from pulumi_llm._simcloud.rules.base import Call, inside, private_address, public_key, unique_name
from pulumi_llm._simcloud.store import Record

from . import near
from .common import EIP_ASSOCIATION, GROUP, INSTANCE, KEY, PROFILE, RULES, SUBNET, VPC, ec2, need
from .images import of_ami, snapshot


@RULES.on_create(KEY)
def _key(call: Call) -> Props:
    prefix, text = call.inputs.get("keyNamePrefix"), str(call.inputs["publicKey"]).strip()
    name = call.inputs.get("keyName") or unique_name(str(prefix or "terraform-"))
    call.id = name
    doing, operation = f"importing EC2 Key Pair ({name})", "ImportKeyPair"
    if call.find(KEY, name):
        raise ec2(doing, operation, "InvalidKeyPair.Duplicate", "The keypair already exists")
    blob = public_key(text)
    if blob is None or not text.startswith(("ssh-rsa", "ssh-ed25519")):
        raise ec2(doing, operation, "InvalidKey.Format", "Key is not in valid OpenSSH public key format")
    kind = "rsa" if text.startswith("ssh-rsa") else "ed25519"
    digest = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    pairs = ":".join(digest[i : i + 2] for i in range(0, 32, 2))
    sha = base64.b64encode(hashlib.sha256(blob).digest()).decode()
    return {"keyName": name, "fingerprint": pairs if kind == "rsa" else sha, "keyType": kind}


DOING, OPERATION = "creating EC2 Instance", "RunInstances"


def judged(call: Call) -> tuple[Record, Image]:
    """The subnet and the image of a machine that may be made. Raises :class:`CloudError`.

    The wire (see ``clouds/aws/wire``) asks the same before moto, which judges none of it.
    """
    given = call.inputs
    doing, operation = DOING, OPERATION
    subnet = None
    if given.get("subnetId"):
        code, message = "InvalidSubnetID.NotFound", "The subnet ID '{id}' does not exist"
        subnet = need(call, SUBNET, given["subnetId"], doing, operation, code, message)
    else:
        message = "No default VPC for this user. GroupName is only supported for EC2-Classic and default VPC."
        raise ec2(doing, operation, "VPCIdNotSpecified", message)
    zone = subnet.get("availabilityZone")
    if given.get("availabilityZone", zone) != zone:
        message = f"The availability zone '{given['availabilityZone']}' does not match the subnet's '{zone}'"
        raise ec2(doing, operation, "InvalidParameterCombination", message)
    for group in given.get("vpcSecurityGroupIds") or ():
        code, message = "InvalidGroup.NotFound", "The security group '{id}' does not exist"
        found = need(call, GROUP, group, doing, operation, code, message)
        if found.get("vpcId") != subnet.get("vpcId"):
            message = f"Security group {group} and subnet {subnet.id} belong to different networks."
            raise ec2(doing, operation, "InvalidParameter", message)
    if (key := given.get("keyName")) and call.find(KEY, key) is None:
        raise ec2(doing, operation, "InvalidKeyPair.NotFound", f"The key pair '{key}' does not exist")
    if (profile := given.get("iamInstanceProfile")) and call.store.get(PROFILE, profile) is None:
        message = (
            f"Value ({profile}) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name"
        )
        raise ec2(doing, operation, "InvalidParameterValue", message)
    image = _image(call, doing, operation)
    _type(call, zone, image, doing, operation)
    near.placed(call, zone, doing, operation)
    root(call, image)
    return subnet, image


@RULES.on_create(INSTANCE)
def _instance(call: Call) -> Props:
    given = call.inputs
    subnet, image = judged(call)
    outputs: Props = {
        "availabilityZone": subnet.get("availabilityZone"),
        "privateIp": _private(call, subnet, DOING, OPERATION),
        "vpcSecurityGroupIds": list(given.get("vpcSecurityGroupIds") or _default_group(call, subnet)),
        "rootBlockDevice": root(call, image),
        "publicIp": "",
        "publicDns": "",
    }
    outputs["privateDns"] = f"ip-{outputs['privateIp'].replace('.', '-')}.{call.region}.compute.internal"
    wanted = given.get("associatePublicIpAddress")
    if wanted or (wanted is None and subnet.get("mapPublicIpOnLaunch")):
        outputs |= public_address(call)
    return outputs


def _default_group(call: Call, subnet: Record) -> list[str]:
    vpc = call.find(VPC, subnet.get("vpcId"))
    return [vpc.get("defaultSecurityGroupId")] if vpc else []


def _image(call: Call, doing: str, operation: str) -> Image:
    ami = str(call.inputs.get("ami", ""))
    found = of_ami(ami, call.region)
    if found is None:
        raise ec2(doing, operation, "InvalidAMIID.NotFound", f"The image id '[{ami}]' does not exist")
    return found


def _type(call: Call, zone: str, image: Image, doing: str, operation: str) -> None:
    wanted = str(call.inputs.get("instanceType"))
    row = call.offers.types.get(wanted)
    if row is None:
        raise ec2(doing, operation, "InvalidParameterValue", f"Invalid value '{wanted}' for InstanceType.")
    zones = call.offers.zones_of(wanted, call.region)
    if not zones:
        message = (
            "The requested configuration is currently not supported. Please check the documentation for supported "
            "configurations."
        )
        raise ec2(doing, operation, "Unsupported", message)
    if zone not in zones:
        message = (
            f"Your requested instance type ({wanted}) is not supported in your requested Availability Zone ({zone}). "
            f"Please retry your request by not specifying an Availability Zone or choosing {', '.join(zones)}."
        )
        raise ec2(doing, operation, "Unsupported", message)
    if row.arch != image.arch:
        message = (
            f"The architecture '{row.arch}' of the specified instance type does not match the architecture "
            f"'{image.arch}' of the specified AMI. Specify an instance type and an AMI that have matching "
            "architectures, and try again. You can use 'describe-instance-types' or 'describe-images' to discover "
            "the architecture of the instance type or AMI."
        )
        raise ec2(doing, operation, "InvalidParameterValue", message)
    if call.faults.over_quota(wanted):
        message = (
            "You have requested more vCPU capacity than your current vCPU limit of 0 allows for the instance bucket "
            "that the specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request "
            "to request an adjustment to this limit."
        )
        raise ec2(doing, operation, "VcpuLimitExceeded", message)
    if call.faults.no_stock(wanted, zone):
        others = ", ".join(each for each in zones if each != zone)
        choose = f" or choosing {others}" if others else ""
        message = (
            f"We currently do not have sufficient {wanted} capacity in the Availability Zone you requested ({zone}). "
            f"Our system will be working on provisioning additional capacity. You can currently get {wanted} "
            f"capacity by not specifying an Availability Zone in your request{choose}."
        )
        raise ec2(doing, operation, "InsufficientInstanceCapacity", message, 500)


def root(call: Call, image: Image) -> Props:
    """The system disk of a machine. Raises :class:`CloudError` where it cannot be made so."""
    doing, operation = DOING, OPERATION
    root: Props = {
        "deviceName": "/dev/sda1",
        "volumeId": f"vol-0{hashlib.sha256(call.id.encode()).hexdigest()[:16]}",
        "volumeSize": image.size_gib,
        "volumeType": "gp3",
        "deleteOnTermination": True,
        "encrypted": False,
        **(call.inputs.get("rootBlockDevice") or {}),
    }
    if root["volumeSize"] < image.size_gib:
        message = (
            f"Volume of size {root['volumeSize']}GB is smaller than snapshot '{snapshot(image)}', expect size >= "
            f"{image.size_gib}GB"
        )
        raise ec2(doing, operation, "InvalidBlockDeviceMapping", message)
    if root.get("throughput") and root["volumeType"] != "gp3":
        message = f"The parameter throughput is not supported for {root['volumeType']} volumes."
        raise ec2(doing, operation, "InvalidParameterCombination", message)
    return root


def _private(call: Call, subnet: Record, doing: str, operation: str) -> str:
    used = {each.get("privateIp") for each in call.list(INSTANCE, subnetId=subnet.id)}
    wanted = call.inputs.get("privateIp")
    if wanted:
        if not inside(f"{wanted}/32", subnet.get("cidrBlock")):
            message = "Address does not fall within the subnet's address range"
            raise ec2(doing, operation, "InvalidParameterValue", message)
        if wanted in used:
            raise ec2(doing, operation, "InvalidIPAddress.InUse", f"Address {wanted} is in use.")
        return str(wanted)
    found = private_address(subnet.get("cidrBlock"), used)
    if found is None:
        message = (
            f"There are not enough free addresses in subnet '{subnet.id}' to satisfy the requested number of instances."
        )
        raise ec2(doing, operation, "InsufficientFreeAddressesInSubnet", message)
    return found


def public_address(call: Call) -> Props:
    """A public address and its name. Raises :class:`CloudError` when all are taken."""
    address = call.store.public_address(call.token, call.id)
    if address is None:
        message = "The maximum number of addresses has been reached."
        raise ec2("allocating an address", "AllocateAddress", "AddressLimitExceeded", message)
    zone = "compute-1" if call.region == "us-east-1" else f"{call.region}.compute"
    return {"publicIp": address, "publicDns": f"ec2-{address.replace('.', '-')}.{zone}.amazonaws.com"}


@RULES.on_update(INSTANCE)
def _update_instance(call: Call) -> Props:
    outputs: Props = {}
    if call.changed("instanceType"):
        doing, operation = f"updating EC2 Instance ({call.id}) type", "ModifyInstanceAttribute"
        _type(call, call.state["availabilityZone"], _image(call, doing, operation), doing, operation)
    before = (call.state.get("rootBlockDevice") or {}).get("volumeSize", 0)
    root = {**(call.state.get("rootBlockDevice") or {}), **(call.inputs.get("rootBlockDevice") or {})}
    if root.get("volumeSize", before) < before:
        message = "New size cannot be smaller than existing size"
        doing = f"updating EC2 Instance ({call.id}) volume ({root.get('volumeId')})"
        raise ec2(doing, "ModifyVolume", "InvalidParameterValue", message)
    if root:
        outputs["rootBlockDevice"] = root
    bound = call.list(EIP_ASSOCIATION, instanceId=call.id)
    if call.changed("instanceType", "userData", "userDataBase64") and call.state.get("publicIp") and not bound:
        call.store.free_addresses(call.token, call.id)  # stopped and started: the automatic address is another one
        outputs |= public_address(call)
    return outputs


def _unknown_on_update(changed: set[str], state: Props) -> set[str]:
    moved = changed & {"instanceType"} and state.get("publicIp")
    return {"publicIp", "publicDns"} if moved else set()


RULES.unknown_on_update[INSTANCE] = _unknown_on_update


@RULES.on_delete(INSTANCE)
def _delete_instance(call: Call, record: Record) -> None:
    if record.get("disableApiTermination") and not record.get("forceDestroy"):
        message = (
            f"The instance '{record.id}' may not be terminated. Modify its 'disableApiTermination' instance "
            "attribute and try again."
        )
        doing = f"terminating EC2 Instance ({record.id})"
        raise ec2(doing, "TerminateInstances", "OperationNotPermitted", message)
