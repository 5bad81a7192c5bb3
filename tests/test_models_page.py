"""docs/models.md says what `check` and `offers` say today, for the models and cards that it is about."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import catalog
from pulumi_llm.cli import main
from pulumi_llm.preflight.request import FitRequest, case_of

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tools" / "models_page"))

import ways  # noqa: E402
import write  # noqa: E402

CHOSEN = ways.chosen()
RECIPES: dict[str, Any] = json.loads((ROOT / "tests/catalog/data/recipes.json").read_text(encoding="utf-8"))["rows"]
CARDS = {"T4", "A10", "L20", "RTX-4090", "A100-40GB", "A100-80GB", "H20", "H100-80GB"}


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """What a command prints as JSON."""
    main([*arguments, "--json"])
    return json.loads(capsys.readouterr().out)


def cells(page: str) -> dict[tuple[str, str], str]:
    """The first table's cells, by model and card."""
    lines = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    rows = lines[: len(CHOSEN.models) + 2]
    return {(row[0], card): text for row in rows[2:] for card, text in zip(rows[0][1:], row[1:], strict=True)}


def with_cache(way: ways.Way) -> list[str]:
    return [] if way.cache == "auto" else ["--kv-cache-dtype", way.cache]


@pytest.mark.parametrize("language", write.PAGES)
def test_the_page_is_what_the_program_says_today(language: str) -> None:
    assert write.PAGES[language].read_text(encoding="utf-8") == write.page(language), "run tools/models-page"


def test_it_is_about_25_models_of_the_catalogue_on_the_cards_that_clouds_rent() -> None:
    assert len(CHOSEN.models) == 25
    assert {*CHOSEN.models} <= catalog.load().models.keys()
    assert {*CHOSEN.cards} == CARDS
    assert {*CHOSEN.models.values()} == CHOSEN.sources.keys()


def test_a_model_that_is_there_for_its_recipe_has_one() -> None:
    assert {model for model, source in CHOSEN.models.items() if source == "recipes"} <= RECIPES.keys()


def test_what_is_said_to_be_missing_has_no_row() -> None:
    assert not {*CHOSEN.missing} & catalog.load().models.keys()


@pytest.mark.parametrize(
    ("model", "card"),
    [
        ("Qwen/Qwen3-8B", "T4"),
        ("Qwen/Qwen3.8-27B", "L20"),
        ("openai/gpt-oss-120b", "A100-80GB"),
        ("google/gemma-4-26B-A4B-it", "H20"),
        ("zai-org/GLM-5.3", "H100-80GB"),
        ("google/gemma-4-26B-A4B-it", "A10"),
        ("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", "T4"),
    ],
)
def test_a_cell_says_what_the_commands_say(capsys: pytest.CaptureFixture[str], model: str, card: str) -> None:
    way = ways.best(model, card)
    assert isinstance(way, ways.Way)
    verdict = told(capsys, "check", way.model.id, "--gpu", card, "--gpu-count", str(way.count), *with_cache(way))
    assert verdict["ok"]
    assert verdict["memory"]["max_model_len"] == way.context
    fits = ["--model", way.model.id] if way.cache == "auto" else []  # offers are asked for at a model's defaults
    offered = told(capsys, "offers", *fits, "--gpu", card, "--count", str(way.count))["offers"]
    prices = [each["price_per_hour"] for each in offered if "metal" not in each["instance_type"]]
    assert (prices[0] if prices else None) == (None if way.cny is None else round(way.cny, 4))
    said = cells(write.page("en"))[write.name(model), card]
    assert said.startswith(f"{way.count} × ")
    assert said.endswith("unknown" if way.cny is None else f"{way.cny:.2f}")


def test_nothing_cheaper_on_that_card_passes(capsys: pytest.CaptureFixture[str]) -> None:
    """Over the model and its quantized versions, as the page's own words have it."""
    for model, card in (("Qwen/Qwen3-32B", "A10"), ("Qwen/Qwen3-14B", "T4")):
        found = [
            each["price_per_hour"]
            for form in ways.forms(model)
            for each in told(capsys, "offers", "--model", form.id, "--gpu", card)["offers"]
            if each["price_per_hour"] is not None and "metal" not in each["instance_type"]
        ]
        way = ways.best(model, card)
        assert isinstance(way, ways.Way)
        assert way.cny is not None
        assert round(way.cny, 4) == min(found)


@pytest.mark.parametrize(
    ("model", "card", "code"),
    [
        ("openai/gpt-oss-20b", "T4", "fit.quantization-needs-capability"),
        ("deepseek-ai/DeepSeek-V4-Flash", "A100-80GB", "fit.sparse-attention-needs-capability"),
        ("Qwen/Qwen3-Coder-480B-A35B-Instruct", "A10", "fit.weights-exceed-vram"),
    ],
)
def test_a_card_on_which_nothing_works_says_which_objection_it_is(
    capsys: pytest.CaptureFixture[str], model: str, card: str, code: str
) -> None:
    largest = str(max(ways.counts(card)))
    verdict = told(capsys, "check", ways.forms(model)[-1].id, "--gpu", card, "--gpu-count", largest)
    assert code in [each["code"] for each in verdict["findings"] if each["severity"] == "error"]
    assert f"(troubleshooting.md#{code.replace('.', '-')})" in cells(write.page("en"))[write.name(model), card]


def test_a_price_that_nobody_published_stays_unknown() -> None:
    said = cells(write.page("en"))
    for (name, card), text in said.items():
        (model,) = [each for each in CHOSEN.models if write.name(each) == name]
        way = ways.best(model, card)
        if isinstance(way, ways.Way):
            last = text.partition("<br>")[2]
            assert (way.cny is None) == (last in ("unknown", "not sold"))
            assert (last == "not sold") == (not ways.sold(card, way.count))
    assert not re.search(r"<br>~?0\.00", "".join(said.values()))


@pytest.mark.parametrize(("page", "link"), [("README.md", "docs/models.md"), ("README.zh.md", "docs/models.zh.md")])
def test_the_first_page_leads_to_it(page: str, link: str) -> None:
    assert f"]({link})" in (ROOT / page).read_text(encoding="utf-8")


def test_a_model_with_the_shape_of_its_sibling_weighs_what_its_own_recipe_says() -> None:
    """Recipe of Qwen3.8-27B in vllm 0.33.0: 51.7 GiB in 16 bit; 14.28 GiB a card in FP8 on two RTX 5090.

    Both with the head that drafts, which is not served by default: one more layer of the kind that attends in full
    (5120 wide, 24 heads of 256 with a gate, 4 of keys and values, 17408 inside) and a projection of two inputs to one.
    """
    attention = 5120 * 256 * (2 * 24 + 2 * 4 + 24)
    head = attention + 3 * 5120 * 17408 + 2 * 5120 * 5120
    two = case_of(FitRequest(model="Qwen/Qwen3.8-27B-FP8", gpu="RTX-5090", gpu_count=2)).memory
    one = case_of(FitRequest(model="Qwen/Qwen3.8-27B", gpu="H200")).memory
    assert two is not None
    assert one is not None
    assert one.weights_gib == pytest.approx(51.7 - 2 * head / 2**30, rel=0.01)
    assert two.weights_gib == pytest.approx(14.28 - head / 2 / 2**30, rel=0.015)  # scales are counted half a percent
