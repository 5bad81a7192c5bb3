"""Fleets whose cluster is made, one for each cloud that makes one: their arguments, as docs/fleet.md shows them."""

from __future__ import annotations

from typing import Any

CHAT = {"chat": {"model": "Qwen/Qwen2.5-7B-Instruct", "copies": 2}}
CALLERS = ["203.0.113.0/24"]
NODES: dict[str, dict[str, Any]] = {
    "aliyun": {"count": 2, "cloud": "aliyun", "region": "cn-hangzhou", "instance_type": "ecs.gn7i-c8g1.2xlarge"},
    "aws": {"count": 2, "cloud": "aws", "region": "us-west-2", "instance_type": "g6e.xlarge"},
    "tencent": {"count": 2, "cloud": "tencent", "region": "ap-guangzhou", "instance_type": "PNV4.7XLARGE116"},
}
NETWORK = {
    "vpc_id": "vpc-bp1abcdefghijklmnopqr",
    "subnets": {"cn-hangzhou-h": "vsw-bp1abcdefghijklmnopq1", "cn-hangzhou-i": "vsw-bp1abcdefghijklmnopq2"},
}
MANAGED: dict[str, dict[str, Any]] = {
    "aliyun": {**NETWORK, "secrets_key": "key-hzz60000000000000000"},
    "aws": {"api_cidrs": CALLERS},
    "tencent": {"api_cidrs": CALLERS},
}


def fleet(
    cloud: str, nodes: dict[str, Any] | None = None, version: str | None = None, **managed: Any
) -> dict[str, Any]:
    """The arguments of a fleet on a cloud, with changes of its cluster and nodes."""
    cluster: dict[str, Any] = {"managed": {**MANAGED[cloud], **managed}}
    if version:
        cluster["version"] = version
    return {
        "models": CHAT,
        "nodes": {**NODES[cloud], **(nodes or {})},
        "cluster": cluster,
        "allowed_namespaces": ["apps"],
    }
