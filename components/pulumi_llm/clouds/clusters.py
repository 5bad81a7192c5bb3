"""What is asked of a cloud that makes a Kubernetes cluster, and what it gives. A cloud that can has a `cluster` module.

Its ``data/clusters.json`` says what is known of the service: versions, prices, and what it does by itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any, Protocol

import pulumi

from pulumi_llm._dataclasses import dataclass

if TYPE_CHECKING:
    from pulumi_llm.clouds.base import Scope

POOL = "pulumi-llm/pool"
"""The label that says which of the two kinds a node is."""
GPU_TAINT = "nvidia.com/gpu"
SERVICES = "172.20.0.0/20"
"""The range of Services, which no network of a cluster here has a part in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Nodes that are alike: ``least`` to ``most``, of which ``first`` are made at first. ``disk_gib``: of each."""

    kind: str
    instance_type: str
    first: int
    least: int
    most: int
    disk_gib: int
    zones: tuple[str, ...]
    taint: bool = False

    @property
    def grows(self) -> bool:
        """Whether the cloud adds nodes and takes them away."""
        return self.least < self.most


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterRequest:
    """A cluster to make. ``subnets``: ranges to make, or ids that exist where ``vpc_id`` is named; both by zone."""

    version: str
    whole_version: bool
    """Whether ``version`` is all of what the cloud calls it, and no other is looked up."""
    cidr: str
    vpc_id: str | None
    subnets: Mapping[str, str]
    system: Pool
    gpus: Pool
    api_cidrs: tuple[str, ...] = ()
    secrets_key: str | None = None
    gpu_driver: str | None = None
    admins: tuple[str, ...] = ()
    autoscaler: str | None = None
    """Namespace and service account, which have one name, of the autoscaler that is installed in the cluster."""
    protect: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterHandle:
    """A cluster that is being made. ``kubeconfig`` is secret, and there once all nodes and add-ons are."""

    name: pulumi.Output[str]
    server: pulumi.Output[str]
    kubeconfig: pulumi.Output[str]


class Makes(Protocol):
    """The module `cluster` of a cloud's folder."""

    def make(self, name: str, request: ClusterRequest, scope: Scope) -> ClusterHandle:
        """Make network, control plane, nodes and what of the cloud's own belongs to them."""


def kubeconfig(cluster: str, server: str, authority: str, user: Mapping[str, Any]) -> str:
    """A kubeconfig with one context. ``authority``: PEM in base64. ``user``: how to log in."""
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": cluster,
            "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": cluster}}],
            "clusters": [{"name": cluster, "cluster": {"server": server, "certificate-authority-data": authority}}],
            "users": [{"name": cluster, "user": dict(user)}],
        }
    )
