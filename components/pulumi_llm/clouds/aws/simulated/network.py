"""AWS: rules for VPCs, subnets, gateways, routes and security groups."""

from __future__ import annotations

import re

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._simcloud.rules.base import Call, CloudError, inside, overlap
from pulumi_llm._simcloud.store import Record

from .common import (
    ASSOCIATION,
    EGRESS,
    EIP_ASSOCIATION,
    GATEWAY,
    GROUP,
    INGRESS,
    INSTANCE,
    ROUTE,
    RULES,
    SUBNET,
    TABLE,
    VPC,
    ec2,
    need,
)


@RULES.on_create(SUBNET)
def _subnet(call: Call) -> Props:
    doing, operation = "creating EC2 Subnet", "CreateSubnet"
    vpc = need(
        call, VPC, call.inputs["vpcId"], doing, operation, "InvalidVpcID.NotFound", "The vpc ID '{id}' does not exist"
    )
    cidr, zones = call.inputs.get("cidrBlock"), call.offers.regions.get(call.region, ())
    if cidr:
        if not inside(cidr, vpc.get("cidrBlock")):
            raise ec2(doing, operation, "InvalidSubnet.Range", f"The CIDR '{cidr}' is invalid.")
        for other in call.list(SUBNET, vpcId=vpc.id):
            if overlap(cidr, other.get("cidrBlock")):
                message = f"The CIDR '{cidr}' conflicts with another subnet"
                raise ec2(doing, operation, "InvalidSubnet.Conflict", message)
    zone = call.inputs.get("availabilityZone") or (zones[0] if zones else f"{call.region}a")
    if zone not in zones:
        message = (
            f"Value ({zone}) for parameter availabilityZone is invalid. Subnets can currently only be created in "
            f"the following availability zones: {', '.join(zones)}."
        )
        raise ec2(doing, operation, "InvalidParameterValue", message)
    return {"availabilityZone": zone, "availabilityZoneId": zone_id(zone)}


def zone_id(zone: str) -> str:
    """``us-east-1a`` as the id that is the same in every account: ``use1-az1``."""
    *area, direction, number = zone[:-1].split("-")
    short = re.sub(r"(north|south|east|west|central)", lambda word: word[1][0], direction)
    return f"{''.join(area)}{short}{number}-az{ord(zone[-1]) - ord('a') + 1}"


@RULES.on_delete(VPC)
def _delete_vpc(call: Call, record: Record) -> None:
    groups = [each for each in call.list(GROUP) if each.get("vpcId") == record.id]
    if groups or call.list(SUBNET, GATEWAY, TABLE, vpcId=record.id):
        message = f"The vpc '{record.id}' has dependencies and cannot be deleted."
        raise ec2(f"deleting EC2 VPC ({record.id})", "DeleteVpc", "DependencyViolation", message)


@RULES.on_delete(SUBNET)
def _delete_subnet(call: Call, record: Record) -> None:
    if call.list(INSTANCE, subnetId=record.id):
        message = f"The subnet '{record.id}' has dependencies and cannot be deleted."
        raise ec2(f"deleting EC2 Subnet ({record.id})", "DeleteSubnet", "DependencyViolation", message)


@RULES.on_create(GATEWAY)
def _gateway(call: Call) -> Props:
    if vpc := call.inputs.get("vpcId"):
        doing, operation = "attaching EC2 Internet Gateway", "AttachInternetGateway"
        need(call, VPC, vpc, doing, operation, "InvalidVpcID.NotFound", "The vpc ID '{id}' does not exist")
        if call.list(GATEWAY, vpcId=vpc):
            message = f"resource {call.id} is already attached to network {vpc}"
            raise ec2(doing, operation, "Resource.AlreadyAssociated", message)
    return {}


@RULES.on_delete(GATEWAY)
def _delete_gateway(call: Call, record: Record) -> None:
    vpc = record.get("vpcId")
    subnets = {each.id for each in call.list(SUBNET, vpcId=vpc)}
    bound = {each.get("instanceId") for each in call.list(EIP_ASSOCIATION)}
    for instance in call.list(INSTANCE):
        if instance.get("subnetId") in subnets and (instance.get("publicIp") or instance.id in bound):
            message = (
                f"Network {vpc} has some mapped public address(es). Please unmap those public address(es) before "
                "detaching the gateway."
            )
            doing = f"detaching EC2 Internet Gateway ({record.id})"
            raise ec2(doing, "DetachInternetGateway", "DependencyViolation", message)


@RULES.on_create(TABLE)
def _table(call: Call) -> Props:
    doing, vpc = "creating EC2 Route Table", call.inputs["vpcId"]
    message = "The vpc ID '{id}' does not exist"
    need(call, VPC, vpc, doing, "CreateRouteTable", "InvalidVpcID.NotFound", message)
    return {}


@RULES.on_create(ROUTE)
def _route(call: Call) -> Props:
    destination = call.inputs.get("destinationCidrBlock") or call.inputs.get("destinationIpv6CidrBlock")
    table_id = call.inputs["routeTableId"]
    doing, operation = f"creating Route in Route Table ({table_id}) with destination ({destination})", "CreateRoute"
    code, message = "InvalidRouteTableID.NotFound", "The routeTable ID '{id}' does not exist"
    found = need(call, TABLE, table_id, doing, operation, code, message)
    if gateway := call.inputs.get("gatewayId"):
        code, message = "InvalidGatewayID.NotFound", "The gateway ID '{id}' does not exist"
        other = need(call, GATEWAY, gateway, doing, operation, code, message)
        if other.get("vpcId") != found.get("vpcId"):
            message = f"route table {table_id} and network gateway {gateway} belong to different networks"
            raise ec2(doing, operation, "InvalidParameterValue", message)
    for each in call.list(ROUTE, routeTableId=table_id):
        if destination in (each.get("destinationCidrBlock"), each.get("destinationIpv6CidrBlock")):
            message = f"The route identified by {destination} already exists."
            raise ec2(doing, operation, "RouteAlreadyExists", message)
    return {}


@RULES.on_create(ASSOCIATION)
def _table_association(call: Call) -> Props:
    doing, operation = "creating EC2 Route Table Association", "AssociateRouteTable"
    table_id, subnet = call.inputs["routeTableId"], call.inputs.get("subnetId")
    code, message = "InvalidRouteTableID.NotFound", "The routeTable ID '{id}' does not exist"
    found = need(call, TABLE, table_id, doing, operation, code, message)
    if subnet:
        code, message = "InvalidSubnetID.NotFound", "The subnet ID '{id}' does not exist"
        other = need(call, SUBNET, subnet, doing, operation, code, message)
        if other.get("vpcId") != found.get("vpcId"):
            message = f"Route table {table_id} and subnet {subnet} belong to different networks"
            raise ec2(doing, operation, "InvalidParameterValue", message)
        if call.list(ASSOCIATION, subnetId=subnet):
            message = f"the specified association for route table {table_id} conflicts with an existing association"
            raise ec2(doing, operation, "Resource.AlreadyAssociated", message)
    return {}


@RULES.on_delete(TABLE)
def _delete_table(call: Call, record: Record) -> None:
    if call.list(ASSOCIATION, routeTableId=record.id):
        message = f"The routeTable '{record.id}' has dependencies and cannot be deleted."
        doing = f"deleting EC2 Route Table ({record.id})"
        raise ec2(doing, "DeleteRouteTable", "DependencyViolation", message)


@RULES.on_create(GROUP)
def _group(call: Call) -> Props:
    name, vpc = call.inputs.get("name"), call.inputs.get("vpcId")
    doing, operation = f"creating Security Group ({name})", "CreateSecurityGroup"
    if vpc:
        need(call, VPC, vpc, doing, operation, "InvalidVpcID.NotFound", "The vpc ID '{id}' does not exist")
        if call.list(GROUP, name=name, vpcId=vpc):
            message = f"The security group '{name}' already exists for VPC '{vpc}'"
            raise ec2(doing, operation, "InvalidGroup.Duplicate", message)
    for rule in [*call.inputs.get("ingress", ()), *call.inputs.get("egress", ())]:
        if rule.get("protocol") in ("-1", "all") and (rule["fromPort"] or rule["toPort"]):
            ports = f"from_port ({rule['fromPort']}) and to_port ({rule['toPort']})"
            raise CloudError(f"{ports} must both be 0 to use the 'ALL' \"-1\" protocol!")
    return {}


@RULES.on_delete(GROUP)
def _delete_group(call: Call, record: Record) -> None:
    used = any(record.id in (each.get("vpcSecurityGroupIds") or ()) for each in call.list(INSTANCE))
    if used or call.list(INGRESS, EGRESS, referencedSecurityGroupId=record.id):
        doing = f"deleting Security Group ({record.id})"
        message = f"resource {record.id} has a dependent object"
        raise ec2(doing, "DeleteSecurityGroup", "DependencyViolation", message)


@RULES.on_create(INGRESS, EGRESS)
def _group_rule(call: Call) -> Props:
    way = "Ingress" if call.token == INGRESS else "Egress"
    doing = f"creating VPC Security Group {way} Rule"
    operation = f"AuthorizeSecurityGroup{way}"
    given, group = call.inputs, call.inputs["securityGroupId"]
    code, message = "InvalidGroup.NotFound", "The security group '{id}' does not exist"
    need(call, GROUP, group, doing, operation, code, message)
    protocol, low, high = str(given["ipProtocol"]), given.get("fromPort"), given.get("toPort")
    if protocol in ("tcp", "udp", "6", "17") and (low is None or high is None or low > high):
        message = f"Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange. ({low}, {high})"
        raise ec2(doing, operation, "InvalidParameterValue", message)
    if (other := given.get("referencedSecurityGroupId")) and call.find(GROUP, other) is None:
        raise ec2(doing, operation, code, f"The security group '{other}' does not exist")
    keys = ("ipProtocol", "fromPort", "toPort", "cidrIpv4", "cidrIpv6", "prefixListId", "referencedSecurityGroupId")
    for each in call.list(call.token, securityGroupId=group):
        if all(each.get(key) == given.get(key) for key in keys):
            peer = given.get("cidrIpv4") or given.get("cidrIpv6") or other or given.get("prefixListId")
            ports = "" if low is None else f", from port: {low}, to port: {high}"
            message = f'the specified rule "peer: {peer}, {protocol.upper()}{ports}, ALLOW" already exists'
            raise ec2(doing, operation, "InvalidPermission.Duplicate", message)
    return {}
