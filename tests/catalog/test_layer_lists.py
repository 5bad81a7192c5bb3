"""Weights that are stored layer by layer take what the modules of the real class take, each by its entry."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import catalog
from pulumi_llm.catalog.layer_lists import LayerLists, UnclearListError
from pulumi_llm.catalog.models import GIB
from pulumi_llm.catalog.shapes.shape import Piece
from pulumi_llm.preflight.weights import weights_gib

STORED: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent / "data" / "stored.json").read_text(encoding="utf-8")
)["models"]

PIECES = (
    Piece(at=None, kind="words", parameters=100),
    Piece(at=None, kind="head", parameters=100),
    Piece(at=0, kind="attention", parameters=30),
    Piece(at=0, kind="attention_out", parameters=10),
    Piece(at=0, kind="dense", parameters=60),
    Piece(at=1, kind="attention", parameters=30),
    Piece(at=1, kind="attention_out", parameters=10),
    Piece(at=1, kind="experts", parameters=500),
    Piece(at=1, kind="shared", parameters=60),
)
WORDS = 2 * 200
MIXED = {"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION"}


def unpacked(lists: dict[str, list[int]]) -> list[str]:
    return [name.format(at) for name, layers in lists.items() for at in layers]


def written(folder: Path, row: dict[str, Any]) -> Path:
    block = json.loads(json.dumps(row["block"]))
    inner = block.get("quantization", block)
    inner |= {name: unpacked(lists) for name, lists in row.get("left_out", {}).items()}
    if "quantized_layers" in row:
        inner["quantized_layers"] = {
            name: {"quant_algo": how} for how, lists in row["quantized_layers"].items() for name in unpacked(lists)
        }
    beside = "quantization" in block
    config = row["config"] if beside else {**row["config"], "quantization_config": block}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    if beside:
        (folder / "hf_quant_config.json").write_text(json.dumps(block), encoding="utf-8")
    return folder


@pytest.mark.parametrize("name", STORED)
def test_the_weights_take_what_their_modules_take_each_by_its_entry(tmp_path: Path, name: str) -> None:
    model = catalog.model_from_config(written(tmp_path, STORED[name]))
    assert model.unknown_shape is None
    assert model.weights_gib == pytest.approx(STORED[name]["bytes"] / GIB, rel=0.005)


@pytest.mark.parametrize(
    ("left_out", "in_16_bit"),
    [
        (["model.layers.0.self_attn.q_proj", "model.layers.0.self_attn.k_proj", "model.layers.0.self_attn.v_proj"], 30),
        (["model.layers.0.self_attn"], 40),
        (["model.layers.0*"], 100),
        (["model.layers.*.self_attn"], 80),
        (["*.self_attn.*"], 80),
        (["self_attn"], 80),
        (["re:.*self_attn.*"], 80),
        (["re:model\\.layers\\.1\\.mlp\\.experts.*"], 500),
        (["model.layers.1.mlp.experts.0.gate_proj"], 500 / 3),
        (["mtp.layers.0*", "self_attn"], 80),
        (["model.visual*", "lm_head", "model.layers.1.mlp.gate", "self_attn"], 80),
        (["model.layers.0.linear_attn*", "self_attn"], 80),
    ],
)
def test_an_entry_leaves_what_it_names_in_16_bit(left_out: list[str], in_16_bit: float) -> None:
    lists = LayerLists(size=0.5, plain=tuple(left_out))
    assert lists.bytes_of(PIECES) == pytest.approx(WORDS + 0.5 * 700 + 1.5 * in_16_bit)


def test_a_layer_that_is_stored_otherwise_takes_its_own_size() -> None:
    lists = LayerLists(size=2.0, sizes=(("model.layers.1.mlp.experts", 0.5), ("lm_head", 1.0)))
    assert lists.bytes_of(PIECES) == pytest.approx(2 * 900 - 1.5 * 500 - 100)


@pytest.mark.parametrize(
    "entry",
    ["model.layers.0.liquid_core", "re:(a+)+$", "re:.*.*.*.*x", "re:[", "re:" + "a" * 400, "backbone.strange.thing"],
)
def test_an_entry_that_is_not_understood_is_named_and_nothing_is_computed(entry: str) -> None:
    with pytest.raises(UnclearListError) as found:
        LayerLists(size=0.5, plain=(entry,)).bytes_of(PIECES)
    assert found.value.entry == entry


@pytest.mark.parametrize(
    "block",
    [
        MIXED,
        {**MIXED, "quantized_layers": {"lm_head": {"quant_algo": "Q"}}},
        {**MIXED, "quantized_layers": {"lm_head": 4}},
        {"quant_method": "modelopt", "quant_algo": "NVFP4", "ignore": ["model.layers.0.liquid_core"]},
    ],
)  # fmt: skip
def test_a_list_without_sense_gives_no_size(tmp_path: Path, block: dict[str, Any]) -> None:
    config = {**STORED["openai/gpt-oss-20b"]["config"], "quantization_config": block}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    model = catalog.model_from_config(tmp_path)
    assert "quant" in (model.unknown_shape or "")
    assert model.weights_gib is None


def test_files_of_weights_tell_the_size_however_they_are_stored(tmp_path: Path) -> None:
    block = {"quant_method": "modelopt", "quant_algo": "SOMETHING_NEW"}
    config = {**STORED["openai/gpt-oss-20b"]["config"], "quantization_config": block}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    index = {"metadata": {"total_size": 13_750_000_000}, "weight_map": {"model.norm.weight": "model-00001.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    model = catalog.model_from_config(tmp_path)
    assert model.unknown_shape is None
    assert model.weights_gib == pytest.approx(13.75e9 / GIB)


def test_four_bits_in_groups_of_32_with_a_scale_of_one_byte_are_mxfp4(tmp_path: Path) -> None:
    weights = {"num_bits": 4, "type": "float", "group_size": 32}
    groups = {"group_0": {"targets": ["Linear"], "weights": weights, "format": "mxfp4-pack-quantized"}}
    block = {"quant_method": "compressed-tensors", "config_groups": groups}
    config = {**STORED["openai/gpt-oss-20b"]["config"], "quantization_config": block}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert catalog.model_from_config(tmp_path).quantization == "mxfp4"


DENSE = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "intermediate_size": 14336,
    "vocab_size": 128256,
    "max_position_embeddings": 8192,
    "tie_word_embeddings": False,
}
BODY, ENDS = 6.98e9, 1.05e9


def of_groups(bits: int, width: int | None) -> dict[str, Any]:
    weights = {"num_bits": bits, "type": "int", "group_size": width, "strategy": "group" if width else "channel"}
    group = {"targets": ["Linear"], "weights": {**weights, "symmetric": True}}
    return {"quant_method": "compressed-tensors", "config_groups": {"group_0": group}, "ignore": ["lm_head"]}


@pytest.mark.parametrize(
    ("block", "size"),
    [
        # a scale of 16 bit a group, and for awq, gptq and auto-round as many bits of zero point
        ({"quant_method": "gptq", "bits": 4, "group_size": 32, "sym": True}, 0.5 + 2.5 / 32),
        ({"quant_method": "gptq", "bits": 8, "group_size": 32, "sym": True}, 1 + 3 / 32),
        ({"quant_method": "awq", "bits": 4, "group_size": 64}, 0.5 + 2.5 / 64),
        ({"quant_method": "auto-round", "bits": 4, "group_size": 32, "sym": True}, 0.5 + 2.5 / 32),
        (of_groups(4, 32), 0.5 + 2 / 32),
        (of_groups(8, 32), 1 + 2 / 32),
        (of_groups(8, None), 1.005),
        # experts alone are stored in it, and this has none
        ({"quant_method": "mxfp4"}, 2.0),
    ],
)
def test_small_groups_take_more_and_a_method_takes_what_it_knows(
    tmp_path: Path, block: dict[str, Any], size: float
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({**DENSE, "quantization_config": block}), encoding="utf-8")
    model = catalog.model_from_config(tmp_path)
    found = weights_gib(model, model.quantization, model.quantization_bits)
    assert found == pytest.approx((BODY * size + 2 * ENDS) / GIB, rel=0.01)
