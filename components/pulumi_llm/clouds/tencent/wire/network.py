"""Tencent Cloud's wire: VPCs, subnets, security groups and addresses."""

from __future__ import annotations

import zlib

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._rehearsal.calls import WireCall, WireError
from pulumi_llm._simcloud.store import Record

from ..simulated.common import EIP, EIP_ASSOCIATION, GROUP, INSTANCE, RULE_SET, SUBNET, VPC
from .protocol import ACTIONS, TencentFace, chosen, created, page, tag_rows, tags

NOT_FOUND = "ResourceNotFound"
NO_ADDRESS = "InvalidAddressId.NotFound"


@ACTIONS.on("vpc:CreateVpc")
def _create_vpc(face: TencentFace, call: WireCall) -> Props:
    given = call.parameters
    inputs = {"name": given.get("VpcName"), "cidrBlock": given.get("CidrBlock"), "tags": tags(call)}
    multicast = str(given.get("EnableMulticast", "true")).lower() == "true"
    return {"Vpc": _vpc(face.create(call, VPC, {**inputs, "isMulticast": multicast}))}


def _vpc(record: Record) -> Props:
    return {
        "VpcId": record.id,
        "VpcName": record.get("name"),
        "CidrBlock": record.get("cidrBlock"),
        "IsDefault": False,
        "EnableMulticast": bool(record.get("isMulticast")),
        "CreatedTime": created(record),
        "DnsServerSet": ["183.60.83.19", "183.60.82.98"],
        "DomainName": "",
        "DhcpOptionsId": "",
        "EnableDhcp": True,
        "Ipv6CidrBlock": "",
        "AssistantCidrSet": [],
        "TagSet": tag_rows(record),
    }


@ACTIONS.on("vpc:DescribeVpcs")
def _vpcs(face: TencentFace, call: WireCall) -> Props:
    rows = [_vpc(each) for each in face.store.list(VPC, region=call.region)]
    return page(call, "VpcSet", chosen(call, rows, "VpcIds", "VpcId", "vpc-id"))


@ACTIONS.on("vpc:ModifyVpcAttribute")
def _modify_vpc(face: TencentFace, call: WireCall) -> Props:
    record = face.need(call, VPC, call.parameters.get("VpcId"), NOT_FOUND)
    face.note(record, **call.given(VpcName="name"))
    return {}


@ACTIONS.on("vpc:DeleteVpc")
def _delete_vpc(face: TencentFace, call: WireCall) -> Props:
    face.delete(call, face.need(call, VPC, call.parameters.get("VpcId"), NOT_FOUND))
    return {}


@ACTIONS.on("vpc:DescribeRouteTables")
def _tables(face: TencentFace, call: WireCall) -> Props:
    rows: list[Props] = []
    for vpc in face.store.list(VPC, region=call.region):
        subnets = face.store.list(SUBNET, region=call.region, vpcId=vpc.id)
        held = [{"SubnetId": each.id, "RouteTableId": vpc.get("defaultRouteTableId")} for each in subnets]
        table = {"VpcId": vpc.id, "RouteTableId": vpc.get("defaultRouteTableId"), "RouteTableName": "default"}
        rows.append({**table, "Main": True, "AssociationSet": held, "RouteSet": [], "CreatedTime": "", "TagSet": []})
    rows = chosen(call, rows, "RouteTableIds", "RouteTableId", "route-table-id")
    return page(call, "RouteTableSet", chosen(call, rows, "", "VpcId", "vpc-id"))


@ACTIONS.on("vpc:CreateSubnet")
def _create_subnet(face: TencentFace, call: WireCall) -> Props:
    given = call.parameters
    inputs = {"name": given.get("SubnetName"), "vpcId": given.get("VpcId"), "cidrBlock": given.get("CidrBlock")}
    made = face.create(call, SUBNET, {**inputs, "availabilityZone": given.get("Zone"), "tags": tags(call)})
    return {"Subnet": _subnet(face, made)}


def _subnet(face: TencentFace, record: Record) -> Props:
    vpc = face.store.get(VPC, str(record.get("vpcId")), record.region)
    used = len(face.store.list(INSTANCE, region=record.region, subnetId=record.id))
    return {
        "SubnetId": record.id,
        "SubnetName": record.get("name"),
        "VpcId": record.get("vpcId"),
        "CidrBlock": record.get("cidrBlock"),
        "Zone": record.get("availabilityZone"),
        "RouteTableId": vpc.get("defaultRouteTableId") if vpc else "",
        "IsDefault": False,
        "EnableBroadcast": bool(record.get("isMulticast")),
        "AvailableIpAddressCount": record.get("availableIpCount", 0) - used,
        "CreatedTime": created(record),
        "NetworkAclId": "",
        "CdcId": "",
        "TagSet": tag_rows(record),
    }


@ACTIONS.on("vpc:DescribeSubnets")
def _subnets(face: TencentFace, call: WireCall) -> Props:
    rows = [_subnet(face, each) for each in face.store.list(SUBNET, region=call.region)]
    rows = chosen(call, rows, "SubnetIds", "SubnetId", "subnet-id")
    return page(call, "SubnetSet", chosen(call, rows, "", "VpcId", "vpc-id"))


@ACTIONS.on("vpc:DescribeUsedIpAddress")
def _used(face: TencentFace, call: WireCall) -> Props:
    wanted, given = call.parameters.get("IpAddresses") or (), call.parameters
    machines = face.store.list(INSTANCE, region=call.region, vpcId=given.get("VpcId"))
    rows = [
        {
            "VpcId": each.get("vpcId"),
            "SubnetId": each.get("subnetId"),
            "IpAddress": each.get("privateIp"),
            "ResourceId": each.id,
        }
        for each in machines
        if each.get("privateIp") in wanted or not wanted
    ]
    return page(call, "IpAddressStates", rows)


@ACTIONS.on("vpc:ModifySubnetAttribute")
def _modify_subnet(face: TencentFace, call: WireCall) -> Props:
    record, given = face.need(call, SUBNET, call.parameters.get("SubnetId"), NOT_FOUND), call.parameters
    names: Props = {"name": given["SubnetName"]} if "SubnetName" in given else {}
    if "EnableBroadcast" in given:
        names["isMulticast"] = str(given["EnableBroadcast"]).lower() == "true"
    face.note(record, **names)
    return {}


@ACTIONS.on("vpc:DeleteSubnet")
def _delete_subnet(face: TencentFace, call: WireCall) -> Props:
    face.delete(call, face.need(call, SUBNET, call.parameters.get("SubnetId"), NOT_FOUND))
    return {}


@ACTIONS.on("vpc:AllocateAddresses", "cvm:AllocateAddresses")
def _allocate(face: TencentFace, call: WireCall) -> Props:
    given = call.parameters
    if given.get("AddressCount", 1) != 1:
        raise WireError("AddressQuotaLimitExceeded.DailyAllocate", "One address at a time is allocated here.")
    inputs = {"name": given.get("AddressName"), "type": given.get("AddressType"), "tags": tags(call)}
    inputs |= {"internetChargeType": given.get("InternetChargeType")}
    made = face.create(call, EIP, {**inputs, "internetMaxBandwidthOut": given.get("InternetMaxBandwidthOut")})
    return {"AddressSet": [made.id], "TaskId": str(zlib.crc32(made.id.encode()))}


@ACTIONS.on("vpc:DescribeTaskResult", "vpc:DescribeVpcTaskResult")
def _task(face: TencentFace, call: WireCall) -> Props:
    return {"TaskId": call.parameters.get("TaskId"), "Result": "SUCCESS", "Status": "SUCCESS"}


@ACTIONS.on("vpc:DescribeBandwidthPackages")
def _packages(face: TencentFace, call: WireCall) -> Props:
    return {"TotalCount": 0, "BandwidthPackageSet": []}  # no address of ours is in one


@ACTIONS.on("vpc:DescribeAddresses", "cvm:DescribeAddresses")
def _addresses(face: TencentFace, call: WireCall) -> Props:
    rows = []
    for each in face.store.list(EIP, region=call.region):
        held = next(iter(face.store.list(EIP_ASSOCIATION, region=call.region, eipId=each.id)), None)
        machine = face.store.get(INSTANCE, str(held.get("instanceId")), call.region) if held else None
        rows.append(
            {
                "AddressId": each.id,
                "AddressIp": each.get("publicIp"),
                "AddressName": each.get("name"),
                "AddressStatus": "BIND" if held else "UNBIND",
                "AddressType": each.get("type") or "EIP",
                "InstanceId": held.get("instanceId") if held else None,
                "PrivateAddressIp": machine.get("privateIp") if machine else None,
                "NetworkInterfaceId": None,
                "Bandwidth": each.get("internetMaxBandwidthOut"),
                "InternetChargeType": each.get("internetChargeType"),
                "IsBlocked": False,
                "CascadeRelease": False,
                "TagSet": tag_rows(each),
            }
        )
    return page(call, "AddressSet", chosen(call, rows, "AddressIds", "AddressId", "address-id"))


@ACTIONS.on("vpc:ModifyAddressAttribute")
def _modify_address(face: TencentFace, call: WireCall) -> Props:
    record = face.need(call, EIP, call.parameters.get("AddressId"), NO_ADDRESS)
    face.note(record, **call.given(AddressName="name"))
    return {}


@ACTIONS.on("vpc:ModifyAddressesBandwidth")
def _bandwidth(face: TencentFace, call: WireCall) -> Props:
    for id_ in call.parameters.get("AddressIds") or ():
        record = face.need(call, EIP, id_, NO_ADDRESS)
        face.change(call, record, {"internetMaxBandwidthOut": call.parameters.get("InternetMaxBandwidthOut")})
    return {"TaskId": "1"}


@ACTIONS.on("vpc:AssociateAddress", "cvm:AssociateAddress")
def _associate(face: TencentFace, call: WireCall) -> Props:
    given = call.parameters
    face.create(call, EIP_ASSOCIATION, {"eipId": given.get("AddressId"), "instanceId": given.get("InstanceId")})
    return {"TaskId": "1"}


@ACTIONS.on("vpc:DisassociateAddress", "cvm:DisassociateAddress")
def _disassociate(face: TencentFace, call: WireCall) -> Props:
    record = face.need(call, EIP, call.parameters.get("AddressId"), NO_ADDRESS)
    held = face.store.list(EIP_ASSOCIATION, region=call.region, eipId=record.id)
    if not held:
        message = f"The status of EIP `{record.id}` does not permit this operation."
        raise WireError("InvalidAddressIdStatus.NotPermit", message)
    face.delete(call, held[0])
    return {"TaskId": "1"}


@ACTIONS.on("vpc:ReleaseAddresses", "cvm:ReleaseAddresses")
def _release(face: TencentFace, call: WireCall) -> Props:
    for id_ in call.parameters.get("AddressIds") or ():
        face.delete(call, face.need(call, EIP, id_, NO_ADDRESS))
    return {"TaskId": "1"}


@ACTIONS.on("vpc:CreateSecurityGroup")
def _create_group(face: TencentFace, call: WireCall) -> Props:
    given = call.parameters
    inputs = {"name": given.get("GroupName"), "description": given.get("GroupDescription"), "tags": tags(call)}
    return {"SecurityGroup": _group(face.create(call, GROUP, inputs))}


def _group(record: Record) -> Props:
    return {
        "SecurityGroupId": record.id,
        "SecurityGroupName": record.get("name"),
        "SecurityGroupDesc": record.get("description", ""),
        "ProjectId": "0",
        "IsDefault": False,
        "CreatedTime": created(record),
        "TagSet": tag_rows(record),
    }


@ACTIONS.on("vpc:DescribeSecurityGroups")
def _groups(face: TencentFace, call: WireCall) -> Props:
    rows = [_group(each) for each in face.store.list(GROUP, region=call.region)]
    return page(
        call, "SecurityGroupSet", chosen(call, rows, "SecurityGroupIds", "SecurityGroupId", "security-group-id")
    )


@ACTIONS.on("vpc:DescribeSecurityGroupAssociationStatistics")
def _members(face: TencentFace, call: WireCall) -> Props:
    rows = []
    for id_ in call.parameters.get("SecurityGroupIds") or ():
        machines = [
            each
            for each in face.store.list(INSTANCE, region=call.region)
            if id_ in (each.get("orderlySecurityGroups") or ())
        ]
        count = {"SecurityGroupId": id_, "CVM": len(machines), "CDB": 0, "ENI": 0, "SG": 0, "CLB": 0}
        rows.append({**count, "InstanceStatistics": [], "TotalCount": len(machines)})
    return {"SecurityGroupAssociationStatisticsSet": rows}


@ACTIONS.on("vpc:ModifySecurityGroupAttribute")
def _modify_group(face: TencentFace, call: WireCall) -> Props:
    record = face.need(call, GROUP, call.parameters.get("SecurityGroupId"), NOT_FOUND)
    face.note(record, **call.given(GroupName="name", GroupDescription="description"))
    return {}


@ACTIONS.on("vpc:DeleteSecurityGroup")
def _delete_group(face: TencentFace, call: WireCall) -> Props:
    record = face.need(call, GROUP, call.parameters.get("SecurityGroupId"), NOT_FOUND)
    face.delete(call, record)
    for each in face.store.list(RULE_SET, region=call.region, securityGroupId=record.id):
        face.store.remove(each)  # a group's rules go with it
    return {}


RULE = {
    "Action": "action",
    "Protocol": "protocol",
    "Port": "port",
    "CidrBlock": "cidrBlock",
    "Ipv6CidrBlock": "ipv6CidrBlock",
    "SecurityGroupId": "sourceSecurityId",
    "PolicyDescription": "description",
}
"""The fields of a security group's rule, and what the provider's resource calls them."""


def _rules(policies: Props, way: str) -> list[Props]:
    rows = policies.get(way) or ()
    return [{ours: row[name] for name, ours in RULE.items() if row.get(name)} for row in rows]


@ACTIONS.on("vpc:ModifySecurityGroupPolicies")
def _policies(face: TencentFace, call: WireCall) -> Props:
    group = face.need(call, GROUP, call.parameters.get("SecurityGroupId"), NOT_FOUND)
    given = call.parameters.get("SecurityGroupPolicySet") or {}
    rules = {"ingresses": _rules(given, "Ingress"), "egresses": _rules(given, "Egress")}
    before = face.store.get(RULE_SET, group.id, call.region)
    if before:
        face.change(call, before, rules)
    elif any(rules.values()):
        face.create(call, RULE_SET, {"securityGroupId": group.id, **rules})
    return {}


@ACTIONS.on("vpc:DescribeSecurityGroupPolicies")
def _read_policies(face: TencentFace, call: WireCall) -> Props:
    group = face.need(call, GROUP, call.parameters.get("SecurityGroupId"), NOT_FOUND)
    record = face.store.get(RULE_SET, group.id, call.region)
    shown: Props = {"Version": str(record.get("version", "0")) if record else "0"}
    for way, ours in (("Ingress", "ingresses"), ("Egress", "egresses")):
        rules = (record.get(ours) if record else None) or ()
        shown[way] = [
            {"PolicyIndex": at, "ModifyTime": "", **{name: rule.get(key, "") for name, key in RULE.items()}}
            for at, rule in enumerate(rules)
        ]
    return {"SecurityGroupPolicySet": shown}
