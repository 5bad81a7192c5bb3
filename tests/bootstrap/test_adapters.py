"""LoRA adapters of a model: their slots, names, files and routes, and which are refused."""

from __future__ import annotations

import json
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import _nodes, preflight, spec
from pulumi_llm._bootstrap import NodeRequest, settings
from pulumi_llm._resolve import ResolvedServer, resolve_platform
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.preflight.request import case_of, of_server
from tests.bootstrap.samples import Node, serve, supplied

ADAPTERS: dict[str, Any] = {
    "support": {"source": "acme/support-lora", "revision": "v3", "rank": 20},
    "legal": {"source": "acme/legal-lora"},
}
LORA = {"peft_type": "LORA", "r": 8, "lora_alpha": 16, "target_modules": ["q_proj"]}
"""The least that the file of an adapter says."""
SERVER: dict[str, Any] = {
    "cloud": "aliyun",
    "region": "cn-hangzhou",
    "gpu": "A10",
    "model": "Qwen/Qwen2.5-7B-Instruct",
    "context_length": 2048,
}


def resolved(**server: Any) -> ResolvedServer:
    wanted = {**SERVER, "adapters": ADAPTERS, **server}
    return resolve_platform({"server": wanted, "access": {"allowed_cidrs": ["203.0.113.0/24"]}}).server


def node(**server: Any) -> NodeRequest:
    return _nodes.server_node("adapted", resolved(**server))


def unit(request: NodeRequest) -> str:
    files = {each["path"]: each["content"] for each in settings(request)["files"]}
    return str(files["/etc/systemd/system/llm-vllm.service"])


def refused(**server: Any) -> list[Finding]:
    with pytest.raises(Refusal) as refusal:
        resolved(**server)
    return list(refusal.value.findings)


def test_each_has_a_slot_of_the_smallest_rank_that_vllm_has_for_the_largest() -> None:
    lines = [line.strip(" \\") for line in unit(node()).splitlines()]
    assert [line for line in lines if "lora" in line] == [
        "--enable-lora",
        "--max-loras 2",
        "--max-lora-rank 32",
        "--lora-modules support=/srv/llm/models/acme--support-lora--v3 legal=/srv/llm/models/acme--legal-lora--main",
    ]


def test_a_server_without_adapters_has_no_slots_and_waits_for_no_stage_of_theirs() -> None:
    request = node(adapters={})
    assert "lora" not in unit(request)
    assert "llm-models.service" not in unit(request)
    assert "models" not in settings(request)["stages"]


def test_the_server_starts_once_the_adapters_are_there() -> None:
    request = node()
    assert "models" in settings(request)["stages"]
    assert "After=llm-driver.service llm-python.service llm-models.service\n" in unit(request)


def test_the_slots_are_counted_by_the_fit_check() -> None:
    with_them, without = resolved(), resolved(adapters={})
    assert with_them.memory is not None
    assert without.memory is not None
    assert with_them.memory.kv_gib < without.memory.kv_gib
    wanted = spec.parse(spec.ServerSpec, {**SERVER, "adapters": ADAPTERS})
    slots = case_of(of_server(wanted)).load.adapters
    assert slots is not None
    assert (slots.slots, slots.rank) == (2, 32)
    # and a card without room for them is refused
    many = {f"a{number}": {"source": "acme/a", "rank": 512} for number in range(16)}
    crowded = spec.parse(spec.ServerSpec, {**SERVER, "adapters": many})
    assert "fit.weights-exceed-vram" in {each.code for each in preflight.check_server(crowded)}


def test_callers_ask_for_them_by_name_and_nothing_is_paid_per_token() -> None:
    files = {each["path"]: each["content"] for each in settings(node())["files"]}
    routes = json.loads(files["/opt/llm/gateway/routes.json"])["routes"]
    for name in ("Qwen2.5-7B-Instruct", "support", "legal"):
        (target,) = routes[name]["targets"]
        assert (target["upstream"], target["model"], target["price_in"], target["window"]) == ("vllm", name, 0, 2048)
    assert json.loads(files["/opt/llm/watch.json"])["models"] == ["Qwen2.5-7B-Instruct", "support", "legal"]


def test_a_key_may_be_for_one_of_them_alone() -> None:
    assert resolved(keys={"desk": {"models": ["support"]}})
    assert "spec.key-of-unserved-model" in {each.code for each in refused(keys={"desk": {"models": ["suport"]}})}


@pytest.mark.parametrize(
    ("adapters", "code"),
    [
        ({"a b": {"source": "acme/a"}}, "spec.bad-model-name"),
        ({"a": {"source": "acme"}}, "spec.bad-model-id"),
        ({"a": {"source": "/srv/a"}}, "spec.bad-model-id"),
        ({"Qwen2.5-7B-Instruct": {"source": "acme/a"}}, "spec.model-twice"),
        ({"a": {"source": "acme/a", "rank": 513}}, "spec.wrong-value"),
        ({"a": {"source": "acme/a", "rank": 0}}, "spec.wrong-value"),
        ({f"a{number}": {"source": "acme/a"} for number in range(17)}, "spec.too-many-models"),
        ({"a": {}}, "spec.missing-key"),
    ],
)
def test_what_makes_no_sense_is_refused(adapters: Any, code: str) -> None:
    assert [each.code for each in refused(adapters=adapters)] == [code]


def test_the_name_of_a_further_model_is_taken() -> None:
    models = {"support": {"model": "Qwen/Qwen2.5-0.5B-Instruct"}}
    assert [each.code for each in refused(models=models)] == ["spec.model-twice"]


@pytest.mark.parametrize("flags", [["--lora-modules", "a=/x"], ["--max-lora-rank=64"], ["--enable-lora"]])
def test_flags_that_follow_from_them_are_not_given_besides(flags: list[str]) -> None:
    (found,) = refused(extra_args=flags)
    assert found.code == "spec.adapter-flags"
    assert flags[0].partition("=")[0] in found.message
    assert resolved(adapters={}, extra_args=["--enable-lora"])


def test_how_many_are_kept_in_the_hosts_memory_is_still_ones_own() -> None:
    assert "--max-cpu-loras 8" in unit(node(extra_args=["--max-cpu-loras", "8"]))


MORE: dict[str, Any] = {"small": {"model": "Qwen/Qwen2.5-0.5B-Instruct", "adapters": {"tone": {"source": "acme/tone"}}}}
"""A further model with an adapter of its own."""


def test_a_further_model_has_adapters_of_its_own() -> None:
    request = node(models=MORE, adapters={})
    files = {each["path"]: each["content"] for each in settings(request)["files"]}
    assert "lora" not in files["/etc/systemd/system/llm-vllm.service"]
    own = files["/etc/systemd/system/llm-vllm-small.service"]
    assert "--max-loras 1 " in own
    assert "--lora-modules tone=/srv/llm/models/acme--tone--main " in own
    routes = json.loads(files["/opt/llm/gateway/routes.json"])["routes"]
    assert routes["tone"]["targets"][0]["upstream"] == routes["small"]["targets"][0]["upstream"] == "vllm/small"
    (adapter,) = (each for each in json.loads(files["/opt/llm/supply.json"])["further"] if "adapter" in each)
    assert adapter["adapter"]["bases"] == ["Qwen/Qwen2.5-0.5B-Instruct"]


def test_its_slots_are_part_of_its_share_of_the_card() -> None:
    larger = {"small": {**MORE["small"], "adapters": {"tone": {"source": "acme/tone", "rank": 512}}}}
    shares = [resolved(models=each, adapters={}).models[0].spec.gpu_memory_utilization for each in (MORE, larger)]
    assert None not in shares
    assert shares[0] < shares[1]  # type: ignore[operator]


def test_an_adapter_of_a_model_that_embeds_is_asked_for_a_vector() -> None:
    models = {"bge-m3": {"model": "BAAI/bge-m3", "adapters": {"ours": {"source": "acme/bge"}}}}
    files = {each["path"]: each["content"] for each in settings(node(models=models, adapters={}))["files"]}
    assert json.loads(files["/opt/llm/watch.json"])["embed"] == ["bge-m3", "ours"]


def test_a_name_is_given_once_on_a_machine() -> None:
    models = {"small": {**MORE["small"], "adapters": {"support": {"source": "acme/tone"}}}}
    assert [each.code for each in refused(models=models)] == ["spec.model-twice"]
    models["small"]["adapters"] = {"small": {"source": "acme/tone"}}
    assert [each.code for each in refused(models=models, adapters={})] == ["spec.model-twice"]


def test_flags_of_a_further_model_say_it_once_too() -> None:
    models = {"small": {**MORE["small"], "extra_args": ["--max-loras", "4"]}}
    (found,) = refused(models=models)
    assert (found.code, found.where) == ("spec.adapter-flags", "server.models.small")


def test_a_class_that_takes_none_is_refused_where_they_are_asked_for() -> None:
    asked = {**SERVER, "cloud": "aws", "region": "us-east-1", "gpu": "H200", "gpu_count": 8, "adapters": ADAPTERS}
    found = preflight.check_server(spec.parse(spec.ServerSpec, {**asked, "model": "moonshotai/Kimi-K2.5"}))
    assert [each.where for each in found if each.code == "fit.flag-refused"] == ["adapters"]


class Hub(BaseHTTPRequestHandler):
    """A hub with the same files of everything; what an adapter says of itself is ``told``."""

    told: dict[str, Any] = {}
    names: tuple[str, ...] = ()

    def log_message(self, *_: Any) -> None: ...

    def do_GET(self) -> None:
        config = json.dumps(self.told).encode()
        content = config if self.path.endswith("adapter_config.json") else b"{}"
        if "/tree/" in self.path:
            sizes = {each: len(config) if each == "adapter_config.json" else 2 for each in self.names}
            rows = [{"type": "file", "path": path, "size": size} for path, size in sizes.items()]
            content = json.dumps(rows).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


ITS_FILES = ("adapter_config.json", "adapter_model.safetensors")


def fetched(folder: Path, told: dict[str, Any], names: tuple[str, ...] = ITS_FILES, **server: Any) -> Node:
    """A node whose stage has fetched the adapters, or not."""
    Hub.told, Hub.names = told, names
    with serve(Hub) as url:
        request = node(**server)
        request = replace(request, sources=replace(request.sources, hubs=(f"huggingface={url}",)))
        machine = supplied(folder, request)
        machine.impatient()
        machine.run("run", "models")
    return machine


@pytest.mark.parametrize(
    "told",
    [
        {**LORA, "base_model_name_or_path": "qwen/qwen2.5-7b-instruct"},
        {**LORA, "r": 32, "base_model_name_or_path": "/data/my/qwen"},
        {**LORA, "rank_pattern": {"q_proj": 32}},
        {**LORA, "use_dora": False, "modules_to_save": None, "init_lora_weights": "gaussian", "bias": "none"},
        {**LORA, "modules_to_save": ["score"], "use_rslora": True, "init_lora_weights": True},
    ],
)
def test_an_adapter_of_the_model_is_fetched(tmp_path: Path, told: dict[str, Any]) -> None:
    machine = fetched(tmp_path, told)
    assert machine.stage("models")["state"] == "done", machine.stage("models")
    for name in ("acme--support-lora--v3", "acme--legal-lora--main"):
        files = json.loads(machine.path(f"/srv/llm/models/{name}/complete.json").read_text())["files"]
        assert set(files) == {"adapter_config.json", "adapter_model.safetensors"}


@pytest.mark.parametrize(
    ("told", "code", "said"),
    [
        (
            {**LORA, "base_model_name_or_path": "meta-llama/Llama-3.1-8B"},
            "models.other-base",
            "meta-llama/Llama-3.1-8B",
        ),
        ({**LORA, "r": 64}, "models.rank", "the rank 64, and slots are of 32"),
        ({**LORA, "rank_pattern": {"q_proj": 128}}, "models.rank", "the rank 128"),
        ({}, "models.no-adapter", "adapter_config.json"),
        ({"r": 8, "target_modules": ["q_proj"]}, "models.no-adapter", "has no lora_alpha"),
        ({**LORA, "use_dora": True}, "models.adapter-kind", "use_dora"),
        ({**LORA, "bias": "all"}, "models.adapter-kind", "bias: all"),
        ({**LORA, "modules_to_save": ["lm_head"]}, "models.adapter-kind", "modules_to_save"),
        ({**LORA, "init_lora_weights": "pissa_niter_4"}, "models.adapter-kind", "init_lora_weights: pissa_niter_4"),
    ],
)
def test_one_that_vllm_would_end_for_is_told_before_vllm_starts(
    tmp_path: Path, told: dict[str, Any], code: str, said: str
) -> None:
    stage = fetched(tmp_path, told).stage("models")
    assert (stage["state"], stage["code"]) == ("failed", code)
    assert said in stage["message"]


def test_of_a_repository_with_the_merged_model_too_only_the_adapter_is_fetched(tmp_path: Path) -> None:
    beside = ("model.safetensors", "model.safetensors.index.json", "optimizer.pt", "checkpoint-9/adapter_model.bin")
    machine = fetched(tmp_path, LORA, (*ITS_FILES, *beside))
    assert machine.stage("models")["state"] == "done", machine.stage("models")
    home = machine.path("/srv/llm/models/acme--support-lora--v3")
    files = json.loads((home / "complete.json").read_text())["files"]
    assert set(files) == {*ITS_FILES, "model.safetensors.index.json"}


def test_a_repository_without_an_adapters_weights_is_told(tmp_path: Path) -> None:
    stage = fetched(tmp_path, LORA, ("adapter_config.json", "model.safetensors")).stage("models")
    assert (stage["state"], stage["code"]) == ("failed", "models.no-adapter")
    assert "adapter_model.safetensors" in stage["message"]


def test_one_of_the_model_itself_is_for_a_quantized_copy_too(tmp_path: Path) -> None:
    told = {**LORA, "base_model_name_or_path": "Qwen/Qwen2.5-7B-Instruct"}
    machine = fetched(tmp_path, told, model="Qwen/Qwen2.5-7B-Instruct-AWQ")
    assert machine.stage("models")["state"] == "done", machine.stage("models")


def test_another_name_of_the_same_model_is_told_by_its_user(tmp_path: Path) -> None:
    told = {**LORA, "base_model_name_or_path": "unsloth/Qwen2.5-7B-Instruct"}
    adapters = {"a": {"source": "acme/a", "base": "unsloth/Qwen2.5-7B-Instruct"}}
    assert fetched(tmp_path, told, adapters=adapters).stage("models")["state"] == "done"
