"""A model that turns text into vectors fits by what it holds: no words are drawn, and an encoder keeps nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm.preflight.report import Report, check
from pulumi_llm.preflight.request import FitRequest

FAMILIES: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "catalog/data/families.json").read_text(encoding="utf-8")
)["models"]


def report(folder: Path, name: str, *flags: str, **changes: Any) -> Report:
    (folder / "config.json").write_text(json.dumps(FAMILIES[name]["config"]), encoding="utf-8")
    asked = FitRequest(model=str(folder), from_config=True, gpu="T4", hub_id=name, extra_args=flags)
    return check(replace(asked, **changes))


@pytest.mark.parametrize("name", ["bge-m3", "bge-large-zh-v1.5"])
def test_an_encoder_keeps_nothing_and_is_served(tmp_path: Path, name: str) -> None:
    # vllm 0.32.0: its layers have an EncoderOnlyAttentionSpec, for which no cache is made (v1/kv_cache_interface.py)
    found = report(tmp_path, name)
    assert found.ok, str(found)
    memory = found.case.memory
    assert memory is not None
    assert memory.need_gib == 0
    assert memory.max_concurrency > 0
    assert found.case.task == "embedding"
    assert memory.weights_gib == pytest.approx(FAMILIES[name]["whole"] * 2 / 2**30, rel=0.01)


def test_an_encoder_reads_a_text_in_one_piece(tmp_path: Path) -> None:
    short, long = (report(tmp_path, "bge-m3", max_model_len=each).case.memory for each in (512, 8192))
    assert short is not None
    assert long is not None
    assert long.activation_gib == pytest.approx(4 * short.activation_gib)  # 2048 tokens are a batch


def test_a_decoder_for_vectors_keeps_a_cache_and_draws_no_words(tmp_path: Path) -> None:
    name = "Qwen3-Embedding-4B"
    vectors, text = report(tmp_path, name), report(tmp_path, name, "--runner", "generate")
    assert (vectors.case.task, text.case.task) == ("embedding", None)
    assert vectors.case.memory is not None
    assert text.case.memory is not None
    assert vectors.case.memory.need_gib == text.case.memory.need_gib > 0
    assert vectors.case.memory.activation_gib < text.case.memory.activation_gib


def test_a_class_for_vectors_is_refused_where_text_is_asked_of_it(tmp_path: Path) -> None:
    found = report(tmp_path, "bge-m3", "--runner", "generate")
    assert "fit.unknown-architecture" in {each.code for each in found.findings}


def test_the_longest_text_is_that_of_places_behind_padding(tmp_path: Path) -> None:
    assert report(tmp_path, "bge-m3").case.model.max_context == 8192
