"""Tables for a terminal and for a comment."""

from __future__ import annotations

import pytest

from pulumi_llm import _tables


@pytest.mark.parametrize(("text", "columns"), [("", 0), ("T4", 2), ("上海", 4), ("ｆ", 2), ("e\u0301", 1), ("–…", 2)])
def test_a_text_is_as_wide_as_a_terminal_shows_it(text: str, columns: int) -> None:
    assert _tables.width(text) == columns


def test_each_column_is_as_wide_as_its_widest_cell_and_nothing_trails() -> None:
    rows = [("key", "used", "by"), ("上海", "7", ""), ("default", "1,024", "us")]
    assert _tables.aligned(rows, right={1}) == ["key       used  by", "上海         7", "default  1,024  us"]


def test_a_column_is_never_narrower_than_is_asked() -> None:
    assert _tables.aligned([("a", "b")], least=(4,)) == ["a     b"]


def test_no_rows_are_no_lines() -> None:
    assert _tables.aligned([]) == []


def test_a_row_that_lacks_a_cell_is_a_mistake() -> None:
    with pytest.raises((IndexError, ValueError)):
        _tables.aligned([("a", "b"), ("c",)])


def test_a_table_in_markdown_says_which_columns_are_figures() -> None:
    assert _tables.markdown(("what", "cost"), [("`disk`", "1.00")], right={1}) == [
        "| what | cost |",
        "| --- | ---: |",
        "| `disk` | 1.00 |",
    ]
