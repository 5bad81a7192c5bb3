"""Aliyun's wire: EIPs, and which machine has one."""

from __future__ import annotations

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._rehearsal.calls import WireCall, WireError
from pulumi_llm._rehearsal.face import status

from ..simulated.common import EIP, EIP_ASSOCIATION
from .protocol import ACTIONS, AliyunFace, page, tag_rows, tags

NO_EIP = ("InvalidAllocationId.NotFound", "Specified allocation ID does not exist.")


@ACTIONS.on("vpc:AllocateEipAddress")
def _allocate(face: AliyunFace, call: WireCall) -> Props:
    given = call.parameters
    inputs = {"addressName": given.get("Name"), "bandwidth": given.get("Bandwidth"), "isp": given.get("ISP")}
    inputs |= {"internetChargeType": given.get("InternetChargeType"), "description": given.get("Description")}
    made = face.create(call, EIP, {**inputs, "tags": tags(call)})
    return {"AllocationId": made.id, "EipAddress": made.get("ipAddress"), "ResourceGroupId": ""}


@ACTIONS.on("vpc:DescribeEipAddresses")
def _addresses(face: AliyunFace, call: WireCall) -> Props:
    rows = []
    for each in face.store.list(EIP, region=call.region):
        if call.parameters.get("AllocationId") not in (None, "", each.id):
            continue
        held = next(iter(face.store.list(EIP_ASSOCIATION, region=call.region, allocationId=each.id)), None)
        now = status(each)
        rows.append(
            {
                "AllocationId": each.id,
                "IpAddress": each.get("ipAddress"),
                "Name": each.get("addressName", ""),
                "Description": each.get("description", ""),
                "Status": now if now.endswith("ing") else ("InUse" if held else "Available"),
                "InstanceId": held.get("instanceId") if held else "",
                "InstanceType": held.get("instanceType") if held else "",
                "Bandwidth": str(each.get("bandwidth")),
                "EipBandwidth": str(each.get("bandwidth")),
                "InternetChargeType": each.get("internetChargeType"),
                "ChargeType": "PostPaid",
                "ISP": each.get("isp"),
                "Netmode": each.get("netmode"),
                "AllocationTime": each.get("createTime"),
                "DeletionProtection": bool(each.get("deletionProtection")),
                "HDMonitorStatus": "OFF",
                "RegionId": each.region,
                "ResourceGroupId": "",
                "Tags": tag_rows(each),
            }
        )
    return page(call, "EipAddresses", "EipAddress", rows)


@ACTIONS.on("vpc:ModifyEipAddressAttribute")
def _modify_eip(face: AliyunFace, call: WireCall) -> Props:
    record = face.need(call, EIP, call.parameters.get("AllocationId"), *NO_EIP)
    face.change(call, record, call.given(Name="addressName", Bandwidth="bandwidth", Description="description"))
    return {}


@ACTIONS.on("vpc:AssociateEipAddress")
def _associate(face: AliyunFace, call: WireCall) -> Props:
    given = call.parameters
    inputs = {"allocationId": given.get("AllocationId"), "instanceId": given.get("InstanceId")}
    kind = given.get("InstanceType") or "EcsInstance"
    face.create(call, EIP_ASSOCIATION, {**inputs, "instanceType": kind})
    face.go(face.need(call, EIP, given.get("AllocationId"), *NO_EIP), "Associating", "InUse")
    return {}


@ACTIONS.on("vpc:UnassociateEipAddress")
def _unassociate(face: AliyunFace, call: WireCall) -> Props:
    record = face.need(call, EIP, call.parameters.get("AllocationId"), *NO_EIP)
    held = face.store.list(EIP_ASSOCIATION, region=call.region, allocationId=record.id)
    if not held:
        raise WireError("IncorrectEipStatus", "Current elastic IP status does not support this operation.")
    face.delete(call, held[0])
    face.go(record, "Unassociating", "Available")
    return {}


@ACTIONS.on("vpc:ReleaseEipAddress")
def _release(face: AliyunFace, call: WireCall) -> Props:
    face.delete(call, face.need(call, EIP, call.parameters.get("AllocationId"), *NO_EIP))
    return {}
