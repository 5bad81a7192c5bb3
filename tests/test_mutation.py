"""What `make mutate` is told: modules and tests that there are, and mutants of lines that there are."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
MUTATION = ROOT / "tools" / "mutation"


def data(name: str) -> dict[str, Any]:
    return tomllib.loads((MUTATION / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("group", data("modules.toml")["group"], ids=lambda group: group["modules"][0])
def test_every_mutated_module_and_its_tests_are_there(group: dict[str, Any]) -> None:
    assert [each for each in group["modules"] if not list(ROOT.glob(each))] == []
    assert [each for each in group["tests"] if not (ROOT / each).exists()] == []


def test_no_module_is_mutated_twice() -> None:
    found = [path for group in data("modules.toml")["group"] for each in group["modules"] for path in ROOT.glob(each)]
    assert len(set(found)) == len(found) > 30


@pytest.mark.parametrize("row", data("equivalent.toml").get("mutant", []), ids=lambda row: row["before"])
def test_an_equivalent_mutant_is_of_a_line_that_is_there_and_says_why(row: dict[str, str]) -> None:
    assert set(row) == {"module", "within", "before", "after", "reason"}
    lines = [line.strip() for line in (ROOT / row["module"]).read_text(encoding="utf-8").splitlines()]
    assert row["before"] in lines
    assert row["before"] != row["after"]
    assert len(row["reason"]) > 15


def test_mutation_is_no_part_of_the_tests_or_of_ci() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = {block.split(":", 1)[0]: block for block in text.split("\n\n")}
    assert "tools/mutate" in targets["mutate"]
    assert [name for name in ("test", "test-boot-all", "lint") if "mutat" in targets[name]] == []
    places = (*ROOT.glob(".ci/*"), *ROOT.glob("docs/ci/*"), *ROOT.glob(".github/workflows/*"))
    for path in filter(Path.is_file, places):
        assert "mutat" not in path.read_text(encoding="utf-8"), path


def test_every_operator_of_ours_is_used() -> None:
    tree = ast.parse((MUTATION / "operators.py").read_text(encoding="utf-8"))
    classes = {each.name for each in tree.body if isinstance(each, ast.ClassDef)}
    named = {each for each in data("modules.toml")["operators"] if each.startswith("own/")}
    assert named == {f"own/{each}" for each in classes}
