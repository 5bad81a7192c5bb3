"""A TPU's memory by its plugin's own arithmetic, what is refused there, and its command line by its own wheel."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_llm import _bootstrap as bootstrap
from pulumi_llm import catalog, roles
from pulumi_llm._bootstrap.node_document import node_document, supply_document
from pulumi_llm._nodes import server_node
from pulumi_llm._resolve import resolve_platform
from pulumi_llm.catalog.models import GIB, Cache
from pulumi_llm.clouds import support
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.preflight import report, tpu
from pulumi_llm.preflight.request import FitRequest, case_of
from pulumi_llm.roles.requests import NodeRequest, VllmRole
from tests.bootstrap.wheel_files import LOCK_OF_TPUS, files, locked

SERVER = {"cloud": "gcp", "region": "us-east5", "gpu": "TPU-v6e", "model": "Qwen/Qwen3-8B"}
KERNELS = "kernels/ragged_paged_attention/v3"
SOURCES = (
    "utils.py",
    "layers/vllm/backends/flash_attn.py",
    "platforms/tpu_platform.py",
    "models/common/model_loader.py",
    "runner/tpu_runner.py",
    "worker/tpu_worker.py",
    f"{KERNELS}/kernel.py",
    f"{KERNELS}/kernel_hd64.py",
)
COUNTS = st.sampled_from((1, 2, 4, 8, 16, 32))


def plugin(name: str) -> str:
    """A file of the locked tpu-inference."""
    home = files("tpu-inference", lambda each: each.removeprefix("tpu_inference/") in SOURCES, lock=LOCK_OF_TPUS)
    return (home / "tpu_inference" / name).read_text(encoding="utf-8")


def function(source: str, name: str, **known: Any) -> Any:
    """A function, or a method without self, out of a source; ``known`` is what it calls."""
    (found,) = [each for each in ast.walk(ast.parse(source)) if isinstance(each, ast.FunctionDef) and each.name == name]
    found.decorator_list = []
    found.returns = None
    for each in found.args.args:
        each.annotation = None
    namespace = dict(known)
    exec(compile(ast.Module([found], []), name, "exec"), namespace)
    return namespace[name]


def resolved(**server: Any) -> Any:
    return resolve_platform({"server": {**SERVER, **server}, "access": {"allowed_cidrs": ["203.0.113.0/24"]}}).server


def node(**server: Any) -> NodeRequest:
    return server_node("llm", resolved(**server))


def refused(**server: Any) -> list[Finding]:
    with pytest.raises(Refusal) as refusal:
        resolved(**server)
    return list(refusal.value.findings)


# Its arithmetic.


@pytest.mark.parametrize(
    ("rows", "context", "gib", "tokens", "page"),
    [
        # keras-io's guide on serving with vllm-tpu, a v5e chip (2026-08-16): Gemma 3 of 1 billion.
        ([Cache(layers=26, bytes=1024, heads=1)], 512, 12.63, 509_184, 32),
        # A public rig of Gemma 4 E2B on a v5e chip (2026-08-06): 12 layers with heads of 256 and 3 with heads of 512.
        ([Cache(layers=12, bytes=1024, heads=1), Cache(layers=3, bytes=2048, heads=1)], 32768, 5.52, 321_376, None),
    ],
)
def test_a_chip_holds_as_many_tokens_as_real_servers_logged(
    rows: list[Cache], context: int, gib: float, tokens: int, page: int | None
) -> None:
    each = sum(row.layers * tpu.bytes_per_token(row, 1) for row in rows)
    assert abs(tokens * each / GIB - gib) <= 0.005 + 256 * each / GIB
    if page is not None:
        assert tpu.page_tokens(context, 256) == page


def test_a_chip_has_what_its_servers_logged_and_the_share_of_it_that_is_asked_for() -> None:
    case = case_of(FitRequest(model="Qwen/Qwen3-8B", gpu="TPU-v6e", gpu_memory_utilization=0.92))
    assert case.memory is not None
    assert (round(case.memory.gpu_gib, 2), round(case.memory.budget_gib, 2)) == (31.24, 28.74)  # as logged
    assert case.memory.kv_gib == pytest.approx(case.memory.budget_gib - case.memory.weights_gib)
    four = case_of(FitRequest(model="Qwen/Qwen3-8B", gpu="TPU-v6e", gpu_count=4))
    assert four.memory is not None
    assert four.memory.weights_gib == pytest.approx(case.memory.weights_gib / 4, rel=0.02)


@pytest.mark.artefact
def test_a_token_takes_what_the_kernels_lay_out_for_it() -> None:
    align = function(plugin("utils.py"), "align_to")
    padded = function(plugin("utils.py"), "get_padded_head_dim")
    heads_on = function(plugin("utils.py"), "get_padded_num_heads")
    shapes = {
        size: function(plugin(f"{KERNELS}/{name}.py"), "get_kv_cache_shape", align_to=align,
                       get_dtype_packing=lambda bits: 32 // bits)
        for size, name in ((64, "kernel_hd64"), (0, "kernel"))
    }  # fmt: skip

    @given(heads=COUNTS, chips=st.sampled_from((1, 4, 8)), head=st.sampled_from((64, 80, 96, 128, 192, 256, 512)),
           fp8=st.booleans())  # fmt: skip
    def same(heads: int, chips: int, head: int, fp8: bool) -> None:
        row, bits = Cache(layers=1, bytes=4 * heads * head, heads=heads), 8 if fp8 else 16
        there = heads_on(heads, chips) // chips
        size = 1
        for number in shapes[64 if head == 64 else 0](1, 1, there, padded(head), bits):
            size *= number
        assert tpu.bytes_per_token(row, chips, fp8=fp8) == size * bits // 8

    same()


@pytest.mark.artefact
def test_a_page_has_as_many_tokens_as_its_backend_says() -> None:
    source = plugin("layers/vllm/backends/flash_attn.py")
    power = lambda number: 1 << (number - 1).bit_length()  # noqa: E731
    size = function(source, "get_page_size", next_power_of_2=power)
    least = function(source, "get_min_page_size", cdiv=lambda a, b: -(-a // b))

    class Config:
        def __init__(self, context: int, requests: int) -> None:
            self.model_config = type("Model", (), {"max_model_len": context})
            self.scheduler_config = type("Scheduler", (), {"max_num_seqs": requests})

    @given(context=st.integers(1, 262_144), requests=st.integers(1, 1024))
    def same(context: int, requests: int) -> None:
        asked = Config(context, requests)
        assert tpu.page_tokens(context, requests) == max(size(asked), least(asked))

    same()


@pytest.mark.artefact
def test_what_is_told_of_the_plugin_stands_in_its_source() -> None:
    known, platform = tpu.facts(), plugin("platforms/tpu_platform.py")
    (served,) = re.findall(r"supported_quantization: list\[str\] = (\[[^\]]+\])", platform)
    assert {each.removeprefix("auto_") for each in ast.literal_eval(served)} >= set(known["quantizations"])
    assert "MLA models require both the NEW_MODEL_DESIGN=1" in platform
    own = set(re.findall(r'_MODEL_REGISTRY\[\s*"(\w+)"\] =', plugin("models/common/model_loader.py")))
    assert set(known["own_classes"]) <= own
    started = plugin("runner/tpu_runner.py")
    assert all(f'speculative_config.method == "{each}"' in started for each in known["guesses"])
    assert "total_hbm_limit_cap - total_hbm_used" in plugin("worker/tpu_worker.py")
    assert known["version"] == roles.role("vllm").manifest.install.environments["vllm-tpu"].version
    for package in (known["package"], known["plugin"]):
        found = locked(package, LOCK_OF_TPUS)
        assert found is not None
        assert found[0] == known["version"]


# What is refused, and what is said.


@pytest.mark.parametrize(
    ("server", "where"),
    [
        ({"model": "deepseek-ai/DeepSeek-R1"}, "model"),
        ({"dtype": "half"}, "dtype"),
        ({"quantization": "fp8"}, "quantization"),
        ({"model": "hugging-quants/Meta-Llama-3.1-8B-Instruct-GPTQ-INT4"}, "model"),
        ({"model_change": "beside"}, "model_change"),
        ({"models": {"small": {"model": "01-ai/Yi-6B-Chat"}}}, "models.small"),
        ({"models": {"vectors": {"model": "BAAI/bge-m3", "device": "cpu"}}}, "models.vectors"),
        ({"adapters": {"law": {"source": "a/b", "rank": 16}}}, "adapters"),
        ({"extra_args": ["--spec-method", "eagle3"]}, "extra_args"),
    ],
)
def test_what_it_cannot_is_refused_where_it_is_asked_for(server: dict[str, Any], where: str) -> None:
    found = [each for each in refused(**server) if each.code == "fit.not-on-tpu"]
    assert [str(each.where).removeprefix("server.") for each in found] == [where]
    assert found[0].hint


def test_that_nothing_has_run_is_said_of_each_and_what_is_not_asked_for_is_not_proposed() -> None:
    assert [each.code for each in resolved().warnings] == ["fit.tpu-not-run"]
    told = report.check(FitRequest(model="Qwen/Qwen3-8B", gpu="TPU-v6e"))
    assert told.ok
    assert "per chip" in str(told)
    assert "CUDA" not in str(told)
    for model in ("Qwen/Qwen3-8B", "Qwen/Qwen3-32B", "Qwen/Qwen2.5-14B-Instruct"):
        suggestion = report.check(FitRequest(model=model, gpu="T4", cloud="gcp", region="us-east5")).suggestion
        assert suggestion is None or not catalog.load().gpus[suggestion.request.gpu].tpu


def test_a_tpu_v5e_is_known_and_sold_nowhere_here() -> None:
    assert report.check(FitRequest(model="Qwen/Qwen2.5-7B-Instruct-AWQ", gpu="v5e")).ok
    (found,) = [each for each in refused(gpu="TPU-v5e", model="Qwen/Qwen2.5-7B-Instruct-AWQ")
                if each.code.startswith("placement.")]  # fmt: skip
    assert found.code == "placement.gpu-not-offered"


@pytest.mark.parametrize(
    ("count", "type_"), [(1, "ct6e-standard-1t"), (4, "ct6e-standard-4t"), (8, "ct6e-standard-8t")]
)
def test_machines_have_one_four_or_eight_chips(count: int, type_: str) -> None:
    assert resolved(gpu_count=count).site.place.instance_type == type_
    assert "placement.gpu-not-offered" in {each.code for each in refused(gpu_count=2)}


# Its node.


def unit_of(request: NodeRequest) -> str:
    rows = {row["path"]: row["content"] for row in bootstrap.settings(request)["files"]}
    return str(rows["/etc/systemd/system/llm-vllm.service"])


def test_its_node_has_no_driver_and_another_build_of_vllm_with_a_python_of_its_own() -> None:
    request = node(gpu_count=4)
    document, supply = node_document(request), supply_document(request)
    assert "driver" not in document["stages"]
    assert not {"driver", "gpus"} & document.keys()
    assert not {"signed", "compiled", "nvswitch"} & supply.keys()
    assert set(supply["venvs"]) == {"vllm-tpu", "gate"}
    assert supply["venvs"]["vllm-tpu"]["python"] == "3.12.16"
    assert "python" not in supply["venvs"]["gate"]
    assert supply["python"] == "python3.11"  # Ubuntu 22.04
    locks = {row["path"] for row in bootstrap.settings(request)["files"] if "/locks/" in row["path"]}
    assert locks == {f"/opt/llm/locks/{name}.txt" for name in ("vllm-tpu", "gate", "uv")}
    unit = unit_of(request)
    assert "llm-driver" not in unit
    assert "--tensor-parallel-size 4" in unit
    assert "--dtype bfloat16" in unit
    assert "gdn-prefill" not in unit
    assert "IPAddressAllow=localhost 169.254.169.254\n" in unit


def test_a_gpus_node_has_nothing_of_it() -> None:
    request = node(gpu="L4", region="us-central1", model="01-ai/Yi-6B-Chat")
    role = request.of(VllmRole)
    assert role is not None
    assert not role.tpu
    assert set(supply_document(request)["venvs"]) == {"vllm", "gate"}
    assert "169.254" not in unit_of(request)
    assert "JAX" not in unit_of(request)


def options(source: str) -> Iterator[str]:
    """What a source adds to a parser."""
    for each in ast.walk(ast.parse(source)):
        if isinstance(each, ast.Call) and getattr(each.func, "attr", "") == "add_argument":
            yield from (str(one.value) for one in each.args if isinstance(one, ast.Constant))


@pytest.mark.artefact
def test_its_wheels_own_parser_has_every_flag_of_the_command_line() -> None:
    wanted = ("vllm/engine/arg_utils.py", "vllm/entrypoints/")
    home = files("vllm-tpu", lambda name: name.startswith(wanted) and name.endswith(".py"), lock=LOCK_OF_TPUS)
    have = {option for each in (home / "vllm").rglob("*.py") for option in options(each.read_text(encoding="utf-8"))}
    fields = {f"--{name.replace('_', '-')}" for each in (home / "vllm/entrypoints").rglob("cli_args.py")
              for name in re.findall(r"^    (\w+):", each.read_text(encoding="utf-8"), re.MULTILINE)}  # fmt: skip
    asked = set(re.findall(r"(?:^|\s)(--[a-z-]+)", unit_of(node(gpu_count=4, max_num_seqs=64, kv_cache_dtype="fp8"))))
    assert {"--tensor-parallel-size", "--max-num-seqs", "--kv-cache-dtype"} <= asked
    assert not asked - have - fields, sorted(asked - have - fields)


def test_it_starts_from_the_image_for_tpus_and_other_machines_do_not() -> None:
    assert support.image_row("gcp", "ct6e-standard-4t").arguments["project"] == "ubuntu-os-accelerator-images"
    assert support.image_row("gcp", "g2-standard-4").arguments["project"] == "ubuntu-os-cloud"
