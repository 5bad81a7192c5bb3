"""Models by their config.json: estimated like any other, and lies are refused, never turned into a number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pulumi_llm import catalog
from pulumi_llm.errors import Refusal, UnknownName
from pulumi_llm.preflight.report import Report, check
from pulumi_llm.preflight.request import FitRequest

PUBLISHED = Path(__file__).parent.parent / "catalog" / "data" / "published.json"
QWEN = {
    "architectures": ["Qwen2ForCausalLM"],
    "model_type": "qwen2",
    "hidden_size": 3584,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "intermediate_size": 18944,
    "vocab_size": 152064,
    "max_position_embeddings": 32768,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
}


def of_config(folder: Path, config: object, **options: Any) -> Report:
    path = folder / "config.json"
    path.write_text(config if isinstance(config, str) else json.dumps(config), encoding="utf-8")
    return check(FitRequest(model=str(path), from_config=True, **{"gpu": "A10", **options}))


def codes(report: Report) -> set[str]:
    return {finding.code for finding in report.findings}


def test_a_model_by_its_config_is_estimated_like_the_catalogue_s(tmp_path: Path):
    by_config = of_config(tmp_path, QWEN)
    by_name = check(FitRequest(model="Qwen/Qwen2.5-7B-Instruct", gpu="A10"))
    assert by_config.ok
    assert by_config.case.memory is not None
    assert by_name.case.memory is not None
    assert by_config.case.memory.kv_gib == pytest.approx(by_name.case.memory.kv_gib, abs=0.05)
    assert by_config.case.memory.need_gib == by_name.case.memory.need_gib


@pytest.mark.parametrize(
    "change",
    [
        {"architectures": ["Qwen2ForSequenceClassification"]},
        {"architectures": ["BertForMaskedLM"]},
        {"architectures": ["T5ForConditionalGeneration"], "is_encoder_decoder": True},
    ],
)
def test_a_model_that_is_no_text_generating_decoder_is_refused(tmp_path: Path, change: dict[str, Any]):
    with pytest.raises(Refusal) as refused:
        of_config(tmp_path, {**QWEN, **change})
    assert {finding.code for finding in refused.value.findings} == {"catalog.bad-config-kind"}


@pytest.mark.parametrize(
    "change",
    [
        {"architectures": ["Qwen3VLForConditionalGeneration"]},
        {"architectures": None, "vision_config": {}},  # a file that names no architecture
    ],
)
def test_parts_beside_the_text_part_are_warned_of(tmp_path: Path, change: dict[str, Any]):
    assert "fit.vision-not-counted" in codes(of_config(tmp_path, {**QWEN, **change}))


@pytest.mark.parametrize("name", ["two\nlines", "\x1b[31mred", "\ud800", "long" * 1000])
def test_a_name_that_cannot_be_shown_is_refused(tmp_path: Path, name: str):
    with pytest.raises(Refusal) as refused:
        of_config(tmp_path, {**QWEN, "_name_or_path": name})
    assert [finding.code for finding in refused.value.findings] == ["catalog.bad-config-range"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"num_attention_heads": 0}, "catalog.bad-config-range"),
        ({"num_hidden_layers": -28}, "catalog.bad-config-range"),
        ({"hidden_size": 10**12}, "catalog.bad-config-range"),
        ({"hidden_size": "large"}, "catalog.bad-config-type"),
        ({"vocab_size": True}, "catalog.bad-config-type"),
        ({"num_hidden_layers": 28.5}, "catalog.bad-config-type"),
        ({"hidden_size": None}, "catalog.bad-config-missing"),
    ],
)
def test_a_config_that_lies_is_refused(tmp_path: Path, change: dict[str, object], code: str):
    with pytest.raises(Refusal) as refused:
        of_config(tmp_path, {**QWEN, **change})
    assert code in {finding.code for finding in refused.value.findings}


def test_every_lie_is_told_at_once(tmp_path: Path):
    with pytest.raises(Refusal) as refused:
        of_config(tmp_path, {**QWEN, "num_hidden_layers": 0, "vocab_size": "x", "hidden_size": None})
    assert len(refused.value.findings) >= 3


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"a model"', "\x00\x01"])
def test_what_is_not_a_json_object_is_refused(tmp_path: Path, text: str):
    with pytest.raises(Refusal) as refused:
        of_config(tmp_path, text)
    assert refused.value.findings[0].code == "catalog.bad-config-json"


def test_a_quantization_without_a_figure_gets_no_verdict(tmp_path: Path):
    report = of_config(tmp_path, {**QWEN, "quantization_config": {"quant_method": "quip"}})
    assert not report.ok
    assert not report.known
    assert codes(report) >= {"fit.unknown-quantization"}
    assert report.case.memory is None
    assert report.for_json()["memory"] is None


def test_quantized_weights_of_unknown_width_get_no_verdict(tmp_path: Path):
    report = of_config(tmp_path, {**QWEN, "quantization_config": {"quant_method": "compressed-tensors"}})
    assert codes(report) == {"fit.unknown-memory"}


def test_three_bit_weights_are_refused(tmp_path: Path):
    report = of_config(tmp_path, {**QWEN, "quantization_config": {"quant_method": "gptq", "bits": 3}})
    assert codes(report) == {"fit.quantization-form"}
    assert report.known
    assert "gptq of 3 bit" in report.findings[0].message


def test_a_model_that_sees_images_is_told_to_be_larger_than_counted(tmp_path: Path):
    # What gpustack/gpustack#4583 asks for.
    text = {key: value for key, value in QWEN.items() if key != "architectures"}
    config = {"architectures": ["Qwen3VLForConditionalGeneration"], "model_type": "qwen3_vl", "text_config": text}
    report = of_config(tmp_path, config)
    assert report.ok
    assert "fit.vision-not-counted" in codes(report)


def test_the_states_of_a_hybrid_are_counted(tmp_path: Path):
    layers = (["linear_attention"] * 3 + ["full_attention"]) * 7
    hybrid = {**QWEN, "architectures": ["Qwen3_5ForCausalLM"], "model_type": "qwen3_5_text", "layer_types": layers}
    plain = 8192 * 7 * 2 * 4 * 256 * 2  # of the class's own head size, and its 16 and 32 heads
    for said, size in (({"mamba_ssm_dtype": "float32"}, 4), ({}, 2)):  # published files say it
        report = of_config(tmp_path, {**hybrid, **said})
        assert report.case.memory is not None
        state = 21 * (32 * 128 * 128 * size + (2 * 16 * 128 + 32 * 128) * 3 * 2)
        assert report.case.memory.need_gib == pytest.approx((plain + state) / 2**30, rel=0.05)


def test_a_shape_that_is_not_understood_gets_no_verdict_and_names_the_setting(tmp_path: Path):
    report = of_config(tmp_path, {**QWEN, "num_latent_experts": 7})
    assert codes(report) == {"fit.unknown-shape"}
    assert "num_latent_experts: 7" in report.findings[0].message
    assert not report.ok
    assert "not known" in str(report).splitlines()[0]
    assert not report.known


def test_sparse_attention_is_refused_where_no_kernel_is_for_it(tmp_path: Path):
    row = json.loads(PUBLISHED.read_text(encoding="utf-8"))["models"]["dsv32-awq"]["config"]
    (tmp_path / "config.json").write_text(json.dumps(row), encoding="utf-8")
    asked = {"model": str(tmp_path), "from_config": True, "gpu_count": 8}
    assert "fit.sparse-attention-needs-capability" in codes(check(FitRequest(gpu="A100-80GB", **asked)))
    assert "fit.sparse-attention-needs-capability" not in codes(check(FitRequest(gpu="H20", **asked)))


def test_gemma_by_its_config_refuses_fp16_as_well(tmp_path: Path):
    config = {**QWEN, "model_type": "gemma2", "architectures": ["Gemma2ForCausalLM"]}
    assert "fit.model-refuses-fp16" in codes(of_config(tmp_path, config, gpu="T4", gpu_count=2))


def test_an_unknown_gpu_or_model_is_answered_with_the_nearest():
    with pytest.raises(UnknownName, match="Qwen/Qwen3-8B"):
        check(FitRequest(model="Qwen/Qwen3-8C", gpu="T4"))
    with pytest.raises(UnknownName, match="A100-80GB"):
        check(FitRequest(model="Qwen/Qwen3-8B", gpu="A100-81GB"))


def test_a_gpu_with_two_sizes_asks_which():
    with pytest.raises(Refusal, match="A100-40GB or A100-80GB"):
        check(FitRequest(model="Qwen/Qwen3-8B", gpu="A100"))


values = st.none() | st.booleans() | st.integers(-10, 10**7) | st.floats(allow_nan=False) | st.text(max_size=5)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    changes=st.dictionaries(
        st.sampled_from([*QWEN, "head_dim", "sliding_window", "layer_types", "kv_lora_rank"]), values
    )
)
def test_any_config_ends_in_a_verdict_or_a_refusal(tmp_path: Path, changes: dict[str, object]):
    refused: list[str] = []
    try:
        report = of_config(tmp_path, {**QWEN, **changes})
    except Refusal as refusal:
        refused = [finding.code for finding in refusal.findings]
    if refused:
        assert all(code.startswith("catalog.bad-config") for code in refused)
        return
    memory = report.case.memory
    assert memory is None or memory.weights_gib > 0
    if report.ok:
        assert memory is not None
        assert memory.kv_gib >= memory.need_gib


def test_prices_that_are_missing_are_never_zero():
    data = catalog.load()
    unknown = [offer for offer in data.offers() if offer.price is None]
    assert unknown
    report = check(FitRequest(model="Qwen/Qwen2.5-0.5B-Instruct", gpu="T4"))
    assert report.suggestion is not None
    assert report.suggestion.for_json()["hourly_price"] != 0
