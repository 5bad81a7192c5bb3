"""Stage `images`: container images, each under its own name whatever registry answered."""

from __future__ import annotations

import re
from functools import partial
from importlib import import_module
from typing import Any

from llm_node.system import Failure, at, first, must, node, run, tail


def main() -> None:
    """Pull what is missing."""
    # A daemon that gave up at its first start stays down for good, unless somebody asks.
    must("services.docker", "systemctl", "start", "docker")
    want = node()
    for each in want.get("takes_over", []):
        follows(each)
    for image in want["images"]:
        if not run("docker", "image", "inspect", image)[0]:
            continue
        if "bundle" in want:
            import_module("llm_node.bundle").load(image)
        else:
            first("images.unreachable", want["registries"], partial(pull, image=image))


def follows(step: dict[str, Any]) -> None:
    """Refuse an image that is further than one minor version past the one that wrote its data. What runs now goes on.

    ``wrote`` is the compose file that the service last started with, which its unit keeps beside the ``data``;
    ``first`` is what the first release ran, which kept none.
    """
    data, wrote, wanted = at(step["data"]), at(step["wrote"]), minor(step["image"], step["image"])
    if not wanted or not data.is_dir() or not any(data.iterdir()):
        return
    was = (minor(step["image"], wrote.read_text()) if wrote.exists() else None) or tuple(step["first"])
    if wanted[0] != was[0] or wanted[1] > was[1] + 1:
        raise Failure(
            step["code"],
            f"the {step['keeps']} on the data disk are of {step['title']} {was[0]}.{was[1]}, and "
            f"{wanted[0]}.{wanted[1]} is to take them over: it does so from one minor version to the next",
        )


def minor(image: str, text: str) -> tuple[int, int] | None:
    """The major and minor version of an image that a text names, whatever its registry and version there."""
    name = image.rpartition("/")[2].partition(":")[0]
    found = re.search(rf"{re.escape(name)}:v?(\d+)\.(\d+)\.", text)
    return (int(found[1]), int(found[2])) if found else None


def pull(prefix: str, last: bool, image: str) -> None:
    """Pull one image through one registry; a slow one is left for the next."""
    rc, out = run("timeout", "3600" if last else "600", "docker", "pull", "-q", prefix + image)
    if rc:
        kind = "disk-full" if "no space left" in out else "unreachable"
        raise Failure("images." + kind, tail(out) or f"{prefix}{image} does not come in time", True)
    must("images.unreachable", "docker", "tag", prefix + image, image)
