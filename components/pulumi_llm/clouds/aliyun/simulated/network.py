"""Aliyun: rules for VPCs, vSwitches and security groups."""

from __future__ import annotations

import ipaddress
import re

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._simcloud.rules.base import Call, CloudError, inside, overlap
from pulumi_llm._simcloud.store import Record

from .common import GROUP, GROUP_RULE, INSTANCE, RULES, SWITCH, VPC, error, need


@RULES.on_create(VPC)
def _vpc(call: Call) -> Props:
    cidr = call.inputs.get("cidrBlock")
    if cidr:
        _cidr(call, "CreateVpc", cidr)
    outputs = {"cidrBlock": cidr or "172.16.0.0/12"}
    return outputs | ({"name": call.inputs["vpcName"]} if call.inputs.get("vpcName") else {})


def _cidr(call: Call, operation: str, cidr: str) -> None:
    try:
        ipaddress.ip_network(cidr)
    except ValueError:
        raise error(call, operation, "InvalidCidrBlock", "Specified CIDR block is not valid.") from None


@RULES.on_create(SWITCH)
def _switch(call: Call) -> Props:
    given, operation = call.inputs, "CreateVSwitch"
    message = "Specified VPC does not exist."
    vpc = need(call, VPC, given.get("vpcId"), operation, "InvalidVpcId.NotFound", message)
    zone = given.get("zoneId") or given.get("availabilityZone")
    if zone not in call.offers.regions.get(call.region, ()):
        message = f'Specified value of "ZoneId" is not exists. ({zone})'
        raise error(call, operation, "InvalidZoneId.NotFound", message, 404)
    cidr = given.get("cidrBlock")
    if cidr:
        _cidr(call, operation, cidr)
        if not inside(cidr, vpc.get("cidrBlock")):
            message = f"Specified CIDR block is not valid: {cidr} is not in {vpc.get('cidrBlock')}."
            raise error(call, operation, "InvalidCidrBlock.Malformed", message)
        for other in call.list(SWITCH, vpcId=vpc.id):
            if overlap(cidr, other.get("cidrBlock")):
                message = f"Specified CIDR block overlapped with other subnets. ({other.id} {other.get('cidrBlock')})"
                raise error(call, operation, "InvalidCidrBlock.Overlapped", message)
    return {"zoneId": zone, "availabilityZone": zone}


@RULES.on_delete(VPC)
def _delete_vpc(call: Call, record: Record) -> None:
    for type_, what in ((SWITCH, "VSwitch"), (GROUP, "SecurityGroup")):
        if call.list(type_, vpcId=record.id):
            message = "Specified object has dependent resources."
            raise error(call, "DeleteVpc", f"DependencyViolation.{what}", message)


@RULES.on_delete(SWITCH)
def _delete_switch(call: Call, record: Record) -> None:
    if call.list(INSTANCE, vswitchId=record.id):
        message = "Specified object has dependent resources."
        raise error(call, "DeleteVSwitch", "DependencyViolation", message)


@RULES.on_create(GROUP)
def _group(call: Call) -> Props:
    if vpc := call.inputs.get("vpcId"):
        need(call, VPC, vpc, "CreateSecurityGroup", "InvalidVpcId.NotFound", "Specified VPC does not exist.")
    return {}


@RULES.on_delete(GROUP)
def _delete_group(call: Call, record: Record) -> None:
    if any(record.id in (each.get("securityGroups") or ()) for each in call.list(INSTANCE)):
        message = "There is still instance(s) in the specified security group."
        raise error(call, "DeleteSecurityGroup", "DependencyViolation", message, 403)
    if call.list(GROUP_RULE, sourceSecurityGroupId=record.id):
        message = "There is still security group(s) that authorize the specified security group."
        raise error(call, "DeleteSecurityGroup", "DependencyViolation", message, 403)


@RULES.on_create(GROUP_RULE)
def _group_rule(call: Call) -> Props:
    given = call.inputs
    operation = "AuthorizeSecurityGroup" if given["type"] == "ingress" else "AuthorizeSecurityGroupEgress"
    protocol, ports = given["ipProtocol"], given.get("portRange", "-1/-1")
    if protocol in ("tcp", "udp"):
        low, high = _ports(ports)
        if not 1 <= low <= high <= 65535:
            raise CloudError("'tcp' and 'udp' can support port range: [1, 65535]. Please correct it and try again.")
    elif ports != "-1/-1":
        raise CloudError("'icmp', 'gre' and 'all' only support port range '-1/-1'. Please correct it and try again.")
    message = "The specified SecurityGroupId does not exist."
    group = need(call, GROUP, given["securityGroupId"], operation, "InvalidSecurityGroupId.NotFound", message)
    if other := given.get("sourceSecurityGroupId"):
        message = "The specified SourceSecurityGroupId does not exist."
        need(call, GROUP, other, operation, "InvalidSourceGroupId.NotFound", message)
    if group.get("vpcId") and given.get("nicType") == "internet":
        message = "The specified NicType is not valid for a security group of a VPC."
        raise error(call, operation, "InvalidNicType.Mismatch", message, 403)
    for cidr in filter(None, (given.get("cidrIp"), given.get("ipv6CidrIp"))):
        try:
            ipaddress.ip_network(cidr, strict=False)
        except ValueError:
            message = "The specified parameter is invalid."
            name = "InvalidSourceCidrIp" if given["type"] == "ingress" else "InvalidDestCidrIp"
            raise error(call, operation, f"{name}.Malformed", message) from None
    return {}


def _ports(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(-?\d+)/(-?\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)
