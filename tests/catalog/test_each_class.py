"""What a request keeps is held against the pinned vLLM for each class that it registers, or it is said why not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import catalog
from pulumi_llm.catalog.context import PADDED
from pulumi_llm.catalog.pooling import task_of_class
from pulumi_llm.preflight import cache
from pulumi_llm.preflight.rules_model import architectures

DATA = Path(__file__).parent / "data"
FILE: dict[str, Any] = json.loads((DATA / "each_class.json").read_text(encoding="utf-8"))
ROWS: dict[str, dict[str, Any]] = FILE["classes"]
TOKENS = (8 * 1024, 32 * 1024, 128 * 1024)


def rows(name: str) -> list[dict[str, Any]]:
    """What a file of this folder holds of shapes."""
    whole = json.loads((DATA / name).read_text(encoding="utf-8"))
    found = next(whole[each] for each in ("shapes", "models", "classes") if each in whole)
    return list(found.values()) if isinstance(found, dict) else found


FILES = ("shapes", "published", "families", "served", "windows", "mixed_caches", "each_class")
HELD = {
    str(each["config"]["architectures"][0])
    for name in FILES
    for each in rows(f"{name}.json")
    if "cache" in each and each["config"].get("architectures")
}
"""The classes of which a cache is held somewhere, by tests of this folder."""


def test_each_class_that_vllm_registers_is_held_or_it_is_said_why_not() -> None:
    known = {*architectures().text, *FILE["no_text"]}
    assert set(FILE["no_text"]) | set(FILE["guess_ahead"]) == set(architectures().no_text)
    assert not set(FILE["no_text"]) & set(FILE["guess_ahead"])
    missing = known - HELD
    assert missing == set(FILE["not_held"])


def test_what_is_not_held_and_writes_text_is_not_understood_or_names_where_its_figure_comes_from() -> None:
    refused = {name for name, row in served_rows().items() if "refused" in row}
    text = set(FILE["not_held"]) & set(architectures().text)
    for name in text:
        reason = FILE["not_held"][name]
        assert reason == "nothing is said of it" if name in refused else "figure" in reason, name


def test_what_is_not_held_and_writes_no_text_is_refused_or_not_understood() -> None:
    for name in set(FILE["not_held"]) & set(FILE["no_text"]):
        refused = task_of_class(name) is None
        assert FILE["not_held"][name].split(":")[0] == ("refused" if refused else "no figure"), name


def served_rows() -> dict[str, dict[str, Any]]:
    """One row for each class that no file of shapes has."""
    found: dict[str, dict[str, Any]] = json.loads((DATA / "served.json").read_text(encoding="utf-8"))["classes"]
    return found


@pytest.mark.parametrize("name", ROWS)
def test_a_request_keeps_what_the_class_keeps(tmp_path: Path, name: str) -> None:
    row = ROWS[name]
    (tmp_path / "config.json").write_text(json.dumps(row["config"]), encoding="utf-8")
    model = catalog.model_from_config(tmp_path)
    assert model.unknown_shape is None
    found, said = cache.footprint(model, 1), row["cache"]
    assert found is not None
    for tokens in TOKENS:
        windows = sum(min(tokens, each["window_tokens"]) * each["bytes_per_token"] for each in said["windowed"])
        ours = sum(min(tokens, each.window or tokens) * each.bytes for each in found.kept)
        assert ours == pytest.approx(said["full_bytes_per_token"] * tokens + windows, rel=0.05)
    assert found.state_bytes == pytest.approx(said["state_bytes_per_sequence"], rel=0.01)
    if "parameters" in row:
        assert model.parameters_b == pytest.approx(row["parameters"] / 1e9, rel=0.01)
    length = said["max_model_len"]
    if row["config"]["model_type"] in PADDED:  # two places fewer are left for words, which vLLM's number leaves aside
        length -= 2
    assert (model.served_context or model.max_context) == length


def test_a_list_of_indexes_that_vllm_does_not_look_at_gives_no_figure(tmp_path: Path) -> None:
    """GLM 5.2 says the same twice; vllm 0.32.0 heeds ``index_topk_freq`` alone, and makes an index for each layer."""
    kinds = ["full", "shared", "shared", "full", "shared", "full"]
    config = {**ROWS["GlmMoeDsaForCausalLM"]["config"], "indexer_types": kinds}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert (catalog.model_from_config(tmp_path).unknown_shape or "").startswith("indexer_types")
    same = [["full", "shared"][max(at - 2, 0) % 2] for at in range(6)]
    (tmp_path / "config.json").write_text(json.dumps({**config, "indexer_types": same}), encoding="utf-8")
    assert catalog.model_from_config(tmp_path).unknown_shape is None
