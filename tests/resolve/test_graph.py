"""What is resolved: frozen, by the catalogue's names, each default from one place, without Pulumi."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_llm import _nodes, catalog, spec
from pulumi_llm._bootstrap import VllmRole
from pulumi_llm._resolve import ResolvedPlatform, resolve_platform
from pulumi_llm.errors import Refusal
from pulumi_llm.preflight import placement
from pulumi_llm.preflight.request import FitRequest, case_of

DATA = catalog.load()
ACCESS = {"allowed_cidrs": ["203.0.113.0/24"]}
SERVER: dict[str, Any] = {
    "cloud": "aws",
    "region": "ap-northeast-1",
    "gpu": "T4",
    "model": "01-ai/Yi-6B-Chat",
    "context_length": 4096,
}
PROXY: dict[str, Any] = {
    "cloud": "tencent",
    "region": "ap-singapore",
    "upstreams": {"openai": {"models": ["gpt-6-luna"]}, "anthropic": {"models": ["claude-sonnet-5"]}},
}
WHOLE: dict[str, Any] = {
    "server": SERVER,
    "access": ACCESS,
    "proxy": PROXY,
    "vectors": {"placement": "own", "memory_gib": 2},
    "tags": {"team": "a"},
}


def resolved(**server: Any) -> ResolvedPlatform:
    return resolve_platform({"server": {**SERVER, **server}, "access": ACCESS})


def inside(value: Any) -> Iterator[Any]:
    """A resolved part and every resolved part in it."""
    yield value
    for each in dataclasses.fields(value):
        part = getattr(value, each.name)
        if dataclasses.is_dataclass(part) and type(part).__module__.startswith("pulumi_llm._resolve"):
            yield from inside(part)


def test_nothing_of_what_is_resolved_can_be_changed() -> None:
    parts = list(inside(resolve_platform(WHOLE)))
    assert {type(each).__name__ for each in parts} >= {
        *("ResolvedPlatform", "ResolvedServer", "ResolvedVectors", "ResolvedProxy", "Site", "Foreign")
    }
    for part in parts:
        for each in dataclasses.fields(part):
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(part, each.name, None)
            value = getattr(part, each.name)
            assert not isinstance(value, list | dict | set), f"{type(part).__name__}.{each.name}"
    whole = resolve_platform(WHOLE)
    with pytest.raises(TypeError):
        whole.server.tags["team"] = "b"  # type: ignore[index]
    assert whole.proxy is not None
    with pytest.raises(TypeError):
        del whole.proxy.prices["gpt-6-luna"]  # type: ignore[attr-defined]


def test_two_looks_at_one_platform_are_equal() -> None:
    assert resolve_platform(WHOLE) == resolve_platform(json.loads(json.dumps(WHOLE)))
    wanted = spec.parse(spec.PlatformSpec, WHOLE)
    assert resolve_platform(wanted) == resolve_platform(WHOLE)


def spellings(model: catalog.Model) -> Iterator[str]:
    for name in (model.id, model.modelscope_id):
        if name:
            yield from (name, name.upper(), name.lower(), name.rpartition("/")[2], name.rpartition("/")[2].upper())


@given(st.sampled_from(sorted(DATA.models)), st.data())
def test_a_model_that_check_accepts_is_rendered_by_the_catalogues_id(model: str, data: st.DataObject) -> None:
    written = data.draw(st.sampled_from(sorted(set(spellings(DATA.models[model])))))
    try:
        accepted = case_of(FitRequest(model=written, gpu="T4")).model.id
    except Refusal:  # the last part of several models' names
        with pytest.raises(Refusal) as refused:
            resolved(model=written)
        assert {each.where for each in refused.value.findings} == {"server.model"}
        return
    try:
        server = resolved(model=written, gpu="H100", gpu_count=8, region="us-east-1").server
    except Refusal as refusal:  # whatever it lacks, it is known by its name
        told = [each for each in refusal.findings if each.code == "fit.unknown-model"]
        assert not told
        return
    assert server.spec.model == accepted
    assert server.model is DATA.models[accepted]
    node = _nodes.server_node("x", server)
    vllm = node.of(VllmRole)
    assert vllm is not None
    assert (vllm.model_id, vllm.served_name) == (accepted, accepted.rpartition("/")[2])


def test_every_spelling_of_a_gpu_that_check_accepts_is_resolved_to_its_name() -> None:
    for gpu in DATA.gpus.values():
        for written in (gpu.name, gpu.name.lower(), f"NVIDIA {gpu.name}", f"Tesla-{gpu.name}", *gpu.aliases):
            wanted = spec.ServerSpec.model_validate({**SERVER, "gpu": written})
            assert wanted.gpu == DATA.gpu(written).name == gpu.name
    one, other = resolved(gpu="nvidia tesla t4").server, resolved(gpu="T4").server
    assert (one.site, one.dtype, one.spec.gpu) == (other.site, other.dtype, "T4")


def test_place_price_and_disks_are_the_clouds_own() -> None:
    whole = resolve_platform(WHOLE)
    for machine in whole.machines:
        place = machine.site.place
        assert place.zone in machine.site.region.zones
        assert DATA.instance(place.cloud, place.instance_type)
        assert machine.data_disk_gib == placement.sold_size(place.cloud, "data", machine.data_disk_gib)
        assert machine.system_disk_gib == placement.sold_size(place.cloud, "system", machine.system_disk_gib)
    assert whole.vectors is not None
    assert whole.vectors.site.place.zone == whole.server.site.place.zone
    assert whole.proxy is not None
    assert whole.proxy.models == ("claude-sonnet-5", "gpt-6-luna")
    assert whole.server.foreign is not None
    assert whole.server.foreign.prices == whole.proxy.prices


def test_the_price_of_a_platform_is_that_of_its_machines_in_one_currency() -> None:
    whole = resolve_platform({**WHOLE, "proxy": {**PROXY, "cloud": "aws", "region": "ap-southeast-1"}})
    prices = [each.site.place.price for each in whole.machines]
    assert len(prices) == 3
    assert whole.currency == "USD"
    assert whole.hourly_price == pytest.approx(sum(each.amount for each in prices if each), abs=1e-4)
    unknown = dataclasses.replace(whole.server.site.place, price=None)
    site = dataclasses.replace(whole.server.site, place=unknown)
    lacking = dataclasses.replace(whole, server=dataclasses.replace(whole.server, site=site))
    assert (lacking.hourly_price, lacking.currency) == (None, None)
    assert whole.proxy is not None
    proxy = dataclasses.replace(whole.proxy, site=site)
    assert (dataclasses.replace(whole, proxy=proxy).hourly_price, whole.currency) == (None, "USD")


@pytest.mark.parametrize("asked", [None, 2048])
def test_the_context_that_is_checked_is_the_one_that_is_served(asked: int | None) -> None:
    for model in ("01-ai/Yi-6B-Chat", "Qwen/Qwen2.5-7B-Instruct"):
        server = resolved(model=model, gpu="A10G", region="us-east-1", context_length=asked).server
        checked = case_of(FitRequest(model=model, gpu="A10G", max_model_len=asked))
        node = _nodes.server_node("x", server)
        vllm = node.of(VllmRole)
        assert vllm is not None
        assert server.context_length == checked.max_model_len == vllm.max_model_len
        assert server.dtype == checked.dtype == vllm.dtype
        assert server.memory == checked.memory


def test_a_default_port_follows_the_region_and_one_that_is_asked_for_does_not() -> None:
    assert resolved().server.port == 443
    mainland = {"cloud": "aliyun", "region": "cn-hangzhou"}
    assert resolved(**mainland).server.port == 18443
    whole = resolve_platform({"server": {**SERVER, **mainland}, "access": {**ACCESS, "https_port": 9443}})
    assert whole.server.port == 9443


def test_a_model_that_nobody_knows_goes_on_where_that_is_asked_and_is_warned_of() -> None:
    server = resolved(model="nobody/unheard-of", context_length=None, override=["fit.unknown-model"]).server
    assert [each.code for each in server.warnings] == ["fit.unknown-model"]
    assert (server.model, server.context_length, server.weights_gib, server.memory) == (None, None, None, None)
    assert server.data_disk_gib == 200


def test_resolving_takes_neither_pulumi_nor_a_cloud_sdk() -> None:
    program = (
        "import sys, json; from pulumi_llm._resolve import resolve_platform\n"
        "resolve_platform(json.loads(sys.argv[1]))\n"
        "print(json.dumps(sorted({each.partition('.')[0] for each in sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps(WHOLE)], check=True, capture_output=True, text=True, timeout=120
    )
    loaded = set(json.loads(done.stdout))
    assert "pydantic" in loaded
    assert not {each for each in loaded if each.startswith(("pulumi_", "boto", "grpc"))} - {"pulumi_llm"}
    assert not loaded & {"pulumi", "tencentcloud", "alibabacloud_ecs20140526", "tencentcloud_iac_pulumi"}
