"""What a model is started with: what vLLM's recipes say, as far as the pinned vLLM can do it."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import catalog
from pulumi_llm.catalog.abilities import DATA, Abilities, abilities_of
from pulumi_llm.roles import registry
from pulumi_llm.roles.files import data, templates, text

PARSERS = data("vllm/parsers.json")
FLAGS = data("vllm/flags.json")
ORIGIN = data("vllm/chat/origin.json")
TABLE: dict[str, Any] = json.loads(DATA.read_text(encoding="utf-8"))
RECIPES: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent / "data" / "recipes.json").read_text(encoding="utf-8")
)["rows"]
"""What vLLM's own recipes start each model with; tools/recipes.py reads it out of its source distribution."""

KINDS = {"tool_call_parser": "tool_call", "reasoning_parser": "reasoning"}

NOT_BY_THEIR_ID = {
    "Qwen/Qwen3-235B-A22B-FP8": "the recipe is that of the Instruct model; this one is the older one, which reasons",
    "RecursiveSI/flint-nvfp4-gguf": "files for another program",
    "nvidia/Gemma-4-26B-A4B-NVFP4": "the id does not say that it is the model which chats; the catalogue's row does",
    "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-Base-BF16": "not trained to chat",
}


def known(kind: str, name: str | None) -> str | None:
    """A parser's name, where the pinned vLLM has it without a plugin."""
    return name if name in PARSERS[KINDS[kind]] else None


def test_every_named_parser_is_one_that_the_pinned_vllm_registers() -> None:
    named = {kind: {row[kind] for row in TABLE["rows"] if kind in row} for kind in KINDS}
    for kind, names in named.items():
        assert names == {known(kind, each) for each in names}


@pytest.mark.parametrize("model", RECIPES)
def test_a_model_is_started_with_the_parsers_that_its_recipe_names(model: str) -> None:
    """More may be known than a recipe says, such as from vLLM's pages about tools; never something else."""
    recipe, ours = RECIPES[model], abilities_of(model)
    for kind in KINDS:
        if recipe.get(kind) in PARSERS[KINDS[kind]]:
            assert getattr(ours, kind) == recipe[kind]


@pytest.mark.parametrize("model", [name for name, row in RECIPES.items() if row.get("reasoning_plugin")])
def test_where_a_recipe_loads_a_parser_from_the_model_a_built_in_one_reads_the_same(model: str) -> None:
    assert abilities_of(model).reasoning_parser == "nemotron_v3"


def test_a_parser_that_only_a_newer_release_has_is_not_replaced_by_another() -> None:
    newer = {
        model
        for model, row in RECIPES.items()
        for kind in KINDS
        if kind in row and not known(kind, row[kind]) and not {"reasoning_plugin", "tool_call_plugin"} & {*row}
    }
    assert newer == {
        "meta-models/Muse-Spark-Open-816B-A42B",
        "reflection/Beam-1.0-501B-A23B",
        "stepfun-ai/Step-5-Preview",
    }
    assert {abilities_of(each) for each in newer} == {Abilities()}


@pytest.mark.parametrize("model", [name for name, row in RECIPES.items() if "chat_template" in row])
def test_a_model_has_the_chat_template_that_its_recipe_names(model: str) -> None:
    assert abilities_of(model).chat_template == RECIPES[model]["chat_template"]


def test_every_flag_of_a_recipe_is_taken_over_or_left_for_a_reason_that_is_given() -> None:
    """The one value that is vLLM's own default need not be given."""
    seen: set[str] = set()
    for model, row in RECIPES.items():
        flags = {flag: value for flag, value in row.get("flags", {}).items() if flag not in TABLE["left"]}
        seen |= {*row.get("flags", {})}
        ours = abilities_of(model).flags
        assert dict(zip(ours[::2], ours[1::2], strict=True)) == {
            flag: value for flag, value in flags.items() if (flag, value) != ("--generation-config", "auto")
        }, model
    assert {*TABLE["left"]} <= seen
    assert all(TABLE["left"].values())


def test_every_recommended_flag_is_one_that_the_pinned_vllm_accepts() -> None:
    rows = [row["flags"] for row in TABLE["rows"] if "flags" in row]
    assert {flag for row in rows for flag in row[::2]} <= set(FLAGS["flags"]) - {*FLAGS["reserved"], *TABLE["left"]}


@pytest.mark.parametrize("model", RECIPES)
def test_a_quantized_version_that_a_recipe_names_is_started_as_the_model_itself(model: str) -> None:
    for each in RECIPES[model].get("ids", ()):
        if each not in NOT_BY_THEIR_ID:
            assert abilities_of(each) == abilities_of(model), each


def test_every_chat_model_of_2026_in_the_catalogue_has_what_its_recipe_gives_it() -> None:
    """By way of the rows: ids, base models and quantized versions, as a server is resolved."""
    by_id = {name.casefold(): row for name, row in RECIPES.items()}
    by_id |= {each.casefold(): row for row in RECIPES.values() for each in row.get("ids", ())}
    held = 0
    for model in catalog.load().models.values():
        recipe = by_id.get(model.id.casefold()) or by_id.get((model.base_model or "").casefold())
        if recipe is None or model.id in NOT_BY_THEIR_ID or model.base_model in NOT_BY_THEIR_ID:
            continue
        ours, held = abilities_of(model.id, model.base_model), held + 1
        for kind in KINDS:
            if kind == "tool_call_parser" and "tool_call_plugin" in recipe and ours.tool_call_parser is None:
                continue  # it comes with the model's own files, and vLLM has none that reads these calls
            assert recipe.get(kind) is None or getattr(ours, kind) is not None, (model.id, kind)
        assert "chat_template" not in recipe or ours.chat_template == recipe["chat_template"], model.id
    assert held > 80


def test_the_recipes_of_which_no_row_is_there_are_listed_with_the_reason() -> None:
    rows = catalog.load().models.values()
    have = {row.id.casefold() for row in rows} | {(row.base_model or "").casefold() for row in rows}
    missing = {
        name for name, row in RECIPES.items() if not {name.casefold(), *map(str.casefold, row.get("ids", ()))} & have
    }
    page = (Path(__file__).parents[2] / "docs/decisions/sizes-from-the-source.md").read_text(encoding="utf-8")
    section = page.partition("## Recipes without a row")[2]
    assert {each for each in re.findall(r"`([^`]+/[^`]+)`", section) if " " not in each} == missing
    assert f"name {len(RECIPES)} models, of which {len(RECIPES) - len(missing)} have a row" in section


def test_the_chat_templates_are_those_of_the_pinned_release_unchanged() -> None:
    assert f"vllm {registry.environments()['vllm'].version}'s source distribution" in ORIGIN["source"]
    named = {row["chat_template"] for row in TABLE["rows"] if "chat_template" in row}
    lying = {each.name for each in (templates() / "vllm/chat").iterdir()} - {"origin.json"}
    assert named == lying == ORIGIN["sha256"].keys()
    for name, digest in ORIGIN["sha256"].items():
        assert hashlib.sha256(text(f"vllm/chat/{name}").encode()).hexdigest() == digest


def test_a_chat_template_comes_with_the_parser_that_reads_its_tool_calls() -> None:
    chats = [row for row in TABLE["rows"] if "chat_template" in row and "task" not in row]
    assert all("tool_call_parser" in row for row in chats)
    assert len(chats) > 3


@pytest.mark.parametrize("model", ["Qwen/Qwen3-Reranker-8B", "Qwen/Qwen3-VL-Reranker-2B"])
def test_what_makes_a_reranker_of_a_decoder_holds_for_a_server_that_ranks_alone(model: str) -> None:
    found = abilities_of(model)
    assert found.for_task("reranker") == found
    assert found.for_task(None) == found.for_task("embedding") == Abilities()


def test_what_a_chat_model_is_started_with_is_not_for_a_server_that_makes_vectors_of_it() -> None:
    found = abilities_of("google/gemma-4-31B-it")
    assert found.for_task(None) == found
    assert found.for_task("embedding") == Abilities()


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
        ("zai-org/GLM-4.7", "glm47", "glm47"),
        ("MiniMaxAI/MiniMax-M2.5", "minimax_m2", "minimax_m2"),
        # their chat template does not offer tools, or no parser reads their format
        ("01-ai/Yi-6B-Chat", None, None),
        ("Qwen/Qwen2-7B-Instruct", None, None),
        ("meta-llama/Meta-Llama-3-8B-Instruct", None, None),
        ("mistralai/Mixtral-8x7B-Instruct-v0.1", None, None),
        ("deepseek-ai/DeepSeek-V2.5", None, None),
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
    found = abilities_of(model)
    assert (found.tool_call_parser, found.reasoning_parser) == (tools, reasoning)


def test_a_quantized_model_speaks_as_the_one_that_it_was_made_from() -> None:
    made = [row for row in catalog.load().models.values() if row.base_model]
    assert len(made) > 50
    for row in made:
        assert row.base_model
        assert abilities_of(row.id, row.base_model) == abilities_of(row.base_model), row.id


def test_the_case_of_an_id_does_not_matter() -> None:
    assert abilities_of("QWEN/qwen3-32b") == abilities_of("Qwen/Qwen3-32B")
