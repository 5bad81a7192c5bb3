"""Words that see those after them keep nothing: as the pinned vLLM does it, class by class (tools/both_ways.py)."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.catalog.test_each_class import FILES, rows

from pulumi_llm import catalog
from pulumi_llm.catalog.pooling import RERANKER, task_of_class
from pulumi_llm.preflight import cache

DATA = Path(__file__).parent / "data"
TOLD: dict[str, str] = json.loads((DATA / "both_ways.json").read_text(encoding="utf-8"))["classes"]
PARTS = ("text_config", "llm_config", "language_config")


def first(name: str) -> dict[str, Any]:
    """The first shape of a class in this folder of which a cache is held."""
    for file in FILES:
        for each in rows(f"{file}.json"):
            if "cache" in each and (each["config"].get("architectures") or [""])[0] == name:
                return dict(each["config"])
    raise LookupError(name)


def read(folder: Path, config: object) -> catalog.Model:
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return catalog.model_from_config(folder)


@pytest.mark.parametrize("name", TOLD)
def test_a_class_keeps_nothing_for_a_token_where_vllm_s_does_not_or_gives_no_figure(tmp_path: Path, name: str) -> None:
    config = first(name)
    changed = json.loads(json.dumps(config)) | {"is_causal": False}
    for part in PARTS:
        if isinstance(changed.get(part), dict):
            changed[part]["is_causal"] = False
    model = read(tmp_path, changed)
    if model.unknown_shape is not None:
        assert model.unknown_shape.startswith("is_causal")
        return
    found, before = cache.footprint(model, 1), cache.footprint(read(tmp_path, config), 1)
    assert found is not None
    assert before is not None
    if TOLD[name] == "nothing for a token":
        assert found.per_token == 0
        assert found.state_bytes == before.state_bytes
    else:
        assert TOLD[name] == "as before"
        assert found == before


def test_most_classes_were_asked() -> None:
    assert Counter(TOLD.values()) == COUNTS
    assert set(rows_held()) <= set(TOLD) | NEW


def rows_held() -> list[str]:
    """Each class of which a cache is held."""
    kept = [each["config"] for name in FILES for each in rows(f"{name}.json") if "cache" in each]
    return sorted({str(each["architectures"][0]) for each in kept if each.get("architectures")})


COUNTS = {"as before": 162, "nothing for a token": 91, "not built": 13, "otherwise": 1}
NEW = {"LlamaBidirectionalForSequenceClassification"}
LLAMA = {
    "architectures": ["LlamaBidirectionalForSequenceClassification"],
    "hidden_size": 2048,
    "id2label": {"0": "LABEL_0"},
    "intermediate_size": 8192,
    "max_position_embeddings": 131072,
    "num_attention_heads": 32,
    "num_hidden_layers": 16,
    "num_key_value_heads": 8,
    "pooling": "avg",
    "tie_word_embeddings": True,
    "vocab_size": 128256,
}
"""Of the size of Llama-3.2-1B, of which nvidia/llama-nemotron-rerank-1b-v2 was made."""


@pytest.mark.parametrize("kind", ["llama_bidirec", "llama"])  # the first one comes with the weights
def test_nvidia_s_reranker_keeps_nothing_and_ranks(tmp_path: Path, kind: str) -> None:
    model = read(tmp_path, {**LLAMA, "model_type": kind})
    found = cache.footprint(model, 1)
    assert found is not None
    assert found.per_token == 0
    assert model.task == RERANKER
    assert task_of_class("LlamaBidirectionalForSequenceClassification", {"id2label": {"0": "a", "1": "b"}}) is None


def test_embedding_gemma_says_it_by_another_name(tmp_path: Path) -> None:
    config = {**first("Gemma3TextModel"), "is_causal": False}
    one_way = cache.footprint(read(tmp_path, config), 1)
    both = cache.footprint(read(tmp_path, {**config, "use_bidirectional_attention": True}), 1)
    assert one_way is not None
    assert both is not None
    assert one_way.per_token > both.per_token == 0


def test_what_transformers_does_not_load_is_not_taken_for_no(tmp_path: Path) -> None:
    config = {**first("Gemma3TextModel"), "use_bidirectional_attention": "all"}
    assert read(tmp_path, config).unknown_shape == 'use_bidirectional_attention: "all"'


def test_a_jina_model_that_is_no_decoder_keeps_nothing(tmp_path: Path) -> None:
    config = {**LLAMA, "architectures": ["JinaEmbeddingsV5Model"], "model_type": "llama"}
    sizes = []
    for said in (True, False):
        found = cache.footprint(read(tmp_path, {**config, "is_decoder": said}), 1)
        assert found is not None
        sizes.append(found.per_token)
    assert sizes[0] > sizes[1] == 0
