"""Plans of a few resources, and the adapters' resources as a plan, whole or with one safe choice undone."""

from __future__ import annotations

import ast
import inspect
import types
from collections.abc import Mapping
from typing import Any

from pulumi_llm import clouds
from pulumi_llm._plan.model import SECRET, SIGNATURE, LookUp, Plan, PlannedResource
from pulumi_llm._review import policy
from tests.clouds import harness

STACK = "urn:pulumi:dev::shop::pulumi:pulumi:Stack::shop-dev"
PACKAGES = {
    "aws": "aws",
    "azure-native": "azure",
    "alicloud": "aliyun",
    "digitalocean": "digitalocean",
    "gcp": "gcp",
    "tencentcloud": "tencent",
    "volcengine": "volcengine",
    "vultr": "vultr",
}


def secret(value: Any) -> dict[str, Any]:
    return {SIGNATURE: SECRET, "value": value}


def resource(
    type_: str, inputs: Mapping[str, Any] | None = None, /, name: str = "it", **options: Any
) -> PlannedResource:
    urn = f"urn:pulumi:dev::shop::{type_}::{name}"
    return PlannedResource(urn=urn, type=type_, name=name, parent=STACK, custom=True, inputs=inputs or {}, **options)


def provider(package: str, region: str, **inputs: Any) -> PlannedResource:
    return resource(f"pulumi:providers:{package}", {"region": region, **inputs}, name=f"{package}-{region}")


def plan_of(*resources: PlannedResource, **outputs: Any) -> Plan:
    return Plan("shop", "dev", list(resources), outputs)


def codes(plan: Plan, settings: policy.Settings | None = None) -> set[str]:
    """The rules that do not hold, without what is only told (``info``)."""
    return {each.code for each in policy.check(plan, settings) if each.severity != "info"}


def adapter_plan(cloud: str, undone: tuple[str, str, Any] | None = None, **changes: Any) -> Plan:
    """What a cloud's adapter makes. ``undone``: (the end of a resource's class, argument, what is said instead)."""
    adapter = clouds.get(cloud) if undone is None else _other(cloud, *undone)
    recording = harness.record(harness.everything(adapter, **changes))
    made = [
        PlannedResource(
            urn=each.urn,
            type=each.type,
            name=each.name,
            parent=each.parent,
            custom=":" in each.type and not each.type.startswith("llm:"),
            inputs=each.inputs,
            provider=each.provider,
            dependencies=tuple(sorted(each.depends_on)),
            ignore_changes=tuple(sorted(each.ignored)),
            protect=True,
        )
        for each in recording.made
    ]
    return Plan("small", "dev", made, look_ups=[LookUp(token, args) for token, args in recording.looked_up])


def _other(cloud: str, class_: str, argument: str, value: Any) -> Any:
    """The adapter, with one argument of one resource class said otherwise."""
    module = inspect.getmodule(type(clouds.get(cloud)))
    assert module is not None
    tree = ast.parse(inspect.getsource(module))
    calls = [each for each in ast.walk(tree) if isinstance(each, ast.Call) and ast.unparse(each.func).endswith(class_)]
    changed = [each for call in calls for each in call.keywords if each.arg == argument]
    assert changed, f"{cloud}: no {class_}({argument}=…)"
    for each in changed:
        each.value = ast.parse(repr(value), mode="eval").body
    made = types.ModuleType(f"other_{cloud}")
    exec(compile(ast.fix_missing_locations(tree), made.__name__, "exec"), made.__dict__)
    return made.ADAPTER
