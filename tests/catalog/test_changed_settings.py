"""A setting that weighs is read, whatever it is called: settings are changed one by one, and so is what is built."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import catalog
from pulumi_llm.errors import Refusal

DATA = Path(__file__).parent / "data/changes.json"
ROWS: dict[str, dict[str, Any]] = json.loads(DATA.read_text(encoding="utf-8"))["classes"]


def said(folder: Path, row: dict[str, Any], kind: str, **changed: object) -> float | None:
    """Parameters by us; None: nothing is said of that file."""
    config = {"architectures": [row["architecture"]], "model_type": kind, **row["config"], **changed}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    try:
        found = catalog.model_from_config(folder).parameters_b
    except Refusal:
        return None
    return None if found is None else found * 1e9


@pytest.mark.parametrize("kind", ROWS)
def test_a_setting_that_weighs_is_counted_or_nothing_is_said(tmp_path: Path, kind: str) -> None:
    row = ROWS[kind]
    wrong = []
    for name, value, parameters in row["changes"]:
        found = said(tmp_path, row, kind, **{name: value})
        if found is not None and found != pytest.approx(parameters, rel=0.01):
            wrong.append((name, value, parameters, found))
    assert not wrong


@pytest.mark.parametrize("kind", sorted({*ROWS} - {"kimi_linear", "nemotron_h"}))
def test_the_small_shape_that_the_changes_begin_with_is_read(tmp_path: Path, kind: str) -> None:
    """Kimi Linear and Nemotron-H say of each layer what it is, and this shape has no such list."""
    assert said(tmp_path, ROWS[kind], kind) == pytest.approx(ROWS[kind]["parameters"], rel=0.01)


def test_falcon_without_shared_keys_has_a_key_for_each_head(tmp_path: Path) -> None:
    """vllm 0.32.0, model_executor/models/falcon.py: num_kv_heads counts in the new decoder alone."""
    config: dict[str, Any] = {"architectures": ["FalconForCausalLM"], "model_type": "falcon", "multi_query": False}
    config |= {"hidden_size": 2048, "num_hidden_layers": 24, "num_attention_heads": 32, "vocab_size": 50304}
    for groups in ({}, {"num_kv_heads": 8}):
        (tmp_path / "config.json").write_text(json.dumps({**config, **groups}), encoding="utf-8")
        assert catalog.model_from_config(tmp_path).kv_bytes_per_token == 24 * 2 * 2048 * 2
