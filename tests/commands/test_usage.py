"""`pulumi-llm usage` by key, model and day, asked of the node's own code over a ledger of the gateway's store."""

from __future__ import annotations

import csv
import io
import json
import time
from typing import Any

import pytest

from pulumi_llm import cli
from pulumi_llm._commands import _usage as usage
from pulumi_llm._commands import _usage_chart as charts
from tests.commands.test_keys import STACK, Machine, machine

__all__ = ["machine"]

DAY = 86400
NANO = 1_000_000_000


def used(machine: Machine, *calls: tuple[str, str, int, int, int, float]) -> None:
    """Calls of (key, model, days ago, tokens in, tokens out, USD), each settled."""
    from llm_gate.meter import Ask, Spent
    from llm_gate.policy import Rules
    from llm_gate.store import Store

    for key, model, back, tokens_in, tokens_out, usd in calls:
        store = Store(machine.root / "state" / "ledger.sqlite", clock=lambda: time.time() - DAY * back)  # noqa: B023
        ticket = store.admit(Rules(key), Ask("r", "/v1/chat/completions", model, 99))
        store.settle(ticket, Spent(tokens_in=tokens_in, tokens_out=tokens_out, nanos=round(usd * NANO)))
        store.close()


def day(back: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(time.time() - DAY * back))


CALLS = (
    ("default", "Yi", 0, 10, 5, 0.0),
    ("default", "gpt-6-luna", 0, 100, 50, 0.25),
    ("default", "gpt-6-luna", 2, 100, 50, 0.5),
    ("team-b", "Yi", 2, 1, 1, 0.0),
)


def rows(capsys: pytest.CaptureFixture[str], *more: str) -> list[dict[str, Any]]:
    assert cli.main(["usage", *STACK, "--json", *more]) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["rows"]
    return found


@pytest.mark.parametrize(
    ("by", "keys"),
    [
        ([], [("default",), ("team-b",)]),
        (["--by", "key"], [("default",), ("team-b",)]),
        (["--by", "model"], [("Yi",), ("gpt-6-luna",)]),
        (["--by", "day"], [(2,), (0,)]),
        (["--by-day"], [("default", 2), ("default", 0), ("team-b", 2)]),
        (["--by", "model", "--by", "key"], [("default", "Yi"), ("default", "gpt-6-luna"), ("team-b", "Yi")]),
        (
            ["--by", "day", "--by", "model", "--by", "key"],
            [("default", "Yi", 0), ("default", "gpt-6-luna", 2), ("default", "gpt-6-luna", 0), ("team-b", "Yi", 2)],
        ),
    ],
)
def test_it_is_told_by_what_is_asked_for_and_sums_to_the_same(
    machine: Machine, capsys: pytest.CaptureFixture[str], by: list[str], keys: list[tuple[object, ...]]
) -> None:
    used(machine, *CALLS)
    found = rows(capsys, *by)
    names = [name for name in ("key", "model", "day") if name in found[0]]
    wanted = [tuple(day(each) if isinstance(each, int) else each for each in key) for key in keys]
    assert [tuple(row[name] for name in names) for row in found] == wanted
    for name, total in (("requests", 4), ("tokens_in", 211), ("tokens_out", 106), ("reserved", 0)):
        assert sum(row[name] for row in found) == total
    assert sum(row["cost_usd"] for row in found) == pytest.approx(0.75)


def test_a_call_under_way_stands_with_what_is_reserved_by_model_as_by_key(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    from llm_gate.meter import Ask
    from llm_gate.policy import Rules
    from llm_gate.store import Store

    store = Store(machine.root / "state" / "ledger.sqlite")
    store.admit(Rules("default"), Ask("r", "/v1/chat/completions", "Yi", 99))
    store.close()
    for by in ("key", "model"):
        (row,) = rows(capsys, "--by", by)
        assert (row["requests"], row["reserved"], row["tokens_in"]) == (1, 99, 0)


def test_models_are_told_of_as_long_as_single_calls_are_kept(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    used(machine, ("default", "Yi", 60, 1, 1, 0.0))
    assert rows(capsys, "--days", "90")
    assert cli.main(["usage", *STACK, "--json", "--by", "model", "--days", "90"]) == 0
    assert json.loads(capsys.readouterr().out) == {"since": day(34), "by": ["model"], "rows": []}


def test_a_gateway_of_an_older_version_is_told_and_not_summed_wrongly(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    old = {"key": "default", "day": day(0), "requests": 1, "tokens_in": 1, "tokens_out": 1, "tokens": 2, "nanos": 0}
    answer = json.dumps({"since": day(29), "days": [old]})
    machine.program("ssh", f"echo '{answer}'")
    assert cli.main(["usage", *STACK, "--by", "model"]) == 1
    told = capsys.readouterr()
    assert "[usage.no-models]" in told.err
    assert told.out == ""
    assert cli.main(["usage", *STACK]) == 0


def test_csv_is_read_by_a_reader_of_csv(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    used(machine, *CALLS)
    assert cli.main(["usage", *STACK, "--by", "model", "--csv"]) == 0
    found = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["model"], row["cost_usd"]) for row in found] == [("Yi", "0.0"), ("gpt-6-luna", "0.75")]
    assert cli.main(["usage", *STACK, "--days", "1", "--by", "day", "--csv"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "day,requests,tokens_in,tokens_out,reserved,cost_usd"


def test_the_table_ends_with_the_sum(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    used(machine, *CALLS)
    assert cli.main(["usage", *STACK, "--by", "model"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[1][0] == "model"
    assert lines[-1] == ["all", "4", "211", "106", "0", "0.75"]


def test_what_no_bar_measures_is_a_wrong_call(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    for wrong in (["--of", "tokens"], ["--chart", "--of", "tokns"], ["--by", "modl"], ["--chart", "--csv"]):
        assert cli.main(["usage", *STACK, *wrong]) == 2
    assert "did you mean" in capsys.readouterr().err


# -- bars


def charted(capsys: pytest.CaptureFixture[str], *more: str) -> list[str]:
    assert cli.main(["usage", *STACK, "--chart", *more]) == 0
    return capsys.readouterr().out.splitlines()


def test_a_day_without_use_has_a_row_and_no_bar(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    used(machine, *CALLS)
    head, *days, foot = charted(capsys, "--by", "day", "--days", "4")
    assert head.startswith("USD at the catalogue's prices, since")
    assert [line.split()[:2] for line in days] == [
        [day(3), "0.00"],
        [day(2), "0.500000".rstrip("0")],
        [day(1), "0.00"],
        [day(0), "0.25"],
    ]
    assert [len(line.split()) for line in days] == [2, 3, 2, 3]
    assert foot == "the longest bar is 0.5, and every bar begins at 0"


def columns(line: str) -> float:
    drawn = line.split()[-1]
    return sum(charts.EIGHTHS.index(each) / 8 for each in drawn)


def test_twice_as_much_is_twice_as_long(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    used(machine, ("a", "m", 0, 100, 100, 0.0), ("b", "m", 0, 300, 100, 0.0), ("c", "m", 0, 0, 1, 0.0))
    lines = charted(capsys, "--by", "key")
    one, two, least = lines[1:4]
    assert columns(two) == 2 * columns(one) > 0
    assert columns(least) == pytest.approx(columns(two) / 400, abs=1 / 8)
    assert columns(least) > 0
    assert lines[0].startswith("tokens, in and out, since")


def test_the_measure_that_is_asked_for_is_drawn(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    used(machine, *CALLS)
    lines = charted(capsys, "--by", "model", "--of", "requests")
    assert columns(lines[1]) == columns(lines[2])
    assert lines[-1] == "the longest bar is 2, and every bar begins at 0"


@pytest.mark.parametrize("full", [10, 33, 60])
def test_no_bar_is_longer_than_the_scale_and_none_above_nothing_is_unseen(full: int) -> None:
    for fine in (True, False):
        lengths = [len(charts.bar(value, 1000, full, fine=fine)) for value in (0, 0.001, 1, 499, 999, 1000)]
        assert lengths[0] == 0
        assert lengths[1] == lengths[2] == 1
        assert lengths == sorted(lengths)
        assert lengths[-1] == full


def test_bars_fit_the_terminal(machine: Machine) -> None:
    found = usage.rows_of(
        [
            {
                "key": "k" * 20,
                "day": "2026-11-28",
                "requests": 1,
                "tokens_in": 9,
                "tokens_out": 0,
                "tokens": 9,
                "nanos": 0,
            }
        ],
        ["key"],
    )
    for width in (60, 80, 200):
        drawn = charts.chart(found, ["key"], "2026-11-28", columns=width).splitlines()
        assert all(len(line) < width for line in drawn)


def test_nothing_used_is_told_and_not_drawn(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    used(machine, ("a", "m", 50, 1, 1, 0.0))
    assert charted(capsys, "--days", "2") == [f"no key has been used since {day(1)}"]
