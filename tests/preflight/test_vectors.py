"""A model that turns text into vectors fits by what it holds: no words are drawn, and an encoder keeps nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm.errors import Refusal
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


def test_a_model_for_vectors_is_loaded_without_the_head_that_makes_words() -> None:
    """Its tensors without that head are 7.57 billion, which is what the model's page gives it."""
    asked = FitRequest(model="Qwen/Qwen3-Embedding-8B", gpu="A100-40GB")
    vectors, text = check(asked).case.memory, check(replace(asked, extra_args=("--runner", "generate"))).case.memory
    assert vectors is not None
    assert text is not None
    factor = text.weights_gib / (8.189 * 2e9 / 2**30)
    assert vectors.weights_gib == pytest.approx(7.57 * 2e9 / 2**30 * factor, rel=0.002)


@pytest.mark.parametrize("name", ["Qwen/Qwen3-Reranker-0.6B", "BAAI/bge-reranker-v2-m3", "BAAI/bge-m3"])
def test_a_model_that_ranks_texts_fits_the_smallest_card(name: str) -> None:
    found = check(FitRequest(model=name, gpu="T4"))
    assert found.ok, str(found)
    assert found.case.task in ("reranker", "embedding")


def test_a_class_that_sorts_texts_ranks_them_where_its_head_has_one_number(tmp_path: Path) -> None:
    config = FAMILIES["bge-reranker-v2-m3"]["config"]
    for labels, task in (({"0": "A"}, "reranker"), ({"0": "A", "1": "B"}, None)):
        (tmp_path / "config.json").write_text(json.dumps({**config, "id2label": labels}), encoding="utf-8")
        asked = FitRequest(model=str(tmp_path), from_config=True, gpu="T4", hub_id="org/own")
        if task is not None:
            assert check(asked).case.task == task
            continue
        with pytest.raises(Refusal) as refused:
            check(asked)
        assert {each.code for each in refused.value.findings} == {"catalog.bad-config-kind"}


def test_a_class_for_vectors_is_refused_where_text_is_asked_of_it(tmp_path: Path) -> None:
    found = report(tmp_path, "bge-m3", "--runner", "generate")
    assert "fit.unknown-architecture" in {each.code for each in found.findings}


def test_the_longest_text_is_that_of_places_behind_padding(tmp_path: Path) -> None:
    assert report(tmp_path, "bge-m3").case.model.max_context == 8192


def test_a_decoder_with_one_score_is_served_as_a_reranker(tmp_path: Path) -> None:
    config = {**FAMILIES["Qwen3-Embedding-0.6B"]["config"], "architectures": ["Qwen3ForSequenceClassification"]}
    (tmp_path / "config.json").write_text(json.dumps({**config, "id2label": {"0": "LABEL_0"}}), encoding="utf-8")
    found = check(FitRequest(model=str(tmp_path), from_config=True, gpu="T4"))
    assert found.ok, str(found)
    assert found.case.task == "reranker"
