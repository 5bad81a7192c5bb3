"""Stage `images`: container images, each under its own name whatever registry answered."""

from __future__ import annotations

from functools import partial

from llm_node.system import Failure, first, must, node, run, tail


def main() -> None:
    """Pull what is missing."""
    # A daemon that gave up at its first start stays down for good, unless somebody asks.
    must("services.docker", "systemctl", "start", "docker")
    for image in node()["images"]:
        if run("docker", "image", "inspect", image)[0]:
            first("images.unreachable", node()["registries"], partial(pull, image=image))


def pull(prefix: str, last: bool, image: str) -> None:
    """Pull one image through one registry; a slow one is left for the next."""
    rc, out = run("timeout", "3600" if last else "600", "docker", "pull", "-q", prefix + image)
    if rc:
        kind = "disk-full" if "no space left" in out else "unreachable"
        raise Failure("images." + kind, tail(out) or f"{prefix}{image} does not come in time", True)
    must("images.unreachable", "docker", "tag", prefix + image, image)
