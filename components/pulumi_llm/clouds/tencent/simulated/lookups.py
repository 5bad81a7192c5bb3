"""Tencent Cloud look-ups: images, zones, types, regions, networks, identity."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._simcloud import identities, images
from pulumi_llm._simcloud.lookups import Answer, matches
from pulumi_llm._simcloud.rules.base import CloudError

from .common import SUBNET, VPC

if TYPE_CHECKING:
    from pulumi_llm._simcloud.offers import Type
    from pulumi_llm._simcloud.simulator import Simulator

IMAGE_TYPES = ("PUBLIC_IMAGE", "PRIVATE_IMAGE", "SHARED_IMAGE", "MARKET_IMAGE")


def _images(args: Props, simulator: Simulator) -> list[images.Image]:
    kinds = args.get("imageTypes") or ["PUBLIC_IMAGE"]
    for kind in kinds:
        if kind not in IMAGE_TYPES:
            options = " ".join(f'"{each}"' for each in IMAGE_TYPES)
            raise CloudError(f"expected image_type to be one of [{options}], got {kind}")
    if args.get("osName") and args.get("imageNameRegex"):
        raise CloudError('"os_name": conflicts with image_name_regex')
    arch = None
    if kind := args.get("instanceType"):
        row = simulator.offers.types.get(kind)
        arch = row.arch if row else "none"
    found = []
    for image in images.public("tencentcloud", simulator.region, simulator.faults):
        if "PUBLIC_IMAGE" not in kinds or (arch and image.arch != arch):
            continue
        if args.get("imageId") not in (None, "", image.id):
            continue
        if (pattern := args.get("imageNameRegex")) and not re.search(pattern, image.name):
            continue
        if (name := args.get("osName")) and name.lower() not in image.os_name.lower():
            continue
        found.append(image)
    return found


def get_images(args: Props, simulator: Simulator) -> Props:
    """The images that match."""
    rows = [
        {
            "imageId": each.id,
            "imageName": each.name,
            "imageType": "PUBLIC_IMAGE",
            "osName": each.os_name,
            "platform": "Ubuntu",
            "architecture": each.arch,
            "imageSize": each.size_gib,
            "imageState": "NORMAL",
            "imageSource": "OFFICIAL",
            "imageCreator": "",
            "imageDescription": each.name,
            "createdTime": each.created,
            "supportCloudInit": True,
            "syncPercent": 100,
            "snapshots": [],
        }
        for each in _images(args, simulator)
    ]
    return {"id": "images", "images": rows}


def get_image(args: Props, simulator: Simulator) -> Props:
    """One image: the first that matches."""
    filters = {each["name"]: each["values"] for each in args.get("filters") or ()}
    kinds = filters.get("image-type", ["PUBLIC_IMAGE"])
    found = _images({**args, "imageTypes": kinds, "imageId": (filters.get("image-id") or [None])[0]}, simulator)
    if not found:
        raise CloudError("No image found")
    return {"id": found[0].id, "imageId": found[0].id, "imageName": found[0].name}


def get_types(args: Props, simulator: Simulator) -> Props:
    """The types per zone that match, with SELL or SOLD_OUT."""
    if args.get("availabilityZone") and args.get("filters"):
        raise CloudError('"availability_zone": conflicts with filter')
    rows = []
    for row in simulator.offers.types_in(simulator.region):
        for zone in simulator.offers.zones_of(row.instance_type, simulator.region):
            if args.get("availabilityZone") not in (None, "", zone) or not _wanted(row, args):
                continue
            values = {
                "zone": zone,
                "instance-family": row.instance_type.split(".")[0],
                "instance-type": row.instance_type,
                "instance-charge-type": "POSTPAID_BY_HOUR",
                "sort-keys": "",
            }
            if not matches(args.get("filters"), values):
                continue
            sold_out = simulator.faults.no_stock(row.instance_type, zone)
            if not (sold_out and args.get("excludeSoldOut")):
                rows.append(_type(row, zone, "SOLD_OUT" if sold_out else "SELL"))
    return {"id": "types", "instanceTypes": rows}


def _wanted(row: Type, args: Props) -> bool:
    checks = (
        (args.get("cpuCoreCount"), row.vcpu),
        (args.get("memorySize"), row.memory_gib),
        (args.get("gpuCoreCount"), row.gpu_count),
    )
    return all(wanted in (None, has) for wanted, has in checks)


def _type(row: Type, zone: str, status: str) -> Props:
    return {
        "availabilityZone": zone,
        "instanceType": row.instance_type,
        "family": row.instance_type.split(".")[0],
        "cpuCoreCount": row.vcpu,
        "memorySize": int(row.memory_gib),
        "gpuCoreCount": row.gpu_count,
        "instanceChargeType": "POSTPAID_BY_HOUR",
        "status": status,
        "cbsConfigs": [],
    }


def get_zones_by_product(args: Props, simulator: Simulator) -> Props:
    """The region's zones."""
    names = [
        each for each in simulator.offers.regions.get(simulator.region, ()) if args.get("name") in (None, "", each)
    ]
    rows = [
        {"id": str(100001 + at), "name": each, "description": each, "state": "AVAILABLE"}
        for at, each in enumerate(names)
    ]
    return {"id": "zones", "zones": rows}


def get_regions(args: Props, simulator: Simulator) -> Props:
    """All regions, or the one that is named (``default`` is the provider's)."""
    wanted = simulator.region if args.get("name") == "default" else args.get("name")
    names = [each for each in simulator.offers.regions if wanted in (None, "", each)]
    return {"id": "regions", "regions": [{"name": each, "description": each, "state": "AVAILABLE"} for each in names]}


def get_info(args: Props, simulator: Simulator) -> Props:
    """The simulated account."""
    number = identities.account("tencentcloud")
    return {"id": number, "appId": "1250000000", "name": "simulated", "ownerUin": number, "uin": number}


def get_vpcs(args: Props, simulator: Simulator) -> Props:
    """The VPCs that a program made and that match."""
    rows = []
    for record in simulator.store.list(VPC, region=simulator.region):
        if args.get("vpcId") not in (None, "", record.id) or args.get("name") not in (None, "", record.get("name")):
            continue
        if args.get("cidrBlock") not in (None, "", record.get("cidrBlock")) or args.get("isDefault"):
            continue
        tags = record.get("tags") or {}
        if any(tags.get(key) != value for key, value in (args.get("tags") or {}).items()):
            continue
        subnets = [each.id for each in simulator.store.list(SUBNET, region=simulator.region, vpcId=record.id)]
        rows.append(
            {
                "vpcId": record.id,
                "name": record.get("name"),
                "cidrBlock": record.get("cidrBlock"),
                "isDefault": False,
                "isMulticast": record.get("isMulticast"),
                "subnetIds": subnets,
                "createTime": record.get("createTime"),
                "dnsServers": record.get("dnsServers") or [],
                "commonAssistantCidrs": [],
                "containerAssistantCidrs": [],
                "tags": tags,
            }
        )
    return {"id": "vpcs", "instanceLists": rows}


ANSWERS: dict[str, Answer] = {
    "tencentcloud:Images/getInstance:getInstance": get_images,
    "tencentcloud:Image/getInstance:getInstance": get_image,
    "tencentcloud:Instance/getTypes:getTypes": get_types,
    "tencentcloud:Availability/getZonesByProduct:getZonesByProduct": get_zones_by_product,
    "tencentcloud:Availability/getRegions:getRegions": get_regions,
    "tencentcloud:User/getInfo:getInfo": get_info,
    "tencentcloud:Vpc/getInstances:getInstances": get_vpcs,
}
