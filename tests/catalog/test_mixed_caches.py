"""Shapes of which several settings are changed at once keep what the pinned vLLM says: tools/mixed_caches.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import catalog
from pulumi_llm.preflight import cache

FILE = Path(__file__).parent / "data/mixed_caches.json"
SHAPES: list[dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))["shapes"]


def read(folder: Path, config: object) -> catalog.Model:
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return catalog.model_from_config(folder)


@pytest.mark.parametrize("row", SHAPES, ids=[f"{row['of']}-{at}" for at, row in enumerate(SHAPES)])
def test_a_mixed_shape_keeps_and_weighs_what_vllm_builds(tmp_path: Path, row: dict[str, Any]) -> None:
    model = read(tmp_path, row["config"])
    assert model.unknown_shape is None
    found, said = cache.footprint(model, 1), row["cache"]
    assert found is not None
    windows = {each["window_tokens"]: each["bytes_per_token"] for each in said["windowed"]}
    for tokens in (8 * 1024, 32 * 1024, 128 * 1024):
        kept = sum(min(tokens, window) * size for window, size in windows.items())
        wanted = said["full_bytes_per_token"] * tokens + kept
        ours = sum(min(tokens, each.window or tokens) * each.bytes for each in found.kept)
        assert ours == pytest.approx(wanted, rel=0.01)
    assert found.state_bytes == pytest.approx(said["state_bytes_per_sequence"], rel=0.01)
    if "parameters" in row:
        assert model.parameters_b == pytest.approx(row["parameters"] / 1e9, rel=0.01)
    assert (model.served_context or model.max_context) in (said["max_model_len"], None)


@pytest.mark.parametrize("left_out", ["head_dim", "moe_intermediate_size", "share_expert_dim"])
def test_what_vllm_has_another_default_for_than_transformers_gives_no_figure(tmp_path: Path, left_out: str) -> None:
    """Step 3.5 without a head's size: 128 by transformers, and the width over 40 by vLLM's own configuration."""
    published = json.loads((FILE.parent / "published.json").read_text(encoding="utf-8"))["models"]
    config = published["stepfun-ai--Step-3.7-Flash"]["config"]
    assert read(tmp_path, config).unknown_shape is None
    del config["text_config"][left_out]
    assert left_out in (read(tmp_path, config).unknown_shape or "")


@pytest.mark.parametrize(("layers", "full"), [(52, 13), (6, 2), (13, 4)])
def test_muse_glimmer_s_layers_are_told_from_the_last_one_on(tmp_path: Path, layers: int, full: int) -> None:
    text = {"model_type": "muse_glimmer_text", "num_hidden_layers": layers}
    config = {"architectures": ["MuseGlimmerForConditionalGeneration"], "model_type": "muse_glimmer"}
    model = read(tmp_path, {**config, "text_config": text})
    assert {each.window: each.layers for each in model.caches or ()} == {None: full, 2048: layers - full}
    assert model.max_context == 16384
