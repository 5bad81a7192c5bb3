"""What a model's server can do beside chat: parsers that the pinned vLLM has, for models that speak their format."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pulumi_llm import catalog
from pulumi_llm.catalog.abilities import DATA, Abilities, abilities_of
from pulumi_llm.roles import registry
from pulumi_llm.roles.files import data

PARSERS = data("vllm/parsers.json")
TABLE: dict[str, Any] = json.loads(DATA.read_text(encoding="utf-8"))


def test_every_named_parser_is_one_that_the_pinned_vllm_registers() -> None:
    named = {
        kind: {row[kind] for row in TABLE["rows"] if kind in row} for kind in ("tool_call_parser", "reasoning_parser")
    }
    assert named["tool_call_parser"] <= set(PARSERS["tool_call"])
    assert named["reasoning_parser"] <= set(PARSERS["reasoning"])


def test_the_parsers_are_those_of_the_pinned_version() -> None:
    assert PARSERS["version"] == registry.environments()["vllm"].version


def test_every_row_says_where_it_is_from_and_when_that_was_read() -> None:
    assert {row["source"] for row in TABLE["rows"]} == TABLE["sources"].keys()
    assert all(each["title"] and each["date"] for each in TABLE["sources"].values())


def test_patterns_are_in_lower_case_as_ids_are_when_they_are_matched() -> None:
    patterns = [pattern for row in TABLE["rows"] for pattern in row["models"]]
    assert patterns == [pattern.casefold() for pattern in patterns]
    assert len(set(patterns)) == len(patterns)


@pytest.mark.parametrize(
    ("model", "tools", "reasoning"),
    [
        # docs/features/tool_calling.md and reasoning_outputs.md of vLLM
        ("Qwen/Qwen2.5-7B-Instruct", "hermes", None),
        ("Qwen/QwQ-32B", "hermes", "deepseek_r1"),
        ("meta-llama/Llama-3.1-8B-Instruct", "llama3_json", None),
        ("mistralai/Mistral-7B-Instruct-v0.3", "mistral", None),
        ("ibm-granite/granite-3.1-8b-instruct", "granite", None),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", None, "deepseek_r1"),
        # vLLM's recipes
        ("Qwen/Qwen3-32B", "hermes", "qwen3"),
        ("Qwen/Qwen3-235B-A22B-Instruct-2507", "hermes", None),
        ("Qwen/Qwen3-Coder-480B-A35B-Instruct", "qwen3_coder", None),
        ("moonshotai/Kimi-K2-Instruct", "kimi_k2", None),
        ("moonshotai/Kimi-K2-Thinking", "kimi_k2", "kimi_k2"),
        ("openai/gpt-oss-20b", "openai", "openai_gptoss"),
        ("Qwen/Qwen3.5-9B", "qwen3_coder", "qwen3"),
        ("zai-org/GLM-4.7", "glm47", "glm45"),
        ("MiniMaxAI/MiniMax-M2.5", "minimax_m2", "minimax_m2"),
        # their chat template does not offer tools, or no parser reads their format
        ("01-ai/Yi-6B-Chat", None, None),
        ("Qwen/Qwen2-7B-Instruct", None, None),
        ("meta-llama/Meta-Llama-3-8B-Instruct", None, None),
        ("mistralai/Mixtral-8x7B-Instruct-v0.1", None, None),
        ("deepseek-ai/DeepSeek-V3", None, None),
        ("google/gemma-3-27b-it", None, None),
        ("Qwen/Qwen2.5-Math-1.5B", None, None),
        # other kinds of the same family
        ("Qwen/Qwen3-8B-Base", None, None),
        ("Qwen/Qwen3-Embedding-8B", None, None),
        ("Qwen/Qwen3-VL-8B-Instruct", None, None),
        ("Qwen/Qwen2.5-VL-7B-Instruct", None, None),
    ],
)
def test_a_model_has_the_parsers_that_its_makers_and_vllm_name(
    model: str, tools: str | None, reasoning: str | None
) -> None:
    assert abilities_of(model) == Abilities(tools, reasoning)


def test_a_quantized_model_speaks_as_the_one_that_it_was_made_from() -> None:
    made = [row for row in catalog.load().models.values() if row.base_model]
    assert len(made) > 50
    for row in made:
        assert row.base_model
        assert abilities_of(row.id, row.base_model) == abilities_of(row.base_model), row.id


def test_the_case_of_an_id_does_not_matter() -> None:
    assert abilities_of("QWEN/qwen3-32b") == abilities_of("Qwen/Qwen3-32B")
