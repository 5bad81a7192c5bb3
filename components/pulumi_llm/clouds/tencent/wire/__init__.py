"""Tencent Cloud's wire: its API 3.0 (cvm, vpc and cbs of 2017-03-12, tag, dnspod, cam, scf) over the rules of sim."""

from . import (  # they register their actions
    disks,
    functions,
    lookups,
    machines,
    names,
    near,
    network,
    roles,
    snapshots,
)
from .protocol import PROTOCOL, TencentFace

FACE = TencentFace

__all__ = [
    "FACE",
    "PROTOCOL",
    "disks",
    "functions",
    "lookups",
    "machines",
    "names",
    "near",
    "network",
    "roles",
    "snapshots",
]
