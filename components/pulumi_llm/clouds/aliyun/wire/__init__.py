"""Aliyun's wire: its RPC protocol (ECS, VPC, Alidns and RAM) over the rules of the simulated Aliyun."""

from . import (  # they register their actions
    addresses,
    disks,
    lookups,
    machines,
    names,
    near,
    network,
    reads,
    roles,
    snapshots,
)
from .protocol import PROTOCOL, AliyunFace

FACE = AliyunFace

__all__ = [
    "FACE",
    "PROTOCOL",
    "addresses",
    "disks",
    "lookups",
    "machines",
    "names",
    "near",
    "network",
    "reads",
    "roles",
    "snapshots",
]
