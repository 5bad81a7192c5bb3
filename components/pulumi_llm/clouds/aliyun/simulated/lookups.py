"""Aliyun look-ups: images, zones, types, regions, identity."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._simcloud import identities, images
from pulumi_llm._simcloud.lookups import Answer
from pulumi_llm._simcloud.rules.base import CloudError

from . import clusters

if TYPE_CHECKING:
    from pulumi_llm._simcloud.offers import Type
    from pulumi_llm._simcloud.simulator import Simulator

DISK_CATEGORIES = ["cloud_auto", "cloud_efficiency", "cloud_essd", "cloud_essd_entry", "cloud_ssd"]
CREATIONS = ["Disk", "Instance", "VSwitch"]


def get_images(args: Props, simulator: Simulator) -> Props:
    """The images that match, newest first; only the newest with ``mostRecent``."""
    if not any(args.get(key) for key in ("nameRegex", "owners", "imageId", "imageName", "imageFamily", "imageOwnerId")):
        raise CloudError(
            '"name_regex": one of `image_id,image_name,image_owner_id,name_regex,owners` must be specified'
        )
    if args.get("owners") not in (None, "", "system", "self", "others", "marketplace"):
        options = '["system" "self" "others" "marketplace"]'
        raise CloudError(f"expected owners to be one of {options}, got {args['owners']}")
    wanted_arch = args.get("architecture")
    if kind := args.get("instanceType"):
        row = simulator.offers.types.get(kind)
        wanted_arch = wanted_arch or (row.arch if row else "none")
    found = []
    for image in images.public("alicloud", simulator.region, simulator.faults):
        if args.get("owners") not in (None, "", "system"):
            continue
        if wanted_arch and image.arch != wanted_arch:
            continue
        if (pattern := args.get("nameRegex")) and not re.search(pattern, image.name):
            continue
        if args.get("imageId") not in (None, image.id) or args.get("imageName") not in (None, image.name):
            continue
        if args.get("imageFamily") not in (None, image.family) or args.get("osType") not in (None, "linux"):
            continue
        if args.get("status") not in (None, "", "Available") or args.get("tags"):
            continue
        if args.get("isSupportCloudInit") is False:
            continue
        found.append(image)
    found.sort(key=lambda each: (each.date, each.name), reverse=True)
    if args.get("mostRecent"):
        found = found[:1]
    rows = [_image(each) for each in found]
    return {"id": "images", "ids": [each.id for each in found], "images": rows}


def _image(image: images.Image) -> Props:
    return {
        "id": image.id,
        "imageId": image.id,
        "name": image.name,
        "architecture": image.arch,
        "size": image.size_gib,
        "creationTime": image.created,
        "imageOwnerAlias": "system",
        "imageVersion": "v2017.12",
        "osName": image.os_name,
        "osNameEn": image.os_name_en,
        "osType": "linux",
        "platform": "Ubuntu",
        "state": "Available",
        "status": "Available",
        "usage": "instance",
        "progress": "100%",
        "description": "",
        "productCode": "",
        "isCopied": False,
        "isSelfShared": "",
        "isSubscribed": False,
        "isSupportIoOptimized": True,
        "diskDeviceMappings": [],
        "tags": {},
    }


def get_zones(args: Props, simulator: Simulator) -> Props:
    """The region's zones that sell what is asked for."""
    creation, category = args.get("availableResourceCreation"), args.get("availableDiskCategory")
    kind = args.get("availableInstanceType")
    zones = []
    for zone in simulator.offers.regions.get(simulator.region, ()):
        sold = [row.instance_type for row in simulator.offers.types_in(simulator.region, zone)]
        if kind and (kind not in sold or simulator.faults.no_stock(kind, zone)):
            continue
        if (category and category not in DISK_CATEGORIES) or (creation and creation not in CREATIONS):
            continue
        zones.append((zone, sold))
    rows = [
        {
            "id": zone,
            "localName": zone,
            "availableInstanceTypes": sold,
            "availableDiskCategories": DISK_CATEGORIES,
            "availableResourceCreations": CREATIONS,
            "multiZoneIds": [],
            "slbSlaveZoneIds": [],
        }
        for zone, sold in zones
    ]
    return {"id": "zones", "ids": [zone for zone, _ in zones], "zones": rows}


def get_instance_types(args: Props, simulator: Simulator) -> Props:
    """The types of the region, or of one zone, that match; sold-out ones are left out as the API does."""
    found: list[tuple[Type, list[str]]] = []
    for row in simulator.offers.types_in(simulator.region, args.get("availabilityZone") or ""):
        zones = simulator.offers.zones_of(row.instance_type, simulator.region)
        zones = tuple(each for each in zones if not simulator.faults.no_stock(row.instance_type, each))
        if args.get("availabilityZone"):
            zones = tuple(each for each in zones if each == args["availabilityZone"])
        if zones and _type_matches(row, args):
            found.append((row, list(zones)))
    order: dict[str, Any] = {"CPU": lambda each: each[0].vcpu, "Memory": lambda each: each[0].memory_gib}
    if key := order.get(args.get("sortedBy") or ""):
        found.sort(key=key)
    rows = [_type(row, zones) for row, zones in found]
    return {"id": "types", "ids": [each["id"] for each in rows], "instanceTypes": rows}


def _family(row: Type) -> str:
    return row.instance_type.rsplit(".", 1)[0]


def _type_matches(row: Type, args: Props) -> bool:
    checks = (
        (args.get("instanceType"), row.instance_type),
        (args.get("instanceTypeFamily"), _family(row)),
        (args.get("cpuCoreCount"), row.vcpu),
        (args.get("memorySize"), row.memory_gib),
        (args.get("gpuAmount"), row.gpu_count),
    )
    if any(wanted not in (None, "", has) for wanted, has in checks):
        return False
    spec = args.get("gpuSpec")
    return not spec or (row.gpu or "").lower() in str(spec).lower()


def _type(row: Type, zones: list[str]) -> Props:
    gpus = [{"amount": str(row.gpu_count), "category": f"NVIDIA {row.gpu}"}] if row.gpu else []
    return {
        "id": row.instance_type,
        "family": _family(row),
        "cpuCoreCount": row.vcpu,
        "memorySize": row.memory_gib,
        "availabilityZones": zones,
        "gpus": gpus,
        "burstableInstances": [],
        "localStorages": [],
        "price": "",
        "nvmeSupport": "required",
        "eniAmount": 2,
    }


def get_regions(args: Props, simulator: Simulator) -> Props:
    """All regions, the current one, or the one that is named."""
    names = list(simulator.offers.regions)
    if args.get("name"):
        names = [each for each in names if each == args["name"]]
    if args.get("current"):
        names = [each for each in names if each == simulator.region]
    rows = [{"id": each, "regionId": each, "localName": each} for each in names]
    current = bool(args.get("current"))
    return {
        "id": "regions",
        "ids": names,
        "regions": rows,
        "current": current,
        "name": args.get("name") or simulator.region,
    }


def get_account(args: Props, simulator: Simulator) -> Props:
    """The simulated account's number."""
    return {"id": identities.account("alicloud")}


def get_caller_identity(args: Props, simulator: Simulator) -> Props:
    """The simulated account."""
    number = identities.account("alicloud")
    return {"id": number, "accountId": number, "arn": f"acs:ram::{number}:user/simulated", "identityType": "RAMUser"}


ANSWERS: dict[str, Answer] = {
    "alicloud:cs/getKubernetesVersion:getKubernetesVersion": clusters.get_kubernetes_version,
    "alicloud:cs/getClusterCredential:getClusterCredential": clusters.get_cluster_credential,
    "alicloud:ecs/getImages:getImages": get_images,
    "alicloud:index/getZones:getZones": get_zones,
    "alicloud:ecs/getInstanceTypes:getInstanceTypes": get_instance_types,
    "alicloud:index/getRegions:getRegions": get_regions,
    "alicloud:index/getAccount:getAccount": get_account,
    "alicloud:index/getCallerIdentity:getCallerIdentity": get_caller_identity,
}
