"""Aliyun's wire: regions, zones, what is sold, images, and tags."""

from __future__ import annotations

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._rehearsal.calls import WireCall, WireError
from pulumi_llm._simcloud.store import Record

from ..simulated.common import DISK, EIP, GROUP, INSTANCE, KEY, SWITCH, VPC
from ..simulated.lookups import DISK_CATEGORIES
from .protocol import ACTIONS, AliyunFace, page, tags

TAGGED = {
    "instance": INSTANCE,
    "disk": DISK,
    "securitygroup": GROUP,
    "keypair": KEY,
    "vpc": VPC,
    "vswitch": SWITCH,
    "eip": EIP,
}
"""Resource types by the names that the tag actions give them, in lower case."""


@ACTIONS.on("ecs:DescribeRegions", "vpc:DescribeRegions")
def _regions(face: AliyunFace, call: WireCall) -> Props:
    names = face.simulator(call).offers.regions if call.region else {}
    rows = [
        {"RegionId": each, "LocalName": each, "RegionEndpoint": f"{call.service}.{each}.aliyuncs.com"} for each in names
    ]
    return {"Regions": {"Region": rows}}


@ACTIONS.on("bssopenapi:QueryAvailableInstances")
def _account(face: AliyunFace, call: WireCall) -> Props:
    """Denied, as to an account with our policy: the provider asks only to learn which site the account is of."""
    raise face.denied(call)


@ACTIONS.on("ecs:DescribeZones")
def _zones(face: AliyunFace, call: WireCall) -> Props:
    found = face.simulator(call).invoke("alicloud:index/getZones:getZones", {})
    rows = [
        {
            "ZoneId": each["id"],
            "LocalName": each["localName"],
            "AvailableResourceCreation": {"ResourceTypes": each["availableResourceCreations"]},
            "AvailableDiskCategories": {"DiskCategories": each["availableDiskCategories"]},
            "AvailableInstanceTypes": {"InstanceTypes": each["availableInstanceTypes"]},
        }
        for each in found["zones"]
    ]
    return {"Zones": {"Zone": rows}}


@ACTIONS.on("ecs:DescribeAvailableResource")
def _available(face: AliyunFace, call: WireCall) -> Props:
    simulator, given = face.simulator(call), call.parameters
    what = str(given.get("DestinationResource", ""))
    zones = []
    for zone in simulator.offers.regions.get(call.region, ()):
        if given.get("ZoneId") not in (None, "", zone):
            continue
        sold = [each.instance_type for each in simulator.offers.types_in(call.region, zone)]
        if what in ("SystemDisk", "DataDisk"):
            values = [(each, True) for each in DISK_CATEGORIES]
        else:
            values = [(each, not simulator.faults.no_stock(each, zone)) for each in sold]
        kind = given.get("InstanceType")
        if what not in ("SystemDisk", "DataDisk") and kind:
            values = [each for each in values if each[0] == kind]
        rows = [
            {"Value": value, "Status": "Available" if there else "SoldOut", "StatusCategory": _stock(there)}
            for value, there in values
        ]
        any_left = any(there for __, there in values)
        zones.append(
            {
                "RegionId": call.region,
                "ZoneId": zone,
                "Status": "Available" if any_left else "SoldOut",
                "StatusCategory": _stock(any_left),
                "AvailableResources": {
                    "AvailableResource": [{"Type": what, "SupportedResources": {"SupportedResource": rows}}]
                },
            }
        )
    return {"AvailableZones": {"AvailableZone": zones}}


def _stock(there: bool) -> str:
    return "WithStock" if there else "WithoutStock"


@ACTIONS.on("ecs:DescribeInstanceTypes")
def _types(face: AliyunFace, call: WireCall) -> Props:
    wanted = call.parameters.get("InstanceTypes") or ()
    rows = [
        {
            "InstanceTypeId": each.instance_type,
            "InstanceTypeFamily": each.instance_type.rsplit(".", 1)[0],
            "CpuCoreCount": each.vcpu,
            "MemorySize": each.memory_gib,
            "GPUAmount": each.gpu_count,
            "GPUSpec": f"NVIDIA {each.gpu}" if each.gpu else "",
            "CpuArchitecture": "ARM" if each.arch == "arm64" else "X86",
        }
        for each in face.simulator(call).offers.types_in(call.region)
        if not wanted or each.instance_type in wanted
    ]
    return {"InstanceTypes": {"InstanceType": rows}}


@ACTIONS.on("ecs:DescribeImages")
def _images(face: AliyunFace, call: WireCall) -> Props:
    given = call.parameters
    asked = {
        "owners": given.get("ImageOwnerAlias") or "system",
        "architecture": given.get("Architecture"),
        "instanceType": given.get("InstanceType"),
        "imageId": given.get("ImageId"),
        "imageName": given.get("ImageName"),
        "imageFamily": given.get("ImageFamily"),
        "osType": given.get("OSType"),
        "status": given.get("Status"),
    }
    found = face.simulator(call).invoke("alicloud:ecs/getImages:getImages", asked)
    rows = [
        {
            "ImageId": each["id"],
            "ImageName": each["name"],
            "Architecture": each["architecture"],
            "Size": each["size"],
            "CreationTime": each["creationTime"],
            "ImageOwnerAlias": each["imageOwnerAlias"],
            "ImageVersion": each["imageVersion"],
            "OSName": each["osName"],
            "OSNameEn": each["osNameEn"],
            "OSType": each["osType"],
            "Platform": each["platform"],
            "Status": each["status"],
            "Usage": each["usage"],
            "Progress": each["progress"],
            "IsSupportCloudinit": True,
            "IsSupportIoOptimized": True,
            "DiskDeviceMappings": {"DiskDeviceMapping": []},
            "Tags": {"Tag": []},
        }
        for each in found["images"]
    ]
    return {"RegionId": call.region, **page(call, "Images", "Image", rows)}


def _tagged(face: AliyunFace, call: WireCall) -> list[Record]:
    kind = str(call.parameters.get("ResourceType", "")).lower()
    if kind not in TAGGED:
        message = f"The specified ResourceType {call.parameters.get('ResourceType')} is not supported."
        raise WireError("InvalidResourceType.NotFound", message, 404)
    found = [face.store.get(TAGGED[kind], str(each), call.region) for each in call.parameters.get("ResourceId") or ()]
    return [each for each in found if each is not None]


@ACTIONS.on("ecs:DescribeTags")
def _old_tags(face: AliyunFace, call: WireCall) -> Props:
    kind, id_ = str(call.parameters.get("ResourceType", "")).lower(), str(call.parameters.get("ResourceId") or "")
    found = face.store.get(TAGGED[kind], id_, call.region) if kind in TAGGED else None  # images have none
    rows = [
        {"TagKey": key, "TagValue": value, "ResourceTypeCount": {}}
        for key, value in ((found.get("tags") if found else None) or {}).items()
    ]
    return page(call, "Tags", "Tag", rows)


@ACTIONS.on("ecs:ListTagResources", "vpc:ListTagResources")
def _list_tags(face: AliyunFace, call: WireCall) -> Props:
    kind = call.parameters.get("ResourceType")
    rows = [
        {"ResourceId": each.id, "ResourceType": kind, "TagKey": key, "TagValue": value}
        for each in _tagged(face, call)
        for key, value in (each.get("tags") or {}).items()
    ]
    return {"NextToken": "", "TagResources": {"TagResource": rows}}


@ACTIONS.on("ecs:TagResources", "vpc:TagResources")
def _tag(face: AliyunFace, call: WireCall) -> Props:
    for each in _tagged(face, call):
        face.note(each, tags={**(each.get("tags") or {}), **tags(call)})
    return {}


@ACTIONS.on("ecs:UntagResources", "vpc:UnTagResources")
def _untag(face: AliyunFace, call: WireCall) -> Props:
    gone = set(call.parameters.get("TagKey") or ())
    for each in _tagged(face, call):
        face.note(each, tags={key: value for key, value in (each.get("tags") or {}).items() if key not in gone})
    return {}
