"""DigitalOcean: what its look-ups answer."""

from __future__ import annotations

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._simcloud import images
from pulumi_llm._simcloud.images import Image
from pulumi_llm._simcloud.lookups import Answer
from pulumi_llm._simcloud.rules.base import CloudError
from pulumi_llm._simcloud.simulator import Simulator
from pulumi_llm.clouds import of_package

KEYS = ("slug", "name", "distribution", "id", "type", "status")
"""What images can be filtered by here."""


def _slugs() -> dict[str, str]:
    folder = of_package("digitalocean")
    rows = folder.read("simulated.json")["images"]["images"] if folder else []
    return {str(row["name"]): str(row["slug"]) for row in rows}


def _row(image: Image, simulator: Simulator) -> Props:
    return {
        "id": int(image.id),
        "image": image.id,
        "name": image.name,
        "slug": _slugs()[image.name],
        "distribution": "Ubuntu",
        "type": "base",
        "status": "available",
        "description": image.os_name,
        "created": image.created,
        "minDiskSize": image.size_gib,
        "sizeGigabytes": 2.36,
        "private": False,
        "regions": list(simulator.offers.regions),
        "tags": [],
        "errorMessage": "",
    }


def get_images(args: Props, simulator: Simulator) -> Props:
    """The images that pass all filters."""
    rows = [_row(each, simulator) for each in images.public("digitalocean", "", simulator.faults)]
    for each in args.get("filters") or ():
        if each["key"] not in KEYS:
            raise CloudError(f"Field '{each['key']}' does not exist in schema")
        rows = [row for row in rows if str(row[each["key"]]) in [str(value) for value in each["values"]]]
    return {"id": "images", "images": rows}


def get_image(args: Props, simulator: Simulator) -> Props:
    """The one image of a slug, a name or a number."""
    wanted = [(key, args[key]) for key in ("slug", "name", "id") if args.get(key)]
    rows = [_row(each, simulator) for each in images.public("digitalocean", "", simulator.faults)]
    found = [row for row in rows if wanted and all(str(row[key]) == str(value) for key, value in wanted)]
    if not found:
        raise CloudError("Error retrieving image: 404 The resource you were accessing could not be found.")
    return {**found[0], "id": found[0]["id"]}


def get_regions(args: Props, simulator: Simulator) -> Props:
    """All regions."""
    rows = [
        {"slug": name, "name": name, "available": True, "sizes": [], "features": []}
        for name in simulator.offers.regions
    ]
    return {"id": "regions", "regions": rows}


ANSWERS: dict[str, Answer] = {
    "digitalocean:index/getImages:getImages": get_images,
    "digitalocean:index/getImage:getImage": get_image,
    "digitalocean:index/getRegions:getRegions": get_regions,
}
