"""What others tell of published models, in places that nobody here wrote, against our rows and shapes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import catalog
from pulumi_llm.catalog import Model, model_from_config

DATA = Path(__file__).parent / "data"
FILE: dict[str, Any] = json.loads((DATA / "public_facts.json").read_text(encoding="utf-8"))
SHAPES: dict[str, dict[str, Any]] = {
    kind: json.loads((DATA / file).read_text(encoding="utf-8"))["models"]
    for kind, file in (("family", "families.json"), ("published", "published.json"))
}
UNITS = {"M": 0.001, "B": 1.0, "T": 1000.0}

ROUNDED_BY_NAME = {
    "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16": 31.6,
    "nvidia/NVIDIA-Nemotron-3.5-Lightning-30B-A3B-BF16": 31.6,
    "Qwen/Qwen2.5-VL-7B-Instruct": 8.29,
    "baidu/ERNIE-4.5-21B-A3B-PT": 21.8,
}
"""Billions in models that a recipe names by the round number of their title.

Nemotron's reports say 31.6 billion. The other two are what transformers counts for their published shapes.
"""


def model_of(name: str, tmp_path: Path) -> Model:
    kind, _, which = name.partition(":")
    if kind == "row":
        return catalog.load().models[which]
    (tmp_path / "config.json").write_text(json.dumps(SHAPES[kind][which]["config"]), encoding="utf-8")
    return model_from_config(tmp_path)


def said(model: Model) -> dict[str, object]:
    """Our figures, under the names of the file."""
    told: dict[str, object] = {
        name: getattr(model, name)
        for name in ("hidden", "layers", "heads", "head_dim", "vocab", "kv_heads", "intermediate")
    }
    told["tied"] = model.tied_embeddings
    if model.moe is not None:
        told |= {"experts": model.moe.experts, "expert_width": model.moe.intermediate}
        told["experts_per_token"] = model.moe.experts_per_token
    if model.mla is not None:
        told |= {"kv_lora_rank": model.mla.kv_lora_rank, "q_lora_rank": model.mla.q_lora_rank}
        told["latent"] = model.mla.kv_lora_rank + model.mla.rope_dim
    return told


@pytest.mark.parametrize("row", FILE["shapes"], ids=lambda row: f"{row['of']}-{row['source']}")
def test_a_shape_has_the_sizes_that_others_tell_of_the_model(row: dict[str, Any], tmp_path: Path) -> None:
    ours = said(model_of(row["of"], tmp_path))
    assert {name: ours.get(name) for name in row["facts"]} == row["facts"]


def billions(text: str) -> tuple[float, float]:
    """How many billions, and half of the last digit that is told."""
    match = re.fullmatch(r"([\d.]+)([MBT])", text)
    assert match is not None, text
    digits = len(match[1].partition(".")[2])
    return float(match[1]) * UNITS[match[2]], 0.5 * 10**-digits * UNITS[match[2]]


@pytest.mark.parametrize("name", sorted({*FILE["totals"]} & {*catalog.load().models}))
def test_a_row_has_as_many_parameters_as_vllms_recipe_tells(name: str) -> None:
    row = catalog.load().models[name]
    whole = (row.parameters_b or 0.0) + (row.other_parameters_b or 0.0)
    told, rounding = billions(FILE["totals"][name])
    if name in ROUNDED_BY_NAME:
        told, rounding = ROUNDED_BY_NAME[name], 0.05
    assert abs(whole - told) <= max(rounding, 0.03 * told)


def test_most_of_the_recipes_models_of_this_year_are_there() -> None:
    assert len({*FILE["totals"]} & {*catalog.load().models}) >= 40
