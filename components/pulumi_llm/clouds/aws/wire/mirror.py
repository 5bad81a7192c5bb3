"""What exists at moto's EC2, IAM and Route 53, as records of the store.

The simulated `command` looks there who answers at an address, the rules of a machine whether its subnet exists, and the
rehearsal what is left at its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._simcloud.store import Record, Store

from ..simulated import common as types

RECORD = "aws:route53/record:Record"
OWNERS = {RECORD: "route53", types.ROLE: "iam", types.PROFILE: "iam"}
"""Which service a type is of; the others are of EC2."""
OURS = (types.GROUP_OF_MACHINES,)
"""What moto lacks, so that the store alone holds it."""
Found = tuple[str, str, Props]


def into(store: Store, backend: Any, region: str, service: str) -> None:
    """Let the store hold what a region of moto's holds, and nothing else of that service."""
    if service not in READ:
        return
    found = {each[:2]: each[2] for each in READ[service](backend)}
    known = [each for each in store.everything() if each.package == "aws" and each.region == region]
    mine = [each for each in known if OWNERS.get(each.type, "ec2") == service and each.type not in OURS]
    for each in mine:
        if (each.type, each.id) not in found:
            store.remove(each)
    for (type_, id_), properties in found.items():
        store.put(Record("aws", type_, id_, region, f"urn:pulumi:rehearsal::wire::{type_}::{id_}", properties))


def _ec2(ec2: Any) -> Iterator[Found]:
    mine = {each.id for each in ec2.describe_vpcs() if not each.is_default}
    for vpc in ec2.describe_vpcs():
        if vpc.id in mine:
            yield types.VPC, vpc.id, {"cidrBlock": vpc.cidr_block}
    for subnet in ec2.describe_subnets():
        if subnet.vpc_id in mine:
            properties = {"vpcId": subnet.vpc_id, "cidrBlock": subnet.cidr_block}
            yield types.SUBNET, subnet.id, {**properties, "availabilityZone": _zone(subnet.availability_zone)}
    for gateway in ec2.describe_internet_gateways():
        yield types.GATEWAY, gateway.id, {}
    for table in ec2.describe_route_tables():
        if table.vpc_id in mine and not table.main_association_id:
            yield types.TABLE, table.id, {"vpcId": table.vpc_id}
    for group in ec2.describe_security_groups():
        if group.vpc_id in mine and group.name != "default":
            yield types.GROUP, group.id, {"vpcId": group.vpc_id}
    for key in ec2.key_pairs.values():
        text = key.material_public.decode() if isinstance(key.material_public, bytes) else key.material_public
        yield types.KEY, key.key_name, {"keyName": key.key_name, "publicKey": text}
    yield from _machines(ec2)


def _machines(ec2: Any) -> Iterator[Found]:
    roots: set[str] = set()
    for reservation in ec2.all_reservations():
        for machine in reservation.instances:
            if machine.state == "terminated":
                continue
            roots |= {each.volume_id for each in machine.block_device_mapping.values() if each.delete_on_termination}
            properties = {"subnetId": machine.subnet_id, "keyName": machine.key_name, "ami": machine.image_id}
            properties |= {"privateIp": machine.private_ip, "publicIp": machine.public_ip or ""}
            properties["placementGroup"] = machine.placement.group_name
            yield types.INSTANCE, machine.id, {**properties, "instanceType": machine.instance_type}
    for address in ec2.addresses:
        yield types.EIP, address.allocation_id, {"publicIp": address.public_ip}
        if address.association_id and address.instance:
            bound = {"allocationId": address.allocation_id, "instanceId": address.instance.id}
            yield types.EIP_ASSOCIATION, address.association_id, bound
    for volume in ec2.volumes.values():
        if volume.id in roots:
            continue
        yield types.VOLUME, volume.id, {"size": volume.size, "availabilityZone": _zone(volume.zone)}
        if volume.attachment:
            plugged = {"volumeId": volume.id, "instanceId": volume.attachment.instance.id}
            yield types.ATTACHMENT, f"vai-{volume.id}", {**plugged, "deviceName": volume.attachment.device}


def _route53(backend: Any) -> Iterator[Found]:
    for zone in backend.zones.values():
        for each in zone.rrsets:
            if each.type not in ("NS", "SOA"):
                name = each.name.rstrip(".")
                yield RECORD, f"{zone.resource_id}_{name}_{each.type}", {"name": name, "type": each.type}


def _iam(backend: Any) -> Iterator[Found]:
    for role in backend.roles.values():
        yield types.ROLE, role.name, {"name": role.name}
    for profile in backend.instance_profiles.values():
        yield types.PROFILE, profile.name, {"name": profile.name}


READ: Mapping[str, Callable[[Any], Iterator[Found]]] = {"ec2": _ec2, "iam": _iam, "route53": _route53}
"""What a service of moto's holds."""


def _zone(found: Any) -> str:
    """The name of a zone, which moto has as an object or as a text."""
    return str(getattr(found, "name", found))
