"""A sentence is its English, and remembers what it was made of."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_llm import _texts as texts
from pulumi_llm._plan import exchange
from pulumi_llm._texts import Joined, Text, _, any_of, either, listed, sentences
from pulumi_llm.errors import Finding, UnknownName, among

CHINESE = {
    "{gpu} has {count:,} cores": "{gpu} 有 {count:,} 个核",
    "a card": "一张卡",
    "such as {names}": "例如 {names}",
    ", ": "、",
    " or ": " 或 ",
}


def chinese(template: str) -> str:
    return CHINESE.get(template, template)


def test_a_sentence_is_its_english() -> None:
    text = _("{gpu} has {count:,} cores", gpu="T4", count=2560)
    assert text == "T4 has 2,560 cores"
    assert {text: 1}["T4 has 2,560 cores"] == 1
    assert json.dumps(text) == '"T4 has 2,560 cores"'
    assert type(str(text)) is str


def test_a_sentence_is_told_in_another_language() -> None:
    text = _("{gpu} has {count:,} cores", gpu=_("a card"), count=2560)
    assert texts.told(text, chinese) == "一张卡 有 2,560 个核"
    assert texts.told(_("such as {names}", names=either(["T4", _("a card")])), chinese) == "例如 T4 或 一张卡"
    assert texts.told(listed(["a", "b"]), chinese) == "a、b"


def test_what_nobody_translated_stays_english_with_all_that_is_in_it() -> None:
    text = _("nobody says {what}", what=_("a card"))
    assert texts.told(text, chinese) == "nobody says a card"
    assert texts.told("plain {braces}", chinese) == "plain {braces}"


def test_braces_without_values_are_no_places() -> None:
    assert _("keys: {default: {}}") == "keys: {default: {}}"
    assert texts.told(_("keys: {default: {}}"), chinese) == "keys: {default: {}}"


def test_a_sentence_survives_copies_and_processes() -> None:
    text = _("such as {names}", names=any_of(["T4", _("a card")]))
    for again in (copy.deepcopy(text), pickle.loads(pickle.dumps(text)), text):
        assert again == text
        assert texts.told(again, chinese) == "例如 T4; or 一张卡"
    wire = json.loads(json.dumps(texts.to_wire(text)))
    assert texts.told(texts.from_wire(wire, str(text)), chinese) == "例如 T4; or 一张卡"


leaves = st.text() | st.integers() | st.floats(allow_nan=False) | st.booleans() | st.none()
values = st.recursive(
    leaves,
    lambda inner: (
        st.builds(lambda value: Text("x {value} y", {"value": value}), inner)
        | st.builds(lambda items: Joined(", ", items), st.lists(inner, max_size=3))
    ),
    max_leaves=8,
)


@given(values)
def test_what_travels_arrives_as_it_was(value: object) -> None:
    text = Text("said: {value}", {"value": value})
    arrived = texts.from_wire(json.loads(json.dumps(texts.to_wire(text))), str(text))
    assert arrived == text
    assert texts.told(arrived, chinese) == texts.told(text, chinese)


@pytest.mark.parametrize(
    "wire", [None, 3, [], {}, {"template": "{x}"}, {"template": "{x}", "values": {}}, {"joint": 1, "items": 2}]
)
def test_what_another_revision_sends_is_english(wire: object) -> None:
    assert texts.from_wire(wire, "its English") == "its English"
    assert type(texts.from_wire(wire, "its English")) is str


def test_a_text_that_says_something_else_than_the_english_is_not_believed() -> None:
    assert type(texts.from_wire({"template": "all is well", "values": {}}, "it is refused")) is str


# -- findings


def test_findings_are_compared_and_replaced_as_before() -> None:
    said, plain = Finding("a.b", _("{x} fails", x=1), _("another {y}", y=2)), Finding("a.b", "1 fails", "another 2")
    assert said == plain
    assert hash(said) == hash(plain)
    assert list(dict.fromkeys([said, plain])) == [said]
    moved = replace(said, severity="warning").placed("server")
    assert isinstance(moved.message, Text)
    assert moved.where == "server"
    assert str(said) == str(plain)


def test_a_finding_travels_between_processes_with_what_it_was_made_of() -> None:
    said = Finding("a.b", _("{x} fails", x=listed(["p", "q"])), "", "warning", "server.gpu")
    row = json.loads(json.dumps(exchange._finding(said)))
    again = exchange.finding(row)
    assert again == said
    assert isinstance(again.message, Text)
    assert exchange.finding({"code": "a.b", "message": "old words"}) == Finding("a.b", "old words")


def test_a_name_that_is_not_known_is_told_with_the_nearest_ones() -> None:
    (found,) = UnknownName("a.b", _("GPU"), "T44", ["T4", "L4"], hint="or none").findings
    assert (found.message, found.hint) == ("there is no GPU called 'T44'", "did you mean T4? or none")
    assert among("x", ["a", "b"]) == "one of a, b"
    assert among("ab", ["abc", "xyz"]) == "did you mean abc? There are: abc, xyz"
    assert sentences("", "b") == "b"
    many = [f"name-{number}" for number in range(30)]
    (found,) = UnknownName("a.b", _("GPU"), "T44", many).findings
    assert found.hint.endswith(", …")
