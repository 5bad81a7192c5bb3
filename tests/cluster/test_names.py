"""What Kubernetes would not take is refused before an `up`, and what it takes is not."""

from __future__ import annotations

from typing import Any

import pytest

from pulumi_llm.errors import Refusal
from tests.cluster.fleets import FLEET, resolved, spec_of
from tests.fleet.texts import ANNOTATION_KEYS, KEYS, LABEL_VALUES, OBJECT_NAMES

REGISTRIES = {
    "registry.example.com": True,
    "registry.example.com:5000/mirror/docker_io": True,
    "localhost/mirror": True,
    "10.0.0.7:443/a--b": True,
    "https://registry.example.com": False,
    "registry.example.com/": False,
    "mirror": False,
    "registry.example.com/Mirror": False,
    "registry.example.com/a:1": False,
    "registry.example.com/a b": False,
}


def codes(**more: Any) -> set[str]:
    try:
        resolved({**FLEET, **more})
    except Refusal as refusal:
        return {each.code for each in refusal.findings}
    return set()


def of_nodes(**more: Any) -> set[str]:
    return codes(nodes={**FLEET["nodes"], **more})


@pytest.mark.parametrize(("text", "taken"), KEYS.items())
def test_keys_of_labels_and_taints_are_kubernetes_own(text: str, taken: bool) -> None:
    wanted = set() if taken else {"fleet.bad-name"}
    assert of_nodes(labels={text: "a"}) == wanted
    assert of_nodes(taints=[text]) == wanted


@pytest.mark.parametrize(("text", "taken"), ANNOTATION_KEYS.items())
def test_keys_of_annotations_may_have_a_domain_in_capitals(text: str, taken: bool) -> None:
    balancer = {"load_balancer": True, "allowed_cidrs": ["203.0.113.0/24"]}
    wanted = set() if taken else {"fleet.bad-name"}
    assert codes(load_balancer_annotations={text: "any: text / at all"}, **balancer) == wanted


@pytest.mark.parametrize(("text", "taken"), LABEL_VALUES.items())
def test_values_of_labels_are_kubernetes_own(text: str, taken: bool) -> None:
    assert of_nodes(labels={"pool": text}) == (set() if taken else {"fleet.bad-name"})


@pytest.mark.parametrize(("text", "taken"), OBJECT_NAMES.items())
def test_names_of_classes_are_kubernetes_own(text: str, taken: bool) -> None:
    wanted = set() if taken else {"fleet.bad-name"}
    assert codes(storage_class=text) == wanted
    assert codes(runtime_class=text) == wanted


@pytest.mark.parametrize(("text", "taken"), REGISTRIES.items())
def test_a_registry_is_what_stands_before_an_images_name(text: str, taken: bool) -> None:
    assert codes(registry=text) == (set() if taken else {"fleet.bad-registry"})


def test_a_taint_with_value_and_effect_is_told_its_key() -> None:
    with pytest.raises(Refusal) as refused:
        spec_of({**FLEET, "nodes": {**FLEET["nodes"], "taints": ["nvidia.com/gpu=present:NoSchedule"]}})
    (found,) = refused.value.findings
    assert (found.where, found.hint) == ("nodes.taints", "the key alone: nvidia.com/gpu")


def test_annotations_want_a_load_balancer() -> None:
    assert codes(load_balancer_annotations={"internal": "true"}) == {"fleet.annotations-of-nothing"}


@pytest.mark.parametrize(
    ("has", "refused"),
    [
        ({"vcpus": 1}, "nodes.vcpus"),
        ({"vcpus": 2}, None),
        ({"memory_gib": 4}, "nodes.memory_gib"),
        ({"memory_gib": 5}, None),
        ({"vcpus": 8, "gpus": 8, "memory_gib": 64}, "nodes.vcpus"),
        ({"vcpus": 10, "gpus": 8, "memory_gib": 40}, None),
    ],
)
def test_what_a_copy_asks_for_is_what_a_node_has_beside_the_system(has: dict[str, int], refused: str | None) -> None:
    args = {**FLEET, "nodes": {**FLEET["nodes"], **has}}
    if refused is None:
        assert resolved(args).models
        return
    with pytest.raises(Refusal) as told:
        resolved(args)
    (found,) = told.value.findings
    assert (found.code, found.where) == ("fleet.node-too-small", refused)
    key, needed = found.hint.split(",")[0].removeprefix("nodes.").split(": ")
    assert resolved({**args, "nodes": {**args["nodes"], key: int(needed)}}).models, "the advice is not enough"


@pytest.mark.parametrize(
    ("more", "where"),
    [
        ({"models": {"chat": {"model": "Qwen/Qwen2.5-72B-Instruct"}}}, "models.chat.gpus"),
        ({"nodes": {"count": 2, "gpu": "T4"}}, "models.chat.gpus"),
        ({"models": {"chat": {"model": "Qwen/Qwen2.5-7B-Instruct", "gpus": 3}}}, "models.chat.gpus"),
        ({"nodes": {"count": 2, "gpu": "T4"}, "models": {"chat": {"model": "openai/gpt-oss-20b"}}}, "nodes.gpu"),
    ],
)
def test_a_finding_names_keys_that_a_fleet_has(more: dict[str, Any], where: str) -> None:
    with pytest.raises(Refusal) as refused:
        resolved({**FLEET, "nodes": {"count": 2, "gpu": "A100-80GB", "gpus": 8}, **more})
    assert where in {each.where for each in refused.value.findings}
    for each in refused.value.findings:
        assert "gpu_count" not in f"{each.message} {each.hint}"
        assert each.where != "models.chat.gpu"
