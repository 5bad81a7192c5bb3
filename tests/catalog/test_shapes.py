"""What a config.json says of a model's size is what two oracles say: transformers' own count, and vLLM's own cache."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from pulumi_llm import catalog
from pulumi_llm.catalog.kin import LIKE
from pulumi_llm.catalog.shapes.settings import classes
from pulumi_llm.errors import Refusal
from pulumi_llm.preflight import cache
from pulumi_llm.preflight.report import check
from pulumi_llm.preflight.request import FitRequest

DATA = Path(__file__).parent / "data"
SHAPES: list[dict[str, Any]] = json.loads((DATA / "shapes.json").read_text(encoding="utf-8"))["shapes"]
PUBLISHED: dict[str, dict[str, Any]] = json.loads((DATA / "published.json").read_text(encoding="utf-8"))["models"]
FAMILIES: dict[str, dict[str, Any]] = json.loads((DATA / "families.json").read_text(encoding="utf-8"))["models"]
MIXED: list[dict[str, Any]] = json.loads((DATA / "mixed.json").read_text(encoding="utf-8"))["shapes"]
DROPPED: list[dict[str, Any]] = json.loads((DATA / "dropped.json").read_text(encoding="utf-8"))["shapes"]
WINDOWS: list[dict[str, Any]] = json.loads((DATA / "windows.json").read_text(encoding="utf-8"))["shapes"]
CASES = {f"{row['config']['model_type']}-{number}": row for number, row in enumerate(SHAPES)} | PUBLISHED | FAMILIES
CACHED = {name: row for name, row in CASES.items() if "cache" in row}


def described(folder: Path, config: object) -> catalog.Model:
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    model = catalog.model_from_config(folder)
    assert model.unknown_shape is None
    return model


@pytest.mark.parametrize("name", CASES)
def test_parameters_are_those_that_transformers_counts(tmp_path: Path, name: str) -> None:
    model = described(tmp_path, CASES[name]["config"])
    assert model.parameters_b == pytest.approx(CASES[name]["parameters"] / 1e9, rel=0.01)


@pytest.mark.parametrize("row", MIXED, ids=[f"{row['of']}-{at}" for at, row in enumerate(MIXED)])
def test_settings_that_are_changed_added_and_left_out_together_are_read_as_the_class_reads_them(
    tmp_path: Path, row: dict[str, Any]
) -> None:
    """Made by tools/mixed_shapes.py, and held against nothing while it was written."""
    assert described(tmp_path, row["config"]).parameters_b == pytest.approx(row["parameters"] / 1e9, rel=0.01)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("laguna", {"gating": False}),
        ("gemma-4-26B", {"enable_moe_block": False}),
    ],
)
def test_what_vllm_and_transformers_build_otherwise_is_not_understood(
    tmp_path: Path, name: str, change: dict[str, Any]
) -> None:
    """models/laguna.py and models/gemma4.py of vllm 0.32.0 against the classes of transformers 5.19.0."""
    config = json.loads(json.dumps(next(row["config"] for key, row in CASES.items() if name in key)))
    config.get("text_config", config).update(change)
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert catalog.model_from_config(tmp_path).unknown_shape == f"{next(iter(change))}: false"


@pytest.mark.parametrize(("gating", "of_hidden"), [("per-element", "head_dim"), ("per-head", None)])
def test_a_gate_is_one_number_for_each_head_or_for_each_of_its_numbers(
    tmp_path: Path, gating: str, of_hidden: str | None
) -> None:
    """Laguna; transformers counts 33.689 and 33.190 billion for these shapes (2026-11-29)."""
    config = {"architectures": ["LagunaForCausalLM"], "model_type": "laguna", "gating": gating}
    more = 40 * 2048 * 48 * 127 / 1e9 if of_hidden else 0
    plain = described(tmp_path, {**config, "gating": True}).parameters_b or 0
    assert described(tmp_path, config).parameters_b == pytest.approx(plain + more, abs=0.001)


@pytest.mark.parametrize("name", FAMILIES)
def test_with_what_sees_and_hears_a_model_is_as_large_as_its_class_builds_it(tmp_path: Path, name: str) -> None:
    model = described(tmp_path, FAMILIES[name]["config"])
    assert not model.other_parts
    whole = (model.parameters_b or 0) + (model.other_parameters_b or 0)
    assert whole == pytest.approx(FAMILIES[name]["whole"] / 1e9, rel=0.01)


LONGCAT = {
    "architectures": ["LongcatFlashForCausalLM"],
    "model_type": "longcat_flash",
    "hidden_size": 6144,
    "num_layers": 28,
    "num_attention_heads": 64,
    "ffn_hidden_size": 12288,
    "expert_ffn_hidden_size": 2048,
    "n_routed_experts": 512,
    "zero_expert_num": 256,
    "zero_expert_type": "identity",
    "moe_topk": 12,
    "kv_lora_rank": 512,
    "q_lora_rank": 1536,
    "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64,
    "v_head_dim": 128,
    "vocab_size": 131072,
    "max_position_embeddings": 131072,
}
"""LongCat-Flash as meituan-longcat publishes it. By its card 560 billion, without experts that have no weights."""


def test_dense_parts_beside_experts_are_counted_and_experts_without_weights_are_not(tmp_path: Path) -> None:
    assert described(tmp_path, LONGCAT).parameters_b == pytest.approx(560, rel=0.01)


@pytest.mark.parametrize("name", ["embed_dim", "ffn_width", "num_blocks", "n_hidden"])
def test_a_number_under_a_name_of_no_class_is_not_replaced_by_the_class_s_own(tmp_path: Path, name: str) -> None:
    size = {"model_type": "bloom", "architectures": ["BloomForCausalLM"], "n_layer": 30, "n_head": 32}
    assert described(tmp_path, {**size, "n_embed": 4096}).parameters_b == pytest.approx(7.07, rel=0.01)
    (tmp_path / "config.json").write_text(json.dumps({**size, name: 4096}), encoding="utf-8")
    assert catalog.model_from_config(tmp_path).unknown_shape == f"{name}: 4096"


def test_experts_of_two_widths_are_not_understood(tmp_path: Path) -> None:
    """Hunyuan 3 says the width of its experts twice, and vLLM reads the one, transformers the other."""
    config = {**FAMILIES["Hy3"]["config"], "expert_hidden_dim": 768}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert catalog.model_from_config(tmp_path).unknown_shape == "expert_hidden_dim: 768"


@pytest.mark.parametrize("row", DROPPED, ids=[f"{row['config']['model_type']}-{row['left_out']}" for row in DROPPED])
def test_a_setting_that_is_left_out_is_the_class_s_own_or_nothing_is_said(tmp_path: Path, row: dict[str, Any]) -> None:
    (tmp_path / "config.json").write_text(json.dumps(row["config"]), encoding="utf-8")
    try:
        model = catalog.model_from_config(tmp_path)
    except Refusal:
        return
    if model.unknown_shape is None:
        assert model.parameters_b == pytest.approx(row["parameters"] / 1e9, rel=0.01)


@pytest.mark.parametrize("name", CACHED)
def test_a_request_keeps_what_vllm_s_own_specification_says(tmp_path: Path, name: str) -> None:
    keeps(tmp_path, CACHED[name])


@pytest.mark.parametrize("row", WINDOWS, ids=[f"{row['config']['model_type']}-{at}" for at, row in enumerate(WINDOWS)])
def test_a_window_holds_only_where_its_class_heeds_it(tmp_path: Path, row: dict[str, Any]) -> None:
    keeps(tmp_path, row)


COUNTED = [row for row in WINDOWS if "parameters" in row]


@pytest.mark.parametrize("row", COUNTED, ids=[f"{row['config']['model_type']}-{at}" for at, row in enumerate(COUNTED)])
def test_layers_before_the_experts_have_a_pattern_and_a_width_of_their_own(tmp_path: Path, row: dict[str, Any]) -> None:
    """Of Cohere 2 with experts: the widths of other classes' names are not its own."""
    assert described(tmp_path, row["config"]).parameters_b == pytest.approx(row["parameters"] / 1e9, rel=0.01)
    (tmp_path / "config.json").write_text(json.dumps({**row["config"], "moe_intermediate_size": 64}), encoding="utf-8")
    assert catalog.model_from_config(tmp_path).unknown_shape == "moe_intermediate_size: 64"


FOREIGN = [(kind, name) for kind, row in classes().items() for name in cast("list[str]", row.get("foreign", []))]
VALUES: dict[str, Any] = {"mlp_only_layers": [0], "multi_query": True}


@pytest.mark.parametrize(("kind", "name"), FOREIGN)
def test_a_setting_in_another_class_s_words_changes_nothing_or_gives_no_figure(
    tmp_path: Path, kind: str, name: str
) -> None:
    """By tools/foreign.py the class leaves it aside: a file that gives it may not be meant for this class."""
    defaults = {**cast("dict[str, Any]", classes()[kind].get("defaults", {})), "model_type": kind}
    (tmp_path / "config.json").write_text(json.dumps(defaults), encoding="utf-8")
    try:
        plain = catalog.model_from_config(tmp_path).parameters_b
        (tmp_path / "config.json").write_text(json.dumps({**defaults, name: VALUES.get(name, 2)}), encoding="utf-8")
        model = catalog.model_from_config(tmp_path)
    except Refusal:
        return
    assert model.unknown_shape is not None or model.parameters_b == plain


def test_a_foreign_setting_that_says_what_holds_anyway_is_no_harm(tmp_path: Path) -> None:
    config = {"model_type": "qwen3_5_moe_text", "architectures": ["Qwen3_5MoeForCausalLM"]}
    plain = described(tmp_path, config).parameters_b
    assert described(tmp_path, {**config, "decoder_sparse_step": 1, "mlp_only_layers": []}).parameters_b == plain


def keeps(folder: Path, row: dict[str, Any]) -> None:
    found = cache.footprint(described(folder, row["config"]), 1)
    assert found is not None
    said = row["cache"]
    windows = {each["window_tokens"]: each["bytes_per_token"] for each in said["windowed"]}
    for tokens in (8 * 1024, 32 * 1024, 128 * 1024):
        kept = sum(min(tokens, window) * size for window, size in windows.items())
        wanted = said["full_bytes_per_token"] * tokens + kept + said["state_bytes_per_sequence"]
        ours = found.state_bytes + sum(min(tokens, each.window or tokens) * each.bytes for each in found.kept)
        assert ours == pytest.approx(wanted, rel=0.05)


@pytest.mark.parametrize("name", CACHED)
def test_the_context_is_the_one_that_vllm_derives(tmp_path: Path, name: str) -> None:
    model = described(tmp_path, CACHED[name]["config"])
    assert (model.served_context or model.max_context) in (CACHED[name]["cache"]["max_model_len"], None)


def kinds_in(config: dict[str, Any]) -> Iterator[str]:
    """The model types of a file and of its parts."""
    if "model_type" in config:
        yield config["model_type"]
    for part in config.values():
        if isinstance(part, dict):
            yield from kinds_in(part)


def test_every_class_of_the_table_is_tried_or_said_to_be_verified_otherwise() -> None:
    tried = {LIKE.get(kind, kind) for row in CASES.values() for kind in kinds_in(row["config"])}
    texts = {kind for kind, row in classes().items() if "text" not in row}
    # LongCat's class counts experts that have no weights; all of these are tried in test_served.py.
    assert texts - tried == {"longcat_flash", "inkling_text", "qwen4_exp_text", "zamba2"}


@pytest.mark.parametrize(("kind", "other"), LIKE.items())
def test_a_class_that_is_like_another_names_one_that_is_known(kind: str, other: str) -> None:
    assert kind not in classes()
    assert other in classes()


LLAMA: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "max_position_embeddings": 4096,
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "vocab_size": 32000,
}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"num_local_slow_experts": 4}, "num_local_slow_experts"),
        ({"layer_types": ["liquid_attention"] * 32}, "layer_types"),
        ({"ssm_state_width": 128}, "ssm_state_width"),
        ({"hybrid_window_pattern": [1, 0]}, "hybrid_window_pattern"),
        ({"model_type": "llamma"}, "model_type"),
        ({"quantization_config": {"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION"}}, "quant_algo"),
    ],
)
def test_a_setting_that_is_not_understood_is_named_and_nothing_is_computed(
    tmp_path: Path, change: dict[str, Any], named: str
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({**LLAMA, **change}), encoding="utf-8")
    model = catalog.model_from_config(tmp_path)
    assert named in (model.unknown_shape or "")
    assert model.parameters_b is None


@pytest.mark.parametrize(
    ("kind", "more", "billions"),
    [
        ("chatglm", {"num_layers": 40, "padded_vocab_size": 151552, "seq_length": 131072, "kv_channels": 128,
                     "ffn_hidden_size": 13696, "multi_query_attention": True, "multi_query_group_num": 2}, 9.4),
        ("internlm2", {"num_hidden_layers": 32, "vocab_size": 92544, "intermediate_size": 14336,
                       "num_key_value_heads": 8, "max_position_embeddings": 131072}, 7.74),
    ],
)  # fmt: skip
def test_a_class_that_is_like_another_takes_nothing_of_its_defaults(
    tmp_path: Path, kind: str, more: dict[str, Any], billions: float
) -> None:
    # Published: GLM-4-9B-chat has 9.4 billion parameters, InternLM2.5-7B 7.74.
    shared = {"model_type": kind, "hidden_size": 4096, "num_attention_heads": 32, "tie_word_embeddings": False}
    model = described(tmp_path, {**shared, **more})
    assert model.parameters_b == pytest.approx(billions, rel=0.01)
    assert model.max_context == 131072


@pytest.mark.parametrize("kind", ["step3p5", "qwen3_moe", "deepseek_v3", "mixtral"])
def test_two_numbers_of_experts_that_differ_give_no_figure(tmp_path: Path, kind: str) -> None:
    config = {**LLAMA, "model_type": kind, "num_local_experts": 8, "moe_num_experts": 288, "num_experts_per_tok": 8}
    if kind == "step3p5":  # whose default is another one in transformers than in vLLM: left out, it is told first
        config |= {"head_dim": 128, "moe_intermediate_size": 1280, "share_expert_dim": 1280}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert 'num_experts: "288 / 8"' in (catalog.model_from_config(tmp_path).unknown_shape or "")


OF_NO_WEIGHT = (
    *("routed_scaling_factor", "mamba_chunk_size", "moe_router_topk_scaling_factor", "expert_model_parallel_size"),
    *("moe_permute_fusion", "moe_k_norm", "use_expert_bias", "moe_router_bias_update_rate", "moe_layer_recompute"),
    *("moe_token_dispatcher_type", "moe_grouped_gemm", "moe_expert_capacity_factor", "num_nextn_predict_layers"),
    *(
        "chunk_size_feed_forward",
        "id2label",
        "auto_map",
        "rotary_pct",
        "ep_size",
        "moe_shared_expert_overlap",
        "for_llm_compressor",
    ),
)
"""What published files carry from training and from older releases, beside the shape."""


@pytest.mark.parametrize("name", OF_NO_WEIGHT)
def test_a_setting_of_no_weight_changes_nothing(tmp_path: Path, name: str) -> None:
    plain = described(tmp_path, LLAMA)
    assert described(tmp_path, {**LLAMA, name: 2}).parameters_b == plain.parameters_b


@pytest.mark.parametrize(
    ("whole", "text", "tied"),
    [(None, True, True), (True, None, True), (False, True, False), (True, False, False), (None, None, True)],
)
def test_a_head_that_the_two_parts_disagree_on_is_counted(
    tmp_path: Path, whole: bool | None, text: bool | None, tied: bool
) -> None:
    inner = {"model_type": "gemma3_text", "tie_word_embeddings": text}
    config = {"architectures": ["Gemma3ForConditionalGeneration"], "model_type": "gemma3", "text_config": inner}
    assert described(tmp_path, {**config, "tie_word_embeddings": whole}).tied_embeddings is tied


@pytest.mark.parametrize(
    ("change", "context"),
    [
        ({"rope_scaling": {"type": "linear", "factor": 4.0}}, 16384),
        ({"rope_scaling": {"type": "dynamic", "factor": 2.0}}, 8192),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}, 4096),
        ({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, 4096),
        ({"model_max_length": 131072}, 131072),
        ({"max_sequence_length": 2048}, 2048),
        ({"rope_scaling": {"type": "linear", "factor": None}}, 4096),
    ],
)
def test_a_context_is_stretched_as_vllm_stretches_it(tmp_path: Path, change: dict[str, Any], context: int) -> None:
    assert described(tmp_path, {**LLAMA, **change}).max_context == context


LINEAR = {"rope_type": "linear", "factor": 4.0, "rope_theta": 10000.0}
PLAIN = {"rope_type": "default", "rope_theta": 10000.0}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "num_shared_experts": 1}
ROPES: list[tuple[str, dict[str, Any], int]] = [
    # What vllm 0.32.0 made of these configurations of 8192 tokens on 2026-11-28 (EngineArgs.create_engine_config).
    ("cohere2_moe", {**EXPERTS, "rope_scaling": LINEAR}, 8192),
    ("cohere2_moe", {**EXPERTS, "rope_parameters": LINEAR}, 32768),
    ("cohere2_moe", {**EXPERTS, "rope_parameters": {"sliding_attention": LINEAR, "full_attention": PLAIN}}, 32768),
    ("cohere2_moe", {**EXPERTS, "rope_parameters": {"sliding_attention": LINEAR, "full_attention": None}}, 32768),
    ("cohere2_moe", EXPERTS, 8192),
    ("cohere2", {"rope_scaling": LINEAR}, 32768),
    ("cohere2", {"rope_parameters": {"sliding_attention": LINEAR, "full_attention": None}}, 32768),
    ("gemma2", {"rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0}}, 16384),
]


@pytest.mark.parametrize(("kind", "rope", "context"), ROPES)
def test_a_class_that_leaves_rope_scaling_aside_is_not_stretched(
    tmp_path: Path, kind: str, rope: dict[str, Any], context: int
) -> None:
    assert (
        described(tmp_path, {**LLAMA, "model_type": kind, "max_position_embeddings": 8192, **rope}).max_context
        == context
    )


def test_two_shared_experts_of_deepseek_v4_are_twice_as_wide(tmp_path: Path) -> None:
    """vllm 0.32.0, models/deepseek_v4/nvidia/model.py: moe_intermediate_size x n_shared_experts."""
    config = PUBLISHED["deepseek-v4-flash"]["config"]
    one = described(tmp_path, {**config, "n_shared_experts": 1}).parameters_b or 0
    two = described(tmp_path, {**config, "n_shared_experts": 2}).parameters_b or 0
    more = 3 * config["hidden_size"] * config["moe_intermediate_size"] * config["num_hidden_layers"]
    assert two - one == pytest.approx(more / 1e9)


def groups(bits: int, kind: str = "int") -> dict[str, Any]:
    return {"config_groups": {"group_0": {"targets": ["Linear"], "weights": {"num_bits": bits, "type": kind}}}}


@pytest.mark.parametrize(
    ("block", "method", "bits"),
    [
        ({"quant_method": "auto-round", "bits": 4}, "inc", 4),
        ({"quant_method": "fbgemm_fp8"}, "fbgemm_fp8", 8),
        ({"quant_method": "modelopt", "quant_algo": "FP8"}, "modelopt", 8),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, "nvfp4", 4),
        ({"quant_method": "modelopt", "quant_algo": "MXFP8"}, "mxfp8", 8),
        ({"quant_algo": "FP8", "producer": {"name": "modelopt"}}, "modelopt", 8),
        ({"quant_method": "compressed-tensors", **groups(8)}, "compressed-tensors", 8),
        ({"quant_method": "compressed-tensors", **groups(4, "float")}, "nvfp4", 4),
        ({"quant_method": "torchao", "quant_type": "int4_weight_only"}, "torchao", 4),
        ({"quant_method": "quark", "global_quant_config": {"weight": {"dtype": "fp8_e4m3"}}}, "quark", 8),
    ],
)  # fmt: skip
def test_each_way_of_storing_weights_is_read(tmp_path: Path, block: dict[str, Any], method: str, bits: int) -> None:
    model = described(tmp_path, {**LLAMA, "quantization_config": block})
    assert (model.quantization, model.quantization_bits) == (method, bits)


def of_groups(bits: int, activations: dict[str, Any] | None, form: str, kind: str = "int") -> dict[str, Any]:
    strategy = "group" if bits == 4 else "channel"
    weights = {"num_bits": bits, "type": kind, "strategy": strategy, "symmetric": True, "group_size": 128}
    group = {"targets": ["Linear"], "weights": weights, "input_activations": activations}
    return {"quant_method": "compressed-tensors", "format": form, "config_groups": {"group_0": group}}


TOKENS = {"num_bits": 8, "strategy": "token", "dynamic": True, "symmetric": True}
FORMS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    # By GPU what is found; vllm 0.32.0: compressed_tensors.py (_get_scheme_from_parts), quark_w8a8_fp8.py, modelopt.py.
    "w8a16": (of_groups(8, None, "pack-quantized"), {"T4": "", "A10": "", "B200": ""}),
    "w8a8-int8": (of_groups(8, {**TOKENS, "type": "int"}, "int-quantized"), {"T4": "", "A10": "", "H20": ""}),
    "w8a8-fp8": (
        of_groups(8, {**TOKENS, "type": "float"}, "float-quantized", "float"),
        {"T4": "fit.fp8-weight-only", "A10": "fit.fp8-weight-only", "L20": ""},
    ),
    "w4a16": (of_groups(4, None, "pack-quantized"), {"T4": "", "B200": ""}),
    "w4a8-fp8": (
        of_groups(4, {**TOKENS, "type": "float"}, "pack-quantized"),
        dict.fromkeys(("T4", "A10", "L20", "B200"), "fit.quantization-needs-capability") | {"H20": "", "H100-80GB": ""},
    ),
    "quark-fp8": (
        {"quant_method": "quark", "global_quant_config": {"weight": {"dtype": "fp8_e4m3"}}},
        {"T4": "fit.quantization-needs-capability", "A10": "fit.quantization-needs-capability", "L20": "", "B200": ""},
    ),
    "quark-int8": (
        {"quant_method": "quark", "global_quant_config": {"weight": {"dtype": "int8"}}},
        {"T4": "", "A10": ""},
    ),
    "mxfp8": (
        {"quant_method": "modelopt", "quant_algo": "MXFP8"},
        {"T4": "fit.quantization-needs-capability", "A10": "", "B200": ""},
    ),
}


@pytest.mark.parametrize(("name", "gpu"), [(name, gpu) for name, (__, gpus) in FORMS.items() for gpu in gpus])
def test_a_form_of_a_method_works_on_the_gpus_that_vllm_has_kernels_for(tmp_path: Path, name: str, gpu: str) -> None:
    block, wanted = FORMS[name]
    described(tmp_path, {**LLAMA, "quantization_config": block})
    asked = FitRequest(model=str(tmp_path), from_config=True, gpu=gpu, max_model_len=2048, concurrency=1)
    said = check(asked)
    about = {"fit.fp8-weight-only", "fit.quantization-needs-capability"}
    assert "".join(each.code for each in said.findings if each.code in about) == wanted[gpu]


def test_a_quantization_file_beside_the_config_is_read(tmp_path: Path) -> None:
    beside = {"producer": {"name": "modelopt"}, "quantization": {"quant_algo": "NVFP4", "kv_cache_quant_algo": "FP8"}}
    (tmp_path / "hf_quant_config.json").write_text(json.dumps(beside), encoding="utf-8")
    model = described(tmp_path, LLAMA)
    assert (model.quantization, model.quantization_bits) == ("nvfp4", 4)


def test_experts_that_are_stored_otherwise_are_told_apart(tmp_path: Path) -> None:
    model = described(tmp_path, PUBLISHED["deepseek-v4-flash"]["config"])
    assert model.expert_bits == 4
    assert model.expert_parameters_b == pytest.approx(277, rel=0.01)
