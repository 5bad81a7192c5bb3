"""What a cluster that is made has to have in it before a fleet is, besides what its cloud puts there: plain data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pulumi_llm._cluster.closed import Object
from pulumi_llm.clouds.clusters import POOL

if TYPE_CHECKING:
    from pulumi_llm._resolve.managed import ResolvedCluster

STORAGE = "llm-encrypted"
"""The storage class of the fleet's own claims: disks of the cloud, encrypted."""
OURS = {"app.kubernetes.io/managed-by": "pulumi-llm"}
OTHER_NODES = {POOL: "system"}
"""The nodes without GPUs, which stay: what is no engine stands on them."""


def objects(cluster: ResolvedCluster) -> Iterator[Object]:
    """Each object, in its order."""
    yield {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": STORAGE, "labels": dict(OURS)},
        "provisioner": cluster.service.storage["provisioner"],
        "parameters": dict(cluster.service.storage["parameters"]),
        "reclaimPolicy": "Delete",
        "allowVolumeExpansion": True,
        # The disk is made where the pod lands, as disks do not go from zone to zone.
        "volumeBindingMode": "WaitForFirstConsumer",
    }
