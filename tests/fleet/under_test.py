"""The fleet that the tests hold against Kubernetes: what the component `Fleet` registers with Pulumi's engine."""

from __future__ import annotations

import copy
import json
from functools import cache
from typing import Any

import pulumi_llm as llm
from pulumi_llm._cluster import names
from pulumi_llm.spec.fleet import KUBERAY, PRODUCTION_STACK
from tests.cluster.fleets import kubeconfig
from tests.fleet.api import Object
from tests.test_components import plan_of

CALLERS = "apps"
"""The one namespace whose pods may call."""
ENGINES = (KUBERAY, PRODUCTION_STACK)
SECRETS: dict[str, dict[str, str]] = {
    names.ENGINE_SECRET: {names.ENGINE_KEY: "planted"},
    names.KEYS: {"gateway-keys.json": "{}", "upstream.env": "UPSTREAM_ENGINES=planted\n"},
    names.LOAD: {names.LOAD_KEY: "planted"},
    names.CERTIFICATE: {"tls.crt": "planted", "tls.key": "planted"},
}
"""What stands in secrets, which are known to nobody before an `up`."""


def fleet_objects(namespace: str, copies: int = 2, engine: str = KUBERAY, **more: Any) -> list[Object]:
    """All objects of a fleet of so many engines with a GPU each, inside its namespace, in the order of `up`.

    With ``production-stack`` the engines are left out: they come with its chart, which no package registry has.
    """
    return [each for each in _registered(namespace, copies, engine, **more) if each["kind"] != "Namespace"]


def namespace_object(namespace: str) -> Object:
    """The namespace, as the fleet makes it."""
    (found,) = [each for each in _registered(namespace, 1, KUBERAY) if each["kind"] == "Namespace"]
    return found


def _registered(namespace: str, copies: int, engine: str, **more: Any) -> list[Object]:
    wanted = {
        "engine": engine, "namespace": namespace, "allowed_namespaces": [CALLERS], "kubeconfig": kubeconfig(),
        "models": {"chat": {"model": "Qwen/Qwen2.5-7B-Instruct", "copies": copies}},
        "nodes": {"count": copies, "gpu": "A100-80GB", "gpus": 1, "labels": {"pool": "fleet"}},
        **more,
    }  # fmt: skip
    return copy.deepcopy(_planned(json.dumps(wanted)))


@cache
def _planned(wanted: str) -> list[Object]:
    resources = plan_of(llm.Fleet, json.loads(wanted)).resources
    objects = [dict(each.inputs) for each in resources if each.type.startswith("kubernetes:") and "kind" in each.inputs]
    for each in objects:
        if each["kind"] == "Secret":
            each["stringData"] = SECRETS[each["metadata"]["name"]]
    return objects
