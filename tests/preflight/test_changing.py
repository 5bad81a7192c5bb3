"""A main model that is changed beside the one that runs: both find room on the GPU and in the host's memory."""

from __future__ import annotations

from typing import Any

import pytest

from pulumi_llm import catalog, preflight, spec
from pulumi_llm._resolve import resolve_platform
from pulumi_llm._served import role
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.preflight import rules_change
from pulumi_llm.preflight.engine import engine
from tests.test_spec import GOOD

SMALL = {"cloud": "aliyun", "region": "cn-hangzhou", "gpu": "A10", "model": "Qwen/Qwen2.5-3B-Instruct"}


def found(**server: Any) -> list[Finding]:
    wanted = spec.parse(spec.ServerSpec, {**SMALL, "model_change": "beside", **server})
    return [each for each in preflight.check_server(wanted) if each.severity == "error"]


def resolved(**server: Any) -> Any:
    platform = {**GOOD, "server": {**SMALL, **server}}
    for part in ("proxy", "vectors"):
        platform.pop(part, None)
    return resolve_platform(platform).server


@pytest.mark.parametrize("gpu", sorted(each.name for each in catalog.load().gpus.values()))
def test_two_of_the_share_that_nobody_says_are_never_more_than_the_card(gpu: str) -> None:
    card, kept = catalog.load().gpu(gpu).memory_gib, engine().spending.reserved_gib
    share = rules_change.half(card)
    assert 2 * (share * card + kept) <= card + 0.01
    assert 2 * ((share + 0.01) * card + kept) > card


def test_half_of_the_card_is_what_vllm_is_told_and_what_is_reckoned_with() -> None:
    server = resolved(model_change="beside")
    assert server.spec.gpu_memory_utilization == rules_change.half(catalog.load().gpu("A10").memory_gib)
    assert (role(server).beside, role(server).gpu_memory_utilization) == (True, server.spec.gpu_memory_utilization)
    whole = resolved()
    assert (role(whole).beside, whole.spec.gpu_memory_utilization) == (False, 0.9)
    assert server.memory.kv_gib < whole.memory.kv_gib / 1.5


def test_a_share_that_is_said_is_kept_where_two_of_it_find_room() -> None:
    assert resolved(model_change="beside", gpu_memory_utilization=0.4).spec.gpu_memory_utilization == 0.4
    (told,) = found(gpu_memory_utilization=0.6)
    assert told.code == "fit.no-room-beside"
    assert told.hint == "gpu_memory_utilization: 0.48; or model_change: restart"
    assert found(gpu_memory_utilization=0.48) == []


def test_a_model_for_which_half_of_the_card_is_too_little_is_refused_with_what_would_do() -> None:
    told = {each.code: each for each in found(model="01-ai/Yi-6B-Chat", context_length=2048)}
    assert {*told} == {"fit.weights-exceed-vram", "fit.no-room-beside"}
    assert "model_change: restart" in told["fit.no-room-beside"].hint
    wanted = spec.parse(spec.ServerSpec, {**SMALL, "model": "01-ai/Yi-6B-Chat", "context_length": 2048})
    assert [each for each in preflight.check_server(wanted) if each.severity == "error"] == []


def test_a_model_that_not_even_the_whole_card_holds_is_refused_for_that_alone() -> None:
    assert [each.code for each in found(model="Qwen/QwQ-32B")] == ["fit.weights-exceed-vram"]


def test_the_share_of_a_model_that_nobody_knows_is_looked_at_all_the_same() -> None:
    codes = [each.code for each in found(model="org/nobody-knows-it", gpu_memory_utilization=0.6)]
    assert codes == ["fit.unknown-model", "fit.no-room-beside"]


def test_the_hosts_memory_holds_two_as_well() -> None:
    asked = {"gpu": "T4", "model": "Qwen/Qwen2.5-1.5B-Instruct", "instance_type": "ecs.gn6i-c4g1.xlarge"}
    keeps = {"extra_args": ["--kv-offloading-size", "3"]}
    assert found(**asked) == []
    (told,) = found(**asked, **keeps)
    assert told.code == "fit.host-memory"
    assert "12 for vLLM, two of which run while the model is changed" in told.message
    assert found(**asked, **keeps, model_change="restart") == []


def test_further_models_keep_off_the_card() -> None:
    shared, own = {"b": {"model": "BAAI/bge-m3"}}, {"b": {"model": "BAAI/bge-m3", "gpus": 1}}
    with pytest.raises(Refusal) as refused:
        found(models=shared)
    assert [each.code for each in refused.value.findings] == ["spec.beside-on-a-shared-card"]
    assert "fit.no-room-beside" not in [each.code for each in found(models=own, gpu="A10")]
