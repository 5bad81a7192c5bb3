"""The fleet that the tests hold against Kubernetes: the component's objects, as plain data, in the order of `up`."""

from __future__ import annotations

from typing import Any

from pulumi_llm import spec
from pulumi_llm._cluster import names, objects
from pulumi_llm._resolve.fleet import ResolvedFleet, resolve_fleet
from pulumi_llm.spec.fleet import KUBERAY, PRODUCTION_STACK, FleetSpec
from tests.fleet.api import Object

CALLERS = "apps"
"""The one namespace whose pods may call."""
MODEL = "Qwen/Qwen2.5-7B-Instruct"
ENGINES = (KUBERAY, PRODUCTION_STACK)


def resolved(namespace: str, copies: int, engine: str = KUBERAY, **more: Any) -> ResolvedFleet:
    """A fleet of so many engines, each with a GPU on a node of its own."""
    wanted = {
        "engine": engine, "namespace": namespace, "allowed_namespaces": [CALLERS],
        "models": {"chat": {"model": MODEL, "copies": copies}},
        "nodes": {"count": copies, "gpu": "A100-80GB", "gpus": 1, "labels": {"pool": "fleet"}},
        **more,
    }  # fmt: skip
    return resolve_fleet(spec.parse(FleetSpec, wanted))


def fleet_objects(namespace: str, copies: int = 2, engine: str = KUBERAY, **more: Any) -> list[Object]:
    """All objects of a fleet inside its namespace.

    With ``production-stack`` the engines are left out: they come with its chart, which no package registry has.
    """
    fleet = resolved(namespace, copies, engine, **more)
    engines = [objects.ray_service(fleet, hub_token=False)] if engine == KUBERAY else []
    return [*objects.inside(fleet), *_secrets(fleet), *engines, *objects.front(fleet)]


def _secrets(fleet: ResolvedFleet) -> list[Object]:
    return [
        {**objects.secret(fleet, name, kind), "stringData": content}
        for name, kind, content in (
            (names.ENGINE_SECRET, "Opaque", {names.ENGINE_KEY: "planted"}),
            (names.KEYS, "Opaque", {"gateway-keys.json": "{}", "upstream.env": "UPSTREAM_ENGINES=planted\n"}),
            (names.CERTIFICATE, "kubernetes.io/tls", {"tls.crt": "planted", "tls.key": "planted"}),
        )
    ]
