"""`pulumi-llm check --ends` and `--upstream`: what ends, as `outlook` tells it of a stack."""

from __future__ import annotations

import json
from argparse import Namespace
from datetime import date
from typing import Any

import pytest

from pulumi_llm import cli
from pulumi_llm._commands import Command, _check, _check_ends
from pulumi_llm._commands import check as command
from pulumi_llm._commands._options import HUB
from pulumi_llm._outlook import software

run = command.COMMAND.run
FITS = ("Qwen/Qwen2.5-7B-Instruct", "--gpu", "A10")


def ends(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    code = run([*arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)["ends"]


def of(today: date, *models: str) -> list[tuple[str, str, str]]:
    asked = Namespace(model=None, gpu=None, upstream=list(models))
    return [(each.name, each.code, each.level(today)) for each in _check_ends.ends_of(asked, today)]


def test_a_vendors_model_is_told_with_its_day_before_and_after_it() -> None:
    assert of(date(2026, 1, 1), "openai/gpt-4o") == [("gpt-4o", "upstream.model-ends", "later")]
    assert of(date(2026, 12, 1), "openai/gpt-4o") == [("gpt-4o", "upstream.model-ends", "soon")]
    assert of(date(2027, 1, 14), "openai/gpt-4o") == [("gpt-4o", "upstream.model-ended", "now")]


def test_a_model_of_which_no_end_is_known_is_not_called_lasting() -> None:
    assert of(date(2026, 12, 1), "openai/gpt-6-luna") == [("gpt-6-luna", "outlook.no-end-known", "note")]


def test_the_same_name_of_another_vendor_has_no_end_of_the_firsts() -> None:
    names = of(date(2026, 12, 1), "groq/gpt-4", "openai/gpt-4")
    assert {(name, code) for name, code, __ in names} == {
        ("gpt-4", "upstream.model-ended"), ("gpt-4", "outlook.no-end-known"),
    }  # fmt: skip


def test_a_model_that_has_ended_is_exit_code_1_without_any_model_of_ones_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, found = ends(capsys, "--upstream", "openai/gpt-4")
    assert (code, found[0]["code"], found[0]["level"]) == (1, "upstream.model-ended", "now")
    assert found[0]["source_date"]
    assert ends(capsys, "--upstream", "openai/gpt-6-luna")[0] == 0


def test_what_a_server_with_the_model_installs_is_told_and_changes_no_verdict(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, found = ends(capsys, *FITS, "--ends")
    assert code == 0
    codes = {each["code"] for each in found}
    assert "outlook.support-ends" in codes
    of_torch = [row for row in software._data("advisories")["rows"] if row["package"] == "torch"]
    assert {row["name"] for row in of_torch} <= {each["name"] for each in found}
    assert not [each for each in found if "Python" in each["message"] and not each["where"]]


def test_both_stand_in_one_answer_and_without_either_nothing_is_added(capsys: pytest.CaptureFixture[str]) -> None:
    code, found = ends(capsys, *FITS, "--upstream", "openai/gpt-4")
    assert code == 1
    assert {each["level"] for each in found} >= {"now", "later"}
    assert run(FITS) == 0
    assert "what ends" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["opnai/gpt-4o", "gpt-4o", ""])
def test_what_is_no_vendors_model_is_a_wrong_call(capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert run(["--upstream", name]) == 2
    assert "VENDOR/MODEL" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["openai", "openai/", "openai/ ", "OpenAI"])
def test_a_vendor_alone_is_told_what_is_missing_and_not_its_own_name(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert run(["--upstream", name]) == 2
    told = capsys.readouterr().err
    assert "openai/MODEL" in told
    assert "did you mean" not in told


@pytest.mark.parametrize(
    "name", ["a\nb", "\x1b[31mx", "a\u200b", "gpt-4,gpt-4o", "gpt-4;gpt-4o", "gpt-4 gpt-4o", "x" * 257]
)
def test_a_name_that_is_none_hides_no_other_ones_end(capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert run(["--upstream", "openai/gpt-4", "--upstream", f"openai/{name}"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "\x1b" not in told.err
    assert len(told.err) < 1000


@pytest.mark.parametrize("name", ["openai/gpt-4 ", " openai / gpt-4", "openai/GPT-4", "OpenAI/gpt-4", "openai/gpt-4\n"])
def test_blanks_around_a_name_and_capitals_make_no_other_model_of_it(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    code, found = ends(capsys, "--upstream", name, "--upstream", "openai/gpt-4")
    assert code == 1
    assert [(each["name"], each["code"]) for each in found] == [("gpt-4", "upstream.model-ended")]


def test_a_model_without_a_known_end_is_told_once() -> None:
    assert len(of(date(2026, 12, 1), "openai/gpt-6-luna", "openai/gpt-6-luna ")) == 1


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--ends"], "--ends"),
        (["--gpu", "T4", "--fleet", "8"], "--gpu, --fleet"),
        (["--gpu-count", "2"], "--gpu-count"),
        (["--vectors", "1000", "--dimensions", "8"], "--upstream"),
    ],
)
def test_an_option_that_would_not_be_looked_at_is_a_wrong_call(
    capsys: pytest.CaptureFixture[str], options: list[str], named: str
) -> None:
    assert run(["--upstream", "openai/gpt-4", *options]) == 2
    told = capsys.readouterr()
    assert f"{named}" in told.err
    assert told.out == ""


def test_the_options_of_a_server_are_all_of_the_command_with_their_defaults() -> None:
    asked = vars(command.COMMAND._parser("check").parse(["--upstream", "openai/gpt-4"]))
    others = {"model", "upstream", "vectors", "dimensions", "json", *_names(HUB)}
    assert {name: value for name, value in asked.items() if name not in others} == _check.OF_A_SERVER


def _names(options: Any) -> set[str]:
    return set(vars(Command("x", "", options=tuple(options))._parser("x").parse([])))


def test_the_server_is_named_in_the_readers_language(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["--lang", "zh", "check", *FITS, "--ends"])
    told = capsys.readouterr().out
    assert "a server with it" not in told
    cli.main(["check", *FITS, "--ends"])
    assert "a server with it" in capsys.readouterr().out
