"""JSON that is written and read in our own ways is what the standard library writes and reads."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_llm import _json

TEXTS = st.text() | st.sampled_from(["\0", "\0" + "0", '"\\u00000"', "a" * 513, "ü\n\"'" * 200, "\0" * 600])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner) | st.tuples(inner, inner),
    max_leaves=12,
)
STYLES: list[dict[str, Any]] = [
    {"sort_keys": True, "ensure_ascii": False, "indent": 1},
    {"sort_keys": True, "separators": (",", ":")},
    {},
]


@pytest.mark.parametrize("style", STYLES)
@given(value=VALUES)
def test_what_is_written_is_what_the_standard_library_writes(style: dict[str, Any], value: Any) -> None:
    assert _json.dumps(value, **style) == json.dumps(value, **style)


@given(value=VALUES)
def test_a_plain_value_is_what_is_read_of_its_json(value: Any) -> None:
    assert _json.plain(value) == json.loads(json.dumps(value))


@pytest.mark.parametrize("value", [{2: "a", True: "b"}, {"a": {None: [1]}}, float("inf"), {"a": float("inf")}])
def test_a_plain_value_has_texts_for_keys_as_json_has(value: Any) -> None:
    assert _json.plain(value) == json.loads(json.dumps(value))


def test_a_plain_value_shares_nothing_that_may_be_changed() -> None:
    value = {"a": [1, {"b": []}]}
    copy = _json.plain(value)
    copy["a"][1]["b"].append(1)
    assert value == {"a": [1, {"b": []}]}
