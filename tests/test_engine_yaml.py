"""Stack files are read as the engine reads them: tests/engine/test_yaml.py holds the same table against the engine."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import pulumi_llm
from pulumi_llm import _engine_yaml, _yaml
from pulumi_llm._plan import project as projects
from tests.yaml_rows import READ, REFUSED, repeated


def text_of(written: str) -> str:
    return _engine_yaml.to_text(_engine_yaml.load(f"value: {written}\n")["value"])


@pytest.mark.parametrize(("written", "expected"), READ, ids=[row[0] for row in READ])
def test_a_value_comes_out_as_the_engine_gives_it_to_a_program(written: str, expected: str) -> None:
    assert text_of(written) == expected


@pytest.mark.parametrize("written", REFUSED)
def test_what_the_engine_refuses_is_refused(written: str) -> None:
    with pytest.raises((yaml.YAMLError, ValueError)):
        text_of(written)


@pytest.mark.parametrize("load", [_engine_yaml.load, _yaml.load])
def test_aliases_that_stand_for_too_much_are_refused_at_once(load: Callable[[str], Any]) -> None:
    began = time.monotonic()
    with pytest.raises(yaml.YAMLError, match="alias"):
        load(repeated(9, 9))
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("load", [_engine_yaml.load, _yaml.load])
def test_aliases_in_moderation_are_written_out(load: Callable[[str], Any]) -> None:
    assert load(repeated(3, 3))["l2"] == [[["x"] * 3] * 3] * 3


SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(st.characters(categories=["L", "N"]))
SCALARS |= st.sampled_from([row[0] for row in READ])
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab1 "), inner))


@given(VALUES)
def test_what_is_written_for_the_engine_is_read_as_the_same(value: object) -> None:
    assert _engine_yaml.load(_engine_yaml.dump({"value": value})) == {"value": value}


def test_the_tags_of_the_example_reach_the_program_as_the_engine_gives_them(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: p\nruntime: python\n")
    rows = "config:\n  p:tags: {nightly: yes, window: 22:30, team: 007}\n"
    (tmp_path / "Pulumi.dev.yaml").write_text(rows)
    config = projects.read_stack(projects.find(tmp_path), "dev")
    assert config.values["p:tags"] == '{"nightly":"yes","team":7,"window":"22:30"}'
    assert config.raw["p:tags"] == {"nightly": "yes", "window": "22:30", "team": 7}


def test_only_the_two_readers_know_the_parser() -> None:
    # A third one would take `yes` for true or 0644 for 420 where the engine does not, or run without end on aliases.
    package = Path(pulumi_llm.__file__).parent
    imports = re.compile(r"^\s*(import yaml\b|from yaml\b)", re.MULTILINE)
    found = {path.name for path in package.rglob("*.py") if imports.search(path.read_text(encoding="utf-8"))}
    assert found == {"_composed_yaml.py", "_yaml.py"}


def test_what_one_reader_changes_in_a_document_no_other_finds() -> None:
    text = "a: {b: [1, {c: 2}]}\n"
    first = _engine_yaml.load(text)
    first["a"]["b"][1]["c"] = first["a"]["d"] = 3
    first["a"]["b"].append(4)
    assert _engine_yaml.load(text) == {"a": {"b": [1, {"c": 2}]}}
