"""Keys that use up what a day or a month allows them: by the gateway's own ledger and its own list of keys."""

from __future__ import annotations

import json
import shlex
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from pulumi_llm import cli
from pulumi_llm._outlook import quotas
from pulumi_llm._outlook.ends import End
from tests.commands.test_keys import STACK, Machine, machine
from tests.commands.test_usage import used

__all__ = ["machine"]

TODAY = date(2026, 11, 20)


def found(limits: dict[str, Any], spent: dict[int, float], today: date = TODAY, **more: Any) -> list[End]:
    """What is told of one key; ``spent`` by how many days ago, in tokens or USD."""
    days = [
        {"key": "a", "day": str(today - timedelta(days=back)), "tokens": each, "nanos": each * 10**9}
        for back, each in spent.items()
    ]
    return quotas.quotas([{"name": "a", "state": "valid", "limits": limits, **more}], days, today, "server")


@pytest.mark.parametrize(
    ("spent", "said"),
    [
        ({0: 10, 1: 50}, []),
        ({0: 79}, []),
        ({0: 80}, [("outlook.quota-near", "note")]),
        ({6: 94}, [("outlook.quota-near", "note")]),
        ({0: 95}, [("outlook.quota-ends", "now")]),
        ({6: 100, 3: 81}, [("outlook.quota-ends", "now")]),
        ({7: 100}, []),
    ],
)
@pytest.mark.parametrize("limit", ["daily_tokens", "daily_budget_usd"])
def test_a_day_is_used_up_within_the_last_seven_or_nearly_so(
    limit: str, spent: dict[int, float], said: list[tuple[str, str]]
) -> None:
    assert [(each.code, each.level(TODAY)) for each in found({limit: 100}, spent)] == said


def test_days_that_were_used_up_are_counted_and_the_last_is_named() -> None:
    (end,) = found({"daily_tokens": 100}, {1: 96, 4: 100, 5: 20})
    assert "on 2 of the last 7 days, 2026-11-19 the last" in end.message
    assert end.name == "a.daily_tokens"


@pytest.mark.parametrize("limit", ["monthly_tokens", "monthly_budget_usd"])
def test_a_month_ends_on_the_day_that_its_pace_says(limit: str) -> None:
    (end,) = found({limit: 600}, {3: 480})  # 24 a day for 20 days: 600 after 25 days
    assert (end.code, end.day, end.level(TODAY)) == ("outlook.quota-ends", date(2026, 11, 26), "soon")
    assert "80% is used" in end.message


@pytest.mark.parametrize("month", range(1, 13))
def test_a_pace_that_lasts_until_the_end_of_the_month_is_no_end(month: int) -> None:
    for day in range(7, 29):
        today = date(2026, month, day)
        days = ((today.replace(day=1) + timedelta(days=31)).replace(day=1) - today.replace(day=1)).days
        assert not [each for each in found({"monthly_tokens": 31_000}, {1: 30_900 / days * day}, today)
                    if each.code == "outlook.quota-ends" and each.day != today]  # fmt: skip
        over = found({"monthly_tokens": 31_000}, {1: 33_500 / days * day}, today)
        assert [each.code for each in over] == ["outlook.quota-ends"]


def test_a_month_that_is_used_up_is_over_now_and_says_until_when() -> None:
    (end,) = found({"monthly_tokens": 500}, {2: 480})
    assert (end.day, end.level(TODAY)) == (TODAY, "now")
    assert "until 2026-12-01" in end.message


def test_use_of_another_month_and_the_first_days_of_one_say_nothing() -> None:
    assert not found({"monthly_tokens": 500}, {20: 10_000})
    assert not found({"monthly_tokens": 500}, {0: 100}, date(2026, 11, 2))


def test_a_key_without_limits_or_that_is_not_valid_is_passed_over() -> None:
    assert not found({"daily_tokens": None}, {0: 10_000})
    assert not found({"daily_tokens": 10}, {0: 10}, state="revoked")


def test_a_key_of_the_command_has_its_last_day_told_and_one_of_the_program_is_told_from_that() -> None:
    expires = datetime(2026, 12, 6, tzinfo=UTC).timestamp()
    (end,) = found({"expires": expires}, {}, managed="cli")
    assert (end.code, end.day) == ("outlook.key-expires", date(2026, 12, 6))
    assert "until 2026-12-05" in end.message
    assert not found({"expires": expires}, {}, managed="pulumi")


# -- asked of the node's own code


def told(capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, Any]:
    cli.main(["outlook", *STACK, "--json", *more])
    return dict(json.loads(capsys.readouterr().out))


def test_the_command_asks_the_gateway_for_its_keys_and_what_they_used(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["keys", "add", "team-b", *STACK, "--daily-tokens", "500", "--expires", "2099-12-31"]) == 0
    capsys.readouterr()
    used(machine, ("team-b", "m", 0, 300, 190, 0.0), ("default", "m", 0, 10**6, 10**6, 0.0))
    found = told(capsys, "--usage")
    rows = {each["name"]: each for each in found["ends"] if each["where"] == "server"}
    assert found["quotas"] == "gateways"
    assert rows["team-b.daily_tokens"]["level"] == "now"
    assert rows["team-b"]["day"] == "2100-01-01"
    assert not [name for name in rows if name.startswith("default")]
    proxy = [each for each in found["ends"] if each["code"] == "outlook.quota-not-seen"]
    assert [each["where"] for each in proxy] == ["proxy"], "the fixture's stack has no proxy that is up"
    assert proxy[0]["level"] == "note"


def test_without_being_asked_for_no_machine_is_asked(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.program("ssh", f"touch {machine.root}/asked; exit 1")
    assert told(capsys)["quotas"] == "not looked at"
    cli.main(["outlook", *STACK])
    assert "--usage asks the gateways" in capsys.readouterr().out
    assert not (machine.root / "asked").exists()


@pytest.mark.parametrize("missing", ["pulumi", "ssh"])
def test_where_nothing_can_be_asked_from_here_it_is_refused(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], missing: str
) -> None:
    monkeypatch.setenv("PATH", f"{machine.programs}:/nowhere")
    machine.program("pulumi", f"/bin/echo {shlex.quote(json.dumps({'address': '192.0.2.7', 'ssh_private_key': 'k'}))}")
    (machine.programs / missing).unlink()
    assert cli.main(["outlook", *STACK, "--json", "--usage"]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert {"pulumi": "[outputs.no-pulumi]", "ssh": "[channel.no-ssh]"}[missing] in told.err


def test_outputs_that_cannot_be_read_are_no_note(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.program("pulumi", "echo 'error: no stack named aliyun-t4 found' >&2; exit 255")
    assert cli.main(["outlook", *STACK, "--json", "--usage"]) == 1
    assert "[outputs.unreadable]" in capsys.readouterr().err


def test_a_gateway_that_has_not_run_yet_is_a_note(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    (machine.root / "state/ledger.sqlite").unlink(missing_ok=True)
    rows = [each for each in told(capsys, "--usage")["ends"] if each["code"] == "outlook.quota-not-seen"]
    assert {each["where"] for each in rows} == {"server", "proxy"}
    assert any("has not run here yet" in each["message"] for each in rows)


def test_a_gateway_that_does_not_answer_is_a_note(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.program("ssh", "echo no route >&2; exit 255")
    rows = [each for each in told(capsys, "--usage")["ends"] if each["code"] == "outlook.quota-not-seen"]
    assert {each["where"] for each in rows} == {"server", "proxy"}
    assert any("no route" in each["message"] for each in rows)
