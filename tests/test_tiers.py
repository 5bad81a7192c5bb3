"""Which rows of a test plain `pytest` runs."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

from tests import conftest

MARK = ".".join(("pytest", "mark", "clients"))


def left_out(test: str, rows: int) -> list[int]:
    items: list[Any] = [SimpleNamespace(nodeid=f"{test}[{each}]", row=each) for each in range(rows)]
    other: Any = SimpleNamespace(nodeid="tests/test_spec.py::test_without_rows", row=-1)
    return [each.row for each in conftest.left_out_rows([*items, other])]


def test_of_a_test_with_few_rows_all_are_run() -> None:
    assert not left_out("tests/test_spec.py::test_a", conftest.ROWS)


def test_of_one_with_many_rows_the_first_and_others_from_all_over_are_run() -> None:
    for rows in range(conftest.ROWS + 1, 100):
        kept = sorted(set(range(rows)) - set(left_out("tests/test_spec.py::test_a", rows)))
        assert len(kept) == conftest.ROWS
        assert kept[0] == 0
        assert max(after - before for before, after in zip(kept, [*kept[1:], rows], strict=True)) <= -(
            -rows // conftest.ROWS
        )


def test_of_one_whose_rows_take_long_the_first_is_run() -> None:
    assert left_out(conftest.ONE_ROW[0], 4) == [1, 2, 3]


def left_out_clouds(test: str, rows: int, *, engine: bool = True) -> list[int]:
    items: list[Any] = [
        SimpleNamespace(nodeid=f"{test}[{each}]", row=each, get_closest_marker=lambda name: engine and name == "engine")
        for each in range(rows)
    ]
    return [each.row for each in conftest.left_out_clouds(items)]


def test_of_the_engines_tests_a_row_is_run_and_another_one_in_another_test() -> None:
    for rows in range(conftest.ENGINE_ROWS, 20):
        kept = {*range(rows)} - {*left_out_clouds("tests/clouds/test_engine.py::test_a", rows)}
        assert len(kept) == conftest.ENGINE_ROWS
    found = {tuple(left_out_clouds(f"tests/clouds/test_engine.py::test_{each}", 7)) for each in range(50)}
    assert len(found) == 7  # so no row of seven is left out of each test


def test_of_other_tests_and_of_those_that_are_named_all_rows_are_run() -> None:
    assert not left_out_clouds("tests/clouds/test_engine.py::test_a", 7, engine=False)
    assert not any(left_out_clouds(f"{each}_a", 7) for each in conftest.EVERY_ROW)


def test_what_is_named_as_slow_is_there() -> None:
    for name in (*conftest.THOROUGH, *conftest.ONE_ROW, *conftest.EVERY_ROW, *conftest.ALONE):
        file, _, test = name.partition("[")[0].partition("::")  # a row of a test is there if the test is
        found = [
            each for each in conftest.ROOT.glob("tests/**/*") if each.as_posix().startswith(f"{conftest.ROOT}/{file}")
        ]
        assert found, name
        assert not test or any(f"def {test}" in each.read_text() for each in found if each.suffix == ".py"), name


def test_whatever_is_marked_for_the_tier_of_clients_is_run_by_it() -> None:
    found = re.search(r"^CLIENTS := (.+)$", (conftest.ROOT / "Makefile").read_text(), re.MULTILINE)
    assert found
    named = [conftest.ROOT / each for each in found[1].split()]
    assert all(each.exists() for each in named)
    marked = [each for each in (conftest.ROOT / "tests").rglob("test_*.py") if MARK in each.read_text()]
    assert len(marked) > 20
    assert [each for each in marked if not any(each.is_relative_to(one) for one in named)] == []
