"""Who may talk to whom in the fleet's namespace: nobody, but for what is listed here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pulumi_llm._cluster import names, ray, store
from pulumi_llm._cluster.closed import Object
from pulumi_llm.spec.fleet import KUBERAY

if TYPE_CHECKING:
    from pulumi_llm.spec.fleet import FleetSpec

NAMESPACE = "kubernetes.io/metadata.name"
"""The label that the API server puts on each namespace (stable since 1.22)."""
COMPONENT = "app.kubernetes.io/component"
GATEWAY: Object = {"matchLabels": {names.APP: names.GATEWAY}}
ROUTER: Object = {"matchLabels": {COMPONENT: "router"}}
ENGINES: Object = {"matchLabels": {COMPONENT: "serving-engine"}}
"""The labels of the production-stack chart's pods (helm/templates/_helpers.tpl, tag vllm-stack-0.1.12)."""
RAY: Object = {"matchExpressions": [{"key": ray.CLUSTER, "operator": "Exists"}]}
OUT: Object = {"ports": [{"port": 443, "protocol": "TCP"}]}
"""To wherever by TLS: model hubs and package indexes have no addresses that one could list."""


def policies(fleet: FleetSpec) -> Iterator[tuple[str, Object]]:
    """Each policy's name and ``spec``."""
    yield "llm-closed", {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    names_of_hosts = [{"port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")]
    yield "llm-names", {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"ports": names_of_hosts}]}
    gate_ports = (names.GATEWAY_PORT, *(port for __, port in store.ports(fleet)))
    inner = RAY if fleet.engine == KUBERAY else ROUTER
    yield (
        names.GATEWAY,
        {
            "podSelector": GATEWAY,
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                {"from": list(_callers(fleet)), "ports": [_tcp(port) for port in gate_ports]},
                *_of_keda(fleet),
                *_of_the_store(fleet),
            ],
            "egress": [
                {"to": [{"podSelector": inner}], "ports": [_tcp(names.ENGINE_PORT)]},
                *_to_the_store(fleet),
                OUT,
            ],
        },
    )
    if fleet.engine == KUBERAY:
        yield from _of_ray(fleet)
    else:
        yield from _of_the_stack()
    yield from store.policies(fleet, GATEWAY)


def _callers(fleet: FleetSpec) -> Iterator[Object]:
    for each in fleet.allowed_namespaces:
        yield {"namespaceSelector": {"matchLabels": {NAMESPACE: each}}}
    for each in fleet.allowed_cidrs:
        yield {"ipBlock": {"cidr": each}}


def _of_keda(fleet: FleetSpec) -> Iterator[Object]:
    """KEDA asks the gateway how many calls there are, at a port that no caller comes to."""
    if fleet.follows:
        asks = {"namespaceSelector": {"matchLabels": {NAMESPACE: fleet.keda_namespace}}}
        yield {"from": [asks], "ports": [_tcp(names.HEALTH_PORT)]}


def _of_the_store(fleet: FleetSpec) -> Iterator[Object]:
    """The vector store asks the gateway for vectors, at a port that no caller comes to."""
    if fleet.vectors is not None and fleet.vectors.vectorizer is not None:
        yield {"from": [{"podSelector": store.POD}], "ports": [_tcp(names.VECTORIZER_PORT)]}


def _to_the_store(fleet: FleetSpec) -> Iterator[Object]:
    if fleet.vectors is not None:
        yield {"to": [{"podSelector": store.POD}], "ports": [_tcp(port) for port in store.PORTS]}


def _of_the_stack() -> Iterator[tuple[str, Object]]:
    asked = [_tcp(names.ENGINE_PORT)]
    yield (
        "llm-router",
        {
            "podSelector": ROUTER,
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [{"podSelector": GATEWAY}], "ports": asked}],
            # It asks the API server which engines there are; where that listens is the cluster's affair.
            "egress": [{"to": [{"podSelector": ENGINES}], "ports": asked}, {"ports": [_tcp(443), _tcp(6443)]}],
        },
    )
    yield (
        "llm-engines",
        {
            "podSelector": ENGINES,
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [{"podSelector": ROUTER}], "ports": asked}],
            "egress": [OUT],
        },
    )


def _of_ray(fleet: FleetSpec) -> Iterator[tuple[str, Object]]:
    operator = {"namespaceSelector": {"matchLabels": {NAMESPACE: fleet.operator_namespace}}}
    yield (
        "llm-ray",
        {
            "podSelector": RAY,
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                # Ray's processes take any port of each other's, and ask for no key.
                {"from": [{"podSelector": RAY}]},
                {"from": [{"podSelector": GATEWAY}], "ports": [_tcp(names.ENGINE_PORT)]},
                {"from": [operator], "ports": [_tcp(ray.PORTS["dashboard"]), _tcp(names.ENGINE_PORT)]},
            ],
            "egress": [{"to": [{"podSelector": RAY}]}, OUT],
        },
    )


def _tcp(port: int) -> Object:
    return {"port": port, "protocol": "TCP"}
