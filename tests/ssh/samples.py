"""A platform on a machine that exists."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pulumi_llm.roles.requests import NodeRequest
    from pulumi_llm.spec import HostSpec

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIT9GjHI2223rEFNLYz0rqaWQNAb/a2tEkZbDYcGVkjm"
PLATFORM: dict[str, Any] = {
    "server": {
        "cloud": "ssh",
        "region": "us",
        "gpu": "RTX 4090",
        "model": "Qwen/Qwen2.5-7B-Instruct",
        "host": {"address": "203.0.113.7", "user": "ubuntu", "host_key": HOST_KEY, "folder": "/data/llm"},
    },
    "access": {"allowed_cidrs": ["203.0.113.0/24"]},
}


CONTAINER = {"mode": "container", "user": "root", "folder": "/root/autodl-tmp/llm", "public_port": 6006}
"""A container as AutoDL rents them out."""


def platform(**host: Any) -> dict[str, Any]:
    """The platform with other keys of its host; None takes one away."""
    made = copy.deepcopy(PLATFORM)
    merged = {**made["server"]["host"], **host}
    made["server"]["host"] = {key: value for key, value in merged.items() if value is not None}
    return made


def in_a_container(made: dict[str, Any]) -> tuple[HostSpec, NodeRequest]:
    """The container of a platform, and the node that shall be in it."""
    from pulumi_llm import _nodes
    from pulumi_llm._resolve import resolve_platform

    server = resolve_platform(made).server
    assert server.spec.host is not None
    return server.spec.host, _nodes.server_node("llm-server", server)
