"""Aliyun's wire: what the provider reads of a machine besides the machine itself. Our programs set none of it."""

from __future__ import annotations

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._rehearsal.calls import WireCall
from pulumi_llm._simcloud.store import Record

from ..simulated.common import INSTANCE
from .protocol import ACTIONS, AliyunFace, ids, page


def _machines(face: AliyunFace, call: WireCall, wanted: list[str]) -> list[Record]:
    found = face.store.list(INSTANCE, region=call.region)
    return [each for each in found if not wanted or each.id in wanted]


@ACTIONS.on("ecs:DescribeNetworkInterfaces")
def _interfaces(face: AliyunFace, call: WireCall) -> Props:
    wanted, on = call.parameters.get("NetworkInterfaceId") or [], call.parameters.get("InstanceId")
    rows = [
        {
            "NetworkInterfaceId": each.get("networkInterfaceId"),
            "InstanceId": each.id,
            "Type": "Primary",
            "Status": "InUse",
            "VpcId": each.get("vpcId"),
            "VSwitchId": each.get("vswitchId"),
            "ZoneId": each.get("availabilityZone"),
            "PrivateIpAddress": each.get("privateIp"),
            "PrivateIpSets": {"PrivateIpSet": [{"PrivateIpAddress": each.get("privateIp"), "Primary": True}]},
            "Ipv6Sets": {"Ipv6Set": []},
            "SecurityGroupIds": {"SecurityGroupId": each.get("securityGroups") or []},
            "NetworkInterfaceTrafficMode": "Standard",
            "SourceDestCheck": False,
            "DeleteOnRelease": True,
            "Attachment": {"InstanceId": each.id, "DeviceIndex": 0, "NetworkCardIndex": 0},
            "Tags": {"Tag": []},
        }
        for each in face.store.list(INSTANCE, region=call.region)
        if (not wanted or each.get("networkInterfaceId") in wanted) and on in (None, "", each.id)
    ]
    return page(call, "NetworkInterfaceSets", "NetworkInterfaceSet", rows)


@ACTIONS.on("ecs:DescribeInstanceMaintenanceAttributes")
def _maintenance(face: AliyunFace, call: WireCall) -> Props:
    rows = [
        {
            "InstanceId": each.id,
            "MaintenanceWindows": {"MaintenanceWindow": []},
            "ActionOnMaintenance": {"Value": "AutoRecover", "DefaultValue": "AutoRecover"},
            "NotifyOnMaintenance": False,
        }
        for each in _machines(face, call, call.parameters.get("InstanceId") or [])
    ]
    return page(call, "MaintenanceAttributes", "MaintenanceAttribute", rows)


@ACTIONS.on("ecs:DescribeInstanceAttachmentAttributes")
def _pools(face: AliyunFace, call: WireCall) -> Props:
    rows = [
        {"InstanceId": each.id, "PrivatePoolOptionsMatchCriteria": "", "PrivatePoolOptionsId": ""}
        for each in _machines(face, call, ids(call, "InstanceIds"))
    ]
    return page(call, "Instances", "Instance", rows)
