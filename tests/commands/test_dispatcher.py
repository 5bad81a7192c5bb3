"""What holds for every command, as all of them are described and run in one way."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase

import pytest

from pulumi_llm import _commands as commands
from pulumi_llm import _docpages as docpages
from pulumi_llm import cli
from pulumi_llm._commands import Command
from pulumi_llm.errors import Finding, Refusal

HEAVY = {"argparse", "asyncio", "dataclasses", "jinja2", "pulumi", "pydantic", "subprocess", "yaml"}


def every() -> Iterator[tuple[str, Command]]:
    """Each command that does something, by how it is called."""
    for name in commands.NAMES:
        found = commands.find(name)
        for own in found.commands:
            yield f"{name} {own.name}", own
        if not found.commands:
            yield name, found


EVERY = dict(every())
WITH_OPTIONS = [called for called, command in EVERY.items() if command.reader is None]


def test_the_list_of_commands_loads_nothing_that_only_a_command_needs() -> None:
    code = "import sys; from pulumi_llm.cli import main; main(['--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [line.split()[0] for line in done.stdout.splitlines()[2:]] == list(commands.NAMES)
    assert HEAVY & set(done.stderr.split()) == set()


def test_each_module_of_a_command_is_listed_under_its_own_name() -> None:
    import pkgutil

    modules = {each.name for each in pkgutil.iter_modules(commands.__path__) if not each.name.startswith("_")}
    assert modules == set(commands.NAMES)
    assert [commands.find(name).name for name in commands.NAMES] == list(commands.NAMES)


@pytest.mark.parametrize("called", EVERY)
def test_each_command_has_a_line_and_a_body(called: str) -> None:
    command = EVERY[called]
    assert command.help
    assert command.about
    assert callable(command.body or importlib.import_module(f"pulumi_llm._commands._{called}").run)


@pytest.mark.parametrize("called", [*EVERY, "keys", "catalog"])
def test_help_is_exit_code_0_and_goes_to_the_output(called: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*called.split(), "--help"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"usage: pulumi-llm {called} ")
    assert said.err == ""


@pytest.mark.parametrize("called", WITH_OPTIONS)
def test_an_option_that_is_nearly_another_is_told_with_the_right_one(
    called: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = EVERY[called]
    options = command.options() if callable(command.options) else command.options
    alone = [each._replace(settings={**each.settings, "required": False}) for each in _each(options) if _named(each)]
    lenient = command._replace(options=alone)
    for each in alone:
        wrong = f"{each.names[-1]}x"
        assert lenient.run([wrong]) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert f"there is no option {wrong}; did you mean " in said.err
        assert each.names[-1] in said.err
        assert said.err.endswith("--help tells the options\n")


@pytest.mark.parametrize("group", ["keys", "catalog"])
@pytest.mark.parametrize("arguments", [[], ["xyz"]])
def test_a_group_without_one_of_its_commands_names_them(
    group: str, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([group, *arguments]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert all(each.name in said.err for each in commands.find(group).commands)


@pytest.mark.parametrize("called", EVERY)
def test_what_counts_as_a_wrong_call_is_a_code_that_the_guide_explains(called: str) -> None:
    known = [code for section in docpages.sections() for code in section.codes]
    for pattern in EVERY[called].wrong_call:
        assert any(fnmatchcase(code, pattern) for code in known), pattern


@pytest.mark.parametrize(
    ("wrong_call", "code"), [((), 1), (("a.b",), 2), (("*",), 2), (("a.x", "x.b"), 1), (("a.*",), 2)]
)
def test_a_refusal_is_a_wrong_call_where_one_of_its_codes_is_named(
    wrong_call: tuple[str, ...], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def body(asked: object) -> int:
        raise Refusal([Finding("c.d", "first"), Finding("a.b", "second")])

    assert Command(name="x", help="", body=body, wrong_call=wrong_call).run([]) == code
    said = capsys.readouterr().err
    assert said.index("[c.d] first") < said.index("[a.b] second")


def _each(options: commands.Options) -> Iterator[commands.Option]:
    for each in options:
        yield from each.options if isinstance(each, commands.OneOf) else (each,)


def _named(each: commands.Option) -> bool:
    return each.names[0].startswith("-")
