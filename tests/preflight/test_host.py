"""What shares the host of a model server, its one data disk and its memory, is counted together before it is bought."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulumi_llm import catalog, preflight, spec
from pulumi_llm._resolve import resolve_platform
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.preflight import placement
from pulumi_llm.preflight.beside import Beside
from pulumi_llm.preflight.weights import weights_gib

MODELS = sorted(catalog.load().models)
LARGE = {"gpu": "A100-40GB", "gpu_count": 8, "model": "Qwen/Qwen2.5-72B-Instruct"}


def server(**changes: object) -> spec.ServerSpec:
    usual = {"cloud": "aws", "region": "us-east-1", "gpu": "T4", "model": "01-ai/Yi-6B-Chat"}
    return spec.ServerSpec.model_validate({**usual, **changes})


def beside(**changes: object) -> spec.VectorsSpec:
    return spec.VectorsSpec.model_validate(changes)


def found(code: str, findings: list[Finding]) -> Finding:
    (one,) = [each for each in findings if each.code == code]
    return one


def codes(findings: list[Finding]) -> set[str]:
    return {each.code for each in findings}


def test_a_disk_that_holds_the_model_and_not_the_vectors_is_refused_with_the_numbers() -> None:
    told = preflight.check_server(server(**LARGE, model_disk_gib=155), beside(disk_gib=200))
    one = found("fit.disk-too-small", told)
    assert one.severity == "error"
    for number in ("136.1 GiB", "200 GiB", "155 GiB", "90%"):
        assert number in one.message
    wanted = int(one.hint.rpartition(" ")[2])
    assert 0.9 * wanted >= 136.1 + 200
    assert preflight.check_server(server(**LARGE, model_disk_gib=155)) == []
    assert preflight.check_server(server(**LARGE, model_disk_gib=wanted), beside(disk_gib=200)) == []


def test_vectors_on_a_machine_of_their_own_need_no_room_on_the_models_disk() -> None:
    alone = beside(placement="own", disk_gib=2000, memory_gib=500)
    assert preflight.check_server(server(**LARGE, model_disk_gib=155), alone) == []


def test_vectors_that_fill_the_disk_are_refused_beside_a_model_that_nobody_knows_too() -> None:
    told = preflight.check_server(server(model="zzz/zzz", model_disk_gib=40), beside(disk_gib=200))
    assert codes(told) == {"fit.unknown-model", "fit.disk-too-small"}


@settings(max_examples=60)
@given(st.sampled_from(MODELS), st.one_of(st.just(0), st.integers(10, 16000)))
def test_the_default_disk_holds_the_model_twice_and_its_vectors_below_weaviates_limit(model: str, vectors: int) -> None:
    row = catalog.load().models[model]
    beside_it = [Beside("vectors", "Vectors", 4, vectors, disk_percent=90)] if vectors else []
    size = placement.model_disk_gib(placement.download_gib(row), beside_it)
    weights = weights_gib(row, row.quantization, row.quantization_bits) or 0.0
    assert size * (0.9 if vectors else 1) >= 2 * weights + vectors + 5


def test_weaviate_that_leaves_vllm_no_memory_is_refused_with_what_would_work() -> None:
    one = found("fit.host-memory", preflight.check_server(server(), beside(memory_gib=12)))
    assert one.severity == "error"
    assert "g4dn.xlarge has 16 GiB" in one.message
    assert "12 GiB for Weaviate, 6 for vLLM, 2 for the system" in one.message
    assert one.hint.startswith("vectors.memory_gib: 8; or vectors.placement: own; or instance_type: g4dn.2xlarge")
    assert preflight.check_server(server(), beside(memory_gib=8)) == []
    assert preflight.check_server(server(instance_type="g4dn.2xlarge"), beside(memory_gib=12)) == []


@pytest.mark.parametrize(
    ("flags", "gib"),
    [
        (["--cpu-offload-gb", "20"], 20),
        (["--cpu-offload-gb=20"], 20),
        (["--kv-offloading-size=20.5"], 20.5),
        (["--cpu-offload-gb=4", "--cpu-offload-gb", "20"], 20),
    ],
)
def test_what_vllm_is_told_to_keep_in_the_hosts_memory_counts(flags: list[str], gib: float) -> None:
    one = found("fit.host-memory", preflight.check_server(server(extra_args=flags)))
    assert f"{gib:g} for what its flags keep there" in one.message


def test_weights_that_are_offloaded_are_so_for_each_gpu() -> None:
    asked = {"gpu_count": 4, "instance_type": "g4dn.12xlarge", "extra_args": ["--cpu-offload-gb=45"]}
    assert "180 for what" in found("fit.host-memory", preflight.check_server(server(**asked))).message


def test_an_override_goes_on_in_spite_of_the_hosts_memory() -> None:
    told = preflight.require(preflight.check_server(server(), beside(memory_gib=12)), ["fit.host-memory"])
    assert [(each.code, each.severity) for each in told] == [("fit.host-memory", "warning")]


def platform(**parts: Any) -> dict[str, Any]:
    return {
        "server": {"cloud": "aws", "region": "us-east-1", "gpu": "T4", "model": "01-ai/Yi-6B-Chat"},
        "access": {"allowed_cidrs": ["203.0.113.0/24"]},
        **parts,
    }


@pytest.mark.parametrize(
    ("vectors", "code", "where"),
    [
        ({"memory_gib": 12}, "fit.host-memory", "server.instance_type"),
        ({"placement": "own", "memory_gib": 512}, "placement.host-not-offered", "vectors.region"),
        (
            {"placement": "own", "memory_gib": 16, "instance_type": "t3.small"},
            "placement.host-too-small",
            "vectors.instance_type",
        ),
        ({"placement": "server", "renew": True}, "spec.vectors-on-the-server", "vectors"),
    ],
)
def test_a_platform_is_refused_before_its_first_machine_is_made(vectors: dict[str, Any], code: str, where: str) -> None:
    with pytest.raises(Refusal) as refused:
        resolve_platform(platform(vectors=vectors))
    assert [(each.code, each.where) for each in refused.value.findings] == [(code, where)]
