"""Every object of a fleet that is no secret, in the order in which they are made: plain data, with no SDK."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pulumi_llm._cluster import engines, following, gate, made, names, policies, ray, store
from pulumi_llm._cluster.closed import Object, plain
from pulumi_llm._resolve.fleet import disk_gib
from pulumi_llm.spec.fleet import KUBERAY

if TYPE_CHECKING:
    from pulumi_llm._resolve.fleet import ResolvedFleet
    from pulumi_llm.spec.fleet import FleetSpec

OURS = {"app.kubernetes.io/managed-by": "pulumi-llm"}
STATE_SIZE, STATE_SIZE_BOUGHT = "5Gi", "20Gi"
"""What the gateway's ledger has room for. Clouds sell disks (ESSD, CBS) from 20 GiB on."""
STRICTNESS = "pod-security.kubernetes.io"
"""Labels that say which pods a namespace takes (stable since Kubernetes 1.25)."""


def namespace(fleet: FleetSpec) -> Object:
    """The namespace: no pod in it is privileged, or shares anything of its node's."""
    labels = {**OURS, f"{STRICTNESS}/enforce": "baseline", f"{STRICTNESS}/warn": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": fleet.namespace, "labels": labels}}


def inside(fleet: ResolvedFleet) -> Iterator[Object]:
    """What is in the namespace besides secrets and engines: the quota first, which all others are counted by."""
    wanted = fleet.spec
    yield _made(
        fleet,
        "v1",
        "ResourceQuota",
        "llm-gpus",
        spec={"hard": {
            f"requests.{engines.GPU}": str(fleet.gpus),
            "services.loadbalancers": "1" if wanted.load_balancer else "0",
            "persistentvolumeclaims": "2" if wanted.vectors is None else "3",
        }},
    )  # fmt: skip
    for name, spec in policies.policies(wanted):
        yield _made(fleet, "networking.k8s.io/v1", "NetworkPolicy", name, spec=spec)
    texts, packed = gate.code(wanted)
    yield _made(fleet, "v1", "ConfigMap", names.SETTINGS, data=gate.settings(gate.role(fleet)))
    yield _made(
        fleet,
        "v1",
        "ConfigMap",
        names.CODE,
        data=texts,
        binaryData={gate.ARCHIVE: base64.b64encode(packed).decode()},
    )
    yield _made(
        fleet,
        "v1",
        "PersistentVolumeClaim",
        names.STATE,
        spec={
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": STATE_SIZE if fleet.cluster is None else STATE_SIZE_BOUGHT}},
            **({} if fleet.cluster is None else {"storageClassName": made.STORAGE}),
        },
    )
    if wanted.storage_class and wanted.engine == KUBERAY:
        size = sum(disk_gib(each) for each in fleet.models)
        yield _made(
            fleet,
            "v1",
            "PersistentVolumeClaim",
            names.WEIGHTS,
            spec={
                "accessModes": ["ReadWriteMany"],
                "storageClassName": wanted.storage_class,
                "resources": {"requests": {"storage": f"{size}Gi"}},
            },
        )


def asked_by_the_store(fleet: ResolvedFleet) -> Iterator[Object]:
    """What the vector store finds when it starts, where it asks for vectors: its table, and the Service."""
    if fleet.spec.vectors is not None and fleet.spec.vectors.vectorizer is not None:
        yield _made(fleet, "v1", "ConfigMap", names.TOKENS, data=store.table())
        yield _made(fleet, "v1", "Service", names.VECTORIZER, spec=store.vectorizer_service())


def asked_by_keda(fleet: ResolvedFleet) -> Iterator[Object]:
    """What KEDA follows the load by, where engines do: before them, as their chart's objects name it."""
    if fleet.spec.follows:
        yield _made(fleet, "v1", "Service", names.LOAD, spec=following.service())
        yield _made(fleet, following.API, following.KIND, names.LOAD, spec=following.authentication())


def front(fleet: ResolvedFleet) -> Iterator[Object]:
    """The gateway itself, once its keys are there."""
    wanted = fleet.spec
    yield _made(fleet, "apps/v1", "Deployment", names.GATEWAY, spec=gate.deployment(wanted))
    service = _made(fleet, "v1", "Service", names.GATEWAY, spec=gate.service(wanted))
    if wanted.load_balancer_annotations:
        service["metadata"]["annotations"] = dict(wanted.load_balancer_annotations)
    yield service


def ray_service(fleet: ResolvedFleet, *, hub_token: bool) -> Object:
    """The RayService, with ``engine: kuberay``."""
    return _made(fleet, ray.API, ray.KIND, names.RELEASE, spec=ray.service(fleet, hub_token=hub_token))


def chart_values(fleet: ResolvedFleet, *, hub_token: bool) -> Object:
    """The chart's values, with ``engine: production-stack``."""
    found: Object = plain(engines.values(fleet, hub_token=hub_token))
    return found


def secret(fleet: ResolvedFleet, name: str, kind: str = "Opaque") -> Object:
    """A Secret without what is in it."""
    return _made(fleet, "v1", "Secret", name, type=kind)


def _made(fleet: ResolvedFleet, version: str, kind: str, name: str, **content: object) -> Object:
    metadata = {"name": name, "namespace": fleet.spec.namespace, "labels": dict(OURS)}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **content}
