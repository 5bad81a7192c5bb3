"""Volcengine: what its look-ups answer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._simcloud import images
from pulumi_llm._simcloud.images import Image
from pulumi_llm._simcloud.lookups import Answer

if TYPE_CHECKING:
    from pulumi_llm._simcloud.simulator import Simulator


def get_images(args: Props, simulator: Simulator) -> Props:
    """The public images that match, in no order that could be relied upon."""
    arch = None
    if kind := args.get("instanceTypeId"):
        row = simulator.offers.types.get(kind)
        arch = row.arch if row else "none"
    found = []
    for image in images.public("volcengine", simulator.region, simulator.faults):
        if args.get("visibility") not in (None, "", "public") or args.get("osType") not in (None, "", "Linux"):
            continue
        if arch and image.arch != arch:
            continue
        if (pattern := args.get("nameRegex")) and not re.search(pattern, image.name):
            continue
        if args.get("imageName") not in (None, "", image.name) or args.get("isSupportCloudInit") is False:
            continue
        if args.get("ids") and image.id not in args["ids"]:
            continue
        found.append(_row(image))
    return {"id": "images", "images": found, "totalCount": len(found)}


def _row(image: Image) -> Props:
    return {
        "imageId": image.id,
        "imageName": image.name,
        "architecture": "amd64" if image.arch == "x86_64" else image.arch,
        "bootMode": "BIOS",
        "createdAt": image.created,
        "updatedAt": image.created,
        "description": "",
        "isSupportCloudInit": True,
        "osName": image.os_name,
        "osType": "Linux",
        "platform": "Ubuntu",
        "platformVersion": image.os_name.split()[1],
        "shareStatus": "",
        "size": image.size_gib,
        "status": "available",
        "tags": [],
        "visibility": "public",
    }


def get_zones(_args: Props, simulator: Simulator) -> Props:
    """The region's zones."""
    names = simulator.offers.regions.get(simulator.region, ())
    return {"id": "zones", "zones": [{"id": each, "zoneId": each} for each in names], "totalCount": len(names)}


def get_regions(args: Props, simulator: Simulator) -> Props:
    """All regions, or those that are asked for."""
    wanted = args.get("ids")
    names = [each for each in simulator.offers.regions if not wanted or each in wanted]
    return {"id": "regions", "regions": [{"id": each, "regionId": each} for each in names], "totalCount": len(names)}


ANSWERS: dict[str, Answer] = {
    "volcengine:ecs/getImages:getImages": get_images,
    "volcengine:ecs/getZones:getZones": get_zones,
    "volcengine:ecs/getRegions:getRegions": get_regions,
}
