"""The chart's values: closed, of the same resolved spec as a machine's flags, and known to the chart."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_llm import _served, catalog
from pulumi_llm._cluster import engines, objects, values
from pulumi_llm._cluster.closed import plain
from pulumi_llm.errors import Refusal
from pulumi_llm.preflight import fleets
from pulumi_llm.roles import vllm_flags
from pulumi_llm.spec.fleet import CHARTS
from tests.cluster.fleets import FLEET, FOLLOWING, WIDE, resolved

CHART = os.environ.get("PULUMI_LLM_CHART")


def model_of(**changed: Any) -> dict[str, Any]:
    made = objects.chart_values(resolved({**FLEET, **changed}), hub_token=False)
    return dict(made["servingEngineSpec"]["modelSpec"][0])


def test_a_key_that_the_chart_would_drop_cannot_be_written() -> None:
    # The chart takes `maxModelLenn`, says nothing, and vLLM runs with the model's whole context.
    known: dict[str, Any] = {
        "enablePrefixCaching": True,
        "dtype": "auto",
        "tensorParallelSize": 1,
        "gpuMemoryUtilization": 0.9,
    }
    assert plain(values.VllmConfig(**known, maxModelLen=4096))["maxModelLen"] == 4096
    with pytest.raises(TypeError):
        values.VllmConfig(**known, maxModelLenn=4096)


def test_flags_are_those_that_a_machine_would_start_vllm_with() -> None:
    asked = {"context_length": "4K", "max_num_seqs": 64, "extra_args": ["--enforce-eager"]}
    fleet = resolved({**FLEET, "models": {"chat": {"model": "Qwen/Qwen2.5-7B-Instruct", **asked}}})
    made = objects.chart_values(fleet, hub_token=False)["servingEngineSpec"]["modelSpec"][0]
    config = made["vllmConfig"]
    of_the_chart = {
        "--dtype": config["dtype"],
        "--tensor-parallel-size": str(config["tensorParallelSize"]),
        "--gpu-memory-utilization": str(config["gpuMemoryUtilization"]),
        "--max-model-len": str(config["maxModelLen"]),
        "--max-num-seqs": str(config["maxNumSeqs"]),
    }
    flat = [*config["extraArgs"], *(each for pair in of_the_chart.items() for each in pair)]
    role = _served.of_fleet(fleet.models[0].model, 1)
    assert sorted(flat) == sorted(vllm_flags.serving_arguments(role))
    assert of_the_chart["--max-model-len"] == "4096"
    assert "--enforce-eager" in config["extraArgs"]


@pytest.mark.parametrize("guesser", ["Qwen/Qwen2.5-0.5B-Instruct", "Qwen/Qwen2.5-3B-Instruct"])
def test_a_model_that_guesses_ahead_is_named_as_its_hub_does_where_no_node_has_fetched_it(guesser: str) -> None:
    config = json.dumps({"model": guesser, "method": "draft_model", "num_speculative_tokens": 3})
    asked = {"model": "Qwen/Qwen2.5-3B-Instruct", "extra_args": ["--speculative-config", config]}
    flags = model_of(models={"chat": asked})["vllmConfig"]["extraArgs"]
    assert json.loads(flags[flags.index("--speculative-config") + 1])["model"] == guesser


@pytest.mark.parametrize(("model", "kind"), [("BAAI/bge-m3", "embedding"), ("BAAI/bge-reranker-v2-m3", "reranking")])
def test_ray_is_asked_for_no_kind_of_model_that_only_its_name_tells(model: str, kind: str) -> None:
    with pytest.raises(Refusal) as refused:
        resolved({**WIDE, "models": {"other": {"model": model}}})
    (found,) = refused.value.findings
    assert (found.code, found.where) == ("fleet.ray-cannot", "models.other.model")
    assert f"kind: {kind}" in found.message


@pytest.mark.parametrize(
    "changed",
    [
        {"namespace": "default"},
        {"namespace": "kube-system"},
        {"namespace": "apps"},
        {"namespace": "kuberay-operator", "engine": "kuberay"},
    ],
)
def test_a_fleet_takes_no_namespace_that_others_are_in(changed: dict[str, Any]) -> None:
    with pytest.raises(Refusal) as refused:
        resolved({**FLEET, **changed})
    assert [each.code for each in refused.value.findings] == ["fleet.namespace-of-others"]


@pytest.mark.parametrize("index", ["a mirror", "https://me:planted@mirror.example.com/simple"])
def test_a_package_index_is_an_address_without_a_password(index: str) -> None:
    with pytest.raises(Refusal) as refused:
        resolved({**FLEET, "package_index": index})
    assert [each.code for each in refused.value.findings] == ["spec.bad-url"]
    assert "planted" not in str(refused.value)


def test_the_engine_is_the_release_that_machines_have() -> None:
    made = model_of()
    assert made["tag"] == f"v{engines.release()}"
    assert made["repository"] == "vllm/vllm-openai"


def test_a_template_that_offers_tools_goes_along() -> None:
    with_one = next(
        row.id for row in catalog.load().models.values()
        if (found := resolved_or_none(row.id)) and vllm_flags.chat_template(_served.of_fleet(found.models[0].model, 1))
    )  # fmt: skip
    made = model_of(models={"chat": {"model": with_one}})
    assert made["chatTemplateConfigMap"] == engines.text(f"vllm/chat/{made['chatTemplate']}")
    assert "--chat-template" not in made["vllmConfig"]["extraArgs"]


def resolved_or_none(model: str) -> Any:
    try:
        return resolved({**FLEET, "models": {"chat": {"model": model}}})
    except Refusal:
        return None


def test_a_copy_gets_its_part_of_a_node() -> None:
    node = {"count": 1, "gpu": "A100-80GB", "gpus": 8, "vcpus": 96, "memory_gib": 800}
    made = model_of(models={"chat": {"model": "Qwen/Qwen2.5-72B-Instruct", "gpus": 4}}, nodes=node)
    assert made["resources"] == {
        "requests": {"cpu": "38", "memory": "320Gi", "nvidia.com/gpu": "4"}, "limits": {"nvidia.com/gpu": "4"},
    }  # fmt: skip


def test_engines_are_replaced_one_by_one_on_the_gpus_that_are_there() -> None:
    made = objects.chart_values(resolved(FLEET), hub_token=False)["servingEngineSpec"]
    assert made["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}


def test_labels_of_nodes_and_taints_are_where_the_scheduler_looks() -> None:
    nodes = {**FLEET["nodes"], "labels": {"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB"}, "taints": ["gpu", "spot"]}
    made = model_of(nodes=nodes)
    assert [each["key"] for each in made["tolerations"]] == ["gpu", "spot"]
    assert made["nodeSelectorTerms"] == [
        {"matchExpressions": [
            {"key": "nvidia.com/gpu.product", "operator": "In", "values": ["NVIDIA-A100-SXM4-80GB"]}
        ]}
    ]  # fmt: skip


def test_weights_lie_on_the_node_or_on_a_claim_that_all_write() -> None:
    assert model_of()["pvcStorage"]["emptyDir"]["sizeLimit"].endswith("Gi")
    made = objects.chart_values(resolved({**FLEET, "storage_class": "nas"}), hub_token=False)
    assert made["sharedPvcStorage"]["storageClass"] == "nas"
    assert made["sharedPvcStorage"]["accessModes"] == ["ReadWriteMany"]
    assert "pvcStorage" not in made["servingEngineSpec"]["modelSpec"][0]
    kinds = {each["kind"]: each for each in objects.inside(resolved({**WIDE, "storage_class": "nas"}))
             if each["metadata"]["name"] == "llm-weights"}  # fmt: skip
    assert kinds["PersistentVolumeClaim"]["spec"]["storageClassName"] == "nas"


@pytest.mark.parametrize(
    ("hub", "told"),
    [("hf-mirror", {"HF_ENDPOINT": "https://hf-mirror.com"}), ("modelscope", {"VLLM_USE_MODELSCOPE": "True"})],
)
def test_engines_are_told_which_hub(hub: str, told: dict[str, str]) -> None:
    env = {each["name"]: each["value"] for each in model_of(hub=hub)["env"]}
    assert told.items() <= env.items()


@given(
    st.integers(1, 8),
    st.lists(st.tuples(st.integers(1, 6), st.integers(1, 4), st.integers(1, 8)), min_size=1, max_size=5),
)
def test_as_many_nodes_are_counted_as_hold_all_copies(gpus: int, wanted: list[tuple[int, int, int]]) -> None:
    wanted = [(copies, parts, min(size, gpus)) for copies, parts, size in wanted]
    found = fleets.nodes_for(gpus, wanted)
    asked = sum(copies * parts * size for copies, parts, size in wanted)
    assert -(-asked // gpus) <= found <= sum(copies * parts for copies, parts, _ in wanted)
    assert found >= max(parts for _, parts, _ in wanted), "two parts of one copy would be on one node"


def test_nodes_are_filled() -> None:
    assert fleets.nodes_for(8, [(3, 1, 2), (1, 1, 2)]) == 1
    assert fleets.nodes_for(8, [(2, 1, 6), (2, 1, 2)]) == 2
    assert fleets.nodes_for(4, [(1, 2, 2), (1, 2, 2)]) == 2


def keys_of(made: Any, path: str = "") -> Iterator[str]:
    if isinstance(made, dict):
        for key, value in made.items():
            yield f"{path}.{key}".lstrip(".")
            yield from keys_of(value, f"{path}.{key}")
    elif isinstance(made, list):
        for each in made:
            yield from keys_of(each, f"{path}[]")


FREE = (
    "labels",
    "strategy",
    "requests",
    "limits",
    "emptyDir",
    "matchExpressions",
    "ontainerSecurityContext",
    "securityContext",
    "triggers",
    "horizontalPodAutoscalerConfig",
)
"""Objects of Kubernetes' own, and of KEDA's, within the values, which the API server judges."""


@pytest.mark.skipif(CHART is None, reason="PULUMI_LLM_CHART names no folder of the chart (vllm-stack, unpacked)")
def test_every_key_is_one_that_the_chart_reads() -> None:
    folder = Path(str(CHART))
    read = "".join(each.read_text() for each in sorted((folder / "templates").iterdir()) if each.is_file())
    dependencies = (folder / "Chart.yaml").read_text()
    for changed in ({}, {"storage_class": "nas"}, {"hub": "modelscope"}, {"models": FOLLOWING["models"]}):
        made = objects.chart_values(resolved({**FLEET, **changed}), hub_token=True)
        for path in keys_of(json.loads(json.dumps(made))):
            key = path.rpartition(".")[2]
            if any(each in path for each in FREE) or path.startswith(("kube-prometheus-stack", "prometheus-adapter")):
                continue
            assert f".{key}" in read or f'"{key}"' in read or key in ("key", "operator", "name", "value", "type"), path
    assert all(name in dependencies for name in ("kube-prometheus-stack", "prometheus-adapter"))
    assert any(f"version: {version}" in dependencies for version in CHARTS)
