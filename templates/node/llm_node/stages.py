"""The short stages of the boot, by name; disk, driver and weights are modules of their own.

Each may run again at any time, and then finds its work done.
"""

from __future__ import annotations

from functools import partial

from llm_node import apt, venv
from llm_node.system import first, must, node, run


def base() -> None:
    """Install Python's venv module, and for vLLM a compiler."""
    apt.install(*node()["base"])


def services() -> None:
    """Install Caddy and Docker. The package's own Caddy, which would serve a page on port 80, never starts."""
    run("systemctl", "mask", "caddy.service", "caddy-api.service")
    apt.install(*node()["services"])


def images() -> None:
    """Pull container images, each under its own name whatever registry answered."""
    # A daemon that gave up at its first start stays down for good, unless somebody asks.
    must("services.docker", "systemctl", "start", "docker")
    for image in node()["images"]:
        if run("docker", "image", "inspect", image)[0]:
            first("images.unreachable", node()["registries"], partial(pull, image=image))


def pull(prefix: str, image: str) -> None:
    """Pull one image through one registry."""
    must("images.unreachable", "docker", "pull", "-q", prefix + image)
    must("images.unreachable", "docker", "tag", prefix + image, image)


def python() -> None:
    """Install vLLM in an environment of its own."""
    venv.install("vllm")


def gateway() -> None:
    """Install LiteLLM in an environment of its own."""
    venv.install("litellm")
