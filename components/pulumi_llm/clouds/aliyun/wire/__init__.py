"""Aliyun's wire: its RPC protocol (ECS 2014-05-26, VPC 2016-04-28) over the rules of the simulated Aliyun."""

from . import addresses, disks, lookups, machines, names, network, reads  # they register their actions
from .protocol import PROTOCOL, AliyunFace

FACE = AliyunFace

__all__ = ["FACE", "PROTOCOL", "addresses", "disks", "lookups", "machines", "names", "network", "reads"]
