"""Programs of others that a fleet needs in a cluster that is made, by their makers' charts: KubeRay's operator, KEDA,
and the cluster-autoscaler where a cloud adds no nodes by itself.

Names and defaults: ray-project/kuberay, tag v1.5.0, helm-chart/kuberay-operator; kedacore/charts @ 1444d00
(2026-08-13), keda 2.20.2; kubernetes/autoscaler, tag
cluster-autoscaler-chart-9.59.0 (2026-07-21); all read 2026-11-30. Charts drop a key that they do not know, so each
value is of a class.
What charts state already, and well, is left to them: users without rights, read-only file systems. The
cluster-autoscaler's says nothing of that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any, Literal

from pulumi_llm._cluster.closed import Object, plain
from pulumi_llm._cluster.made import OTHER_NODES, OURS
from pulumi_llm._cluster.values import Quantities
from pulumi_llm._dataclasses import dataclass
from pulumi_llm.preflight import clusters
from pulumi_llm.spec.fleet import KUBERAY
from pulumi_llm.spec.namespaces import SCALER

if TYPE_CHECKING:
    from pulumi_llm.spec.fleet import FleetSpec

STRICT = {"pod-security.kubernetes.io/enforce": "restricted"}
"""No program needs more than that: the pods say so themselves, the cluster-autoscaler's because they are told to."""


@dataclass(frozen=True, kw_only=True)
class Release:
    """A chart in a namespace of its own. ``called``: the release, and what is before its resources' names."""

    called: str
    namespace: str
    repository: str
    chart: str
    version: str
    values: Object
    of_cluster: tuple[str, str] | None = None
    """The key of the values, and the one in it, that the cluster's name is put at: it is known once it is made."""

    @property
    def space(self) -> Object:
        """The namespace's metadata."""
        return {"name": self.namespace, "labels": {**OURS, **STRICT}}


@dataclass(frozen=True, kw_only=True)
class OperatorImage:
    """``image`` of KubeRay's chart."""

    repository: str
    tag: str
    pullPolicy: Literal["IfNotPresent"] = "IfNotPresent"  # noqa: N815


@dataclass(frozen=True, kw_only=True)
class KubeRay:
    """The values of ``kuberay-operator``. The chart's own limit, a tenth of a processor, is stated as a larger one, and
    its rights, which would be good in the whole cluster, as those in the fleet's namespace."""

    image: OperatorImage
    watchNamespace: tuple[str, ...]  # noqa: N815
    singleNamespaceInstall: Literal[True] = True  # noqa: N815
    nodeSelector: Mapping[str, str]  # noqa: N815
    resources: Quantities
    podSecurityContext: Mapping[str, Any] = field(  # noqa: N815
        default_factory=lambda: {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    )


@dataclass(frozen=True, kw_only=True)
class Place:
    """``global.image``: the registry of all three images."""

    registry: str


@dataclass(frozen=True, kw_only=True)
class Everywhere:
    """``global``."""

    image: Place


@dataclass(frozen=True, kw_only=True)
class Tagged:
    """One of KEDA's images."""

    tag: str


@dataclass(frozen=True, kw_only=True)
class KedaImages:
    """``image`` of KEDA's chart, whose own policy fetches them at each start."""

    keda: Tagged
    metricsApiServer: Tagged  # noqa: N815
    webhooks: Tagged
    pullPolicy: Literal["IfNotPresent"] = "IfNotPresent"  # noqa: N815


@dataclass(frozen=True, kw_only=True)
class OfKeda:
    """The values of ``keda``. It looks after the fleet's namespace alone, and reads Secrets of that and its own alone.

    Some of its rights are the cluster's all the same: its own API service and webhook, and what the webhook reads.
    """

    image: KedaImages
    watchNamespace: str  # noqa: N815
    nodeSelector: Mapping[str, str]  # noqa: N815
    everywhere: Everywhere | None = field(default=None, metadata={"name": "global"})


@dataclass(frozen=True, kw_only=True)
class ScalerImage:
    """``image`` of the cluster-autoscaler's chart."""

    repository: str
    tag: str
    pullPolicy: Literal["IfNotPresent"] = "IfNotPresent"  # noqa: N815


@dataclass(frozen=True, kw_only=True)
class Account:
    """``rbac.serviceAccount``: the name that its role is tied to."""

    name: str
    create: Literal[True] = True


@dataclass(frozen=True, kw_only=True)
class ScalerRights:
    """``rbac``. They are the cluster's: it watches all pods and evicts some, and reads no Secret."""

    serviceAccount: Account  # noqa: N815
    create: Literal[True] = True


def _scaler_arguments() -> Mapping[str, Any]:
    # As on ACK and TKE: weights on a node's disk, and pods of the cluster's own, do not hold a node without engines.
    # A node goes once none of its cards is asked for, and not when it is less than half full, as without that.
    return {
        "skip-nodes-with-local-storage": "false",
        "skip-nodes-with-system-pods": "false",
        "scale-down-gpu-utilization-threshold": "0.01",
    }


@dataclass(frozen=True, kw_only=True)
class Scaler:
    """The values of ``cluster-autoscaler``, whose ``autoDiscovery.clusterName`` comes with the cluster."""

    image: ScalerImage
    awsRegion: str  # noqa: N815
    rbac: ScalerRights
    nodeSelector: Mapping[str, str]  # noqa: N815
    resources: Quantities
    cloudProvider: Literal["aws"] = "aws"  # noqa: N815
    fullnameOverride: str = SCALER  # noqa: N815
    extraArgs: Mapping[str, Any] = field(default_factory=_scaler_arguments)  # noqa: N815
    securityContext: Mapping[str, Any] = field(  # noqa: N815
        default_factory=lambda: {
            "runAsNonRoot": True, "runAsUser": 65534, "runAsGroup": 65534, "seccompProfile": {"type": "RuntimeDefault"},
        }
    )  # fmt: skip
    containerSecurityContext: Mapping[str, Any] = field(  # noqa: N815
        default_factory=lambda: {
            "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True,
        }
    )  # fmt: skip


KUBERAY_VERSION, KEDA_VERSION, SCALER_CHART = "1.5.0", "2.20.2", "9.59.0"


def releases(fleet: FleetSpec) -> Iterator[Release]:
    """Those that the fleet needs, where its cluster is made and nobody says that he installs them himself."""
    managed = fleet.cluster.managed
    if managed is None or not managed.operators:
        return
    if scaler := clusters.autoscaler_of(fleet):
        yield Release(
            called=SCALER,
            namespace=SCALER,
            repository="https://kubernetes.github.io/autoscaler",
            chart="cluster-autoscaler",
            version=SCALER_CHART,
            values=plain(
                Scaler(
                    image=ScalerImage(
                        repository=f"{fleet.registry or 'registry.k8s.io'}/autoscaling/cluster-autoscaler",
                        tag=f"v{scaler}",
                    ),
                    awsRegion=fleet.nodes.region or "",
                    rbac=ScalerRights(serviceAccount=Account(name=SCALER)),
                    nodeSelector=OTHER_NODES,
                    resources=Quantities(
                        requests={"cpu": "100m", "memory": "512Mi"}, limits={"cpu": "1", "memory": "512Mi"}
                    ),
                )
            ),
            of_cluster=("autoDiscovery", "clusterName"),
        )
    if fleet.engine == KUBERAY:
        yield Release(
            called="kuberay-operator",
            namespace=fleet.operator_namespace,
            repository="https://ray-project.github.io/kuberay-helm",
            chart="kuberay-operator",
            version=KUBERAY_VERSION,
            values=plain(
                KubeRay(
                    image=OperatorImage(
                        repository=f"{fleet.registry or 'quay.io'}/kuberay/operator", tag=f"v{KUBERAY_VERSION}"
                    ),
                    watchNamespace=(fleet.namespace,),
                    # Not on GPU nodes, which could not go while it is there.
                    nodeSelector=OTHER_NODES,
                    resources=Quantities(
                        requests={"cpu": "100m", "memory": "512Mi"}, limits={"cpu": "1", "memory": "512Mi"}
                    ),
                )
            ),
        )
    if fleet.follows:
        tag = Tagged(tag=KEDA_VERSION)
        yield Release(
            called="keda",
            namespace=fleet.keda_namespace,
            repository="https://kedacore.github.io/charts",
            chart="keda",
            version=KEDA_VERSION,
            values=plain(
                OfKeda(
                    image=KedaImages(keda=tag, metricsApiServer=tag, webhooks=tag),
                    watchNamespace=fleet.namespace,
                    nodeSelector=OTHER_NODES,
                    everywhere=Everywhere(image=Place(registry=fleet.registry)) if fleet.registry else None,
                )
            ),
        )
