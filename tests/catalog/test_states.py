"""States are kept in what the pinned vLLM's own calculators say, class by class: tools/states.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import catalog
from pulumi_llm.catalog.shapes.settings import Settings
from pulumi_llm.catalog.shapes.states import recurrent_bits
from pulumi_llm.catalog.state_types import kept_in
from pulumi_llm.preflight.cache import with_states
from pulumi_llm.preflight.rules_model import architectures

FILE = Path(__file__).parent / "data/states.json"
ROWS: dict[str, dict[str, Any]] = {row["class"]: row for row in json.loads(FILE.read_text(encoding="utf-8"))["rows"]}
BITS = {"float32": 32, "float16": 16, "bfloat16": 16}
TWO = [name for name, row in ROWS.items() if " " in row["auto"]]
"""Classes with a recurrent state; the others have convolutions, or what is kept like them."""

DELTA = frozenset({"BailingMoeV3", "Glm5Next", "Kimi"})
"""How classes with Kimi's delta attention are called."""


def layer(name: str) -> str:
    """What a class's layers with a state are."""
    return "kda" if any(name.startswith(each) for each in DELTA) else "mamba2"


def bits(said: str) -> list[int]:
    """Of convolutions, and of the recurrent state."""
    return [BITS[each] for each in said.split()]


@pytest.mark.parametrize("name", TWO)
def test_a_class_keeps_its_recurrent_state_in_what_vllm_says(name: str) -> None:
    row = ROWS[name]
    cases = {"": row["auto"], **row["file"]}
    for setting, said in cases.items():
        key, _, value = setting.partition("=")
        settings = Settings({key: value} if key else {}, None, architecture=name)
        assert [16, recurrent_bits(settings, {layer(name)})] == bits(said), setting


@pytest.mark.parametrize("name", ROWS)
def test_a_flag_changes_what_vllm_says_that_it_changes(name: str) -> None:
    row, convolved, recurrent = ROWS[name], 300, 7000 if name in TWO else 0
    auto = bits(row["auto"])
    model = catalog.Model(
        id="a/b",
        source="",
        source_date="",
        architecture=name,
        state_bytes=convolved * 2 + recurrent * auto[-1] // 8,
        state_layers=1,
        recurrent=recurrent,
        recurrent_bits=auto[-1],
    )
    refused = set()
    for given, said in row["flags"].items():
        first, second = given.split(",")
        if said.startswith("refused"):
            refused.add(second)
            continue
        kept = with_states(model, {"--mamba-cache-dtype": first, "--mamba-ssm-cache-dtype": second})
        wanted = bits(said)
        assert kept.state_bytes == convolved * wanted[0] // 8 + recurrent * wanted[-1] // 8, given
    assert refused == ({"float16"} if name in kept_in()["without_float16"] else set())


def test_a_row_that_does_not_tell_its_recurrent_numbers_is_left_as_it_is() -> None:
    model = catalog.Model(id="a/b", source="", source_date="", state_bytes=600, state_layers=1)
    assert with_states(model, {"--mamba-ssm-cache-dtype": "float32"}).state_bytes == 600
    assert with_states(model, {}) is model


def test_classes_that_the_data_names_are_vllms() -> None:
    named = {each for row in kept_in()["by_setting"].values() for each in row["classes"]}
    assert {*named, *kept_in()["without_flag"], *kept_in()["without_float16"]} <= ROWS.keys()
    assert set(ROWS) <= {*architectures().text, *architectures().no_text}


def test_without_a_class_the_wider_type_is_counted() -> None:
    assert recurrent_bits(Settings({}, "qwen3_next"), {"delta"}) == 32


def test_a_class_that_sorts_texts_keeps_what_the_one_that_writes_them_keeps() -> None:
    settings = Settings({"mamba_ssm_dtype": "float32"}, None, architecture="Qwen3_5ForSequenceClassification")
    assert recurrent_bits(settings, {"delta"}) == 32
