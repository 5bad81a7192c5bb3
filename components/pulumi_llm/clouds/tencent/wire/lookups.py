"""Tencent Cloud's wire: regions, zones, what is sold, images, and tags."""

from __future__ import annotations

import re

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._rehearsal.calls import WireCall, WireError
from pulumi_llm._simcloud.store import Record

from ..simulated.common import DISK, EIP, FUNCTION, GROUP, INSTANCE, KEY, POLICY, ROLE, SUBNET, VPC
from .protocol import ACTIONS, CAM_HOME, SYSTEM_DISK_TAGS, TencentFace, filters, page

TAGGED = {
    ("cvm", "instance"): INSTANCE,
    ("cvm", "keypair"): KEY,
    ("cvm", "volume"): DISK,
    ("cvm", "sg"): GROUP,
    ("vpc", "vpc"): VPC,
    ("vpc", "subnet"): SUBNET,
    ("cvm", "eip"): EIP,
    ("vpc", "eip"): EIP,
    ("cam", "role"): ROLE,
    ("cam", "policy"): POLICY,
    ("scf", "namespace"): FUNCTION,
}
"""Resource types by the service and prefix that the tag API names them with."""


@ACTIONS.on("cvm:DescribeRegions")
def _regions(face: TencentFace, call: WireCall) -> Props:
    names = face.simulator(call).offers.regions
    rows = [{"Region": each, "RegionName": each, "RegionState": "AVAILABLE"} for each in names]
    return {"TotalCount": len(rows), "RegionSet": rows}


@ACTIONS.on("cvm:DescribeZones")
def _zones(face: TencentFace, call: WireCall) -> Props:
    found = face.simulator(call).invoke("tencentcloud:Availability/getZonesByProduct:getZonesByProduct", {})["zones"]
    rows = [
        {"Zone": each["name"], "ZoneId": each["id"], "ZoneName": each["name"], "ZoneState": "AVAILABLE"}
        for each in found
    ]
    return {"TotalCount": len(rows), "ZoneSet": rows}


@ACTIONS.on("cvm:DescribeImages")
def _images(face: TencentFace, call: WireCall) -> Props:
    asked: Props = {"imageTypes": filters(call).get("image-type"), "instanceType": call.parameters.get("InstanceType")}
    wanted = [*(call.parameters.get("ImageIds") or ()), *filters(call).get("image-id", ())]
    rows = [
        {
            "ImageId": each["imageId"],
            "ImageName": each["imageName"],
            "ImageType": each["imageType"],
            "OsName": each["osName"],
            "Platform": each["platform"],
            "Architecture": each["architecture"],
            "ImageSize": each["imageSize"],
            "ImageState": each["imageState"],
            "ImageSource": each["imageSource"],
            "ImageCreator": each["imageCreator"],
            "ImageDescription": each["imageDescription"],
            "CreatedTime": each["createdTime"],
            "IsSupportCloudinit": True,
            "SyncPercent": 100,
            "SnapshotSet": [],
        }
        for each in face.simulator(call).invoke("tencentcloud:Images/getInstance:getInstance", asked)["images"]
        if not wanted or each["imageId"] in wanted
    ]
    return page(call, "ImageSet", rows)


@ACTIONS.on("cvm:DescribeZoneInstanceConfigInfos")
def _offers(face: TencentFace, call: WireCall) -> Props:
    asked = [{"name": name, "values": values} for name, values in filters(call).items()]
    found = face.simulator(call).invoke("tencentcloud:Instance/getTypes:getTypes", {"filters": asked})
    rows = [
        {
            "Zone": each["availabilityZone"],
            "InstanceType": each["instanceType"],
            "InstanceFamily": each["family"],
            "InstanceChargeType": each["instanceChargeType"],
            "Cpu": each["cpuCoreCount"],
            "Memory": each["memorySize"],
            "Gpu": each["gpuCoreCount"],
            "GpuCount": each["gpuCoreCount"],
            "Status": each["status"],
            "StatusCategory": "WithoutStock" if each["status"] == "SOLD_OUT" else "EnoughStock",
        }
        for each in found["instanceTypes"]
    ]
    return {"InstanceTypeQuotaSet": rows}


def _named(face: TencentFace, name: str) -> tuple[Record, str]:
    """The resource of a six-part name, ``qcs::cvm:ap-shanghai:uin/1:instance/ins-1``, and which of its properties has
    the tags.

    A function's ends in ``namespace/default/function/NAME``. A system disk has no resource of its own: the provider
    tags it with its machine.
    """
    found = re.fullmatch(r"qcs:[^:]*:([a-z]+):([a-z0-9-]*):[^:]*:([a-z]+)/(\S+)", name)
    token = TAGGED.get((found[1], found[3])) if found else None
    region = CAM_HOME if found and found[1] == "cam" else found[2] if found else ""
    id_ = found[4].replace("/function/", "+") if found else ""
    if token == DISK:
        for machine in face.store.list(INSTANCE, region=region, systemDiskId=id_):
            return machine, SYSTEM_DISK_TAGS
    record = face.store.get(token, id_, region) if token else None
    if record is None:
        raise WireError("InvalidParameterValue.ResourceDescriptionError", f"The resource `{name}` is not known.")
    return record, "tags"


@ACTIONS.on("tag:ModifyResourceTags")
def _tag(face: TencentFace, call: WireCall) -> Props:
    record, where = _named(face, str(call.parameters.get("Resource")))
    gone = {each["TagKey"] for each in call.parameters.get("DeleteTags") or ()}
    kept = {key: value for key, value in (record.get(where) or {}).items() if key not in gone}
    given = {each["TagKey"]: each["TagValue"] for each in call.parameters.get("ReplaceTags") or ()}
    face.note(record, **{where: {**kept, **given}})
    return {}


@ACTIONS.on("tag:DescribeResourceTagsByResourceIds", "tag:DescribeResourceTags")
def _tags(face: TencentFace, call: WireCall) -> Props:
    given = call.parameters
    token = TAGGED.get((str(given.get("ServiceType")), str(given.get("ResourcePrefix"))))
    region = str(given.get("ResourceRegion") or call.region)
    place = CAM_HOME if given.get("ServiceType") == "cam" else region
    wanted = given.get("ResourceIds") or [given.get("ResourceId")]
    found = [face.store.get(token, str(each), place) for each in wanted] if token else []
    rows = [
        {
            "TagKey": key,
            "TagValue": value,
            "ResourceId": each.id,
            "ServiceType": given.get("ServiceType"),
            "ResourcePrefix": given.get("ResourcePrefix"),
            "ResourceRegion": region,
        }
        for each in found
        if each
        for key, value in (each.get("tags") or {}).items()
    ]
    name = "Tags" if call.action.endswith("Ids") else "Rows"
    return {**page(call, name, rows), "Offset": given.get("Offset") or 0, "Limit": given.get("Limit") or 20}
