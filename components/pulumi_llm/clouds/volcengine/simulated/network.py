"""Volcengine: rules for VPCs, subnets, security groups and their rules, and addresses."""

from __future__ import annotations

import ipaddress

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._simcloud.rules.base import Call, CloudError, inside, overlap
from pulumi_llm._simcloud.store import Record

from .common import EIP, EIP_ASSOCIATION, GROUP, GROUP_RULE, INSTANCE, RULES, SUBNET, VPC, error, need

PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
ANY_PORT = -1


@RULES.on_create(VPC)
def _vpc(call: Call) -> Props:
    cidr = str(call.inputs["cidrBlock"])
    if not any(inside(cidr, each) for each in PRIVATE):
        message = f"The specified CidrBlock {cidr} is not valid."
        raise error(call, "creating", "InvalidCidrBlock.Malformed", message)
    return {}


@RULES.on_create(SUBNET)
def _subnet(call: Call) -> Props:
    given = call.inputs
    vpc = need(call, VPC, given["vpcId"], "InvalidVpc.NotFound", "The specified VPC does not exist.")
    if given["zoneId"] not in call.offers.regions.get(call.region, ()):
        message = f"The specified zone {given['zoneId']} does not exist."
        raise error(call, "creating", "InvalidZone.NotFound", message, 404)
    cidr = str(given["cidrBlock"])
    if not inside(cidr, vpc.get("cidrBlock")):
        message = f"The specified CidrBlock {cidr} is not in the range of the VPC."
        raise error(call, "creating", "InvalidCidrBlock.NotInVpc", message)
    for other in call.list(SUBNET, vpcId=vpc.id):
        if overlap(cidr, other.get("cidrBlock")):
            message = f"The specified CidrBlock {cidr} overlaps with that of {other.id}."
            raise error(call, "creating", "InvalidCidrBlock.Conflict", message)
    return {}


@RULES.on_delete(VPC)
def _delete_vpc(call: Call, record: Record) -> None:
    if call.list(SUBNET, vpcId=record.id) or call.list(GROUP, vpcId=record.id):
        message = "The VPC still has subnets or security groups."
        raise error(call, "deleting", "InvalidVpc.InUse", message, 409)


@RULES.on_delete(SUBNET)
def _delete_subnet(call: Call, record: Record) -> None:
    if call.list(INSTANCE, subnetId=record.id):
        message = "The subnet still has network interfaces."
        raise error(call, "deleting", "InvalidSubnet.InUse", message, 409)


@RULES.on_create(GROUP)
def _group(call: Call) -> Props:
    need(call, VPC, call.inputs["vpcId"], "InvalidVpc.NotFound", "The specified VPC does not exist.")
    return {}


@RULES.on_delete(GROUP)
def _delete_group(call: Call, record: Record) -> None:
    if any(record.id in (each.get("securityGroupIds") or ()) for each in call.list(INSTANCE)):
        message = "The security group is still in use by network interfaces."
        raise error(call, "deleting", "InvalidSecurityGroup.InUse", message, 409)


@RULES.on_create(GROUP_RULE)
def _group_rule(call: Call) -> Props:
    given = call.inputs
    low, high = int(given["portStart"]), int(given["portEnd"])
    if given["protocol"] in ("tcp", "udp"):
        if not 1 <= low <= high <= 65535:
            raise error(
                call, "creating", "InvalidPort.Malformed", f"The specified ports {low} to {high} are not valid."
            )
    elif (low, high) != (ANY_PORT, ANY_PORT):
        message = f"The specified protocol {given['protocol']} takes no ports but -1."
        raise error(call, "creating", "InvalidPort.Malformed", message)
    message = "The specified security group does not exist."
    need(call, GROUP, given["securityGroupId"], "InvalidSecurityGroup.NotFound", message)
    if not given.get("cidrIp") and not given.get("sourceGroupId"):
        message = "One of CidrIp and SourceGroupId must be specified."
        raise error(call, "creating", "MissingParameter.CidrIp", message)
    if cidr := given.get("cidrIp"):
        try:
            ipaddress.ip_network(cidr, strict=False)
        except ValueError:
            message = f"The specified CidrIp {cidr} is not valid."
            raise error(call, "creating", "InvalidCidrIp.Malformed", message) from None
    same = {
        key: given.get(key) for key in ("securityGroupId", "direction", "protocol", "portStart", "portEnd", "cidrIp")
    }
    if call.list(GROUP_RULE, **same):
        message = "The same rule exists already."
        raise error(call, "creating", "InvalidSecurityRule.Conflict", message, 409)
    return {}


@RULES.on_create(EIP)
def _eip(call: Call) -> Props:
    bandwidth = int(call.inputs.get("bandwidth") or 1)
    most = 200 if call.inputs["billingType"] == "PostPaidByTraffic" else 500
    if not 1 <= bandwidth <= most:
        message = f"The specified Bandwidth {bandwidth} is not between 1 and {most}."
        raise error(call, "creating", "InvalidBandwidth.Malformed", message)
    address = None if call.faults.over_quota("eip") else call.store.public_address(call.token, call.id)
    if address is None:
        raise error(call, "creating", "QuotaExceeded.Eip", "The quota of EIP addresses is exceeded.", 403)
    return {"eipAddress": address}


@RULES.on_delete(EIP)
def _delete_eip(call: Call, record: Record) -> None:
    if call.list(EIP_ASSOCIATION, allocationId=record.id):
        message = "The EIP is still associated with an instance."
        raise error(call, "deleting", "InvalidEip.InvalidStatus", message, 409)


@RULES.on_create(EIP_ASSOCIATION)
def _eip_association(call: Call) -> Props:
    given = call.inputs
    need(call, EIP, given["allocationId"], "InvalidEip.NotFound", "The specified EIP does not exist.")
    if given["instanceType"] != "EcsInstance":
        raise CloudError(
            f"the simulated volcengine cloud associates addresses with ECS alone, not {given['instanceType']}"
        )
    message = "The specified instance does not exist."
    machine = need(call, INSTANCE, given["instanceId"], "InvalidInstance.NotFound", message)
    if call.list(EIP_ASSOCIATION, allocationId=given["allocationId"]):
        message = "The EIP is associated already."
        raise error(call, "creating", "InvalidEip.InvalidStatus", message, 409)
    if call.list(EIP_ASSOCIATION, instanceId=given["instanceId"]):
        message = "The instance has an EIP already."
        raise error(call, "creating", "InvalidInstance.AssociateEipLimitExceed", message, 409)
    return {"privateIpAddress": machine.get("primaryIpAddress")}
