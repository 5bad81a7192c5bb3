"""A hybrid is told to take as many requests as it has blocks for: vLLM refuses to start with more."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import catalog, preflight
from pulumi_llm.catalog.models import GIB, Cache, Model
from pulumi_llm.preflight import requests
from pulumi_llm.preflight.cache import state_blocks
from pulumi_llm.preflight.report import check
from pulumi_llm.preflight.request import FitRequest, case_of
from tests.preflight.test_preflight import server

HYBRID, GPU = "Qwen/Qwen3.6-27B-FP8", "A10"


def told(wanted: Any) -> int | None:
    """What vLLM is told of the number of requests."""
    return preflight.judge(wanted).max_num_seqs


def hybrid(*, attending: int, keeping: int, token_bytes: int, state: int) -> Model:
    return Model(
        id="hybrid",
        source="test",
        source_date="2026-11-28",
        layers=attending + keeping,
        attention_layers=attending,
        heads=8,
        kv_heads=8,
        caches=(Cache(layers=attending, bytes=token_bytes, heads=8),) if attending else (),
        state_bytes=keeping * state,
        state_layers=keeping,
    )


@pytest.mark.parametrize(
    ("attending", "keeping", "group"),
    [
        (16, 48, 16),  # the rarer kind makes the groups: Qwen3.5-27B has 16 of attention
        (6, 23, 6),  # Nemotron 3 Nano
        (12, 13, 13),  # no more than half as many again: the larger number, padded
        (0, 24, 24),  # nothing but states
    ],
)
def test_a_block_holds_a_page_for_each_layer_of_a_group(attending: int, keeping: int, group: int) -> None:
    # vllm 0.32.0, v1/core/kv_cache_utils.py: num_blocks = available memory // (page * layers of a group)
    model = hybrid(attending=attending, keeping=keeping, token_bytes=4096, state=4096 * 512)
    assert state_blocks(model, 8.0, 1) == 8 * GIB // (4096 * 512 * group)


def test_a_page_is_as_large_as_the_block_of_attention_that_has_room_for_a_state() -> None:
    model = hybrid(attending=4, keeping=12, token_bytes=4096, state=4096 * 500)  # 500 tokens, in blocks of 16: 512
    assert state_blocks(model, 8.0, 1) == 8 * GIB // (4096 * 512 * 4)


def test_a_model_without_states_is_left_to_vllm() -> None:
    case = case_of(FitRequest(model="Qwen/Qwen2.5-7B-Instruct", gpu="A10"))
    assert requests.blocks_of(case.model, case.load) is None
    assert case.load.max_num_seqs == 256
    assert told(server()) is None


def test_a_number_that_vllm_refuses_to_start_with_is_refused_with_one_that_it_starts_with() -> None:
    asked = FitRequest(model=HYBRID, gpu=GPU, gpu_count=2, max_num_seqs=256)
    (finding,) = [each for each in check(asked).findings if each.code == "fit.more-requests-than-states"]
    chosen = case_of(replace(asked, max_num_seqs=None)).load.max_num_seqs
    assert finding.severity == "error"
    assert f"max_num_seqs: {chosen}" in finding.hint
    assert check(replace(asked, max_num_seqs=chosen)).ok


def test_a_number_that_is_left_out_is_chosen_so_that_vllm_starts() -> None:
    for count in (2, 4, 8):
        case = case_of(FitRequest(model=HYBRID, gpu=GPU, gpu_count=count))
        blocks = requests.blocks_of(case.model, case.load)
        assert blocks is not None
        assert case.load.max_num_seqs <= blocks


def test_what_is_chosen_is_passed_on_and_what_is_asked_stays() -> None:
    node = {"cloud": "aliyun", "model": HYBRID, "gpu": GPU, "gpu_count": 2}
    chosen = case_of(FitRequest(model=HYBRID, gpu=GPU, gpu_count=2)).load.max_num_seqs
    assert told(server(**node)) == chosen < 256
    assert told(server(**node, max_num_seqs=40)) == 40
    assert told(server(**node, extra_args=("--max-num-seqs", "24"))) is None


def test_without_graphs_the_engine_counts_no_blocks() -> None:
    asked = FitRequest(model=HYBRID, gpu=GPU, gpu_count=2, max_num_seqs=256, extra_args=("--enforce-eager",))
    assert "fit.more-requests-than-states" not in {each.code for each in check(asked).findings}


def test_every_hybrid_of_the_catalogue_starts_where_it_fits_at_all() -> None:
    data = catalog.load()
    tried = 0
    for model in (row for row in data.models.values() if row.state_layers):
        for gpu in ("A10", "L20", "A100-80GB", "H100-80GB", "H20"):
            case = case_of(FitRequest(model=model.id, gpu=gpu, gpu_count=8))
            if case.memory is not None and case.memory.kv_gib >= 1:
                blocks = requests.blocks_of(case.model, case.load)
                assert blocks is not None
                assert case.load.max_num_seqs <= blocks
                tried += 1
    assert tried > 40


def codes(asked: FitRequest) -> dict[str, str]:
    return {each.code: each.severity for each in check(asked).findings}


@pytest.mark.parametrize(("gpu", "refused"), [("T4", True), ("A10", False), ("L4", False), ("H100-80GB", False)])
def test_heads_wider_than_256_are_refused_on_turing(gpu: str, refused: bool) -> None:
    found = codes(FitRequest(model="google/gemma-4-26B-A4B-it", gpu=gpu, gpu_count=8))
    assert ("fit.wide-heads-need-capability" in found) is refused


@pytest.mark.parametrize("model", ["Qwen/Qwen2.5-7B-Instruct", "deepseek-ai/DeepSeek-V3"])
def test_heads_of_usual_width_and_latent_caches_are_not_refused_on_turing(model: str) -> None:
    assert "fit.wide-heads-need-capability" not in codes(FitRequest(model=model, gpu="T4", gpu_count=8))


@pytest.mark.parametrize(
    ("model", "flags"),
    [
        ("Qwen/Qwen3.5-27B", ("--enable-lora", "--max-loras", "4")),
        ("Qwen/Qwen2.5-7B-Instruct", ("--speculative-config", '{"method": "mtp"}')),
        ("Qwen/Qwen2.5-7B-Instruct", ("--speculative-config", '{"method": "eagle3", "model": "org/head"}')),
        ("Qwen/Qwen2.5-7B-Instruct", ("--speculative-config", "[1, 2")),
        ("Qwen/Qwen2.5-7B-Instruct", ("--spec-method", "medusa", "--spec-model", "org/heads")),
    ],
)
def test_what_a_flag_adds_beside_the_model_and_is_not_known_is_said(model: str, flags: tuple[str, ...]) -> None:
    asked = FitRequest(model=model, gpu="A100-80GB", extra_args=flags)
    assert codes(asked)["fit.flag-not-counted"] == "warning"
    assert "fit.flag-not-counted" not in codes(replace(asked, extra_args=()))


@pytest.mark.parametrize(
    ("block", "refused"),
    [
        ({"quant_method": "gptq", "bits": 4, "group_size": 128, "sym": True}, False),
        ({"quant_method": "gptq", "bits": 8, "group_size": 32, "sym": True}, False),
        ({"quant_method": "gptq", "bits": 4, "group_size": 128, "sym": False}, True),
        ({"quant_method": "gptq", "bits": 3, "group_size": 128, "sym": True}, True),
        ({"quant_method": "gptq", "bits": 2, "group_size": 64, "sym": True}, True),
        ({"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True}, False),
        ({"quant_method": "awq", "bits": 8, "group_size": 128}, True),
        # inc/schemes/inc_wna16_linear.py; packed as gptq unless the file says otherwise
        ({"quant_method": "auto-round", "bits": 4, "group_size": 128, "sym": True}, False),
        ({"quant_method": "auto-round", "bits": 8, "group_size": 128, "sym": True}, False),
        ({"quant_method": "auto-round", "bits": 4, "group_size": 128, "sym": False}, True),
        (
            {
                "quant_method": "auto-round",
                "bits": 4,
                "group_size": 128,
                "sym": False,
                "packing_format": "auto_round:auto_awq",
            },
            False,
        ),
        ({"quant_method": "auto-round", "bits": 2, "group_size": 128, "sym": True}, True),
        ({"quant_method": "auto-round", "bits": 3, "group_size": 128, "sym": True}, True),
    ],
)
def test_a_form_that_the_release_has_no_kernels_for_is_refused(
    tmp_path: Path, block: dict[str, object], refused: bool
) -> None:
    # vllm 0.32.0: TYPE_MAP of quantization/auto_gptq.py and auto_awq.py; what is not in it is a ValueError at the start
    families = json.loads((Path(__file__).parent.parent / "catalog/data/families.json").read_text(encoding="utf-8"))
    config = {**families["models"]["Qwen2.5-0.5B"]["config"], "quantization_config": block}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    asked = FitRequest(model=str(tmp_path), from_config=True, gpu="A100-80GB")
    assert ("fit.quantization-form" in codes(asked)) is refused
