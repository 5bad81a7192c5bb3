"""Stage `images`: container images, each under its own name whatever registry answered."""

from __future__ import annotations

import re
from functools import partial

from llm_node.system import Failure, at, first, must, node, run, tail

VECTORS = "/srv/llm/weaviate"
LAST = "/srv/llm/weaviate.yaml"  # the compose file that Weaviate last started with: llm-weaviate.service keeps it
UNSAID = (1, 35)  # what the first release ran, which kept no such file


def main() -> None:
    """Pull what is missing."""
    # A daemon that gave up at its first start stays down for good, unless somebody asks.
    must("services.docker", "systemctl", "start", "docker")
    for image in node()["images"]:
        follows(image)
        if run("docker", "image", "inspect", image)[0]:
            first("images.unreachable", node()["registries"], partial(pull, image=image))


def follows(image: str) -> None:
    """Refuse a Weaviate that is further than one minor version past the one that wrote the vectors.

    Its makers test no other way (docs.weaviate.io, "Migration and Upgrades", 2026-11-28). What runs now goes on.
    """
    wanted = minor(image)
    if not wanted or not at(VECTORS).is_dir() or not any(at(VECTORS).iterdir()):
        return
    wrote = (minor(at(LAST).read_text()) if at(LAST).exists() else None) or UNSAID
    if wanted[0] != wrote[0] or wanted[1] > wrote[1] + 1:
        raise Failure(
            "images.vectors-too-old",
            f"the vectors on the data disk are of Weaviate {wrote[0]}.{wrote[1]}, and {wanted[0]}.{wanted[1]} is to "
            "take them over: it does so from one minor version to the next",
        )


def minor(text: str) -> tuple[int, int] | None:
    """The major and minor version of the Weaviate image that a text names."""
    found = re.search(r"weaviate:(\d+)\.(\d+)\.", text)
    return (int(found[1]), int(found[2])) if found else None


def pull(prefix: str, last: bool, image: str) -> None:
    """Pull one image through one registry; a slow one is left for the next."""
    rc, out = run("timeout", "3600" if last else "600", "docker", "pull", "-q", prefix + image)
    if rc:
        kind = "disk-full" if "no space left" in out else "unreachable"
        raise Failure("images." + kind, tail(out) or f"{prefix}{image} does not come in time", True)
    must("images.unreachable", "docker", "tag", prefix + image, image)
