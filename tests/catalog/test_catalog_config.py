"""A model given by its config.json is described, or refused with every finding; never a crash, never a wrong number."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_llm import catalog
from pulumi_llm.catalog import config as config_reader
from pulumi_llm.catalog import context, quantized, storage
from pulumi_llm.catalog.kin import LIKE
from pulumi_llm.catalog.shapes import layers, newer, parts, settings, shape, special, states
from pulumi_llm.catalog.shapes.settings import WITHOUT_DEFAULTS, classes
from pulumi_llm.errors import Refusal

QWEN3_8B: dict[str, Any] = {
    "architectures": ["Qwen3ForCausalLM"],
    "head_dim": 128,
    "hidden_size": 4096,
    "intermediate_size": 12288,
    "max_position_embeddings": 40960,
    "model_type": "qwen3",
    "num_attention_heads": 32,
    "num_hidden_layers": 36,
    "num_key_value_heads": 8,
    "sliding_window": None,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "use_sliding_window": False,
    "vocab_size": 151936,
}
NEEDED = (
    "hidden_size",
    "intermediate_size",
    "max_position_embeddings",
    "num_attention_heads",
    "num_hidden_layers",
    "vocab_size",
)
DEEPSEEK_V3: dict[str, Any] = {
    "architectures": ["DeepseekV3ForCausalLM"],
    "first_k_dense_replace": 3,
    "hidden_size": 7168,
    "intermediate_size": 18432,
    "kv_lora_rank": 512,
    "max_position_embeddings": 163840,
    "model_type": "deepseek_v3",
    "moe_intermediate_size": 2048,
    "n_routed_experts": 256,
    "n_shared_experts": 1,
    "num_attention_heads": 128,
    "num_experts_per_tok": 8,
    "num_hidden_layers": 61,
    "num_key_value_heads": 128,
    "q_lora_rank": 1536,
    "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64,
    "quantization_config": {"quant_method": "fp8", "fmt": "e4m3"},
    "v_head_dim": 128,
    "vocab_size": 129280,
}


def written(folder: Path, config: object) -> Path:
    file = folder / "config.json"
    file.write_text(json.dumps(config), encoding="utf-8")
    return file


def codes(path: Path) -> list[str]:
    with pytest.raises(Refusal) as refused:
        catalog.model_from_config(path)
    return [finding.code for finding in refused.value.findings]


@pytest.mark.parametrize(("config", "known"), [(QWEN3_8B, "Qwen/Qwen3-8B"), (DEEPSEEK_V3, "deepseek-ai/DeepSeek-V3")])
def test_a_config_gives_what_the_catalogue_says_of_that_model(
    tmp_path: Path, config: Mapping[str, Any], known: str
) -> None:
    model, row = catalog.model_from_config(written(tmp_path, config)), catalog.load().model(known)
    for name in ("layers", "hidden", "heads", "vocab", "intermediate", "max_context", "quantization", "moe", "mla"):
        assert getattr(model, name) == getattr(row, name), name
    assert model.kv_bytes_per_token == row.kv_bytes_per_token
    assert model.parameters_b == pytest.approx(row.parameters_b, rel=0.01)


def test_a_folder_that_holds_the_config_will_do(tmp_path: Path) -> None:
    written(tmp_path, QWEN3_8B)
    assert catalog.model_from_config(tmp_path).layers == 36


def test_a_config_without_head_counts_takes_the_defaults_of_transformers(tmp_path: Path) -> None:
    config = {key: value for key, value in QWEN3_8B.items() if key not in {"head_dim", "num_key_value_heads"}}
    model = catalog.model_from_config(written(tmp_path, config))
    assert (model.kv_heads, model.head_dim) == (32, 128)


def test_the_text_part_of_a_vision_model_is_read(tmp_path: Path) -> None:
    config = {"architectures": ["Gemma3ForConditionalGeneration"], "model_type": "gemma3"}
    text = {**QWEN3_8B, "model_type": "gemma3_text", "sliding_window": 1024, "sliding_window_pattern": 6}
    text.pop("use_sliding_window")
    model = catalog.model_from_config(written(tmp_path, {**config, "text_config": text}))
    assert model.no_fp16
    assert {(each.layers, each.window) for each in model.caches} == {(30, 1024), (6, None)}


def test_layers_of_linear_attention_keep_no_cache(tmp_path: Path) -> None:
    kinds = ["linear_attention", "linear_attention", "linear_attention", "full_attention"] * 9
    hybrid = {**QWEN3_8B, "architectures": ["Qwen3_5ForCausalLM"], "model_type": "qwen3_5_text"}
    model = catalog.model_from_config(written(tmp_path, {**hybrid, "layer_types": kinds}))
    plain = catalog.model_from_config(written(tmp_path, {**hybrid, "layer_types": ["full_attention"] * 36}))
    assert (model.state_layers, plain.state_layers) == (27, 0)
    assert plain.kv_bytes_per_token is not None
    assert model.kv_bytes_per_token == plain.kv_bytes_per_token // 4


def test_windows_follow_the_layer_types(tmp_path: Path) -> None:
    kinds = ["sliding_attention", "full_attention"] * 18
    config = {**QWEN3_8B, "layer_types": kinds, "sliding_window": 128, "use_sliding_window": True}
    model = catalog.model_from_config(written(tmp_path, config))
    assert {(each.layers, each.window) for each in model.caches} == {(18, 128), (18, None)}


@pytest.mark.parametrize(
    ("given_config", "method", "bits"),
    [
        ({"quant_method": "awq", "bits": 4}, "awq", 4),
        ({"quant_method": "gptq", "bits": 8}, "gptq", 8),
        ({"quant_method": "fp8"}, "fp8", 8),
        ({"quant_method": "mxfp4"}, "mxfp4", 4),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "bitsandbytes", 4),
        ({"quant_method": "compressed-tensors"}, "compressed-tensors", None),
    ],
)
def test_quantization_is_read(tmp_path: Path, given_config: object, method: str, bits: int | None) -> None:
    model = catalog.model_from_config(written(tmp_path, {**QWEN3_8B, "quantization_config": given_config}))
    assert (model.quantization, model.quantization_bits) == (method, bits)


def test_every_missing_field_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(Refusal) as refused:
        catalog.model_from_config(written(tmp_path, {}))
    said = " ".join(finding.message for finding in refused.value.findings)
    assert {finding.code for finding in refused.value.findings} == {"catalog.bad-config-missing"}
    assert [name for name in NEEDED if name not in said] == []


@pytest.mark.parametrize("name", NEEDED)
@pytest.mark.parametrize(
    ("value", "code"),
    [
        (0, "catalog.bad-config-range"),
        (-32, "catalog.bad-config-range"),
        (10**30, "catalog.bad-config-range"),
        ("32", "catalog.bad-config-type"),
        (32.5, "catalog.bad-config-type"),
        (True, "catalog.bad-config-type"),
        ([32], "catalog.bad-config-type"),
        (None, "catalog.bad-config-missing"),
    ],
)
def test_a_number_that_lies_is_refused(tmp_path: Path, name: str, value: object, code: str) -> None:
    assert code in codes(written(tmp_path, {**QWEN3_8B, name: value}))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"num_key_value_heads": 5}, "catalog.bad-config-range"),
        ({"num_attention_heads": 7, "num_key_value_heads": 7, "head_dim": None}, "catalog.bad-config-range"),
        ({"layer_types": ["full_attention"]}, "catalog.bad-config-range"),
        ({"layer_types": "full"}, "catalog.bad-config-type"),
        ({"num_experts": 8}, "catalog.bad-config-missing"),
        ({"num_experts": 8, "num_experts_per_tok": 9}, "catalog.bad-config-range"),
        ({"kv_lora_rank": 512}, "catalog.bad-config-missing"),
        ({"quantization_config": []}, "catalog.bad-config-type"),
        ({"quantization_config": {}}, "catalog.bad-config-missing"),
        ({"quantization_config": {"quant_method": "awq", "bits": 400}}, "catalog.bad-config-range"),
        ({"tie_word_embeddings": "no"}, "catalog.bad-config-type"),
        ({"torch_dtype": 16}, "catalog.bad-config-type"),
        ({"model_type": 3}, "catalog.bad-config-type"),
        ({"model_type": ["kimi_vl"], "text_config": QWEN3_8B}, "catalog.bad-config-type"),
        ({"num_hidden_layers": 1000, "intermediate_size": 999_999, "hidden_size": 131_072}, "catalog.bad-config-range"),
    ],
)
def test_contradictions_are_refused(tmp_path: Path, change: Mapping[str, Any], code: str) -> None:
    assert code in codes(written(tmp_path, {**QWEN3_8B, **change}))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"1", b"\xff\xfe", b"{'a': 1}", b"[" * 100_000])
def test_what_is_not_a_json_object_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "config.json"
    file.write_bytes(content)
    assert codes(file) == ["catalog.bad-config-json"]


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_refused_where_one_is_needed_and_nowhere_else(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps({**QWEN3_8B, "vocab_size": "@"}).replace('"@"', text), encoding="utf-8")
    assert codes(file) == ["catalog.bad-config-type"]
    file.write_text(json.dumps({**QWEN3_8B, "time_step_limit": [0.0, "@"]}).replace('"@"', text), encoding="utf-8")
    assert catalog.model_from_config(file).parameters_b is not None


def test_a_number_too_long_to_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text('{"vocab_size": ' + "9" * 10_000 + "}", encoding="utf-8")
    assert codes(file) == ["catalog.bad-config-json"]


@pytest.mark.parametrize("name", ["absent.json", "absent/config.json", "nul\0byte"])
def test_what_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    assert codes(tmp_path / name) == ["catalog.bad-config-unreadable"]


def test_a_file_of_weights_is_refused_unread(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    with file.open("wb") as stream:
        stream.truncate(2**30)
    assert codes(file) == ["catalog.bad-config-unreadable"]


SOURCES = [config_reader, context, quantized, storage, layers, newer, parts, settings, shape, special, states]
READ = {name for source in SOURCES for name in re.findall(r'"([A-Za-z_]\w{3,})"', inspect.getsource(source))}
CLASSES = sorted({*classes(), *LIKE, *WITHOUT_DEFAULTS})
DEFAULTS = [row.get("defaults") for row in classes().values()]
FIELDS = sorted({*READ, *QWEN3_8B, *DEEPSEEK_V3, *(name for row in DEFAULTS if isinstance(row, dict) for name in row)})
NUMBERS = st.sampled_from([0, -1, 1, 2, 7, 64, 4096, 10**6, 10**12, 10**400, -(10**30), 0.5, 8.0, -3.0, 1e308])
KINDS = st.sampled_from(
    ["full_attention", "sliding_attention", "linear_attention", "mamba", "conv", "moe", "sparse", "²"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | KINDS | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | inner.map(lambda each: [each] * 36)
        | st.dictionaries(st.sampled_from([*FIELDS, "rope_type", "factor", "num_heads", "bits"]), inner, max_size=4)
    ),
    max_leaves=8,
)


def of_class(kind: str, *, whole: bool) -> dict[str, Any]:
    """A config of this class, with its own numbers (``whole``) or those that every file gives."""
    own = classes().get(LIKE.get(kind, kind), {}).get("defaults") if whole else {}
    plain = {name: QWEN3_8B[name] for name in (*NEEDED, *(() if whole else ("num_key_value_heads",)))}
    return {**plain, "model_type": kind, **(own if isinstance(own, dict) else {})}


BASES = st.sampled_from([{}, QWEN3_8B, DEEPSEEK_V3]) | st.builds(
    of_class, st.sampled_from(CLASSES), whole=st.booleans()
)


@given(base=BASES, changes=st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=4), nested=st.integers(0, 3))
def test_any_config_is_either_described_in_sane_numbers_or_refused(
    tmp_path_factory: pytest.TempPathFactory, base: Mapping[str, Any], changes: Mapping[str, Any], nested: int
) -> None:
    config: Mapping[str, Any] = {**base, **changes}
    for _ in range(nested):
        config = {"text_config": config}
    file = written(tmp_path_factory.mktemp("model"), config)
    model, refused = None, set()
    try:
        model = catalog.model_from_config(file)
    except Refusal as refusal:
        refused = {finding.code.rpartition("-")[0] for finding in refusal.findings}
    if model is None:
        assert refused == {"catalog.bad-config"}
        return
    if model.unknown_shape is not None:
        assert model.parameters_b is None
        return
    assert model.parameters_b is not None
    assert 0 < model.parameters_b <= 20_000
    assert model.kv_bytes_per_token is not None
    assert model.kv_bytes_per_token >= 0
    assert model.state_bytes >= 0
    assert all(
        each.bytes >= 0 and each.layers > 0 and (each.window is None or each.window > 0) for each in model.caches
    )
    assert 0 <= (model.expert_parameters_b or 0) <= model.parameters_b
    assert model.max_context is None or model.max_context > 0


@pytest.mark.parametrize("kind", CLASSES)
def test_a_config_of_any_class_is_described_or_said_to_be_unknown(tmp_path: Path, kind: str) -> None:
    model = catalog.model_from_config(written(tmp_path, of_class(kind, whole=False)))
    assert (model.parameters_b is None) == (model.unknown_shape is not None)


@pytest.mark.parametrize(
    ("change", "unknown"),
    [
        ({"model_type": "nemotron_h"}, "layers_block_type"),
        ({"model_type": "nemotron_h", "hybrid_override_pattern": "M*E-" * 1_000}, "layers_block_type"),
        ({"model_type": "bamba", "mamba_n_heads": 0}, "mamba_n_heads"),
        ({"model_type": "jamba", "attn_layer_period": 0}, "attn_layer_period"),
        ({"model_type": "afmoe", "num_experts": 8, "num_experts_per_tok": 2, "moe_layer_freq": [1]}, "moe_layer_freq"),
        ({"model_type": "hy_v3", "num_experts": 8, "num_experts_per_tok": 2, "mlp_layer_types": ["moe"]}, "mlp_layer_"),
        ({"model_type": "mistral", "sliding_window": -1}, "sliding_window"),
        ({"model_type": "olmo3", "attention_head_dim": -128}, "head_dim"),
        ({"model_type": "qwen3", "model_max_length": -1}, "model_max_length"),
        ({"model_type": "llama", "rope_scaling": {"type": "linear", "factor": 1e308}}, "rope_scaling"),
        ({"model_type": "llama", "rope_scaling": {"type": "linear", "factor": 10**400}}, "rope_scaling"),
    ],
)
def test_a_number_of_no_sense_in_any_setting_is_unknown_and_not_computed_with(
    tmp_path: Path, change: Mapping[str, Any], unknown: str
) -> None:
    model = catalog.model_from_config(written(tmp_path, {**of_class(change["model_type"], whole=True), **change}))
    assert model.unknown_shape is not None
    assert model.unknown_shape.startswith(unknown)


def test_a_way_of_stretching_that_is_no_text_is_read_as_one_that_stretches(tmp_path: Path) -> None:
    config = {**QWEN3_8B, "rope_scaling": {"rope_type": ["yarn"], "factor": 2.0}}
    assert catalog.model_from_config(written(tmp_path, config)).max_context == 2 * 40960


@pytest.mark.parametrize("name", ["moe_\x1b[31mred", "moe_\ud800", "moe_" + "x" * 500])
def test_a_setting_s_name_cannot_write_to_the_terminal(tmp_path: Path, name: str) -> None:
    unknown = catalog.model_from_config(written(tmp_path, {**QWEN3_8B, name: 5})).unknown_shape
    assert unknown is not None
    assert unknown.startswith('"moe_')
    assert unknown.isprintable()
    assert len(unknown) < 80


@given(content=st.binary(max_size=200))
def test_any_bytes_are_refused_without_a_crash(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.mktemp("model") / "config.json"
    file.write_bytes(content)
    assert all(code.startswith("catalog.bad-config-") for code in codes(file))
