"""Which classes of models pass: those that the pinned vLLM has, with a warning for those that it only wraps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pulumi_llm import catalog
from pulumi_llm.errors import Finding
from pulumi_llm.preflight.engine import engine
from pulumi_llm.preflight.report import check
from pulumi_llm.preflight.request import FitRequest
from pulumi_llm.preflight.rules_model import DATA, architectures

SMALL = {
    "model_type": "qwen2",
    "num_hidden_layers": 28,
    "hidden_size": 3584,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "intermediate_size": 18944,
    "vocab_size": 152064,
    "max_position_embeddings": 32768,
}


def found(folder: Path, architecture: str) -> list[Finding]:
    """What `check` says of the class of a model that otherwise works."""
    (folder / "config.json").write_text(json.dumps({**SMALL, "architectures": [architecture]}))
    report = check(FitRequest(model=str(folder), from_config=True, gpu="A10"))
    return [each for each in report.findings if each.code.endswith("-architecture")]


@pytest.mark.parametrize("name", ["Qwen2ForCausalLM", "OlmoForCausalLM", "ChatGLMModel"])
def test_an_architecture_of_the_release_passes_without_a_word(tmp_path: Path, name: str) -> None:
    assert found(tmp_path, name) == []


def test_a_name_that_only_ends_like_a_text_model_s_is_refused(tmp_path: Path) -> None:
    (finding,) = found(tmp_path, "Qwen22ForCausalLM")
    assert (finding.code, finding.severity) == ("fit.unknown-architecture", "error")
    assert "did you mean Qwen2ForCausalLM" in finding.hint


def test_an_architecture_that_was_taken_out_is_refused_with_the_last_release_that_had_it(tmp_path: Path) -> None:
    (finding,) = found(tmp_path, "QWenLMHeadModel")
    assert finding.severity == "error"
    assert "0.23.0 was the last" in finding.message


@pytest.mark.parametrize(("name", "word"), [("ColQwen3", "writes text"), ("BartModel", "plugin")])
def test_what_is_served_otherwise_than_as_text_or_in_tree_is_refused(tmp_path: Path, name: str, word: str) -> None:
    (finding,) = found(tmp_path, name)
    assert finding.severity == "error"
    assert word in finding.message


@pytest.mark.parametrize("name", ["HeliumForCausalLM", "PersimmonForCausalLM"])
def test_an_architecture_that_only_transformers_has_is_a_warning(tmp_path: Path, name: str) -> None:
    (finding,) = found(tmp_path, name)
    assert (finding.code, finding.severity) == ("fit.generic-architecture", "warning")


def test_the_list_is_that_of_the_pinned_release() -> None:
    raw = json.loads(DATA.read_text(encoding="utf-8"))
    assert raw["vllm"] == engine().version
    assert len(raw["text"]) > 200
    assert not set(raw["text"]) & ({*raw["no_text"], *raw["generic"], *raw["removed"], *raw["plugins"]})


def test_every_model_of_the_catalogue_is_of_an_architecture_that_the_release_has() -> None:
    named = {row.architecture for row in catalog.load().models.values() if row.architecture is not None}
    assert len(named) > 10
    assert named <= architectures().text
