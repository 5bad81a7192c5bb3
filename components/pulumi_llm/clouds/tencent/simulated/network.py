"""Tencent Cloud: rules for VPCs, subnets and security groups."""

from __future__ import annotations

import re

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._simcloud.rules.base import Call, CloudError, inside, overlap
from pulumi_llm._simcloud.store import Record

from .common import GROUP, INSTANCE, RULE_SET, RULES, SUBNET, VPC, error, need

PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")


@RULES.on_create(VPC)
def _vpc(call: Call) -> Props:
    cidr = call.inputs["cidrBlock"]
    if not any(inside(cidr, each) for each in PRIVATE) or not 12 <= int(cidr.split("/")[1]) <= 28:
        message = f"The VPC CIDR block {cidr} is not within {', '.join(PRIVATE)}"
        raise error("InvalidParameterValue.Range", message)
    return {}


@RULES.on_create(SUBNET)
def _subnet(call: Call) -> Props:
    given = call.inputs
    message = "The resource `{id}` cannot be found."
    vpc = need(call, VPC, given["vpcId"], "ResourceNotFound", message)
    if given["availabilityZone"] not in call.offers.regions.get(call.region, ()):
        message = f"The specified zone `{given['availabilityZone']}` does not exist."
        raise error("InvalidParameterValue.InvalidZone", message)
    cidr = given["cidrBlock"]
    if not inside(cidr, vpc.get("cidrBlock")):
        message = f"The subnet CIDR block `{cidr}` is not in the VPC CIDR block `{vpc.get('cidrBlock')}`."
        raise error("InvalidParameterValue.SubnetRange", message)
    for other in call.list(SUBNET, vpcId=vpc.id):
        if overlap(cidr, other.get("cidrBlock")):
            message = f"The CIDR block `{cidr}` conflicts with subnet `{other.id}` (`{other.get('cidrBlock')}`)."
            raise error("InvalidParameterValue.SubnetConflict", message)
    addresses = 2 ** (32 - int(cidr.split("/")[1])) - 3
    return {"availableIpCount": addresses}


@RULES.on_delete(VPC)
def _delete_vpc(call: Call, record: Record) -> None:
    if call.list(SUBNET, vpcId=record.id):
        raise error("ResourceInUse", f"The specified resource `{record.id}` is in use.")


@RULES.on_delete(SUBNET)
def _delete_subnet(call: Call, record: Record) -> None:
    if call.list(INSTANCE, subnetId=record.id):
        raise error("ResourceInUse", f"The specified resource `{record.id}` is in use.")


@RULES.on_delete(GROUP)
def _delete_group(call: Call, record: Record) -> None:
    for each in call.list(INSTANCE):
        if record.id in (each.get("orderlySecurityGroups") or each.get("securityGroups") or ()):
            raise error("ResourceInUse", f"The specified resource `{record.id}` is in use.")


PORT = re.compile(r"ALL|\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*", re.IGNORECASE)


@RULES.on_create(RULE_SET)
@RULES.on_update(RULE_SET)
def _rule_set(call: Call) -> Props:
    given = call.inputs
    code, message = "ResourceNotFound", "The security group `{id}` cannot be found."
    need(call, GROUP, given["securityGroupId"], code, message)
    if call.find(RULE_SET, given["securityGroupId"]) and not call.old:
        message = f"The rules of security group `{given['securityGroupId']}` are managed by another rule set."
        raise error("InvalidParameterValue.Duplicate", message)
    for way in ("ingresses", "egresses"):
        for rule in given.get(way) or ():
            _rule(call, rule)
    return {"version": str(int(call.state.get("version", 0)) + 1)}


def _rule(call: Call, rule: Props) -> None:
    protocol, port = str(rule.get("protocol", "ALL")).upper(), str(rule.get("port", "ALL"))
    if protocol not in ("TCP", "UDP", "ICMP", "ICMPV6", "GRE", "ALL"):
        raise error("InvalidParameterValue.Malformed", f"Invalid protocol `{protocol}`.")
    if protocol not in ("TCP", "UDP") and port.upper() != "ALL":
        raise CloudError(f"protocol {protocol} only supports port ALL, got {port}")
    if not PORT.fullmatch(port) or any(int(each) > 65535 for each in re.findall(r"\d+", port)):
        raise error("InvalidParameterValue.Malformed", f"Invalid port `{port}`.")
    sources = ("cidrBlock", "ipv6CidrBlock", "sourceSecurityId", "addressTemplateId", "addressTemplateGroup")
    given = [each for each in sources if rule.get(each)]
    if len(given) != 1:
        message = f"exactly one of {', '.join(sources)} must be given for each rule, got {', '.join(given) or 'none'}"
        raise error("InvalidParameter.Coexist" if given else "MissingParameter", message)
    if other := rule.get("sourceSecurityId"):
        need(call, GROUP, other, "ResourceNotFound", "The security group `{id}` cannot be found.")
