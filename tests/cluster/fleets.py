"""Fleets that tests plan: their arguments, a kubeconfig with a planted token, and what a plan holds of them."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pulumi_llm as llm
from pulumi_llm import spec
from pulumi_llm._plan.model import Plan, PlannedResource
from pulumi_llm._resolve.fleet import ResolvedFleet, resolve_fleet
from pulumi_llm.spec.fleet import FleetSpec
from tests.test_components import plan_of

SERVER = "https://203.0.113.7:6443"
TOKEN = "planted-token-of-the-cluster"


def kubeconfig(**changed: Any) -> str:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "lab",
        "contexts": [
            {"name": "lab", "context": {"cluster": "lab", "user": "me"}},
            {"name": "other", "context": {"cluster": "other", "user": "me"}},
        ],
        "clusters": [
            {"name": "lab", "cluster": {"server": SERVER}},
            {"name": "other", "cluster": {"server": "https://198.51.100.9:6443"}},
        ],
        "users": [{"name": "me", "user": {"token": TOKEN}}],
    }
    return json.dumps({**document, **changed})


FLEET: dict[str, Any] = {
    "models": {"chat": {"model": "Qwen/Qwen2.5-7B-Instruct", "copies": 2}},
    "nodes": {"count": 2, "gpu": "A100-80GB", "gpus": 1, "price": {"amount": 12.5, "currency": "CNY"}},
    "cluster": {"server": SERVER, "version": "1.34"},
    "allowed_namespaces": ["apps"],
    "kubeconfig": kubeconfig(),
}
FOLLOWING: dict[str, Any] = {
    **FLEET,
    "models": {"chat": {"model": "Qwen/Qwen2.5-7B-Instruct", "scaling": {"least": 0, "most": 2, "queue": 8}}},
}
"""A fleet whose engines follow the load, down to none."""
WIDE: dict[str, Any] = {
    **FLEET,
    "engine": "kuberay",
    "models": {"large": {"model": "Qwen/Qwen2.5-72B-Instruct", "gpus": 2, "nodes": 2}},
    "nodes": {"count": 2, "gpu": "A100-80GB", "gpus": 2},
}


def spec_of(args: dict[str, Any]) -> FleetSpec:
    return spec.parse(FleetSpec, {key: value for key, value in args.items() if key in FleetSpec.model_fields})


def resolved(args: dict[str, Any]) -> ResolvedFleet:
    return resolve_fleet(spec_of(args))


def planned(args: dict[str, Any]) -> Plan:
    return _planned(json.dumps(args))


@cache
def _planned(args: str) -> Plan:
    return plan_of(llm.Fleet, json.loads(args))


def named(plan: Plan, name: str) -> PlannedResource:
    (found,) = [each for each in plan.resources if each.name == name]
    return found


def values_of(plan: Plan) -> dict[str, Any]:
    (release,) = plan.of_type("kubernetes:helm.sh/v3:Release")
    return dict(release.inputs["values"])


def policies_of(plan: Plan) -> dict[str, dict[str, Any]]:
    rows = plan.of_type("kubernetes:networking.k8s.io/v1:NetworkPolicy")
    return {each.inputs["metadata"]["name"]: each.inputs["spec"] for each in rows}
