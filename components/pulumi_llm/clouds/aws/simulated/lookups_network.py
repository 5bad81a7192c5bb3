"""AWS look-ups of networks that a program made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._simcloud.lookups import Answer, matches
from pulumi_llm._simcloud.rules.base import CloudError
from pulumi_llm._simcloud.store import Record

from .common import SUBNET, VPC

if TYPE_CHECKING:
    from pulumi_llm._simcloud.simulator import Simulator


def region_of(args: Props, simulator: Simulator) -> str:
    """The region that a look-up is about: its own, else the provider's."""
    return str(args.get("region") or simulator.region)


def _vpc_values(record: Record) -> dict[str, Any]:
    tags = record.get("tags") or {}
    values = {"vpc-id": record.get("vpcId") or record.id, "cidr": record.get("cidrBlock"), "state": "available"}
    values |= {"cidr-block": record.get("cidrBlock"), "availability-zone": record.get("availabilityZone")}
    values |= {"subnet-id": record.id, "isDefault": "false", "is-default": "false", "default-for-az": "false"}
    return values | {f"tag:{key}": value for key, value in tags.items()}


def _existing(type_: str, args: Props, simulator: Simulator) -> list[Record]:
    found = []
    for record in simulator.store.list(type_, region=region_of(args, simulator)):
        tags = record.get("tags") or {}
        values = _vpc_values(record)
        filters = args.get("filters") or []
        values |= {
            each["name"]: "" for each in filters if each["name"].startswith("tag:") and each["name"] not in values
        }
        if args.get("id") not in (None, record.id) or args.get("vpcId") not in (None, record.get("vpcId")):
            continue
        if args.get("cidrBlock") not in (None, record.get("cidrBlock")) or args.get("default"):
            continue
        if any(tags.get(key) != value for key, value in (args.get("tags") or {}).items()):
            continue
        if args.get("availabilityZone") not in (None, record.get("availabilityZone")):
            continue
        if matches(filters, values):
            found.append(record)
    return found


def _one(type_: str, args: Props, simulator: Simulator, what: str) -> Record:
    found = _existing(type_, args, simulator)
    if not found:
        raise CloudError(f"no matching EC2 {what} found")
    if len(found) > 1:
        raise CloudError(
            f"multiple EC2 {what}s matched; use additional constraints to reduce matches to a single EC2 {what}"
        )
    return found[0]


def get_vpc(args: Props, simulator: Simulator) -> Props:
    """One VPC that a program made."""
    record = _one(VPC, args, simulator, "VPC")
    return {**record.properties, "id": record.id, "default": False, "state": "available", "cidrBlockAssociations": []}


def get_subnet(args: Props, simulator: Simulator) -> Props:
    """One subnet that a program made."""
    record = _one(SUBNET, args, simulator, "Subnet")
    return {**record.properties, "id": record.id, "defaultForAz": False, "state": "available"}


def get_subnets(args: Props, simulator: Simulator) -> Props:
    """The ids of all subnets that match."""
    region = region_of(args, simulator)
    return {"id": region, "ids": [each.id for each in _existing(SUBNET, args, simulator)], "region": region}


ANSWERS: dict[str, Answer] = {
    "aws:ec2/getVpc:getVpc": get_vpc,
    "aws:ec2/getSubnet:getSubnet": get_subnet,
    "aws:ec2/getSubnets:getSubnets": get_subnets,
}
