"""AWS look-ups: images, parameters, zones, types, identity, policies."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from pulumi_llm._provider_facts.values import REDACTED, Props
from pulumi_llm._simcloud import identities, images
from pulumi_llm._simcloud.lookups import Answer, matches
from pulumi_llm._simcloud.rules.base import CloudError

from . import lookups_network
from .images import snapshot
from .lookups_network import region_of
from .network import zone_id

if TYPE_CHECKING:
    from pulumi_llm._simcloud.simulator import Simulator

NO_RESULT = "Your query returned no results. Please change your search criteria and try again."
SEVERAL = (
    "Your query returned more than one result. Please try a more specific search criteria, or set `most_recent` "
    "attribute to true."
)


def _partition(region: str) -> str:
    return "aws-cn" if region.startswith("cn-") else "aws"


def _find_images(args: Props, simulator: Simulator) -> list[images.Image]:
    owners, pattern = args.get("owners"), args.get("nameRegex")
    filters = args.get("filters")
    by_id = any(each["name"] in ("owner-id", "image-id", "owner-alias") for each in filters or ())
    if args.get("mostRecent") and not owners and not by_id and not args.get("allowUnsafeFilter"):
        raise CloudError(
            "Most Recent Image Not Filtered: `most_recent` is true and results are not filtered by owner or image ID. "
            "With this configuration, a third party may introduce a new image which will be returned by this data "
            "source. Filter by owner or image ID, or set `allow_unsafe_filter`."
        )
    found = []
    for image in images.public("aws", region_of(args, simulator), simulator.faults):
        if owners and not {image.owner, image.alias} & set(owners):
            continue
        if pattern and not re.search(pattern, image.name):
            continue
        if matches(filters, _image_filters(image)):
            found.append(image)
    return found


def _image_filters(image: images.Image) -> dict[str, Any]:
    return {
        "name": image.name,
        "image-id": image.id,
        "owner-id": image.owner,
        "owner-alias": image.alias,
        "architecture": image.arch,
        "state": "available",
        "virtualization-type": "hvm",
        "root-device-type": "ebs",
        "image-type": "machine",
        "is-public": "true",
        "hypervisor": "xen",
        "ena-support": "true",
        "creation-date": image.created,
    }


def get_ami(args: Props, simulator: Simulator) -> Props:
    """One image: the only match, or the newest."""
    found = _find_images(args, simulator)
    if not found:
        raise CloudError(NO_RESULT)
    if len(found) > 1 and not args.get("mostRecent"):
        raise CloudError(SEVERAL)
    image, region = max(found, key=lambda each: (each.date, each.name)), region_of(args, simulator)
    device = {"volume_size": str(image.size_gib), "snapshot_id": snapshot(image), "volume_type": "gp3"}
    return {
        "id": image.id,
        "imageId": image.id,
        "name": image.name,
        "architecture": image.arch,
        "ownerId": image.owner,
        "imageOwnerAlias": image.alias,
        "imageLocation": f"{image.alias or image.owner}/{image.name}",
        "creationDate": image.created,
        "arn": f"arn:{_partition(region)}:ec2:{region}::image/{image.id}",
        "rootDeviceName": "/dev/sda1",
        "rootDeviceType": "ebs",
        "rootSnapshotId": snapshot(image),
        "blockDeviceMappings": [
            {"deviceName": "/dev/sda1", "ebs": device, "noDevice": "", "virtualName": ""},
        ],
        "state": "available",
        "public": True,
        "hypervisor": "xen",
        "virtualizationType": "hvm",
        "imageType": "machine",
        "enaSupport": True,
        "platformDetails": "Linux/UNIX",
        "usageOperation": "RunInstances",
        "bootMode": "uefi-preferred",
        "description": image.name,
        "deprecationTime": "",
        "imdsSupport": "",
        "kernelId": "",
        "lastLaunchedTime": "",
        "platform": "",
        "productCodes": [],
        "ramdiskId": "",
        "sriovNetSupport": "simple",
        "stateReason": {"code": "UNSET", "message": "UNSET"},
        "tags": {},
        "tpmSupport": "",
        "region": region,
    }


def get_ami_ids(args: Props, simulator: Simulator) -> Props:
    """The ids of all images that match, newest first."""
    found = sorted(_find_images(args, simulator), key=lambda each: (each.date, each.name), reverse=True)
    return {"id": "ami-ids", "ids": [each.id for each in found], "region": region_of(args, simulator)}


def get_parameter(args: Props, simulator: Simulator) -> Props:
    """A public parameter (the vendors' image paths), or one that a program made."""
    name, region = args["name"], region_of(args, simulator)
    for image in images.public("aws", region, simulator.faults):
        if name in image.parameters:
            value, kind, arn = image.id, "String", f"arn:{_partition(region)}:ssm:{region}::parameter{name}"
            break
    else:
        own = simulator.store.list("aws:ssm/parameter:Parameter", region=region, name=name)
        if not own:
            raise CloudError(f"reading SSM Parameter ({name}): couldn't find resource")
        if own[0].get("value") == REDACTED:
            raise CloudError(f"reading SSM Parameter ({name}): the simulated cloud keeps no secret values")
        value, kind, arn = own[0].get("value") or own[0].get("insecureValue"), own[0].get("type"), own[0].get("arn")
    shown = "" if kind == "SecureString" else value
    return {
        "id": name,
        "arn": arn,
        "type": kind,
        "value": value,
        "insecureValue": shown,
        "version": 1,
        "region": region,
    }


def get_prefix_list(args: Props, simulator: Simulator) -> Props:
    """A list of addresses that the vendor keeps, by its name: those of S3 and of DynamoDB in the region."""
    region, name = region_of(args, simulator), args.get("name")
    known = {f"com.amazonaws.{region}.{each}" for each in ("s3", "dynamodb")}
    if name not in known:
        raise CloudError("no matching EC2 Prefix List found")
    made = f"pl-{hashlib.sha256(str(name).encode()).hexdigest()[:8]}"
    # Which ranges a list holds changes: here it has one, of those that are for documentation.
    return {"id": made, "prefixListId": made, "name": name, "cidrBlocks": ["198.51.100.0/24"], "region": region}


def get_availability_zones(args: Props, simulator: Simulator) -> Props:
    """The region's zones, after filters and exclusions."""
    region = region_of(args, simulator)
    if args.get("state") not in (None, "available", "information", "impaired", "unavailable"):
        options = '["available" "information" "impaired" "unavailable"]'
        raise CloudError(f"expected state to be one of {options}, got {args['state']}")
    names = []
    for zone in simulator.offers.regions.get(region, ()):
        values = {
            "zone-name": zone,
            "zone-id": zone_id(zone),
            "zone-type": "availability-zone",
            "region-name": region,
            "group-name": region,
            "opt-in-status": "opt-in-not-required",
            "state": "available",
        }
        if args.get("state") not in (None, "available") or not matches(args.get("filters"), values):
            continue
        if zone not in (args.get("excludeNames") or ()) and zone_id(zone) not in (args.get("excludeZoneIds") or ()):
            names.append(zone)
    ids = [zone_id(each) for each in names]
    return {"id": region, "names": names, "zoneIds": ids, "groupNames": [region], "region": region}


def get_instance_type_offerings(args: Props, simulator: Simulator) -> Props:
    """Which types are offered where: three parallel lists."""
    region, kind = region_of(args, simulator), args.get("locationType") or "region"
    if kind not in ("region", "availability-zone", "availability-zone-id"):
        options = '["region" "availability-zone" "availability-zone-id"]'
        raise CloudError(f"expected location_type to be one of {options}, got {kind}")
    rows = []
    for row in simulator.offers.types_in(region):
        zones = simulator.offers.zones_of(row.instance_type, region)
        places = [region] if kind == "region" else [each if kind.endswith("zone") else zone_id(each) for each in zones]
        for place in places:
            if matches(args.get("filters"), {"instance-type": row.instance_type, "location": place}):
                rows.append((row.instance_type, place))
    return {
        "id": region,
        "instanceTypes": [name for name, _ in rows],
        "locations": [place for _, place in rows],
        "locationTypes": [kind for _ in rows],
        "region": region,
    }


def get_instance_type(args: Props, simulator: Simulator) -> Props:
    """What is known of a type: processors, memory (MiB), GPUs, architecture."""
    name, region = args["instanceType"], region_of(args, simulator)
    row = simulator.offers.types.get(name)
    if row is None or not simulator.offers.zones_of(name, region):
        raise CloudError(f"reading EC2 Instance Type ({name}): couldn't find resource")
    found: Props = {
        "id": name,
        "region": region,
        "defaultVcpus": row.vcpu,
        "memorySize": int(row.memory_gib * 1024),
        "supportedArchitectures": [row.arch],
        "gpuses": [],
        "currentGeneration": True,
    }
    if row.gpu:
        maker = "NVIDIA"
        memory = int((getattr(row, "gpu_memory_gib", None) or 0) * 1024)
        found["gpuses"] = [{"count": row.gpu_count, "manufacturer": maker, "name": row.gpu, "memorySize": memory}]
        found["totalGpuMemory"] = memory * row.gpu_count
    return found


def get_region(args: Props, simulator: Simulator) -> Props:
    """The provider's region, or the one that is named."""
    region = str(args.get("region") or args.get("name") or simulator.region)
    if region not in simulator.offers.regions:
        raise CloudError(f"EC2 Region not found for endpoint or name {region!r}")
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return {"id": region, "name": region, "region": region, "endpoint": f"ec2.{region}.{domain}", "description": region}


def get_caller_identity(args: Props, simulator: Simulator) -> Props:
    """The simulated account."""
    number = identities.account("aws")
    arn = f"arn:{_partition(simulator.region)}:iam::{number}:user/simulated"
    return {"id": number, "accountId": number, "arn": arn, "userId": "AIDASIMULATEDUSER0000"}


def get_policy_document(args: Props, simulator: Simulator) -> Props:
    """A policy in JSON from its statements."""
    statements: list[dict[str, Any]] = []
    document = {"Version": args.get("version") or "2012-10-17", "Statement": statements}
    for each in args.get("statements") or ():
        row: dict[str, Any] = {"Sid": each["sid"]} if each.get("sid") else {}
        row["Effect"] = each.get("effect") or "Allow"
        for key, name in (
            ("actions", "Action"),
            ("notActions", "NotAction"),
            ("resources", "Resource"),
            ("notResources", "NotResource"),
        ):
            if values := each.get(key):
                row[name] = values[0] if len(values) == 1 else sorted(values, reverse=True)
        for key, name in (("principals", "Principal"), ("notPrincipals", "NotPrincipal")):
            for principal in each.get(key) or ():
                who = principal["identifiers"]
                row.setdefault(name, {})[principal["type"]] = who[0] if len(who) == 1 else sorted(who, reverse=True)
        for condition in each.get("conditions") or ():
            values = condition["values"]
            test = row.setdefault("Condition", {}).setdefault(condition["test"], {})
            test[condition["variable"]] = values[0] if len(values) == 1 else values
        statements.append(row)
    text = json.dumps(document, indent=2)
    return {
        "id": hashlib.sha256(text.encode()).hexdigest()[:10],
        "json": text,
        "minifiedJson": json.dumps(document, separators=(",", ":")),
    }


ANSWERS: dict[str, Answer] = {
    **lookups_network.ANSWERS,
    "aws:ec2/getAmi:getAmi": get_ami,
    "aws:ec2/getAmiIds:getAmiIds": get_ami_ids,
    "aws:ec2/getPrefixList:getPrefixList": get_prefix_list,
    "aws:ssm/getParameter:getParameter": get_parameter,
    "aws:index/getAvailabilityZones:getAvailabilityZones": get_availability_zones,
    "aws:ec2/getInstanceTypeOfferings:getInstanceTypeOfferings": get_instance_type_offerings,
    "aws:ec2/getInstanceType:getInstanceType": get_instance_type,
    "aws:index/getRegion:getRegion": get_region,
    "aws:index/getCallerIdentity:getCallerIdentity": get_caller_identity,
    "aws:iam/getPolicyDocument:getPolicyDocument": get_policy_document,
}
