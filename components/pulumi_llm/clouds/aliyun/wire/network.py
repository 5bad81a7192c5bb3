"""Aliyun's wire: VPCs, vSwitches and security groups."""

from __future__ import annotations

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._rehearsal.calls import WireCall
from pulumi_llm._rehearsal.face import status
from pulumi_llm._simcloud.store import Record

from ..simulated.common import GROUP, GROUP_RULE, SWITCH, VPC
from .protocol import ACTIONS, AliyunFace, number, page, tag_rows, tags

NO_VPC = ("InvalidVpcId.NotFound", "Specified VPC does not exist.")
NO_SWITCH = ("InvalidVSwitchId.NotFound", "Specified virtual switch does not exist.")
NO_GROUP = ("InvalidSecurityGroupId.NotFound", "The specified SecurityGroupId does not exist.")


@ACTIONS.on("vpc:CreateVpc")
def _create_vpc(face: AliyunFace, call: WireCall) -> Props:
    given = call.parameters
    inputs = {"vpcName": given.get("VpcName"), "cidrBlock": given.get("CidrBlock"), "tags": tags(call)}
    made = face.create(call, VPC, {**inputs, "description": given.get("Description")}, "Pending", "Available")
    return {
        "VpcId": made.id,
        "VRouterId": made.get("routerId"),
        "RouteTableId": made.get("routeTableId"),
        "ResourceGroupId": "",
    }


def _vpc(face: AliyunFace, record: Record) -> Props:
    switches = [each.id for each in face.store.list(SWITCH, region=record.region, vpcId=record.id)]
    return {
        "VpcId": record.id,
        "VpcName": record.get("vpcName", ""),
        "CidrBlock": record.get("cidrBlock"),
        "Status": status(record, "Available"),
        "Description": record.get("description", ""),
        "RegionId": record.region,
        "CreationTime": record.get("createTime"),
        "IsDefault": False,
        "VRouterId": record.get("routerId"),
        "RouterTableIds": {"RouterTableIds": [record.get("routeTableId")]},
        "VSwitchIds": {"VSwitchId": switches},
        "UserCidrs": {"UserCidr": []},
        "SecondaryCidrBlocks": {"SecondaryCidrBlock": []},
        "ResourceGroupId": "",
        "ClassicLinkEnabled": False,
        "Tags": tag_rows(record),
    }


@ACTIONS.on("vpc:DescribeVpcAttribute")
def _vpc_attribute(face: AliyunFace, call: WireCall) -> Props:
    return _vpc(face, face.need(call, VPC, call.parameters.get("VpcId"), *NO_VPC))


@ACTIONS.on("vpc:DescribeVpcs")
def _vpcs(face: AliyunFace, call: WireCall) -> Props:
    wanted = str(call.parameters.get("VpcId") or "")
    found = [each for each in face.store.list(VPC, region=call.region) if not wanted or each.id in wanted.split(",")]
    return page(call, "Vpcs", "Vpc", [_vpc(face, each) for each in found])


@ACTIONS.on("vpc:DescribeRouteTableList")
def _route_tables(face: AliyunFace, call: WireCall) -> Props:
    rows = []
    for record in face.store.list(VPC, region=call.region):
        if call.parameters.get("VpcId") in (None, record.id):
            table = {"RouteTableId": record.get("routeTableId"), "RouteTableType": "System", "RouteTableName": ""}
            rows.append({**table, "VpcId": record.id, "RouterId": record.get("routerId"), "Status": "Available"})
    body = page(call, "RouterTableList", "RouterTableListType", rows)
    return {**body, "Code": "200", "Message": "success"}


@ACTIONS.on("vpc:ModifyVpcAttribute")
def _modify_vpc(face: AliyunFace, call: WireCall) -> Props:
    record = face.need(call, VPC, call.parameters.get("VpcId"), *NO_VPC)
    face.note(record, **call.given(VpcName="vpcName", Description="description"))
    return {}


@ACTIONS.on("vpc:DeleteVpc")
def _delete_vpc(face: AliyunFace, call: WireCall) -> Props:
    face.delete(call, face.need(call, VPC, call.parameters.get("VpcId"), *NO_VPC))
    return {}


@ACTIONS.on("vpc:CreateVSwitch")
def _create_switch(face: AliyunFace, call: WireCall) -> Props:
    given = call.parameters
    inputs = {"vpcId": given.get("VpcId"), "cidrBlock": given.get("CidrBlock"), "zoneId": given.get("ZoneId")}
    inputs |= {"vswitchName": given.get("VSwitchName"), "description": given.get("Description"), "tags": tags(call)}
    return {"VSwitchId": face.create(call, SWITCH, inputs, "Pending", "Available").id}


@ACTIONS.on("vpc:DescribeVSwitchAttributes")
def _switch_attributes(face: AliyunFace, call: WireCall) -> Props:
    record = face.need(call, SWITCH, call.parameters.get("VSwitchId"), *NO_SWITCH)
    return {
        "VSwitchId": record.id,
        "VSwitchName": record.get("vswitchName", ""),
        "VpcId": record.get("vpcId"),
        "CidrBlock": record.get("cidrBlock"),
        "ZoneId": record.get("zoneId"),
        "Status": status(record, "Available"),
        "Description": record.get("description", ""),
        "CreationTime": record.get("createTime"),
        "IsDefault": False,
        "Tags": tag_rows(record),
    }


@ACTIONS.on("vpc:ModifyVSwitchAttribute")
def _modify_switch(face: AliyunFace, call: WireCall) -> Props:
    record = face.need(call, SWITCH, call.parameters.get("VSwitchId"), *NO_SWITCH)
    face.note(record, **call.given(VSwitchName="vswitchName", Description="description"))
    return {}


@ACTIONS.on("vpc:DeleteVSwitch")
def _delete_switch(face: AliyunFace, call: WireCall) -> Props:
    face.delete(call, face.need(call, SWITCH, call.parameters.get("VSwitchId"), *NO_SWITCH))
    return {}


@ACTIONS.on("ecs:CreateSecurityGroup")
def _create_group(face: AliyunFace, call: WireCall) -> Props:
    given = call.parameters
    inputs = {"securityGroupName": given.get("SecurityGroupName"), "vpcId": given.get("VpcId"), "tags": tags(call)}
    inputs |= {"description": given.get("Description"), "securityGroupType": given.get("SecurityGroupType")}
    return {"SecurityGroupId": face.create(call, GROUP, inputs).id}


@ACTIONS.on("ecs:DescribeSecurityGroupAttribute")
def _group_attribute(face: AliyunFace, call: WireCall) -> Props:
    record = face.need(call, GROUP, call.parameters.get("SecurityGroupId"), *NO_GROUP)
    way = call.parameters.get("Direction", "all")
    rules = face.store.list(GROUP_RULE, region=call.region, securityGroupId=record.id)
    shown = [each for each in rules if way == "all" or each.get("type") == way]
    return {
        "SecurityGroupId": record.id,
        "SecurityGroupName": record.get("securityGroupName", ""),
        "VpcId": record.get("vpcId", ""),
        "RegionId": record.region,
        "Description": record.get("description", ""),
        "InnerAccessPolicy": record.get("innerAccessPolicy"),
        "Permissions": {"Permission": [_permission(each) for each in shown]},
    }


def _permission(rule: Record) -> Props:
    ours, theirs = ("SourceCidrIp", "DestCidrIp") if rule.get("type") == "ingress" else ("DestCidrIp", "SourceCidrIp")
    return {
        "SecurityGroupRuleId": rule.get("securityGroupRuleId"),
        "Direction": rule.get("type"),
        "IpProtocol": str(rule.get("ipProtocol")).upper(),
        "PortRange": rule.get("portRange"),
        "NicType": rule.get("nicType"),
        "Policy": str(rule.get("policy", "accept")).capitalize(),
        "Priority": str(rule.get("priority", 1)),
        "Description": rule.get("description", ""),
        ours: rule.get("cidrIp", ""),
        theirs: "",
    }


@ACTIONS.on("ecs:DescribeSecurityGroups")
def _groups(face: AliyunFace, call: WireCall) -> Props:
    wanted = str(call.parameters.get("SecurityGroupId") or call.parameters.get("SecurityGroupIds") or "")
    rows = [
        {
            "SecurityGroupId": each.id,
            "SecurityGroupName": each.get("securityGroupName", ""),
            "SecurityGroupType": each.get("securityGroupType"),
            "VpcId": each.get("vpcId", ""),
            "Description": each.get("description", ""),
            "CreationTime": each.get("createTime"),
            "ResourceGroupId": "",
            "Tags": tag_rows(each, "TagKey", "TagValue"),
        }
        for each in face.store.list(GROUP, region=call.region)
        if not wanted or each.id in wanted
    ]
    return {"RegionId": call.region, **page(call, "SecurityGroups", "SecurityGroup", rows)}


@ACTIONS.on("ecs:ModifySecurityGroupPolicy")
def _group_policy(face: AliyunFace, call: WireCall) -> Props:
    record = face.need(call, GROUP, call.parameters.get("SecurityGroupId"), *NO_GROUP)
    face.note(record, innerAccessPolicy=call.parameters.get("InnerAccessPolicy"))
    return {}


@ACTIONS.on("ecs:ModifySecurityGroupAttribute")
def _modify_group(face: AliyunFace, call: WireCall) -> Props:
    record = face.need(call, GROUP, call.parameters.get("SecurityGroupId"), *NO_GROUP)
    face.note(record, **call.given(SecurityGroupName="securityGroupName", Description="description"))
    return {}


@ACTIONS.on("ecs:DeleteSecurityGroup")
def _delete_group(face: AliyunFace, call: WireCall) -> Props:
    record = face.need(call, GROUP, call.parameters.get("SecurityGroupId"), *NO_GROUP)
    face.delete(call, record)
    for each in face.store.list(GROUP_RULE, region=call.region, securityGroupId=record.id):
        face.store.remove(each)  # a group's rules go with it
    return {}


def _permissions(call: WireCall, way: str) -> list[Props]:
    """The rules that a call gives: in ``Permissions``, or one in the parameters themselves."""
    cidr = "SourceCidrIp" if way == "ingress" else "DestCidrIp"
    rows = call.parameters.get("Permissions") or [call.parameters]
    return [
        {
            "securityGroupId": call.parameters.get("SecurityGroupId"),
            "type": way,
            "ipProtocol": str(row.get("IpProtocol", "")).lower(),
            "portRange": row.get("PortRange", "-1/-1"),
            "cidrIp": row.get(cidr),
            "policy": str(row.get("Policy", "accept")).lower(),
            "priority": number(row.get("Priority", "1")),
            "nicType": row.get("NicType", "intranet"),
            "description": row.get("Description"),
        }
        for row in rows
    ]


def _way(call: WireCall) -> str:
    return "egress" if call.action.endswith("Egress") else "ingress"


@ACTIONS.on("ecs:AuthorizeSecurityGroup", "ecs:AuthorizeSecurityGroupEgress")
def _authorize(face: AliyunFace, call: WireCall) -> Props:
    for inputs in _permissions(call, _way(call)):
        face.create(call, GROUP_RULE, inputs)
    return {}


@ACTIONS.on("ecs:RevokeSecurityGroup", "ecs:RevokeSecurityGroupEgress")
def _revoke(face: AliyunFace, call: WireCall) -> Props:
    group = face.need(call, GROUP, call.parameters.get("SecurityGroupId"), *NO_GROUP)
    rules = face.store.list(GROUP_RULE, region=call.region, securityGroupId=group.id)
    if named := call.parameters.get("SecurityGroupRuleId"):
        gone = [each for each in rules if each.get("securityGroupRuleId") in named]
    else:
        keys = ("type", "ipProtocol", "portRange", "cidrIp", "policy", "priority")
        wanted = [{key: row[key] for key in keys} for row in _permissions(call, _way(call))]
        gone = [each for each in rules if {key: each.get(key) for key in keys} in wanted]
    for each in gone:  # what is not there is revoked with success, as the API says
        face.delete(call, each)
    return {}
