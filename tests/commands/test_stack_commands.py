"""What the commands that run a stack's program have in common: how they are called, and their exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from pulumi_llm._commands import bill, plan, render

Run = Callable[[Sequence[str]], int]

COMMANDS = {
    "bill": (bill.COMMAND.run, []),
    "plan": (plan.COMMAND.run, []),
    "render": (render.COMMAND.run, ["--out", "rendered"]),
}


@pytest.fixture(params=COMMANDS)
def command(request: pytest.FixtureRequest) -> tuple[Run, list[str]]:
    return COMMANDS[request.param]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in the working directory whose program refuses."""
    (tmp_path / "Pulumi.yaml").write_text("name: theirs\nruntime: python\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}\n")
    (tmp_path / "__main__.py").write_text(
        "from pulumi_llm.errors import Finding, Refusal\nraise Refusal([Finding('some.code', 'it cannot work')])\n"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_program_that_refuses_is_exit_code_1(
    command: tuple[Run, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    run, options = command
    assert run(["-s", "dev", *options]) == 1
    assert "[some.code]" in capsys.readouterr().err


def test_a_stack_that_does_not_exist_is_exit_code_2_with_the_one_that_was_meant(
    command: tuple[Run, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    run, options = command
    assert run(["-s", "dve", *options]) == 2
    assert "did you mean dev?" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["Pulumi.yaml", "Pulumi.dev.yaml"])
def test_a_key_that_is_there_twice_is_refused_as_the_engine_does(
    command: tuple[Run, list[str]], project: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run, options = command
    with (project / name).open("a") as file:
        file.write("config:\n  theirs:a: 1\n  theirs:b: 1\n  theirs:a: 2\n" if "dev" not in name else "config: {}\n")
    assert run(["-s", "dev", *options]) == 1
    told = capsys.readouterr().err
    assert "[project.not-yaml]" in told
    assert ("'config'" if "dev" in name else "'theirs:a'") in told


def test_a_folder_without_a_project_is_exit_code_2(
    command: tuple[Run, list[str]], project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, options = command
    (project / "Pulumi.yaml").unlink()
    assert run(["-s", "dev", *options]) == 2
    assert "[project.not-found]" in capsys.readouterr().err


def test_an_abbreviated_option_is_refused_with_the_whole_one(
    command: tuple[Run, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    run, options = command
    assert run(["-s", "dev", "--proj", ".", *options]) == 2
    assert "there is no option --proj; did you mean --project?" in capsys.readouterr().err


def test_a_command_without_a_stack_says_which_option_is_lacking(
    command: tuple[Run, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    run, options = command
    assert run(options) == 2
    assert "--stack" in capsys.readouterr().err


def test_help_is_exit_code_0(command: tuple[Run, list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    run, _ = command
    assert run(["--help"]) == 0
    assert "--project" in capsys.readouterr().out


@pytest.mark.parametrize("form", ["--json", "--picture"])
def test_what_a_program_prints_is_no_part_of_its_plan(
    form: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "__main__.py").write_text("print('hello')\n")
    assert plan.COMMAND.run(["-s", "dev", form]) == 0
    said = capsys.readouterr()
    assert "hello" in said.err
    assert "hello" not in said.out
    if form == "--json":
        assert json.loads(said.out)["stack"] == "dev"
    else:
        assert "there is nothing to draw" in said.err


def test_a_picture_is_drawn_of_the_plan_or_the_plan_is_data_not_both(capsys: pytest.CaptureFixture[str]) -> None:
    assert plan.COMMAND.run(["-s", "dev", "--picture", "--json"]) == 2
    assert "not allowed with" in capsys.readouterr().err
