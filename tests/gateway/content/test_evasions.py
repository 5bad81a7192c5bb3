"""The published ways around a word filter are seen, and those that are not seen are named."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from llm_gate.content import Content

HERE = Path(__file__).parent
TABLE = json.loads((HERE / "evasions.json").read_text(encoding="utf-8"))
WORDS = [each for each in (HERE / "words.txt").read_text(encoding="utf-8").splitlines() if not each.startswith("#")]


def name(row: dict[str, Any]) -> str:
    return f"{row['source']}: {row['technique']}: {ascii(row['text'])[:40]}"


def found(row: dict[str, Any]) -> set[str]:
    options = row.get("needs", {})
    rows = [{"name": "all", "file": "words.txt", "action": "log", **options}]
    content = Content.from_policy({"lists": rows}, HERE)
    decision = asyncio.run(content.check_input([row["text"]], key="k", model="m"))
    lines = (HERE / "words.txt").read_text(encoding="utf-8").splitlines()
    return {lines[int(each.rule.split(":")[0]) - 1] for each in decision.reasons}


@pytest.mark.parametrize("row", TABLE["caught"], ids=name)
def test_the_word_is_found_in_each_published_evasion(row: dict[str, Any]) -> None:
    assert row["word"] in found(row)


@pytest.mark.parametrize("row", [row for row in TABLE["caught"] if "needs" in row], ids=name)
def test_an_evasion_that_is_said_to_need_an_option_is_not_found_without_it(row: dict[str, Any]) -> None:
    assert row["word"] not in found({**row, "needs": {}})


@pytest.mark.parametrize("row", TABLE["beyond"], ids=name)
def test_what_the_documentation_says_is_not_seen_is_not_seen(row: dict[str, Any]) -> None:
    assert row["word"] not in found(row)


def test_the_table_has_at_least_sixty_evasions_found_by_default_in_both_languages_and_a_source_for_each() -> None:
    default = [row for row in TABLE["caught"] if "needs" not in row]
    chinese = [row for row in default if any("\u4e00" <= each <= "\u9fff" for each in row["word"])]
    assert len(default) >= 60
    assert min(len(chinese), len(default) - len(chinese)) >= 30
    published = [row for row in default if row["source"] != "own"]
    assert len(published) >= 40
    assert {row["source"] for row in [*TABLE["caught"], *TABLE["beyond"]]} == set(TABLE["sources"])
    assert {row["word"] for row in TABLE["caught"]} <= set(WORDS)


@pytest.mark.parametrize("text", ["a*v", "a-v", "a v", "a+v"])
def test_two_letters_with_something_between_are_no_evasion(text: str) -> None:
    assert "av" not in found({"text": text})
