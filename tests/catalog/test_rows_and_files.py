"""A row of the catalogue says what the published file of its model says, where that file is among the tests' data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import catalog
from pulumi_llm.catalog import Model, model_from_config
from pulumi_llm.catalog.models import GIB
from pulumi_llm.preflight.weights import weights_gib

DATA = Path(__file__).parent / "data"
WHOLE = "whole: "


def files() -> dict[str, dict[str, Any]]:
    """Configurations as they were published, by the id of their model."""
    published = json.loads((DATA / "published.json").read_text(encoding="utf-8"))["models"]
    found = {name.removeprefix(WHOLE): row for name, row in published.items() if name.startswith(WHOLE)}
    return {name: row["config"] for name, row in found.items() if name in catalog.load().models}


def read(folder: Path, name: str) -> Model:
    (folder / "config.json").write_text(json.dumps(files()[name]), encoding="utf-8")
    return model_from_config(folder)


@pytest.mark.parametrize("name", files())
def test_a_row_computes_with_what_the_file_says(tmp_path: Path, name: str) -> None:
    row, file = catalog.load().models[name], read(tmp_path, name)
    same = ["heads_ahead", "state_bytes", "recurrent", "recurrent_bits", "expert_bits", "kept"]
    if file.quantization is not None:  # some have it in a file beside, which is not among the tests' data
        same += ["quantization", "quantization_bits", "cache_dtype"]
    assert {each: getattr(row, each) for each in same} == {each: getattr(file, each) for each in same}
    for each in ("parameters_b", "other_parameters_b"):
        if getattr(file, each) is not None:
            assert getattr(row, each) == pytest.approx(getattr(file, each), rel=0.003), each


STORED: dict[str, Any] = json.loads((DATA / "stored.json").read_text(encoding="utf-8"))["models"]


LOGGED = {"openai/gpt-oss-20b"}
"""A server logged what this one takes: 13.72 GiB, as its kernel pads the experts, of 12.81 in the files."""


@pytest.mark.parametrize("name", [name for name in STORED if name in {*catalog.load().models} - LOGGED])
def test_a_row_whose_layers_are_stored_by_lists_weighs_what_they_come_to(name: str) -> None:
    row = catalog.load().models[name]
    weighs = weights_gib(row, row.quantization, row.quantization_bits, sees=False)
    assert weighs == pytest.approx(STORED[name]["bytes"] / GIB, rel=0.03)


def test_files_that_ask_for_a_cache_in_fp8_and_heads_that_guess_ahead_are_among_them() -> None:
    rows = [catalog.load().models[name] for name in files()]
    assert sum(row.cache_dtype == "fp8" for row in rows) >= 3
    assert sum(row.heads_ahead == 1 for row in rows) >= 5


def test_nvidias_files_in_four_bit_say_what_their_cache_is_kept_in() -> None:
    """Those whose own files could be read: two rows come from logs of servers, which kept their cache in 16 bit."""
    rows = [row for row in catalog.load().models.values() if row.id.startswith("nvidia/") and row.id.endswith("NVFP4")]
    silent = {row.id for row in rows if row.cache_dtype is None}
    assert silent == {
        "nvidia/Qwen3-8B-NVFP4",
        "nvidia/Qwen3-14B-NVFP4",
        "nvidia/Qwen3.6-35B-A3B-NVFP4",
        "nvidia/MiniMax-M3-NVFP4",
        "nvidia/DeepSeek-V4-Flash-NVFP4",
        "nvidia/DeepSeek-V4-Pro-NVFP4",
    }
