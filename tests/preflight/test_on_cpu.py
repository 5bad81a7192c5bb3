"""Models on the CPU: which may be there, what they take of the host's memory, and that they take nothing of a card."""

from __future__ import annotations

from typing import Any

import pytest

from pulumi_llm import preflight, spec
from pulumi_llm._resolve import ResolvedPlatform, resolve_platform
from pulumi_llm.catalog import load
from pulumi_llm.errors import Refusal
from pulumi_llm.preflight import beside, on_cpu

SERVER = {"cloud": "aliyun", "region": "cn-hangzhou", "gpu": "A10", "model": "01-ai/Yi-6B-Chat", "context_length": 1024}
M3 = {"model": "BAAI/bge-m3", "device": "cpu"}


def resolved(models: dict[str, Any], **server: Any) -> ResolvedPlatform:
    return resolve_platform(
        {"server": {**SERVER, "models": models, **server}, "access": {"allowed_cidrs": ["203.0.113.0/24"]}}
    )


def codes(models: dict[str, Any], **server: Any) -> dict[str, str]:
    """The codes of what is refused, and where."""
    with pytest.raises(Refusal) as refusal:
        resolved(models, **server)
    return {each.code: each.where for each in refusal.value.findings}


def test_a_model_on_the_cpu_takes_nothing_of_the_card_and_its_weights_of_the_hosts_memory() -> None:
    alone, both = resolved({}).server, resolved({"bge-m3": M3}).server
    assert both.spec.gpu_memory_utilization == alone.spec.gpu_memory_utilization
    assert both.memory == alone.memory
    (found,) = both.models
    assert (found.cards, found.dtype, found.task, found.memory) == ((), "float32", "embedding", None)
    (host,) = beside.of_models(both.spec)
    # 0.568 billion numbers of four bytes, a GiB of libraries, one of what is worked on
    assert (host.memory_gib, host.fixed) == (5, True)
    assert host.disk_gib == beside.of_model("bge-m3", load().model("BAAI/bge-m3"), 1).disk_gib


def test_half_of_it_is_kept_for_weights_of_16_bit() -> None:
    row = load().model("BAAI/bge-large-zh-v1.5")
    whole, half = (on_cpu.of_model("m", row.id, dtype=each).weights_gib for each in ("auto", "bfloat16"))
    assert whole is not None
    assert half is not None
    assert whole == pytest.approx(row.parameters_b * 4e9 / 2**30)
    assert half == pytest.approx(whole / 2)
    (found,) = resolved({"m": {**M3, "dtype": "bfloat16"}}).server.models
    assert found.dtype == "bfloat16"


def test_those_on_the_cpu_have_their_ports_behind_those_on_gpus() -> None:
    models = {"first": M3, "second": {"model": "BAAI/bge-large-zh-v1.5"}, "third": {**M3, "kind": "embedding"}}
    assert [each.name for each in resolved(models).server.models] == ["second", "first", "third"]


@pytest.mark.parametrize(
    ("model", "code", "key"),
    [
        ({"model": "Qwen/Qwen2.5-0.5B-Instruct"}, "fit.not-on-cpu", "device"),
        ({"model": "Qwen/Qwen2.5-0.5B-Instruct-AWQ", "kind": "embedding"}, "fit.not-on-cpu", "kind"),
        ({"model": "Qwen/Qwen3-0.6B", "kind": "reranking"}, "fit.not-on-cpu", "kind"),
        ({"model": "acme/embeds-it", "kind": "embedding"}, "fit.unknown-model", "model"),
        ({"model": "acme/embeds-it"}, "fit.unknown-model", "kind"),
        ({"model": "Qwen/Qwen2.5-0.5B-Instruct", "kind": "embedding"}, "fit.not-on-cpu", "kind"),
        ({"model": "BAAI/bge-m3", "kind": "chat"}, "spec.model-on-cpu", ""),
        ({"model": "BAAI/bge-m3", "gpus": 1}, "spec.model-on-cpu", ""),
        ({"model": "BAAI/bge-m3", "gpu_memory_utilization": 0.1}, "spec.model-on-cpu", ""),
        ({"model": "BAAI/bge-m3", "dtype": "half"}, "spec.model-on-cpu", ""),
        ({"model": "BAAI/bge-m3", "quantization": "awq"}, "spec.model-on-cpu", ""),
        ({"model": "BAAI/bge-m3", "max_num_seqs": 4}, "spec.model-on-cpu", ""),
        ({"model": "BAAI/bge-m3", "extra_args": ["--seed", "1"]}, "spec.model-on-cpu", ""),
        ({"model": "BAAI/bge-m3", "adapters": {"a": {"source": "acme/a"}}}, "spec.model-on-cpu", ""),
    ],
)
def test_what_cannot_be_on_the_cpu_is_refused(model: dict[str, Any], code: str, key: str) -> None:
    found = codes({"m": {"device": "cpu", **model}})
    assert found == {code: ".".join(filter(None, ("server.models.m", key)))}


def test_what_is_said_of_the_card_as_it_is_anyway_is_not_refused() -> None:
    assert resolved({"m": {**M3, "gpus": None, "quantization": None, "extra_args": []}}).server.models


def test_a_machine_without_the_memory_is_refused_with_what_each_takes() -> None:
    wanted = spec.parse(spec.ServerSpec, {**SERVER, "models": {f"m{number}": M3 for number in range(6)}})
    (found,) = (each for each in preflight.check_server(wanted) if each.code == "fit.host-memory")
    assert "5 GiB for the model m0 on the CPU" in str(found.message)


def test_a_model_that_nobody_knows_has_memory_kept_for_it_where_that_is_overridden() -> None:
    unknown = {"m": {"model": "acme/embeds-it", "kind": "embedding", "device": "cpu"}}
    platform = resolved(unknown, override=["fit.unknown-model"])
    (host,) = beside.of_models(platform.server.spec)
    assert host.memory_gib == on_cpu.UNKNOWN_GIB


def test_a_main_model_that_may_be_loaded_twice_shares_its_card_with_none_on_the_cpu() -> None:
    wanted = spec.parse(spec.ServerSpec, {**SERVER, "model_change": "beside", "models": {"m": M3}})
    assert wanted.model_change == "beside"
