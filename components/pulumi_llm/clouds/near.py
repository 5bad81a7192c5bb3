"""What keeps the machines of one server near each other, and which types have RDMA: facts, and what a cloud is asked.

A cloud's ``data/near.json`` says which types its groups take, and which types have a network that needs more than is
set up here.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Protocol

from pulumi_llm import clouds
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._texts import _

if TYPE_CHECKING:
    import pulumi

    from pulumi_llm.clouds.base import Scope

FILE = "near.json"

_GROUPS: Mapping[str, str] = {
    "placement-group": _("a cluster placement group"),
    "deployment-set": _("a deployment set of low latency"),
    "hpc-cluster": _("a high performance computing cluster"),
}

_NEEDS: Mapping[str, str] = {
    "EFA": _("network interfaces of the kind efa, EFA's driver and the plugin aws-ofi-nccl"),
    "eRDMA": _("an elastic RDMA interface, its driver, and settings of NCCL for it"),
    "RDMA": _("an image with the drivers of its RDMA cards, and TCCL"),
}
"""What a network with RDMA needs, and is not set up here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """What a cloud has to keep machines near each other."""

    title: str
    types: tuple[str, ...]
    spot: bool
    """Whether spot machines may be in it."""
    required: bool
    """Whether machines of these types cannot be outside of one."""

    def takes(self, instance_type: str, *, spot: bool = False) -> bool:
        """Whether such a machine may be in it."""
        return (self.spot or not spot) and _named(instance_type, self.types)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rdma:
    """A network with RDMA that a type has, and what it would need."""

    name: str
    needs: str


def group_of(cloud: str) -> Group | None:
    """What the cloud has for it; None: nothing that is known here."""
    row = _facts(cloud).get("group")
    if row is None:
        return None
    return Group(
        title=_GROUPS[row["kind"]], types=tuple(row["types"]), spot=row["spot"], required=row.get("required", False)
    )


def rdma_of(cloud: str, instance_type: str) -> Rdma | None:
    """The network with RDMA that the type has; None: none that is known here."""
    for row in _facts(cloud).get("rdma", ()):
        if _named(instance_type, row["types"]):
            return Rdma(name=row["name"], needs=_NEEDS[row["name"]])
    return None


def wanted(cloud: str, instance_type: str, *, spot: bool, asked: bool) -> bool:
    """Whether several machines of that type with one model are put into a group: where it is asked for, or a must."""
    group = group_of(cloud)
    return group is not None and (asked or group.required) and group.takes(instance_type, spot=spot)


def _facts(cloud: str) -> Mapping[str, Any]:
    folder = clouds.folders().get(cloud)
    return folder.read(FILE) if folder is not None else {}


def _named(instance_type: str, patterns: tuple[str, ...] | list[str]) -> bool:
    return any(fnmatchcase(instance_type, each) for each in patterns)


class Near(Protocol):
    """What a cloud can that has such a group."""

    def near(self, name: str, zone: str, tags: Mapping[str, str], scope: Scope) -> pulumi.Output[str]:
        """A group whose machines are near each other, in one zone. Gives its id, which a machine has from launch."""
        ...
