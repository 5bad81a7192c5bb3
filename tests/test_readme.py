"""What the README and the page of commands show is what the program does: picture, stack, components, outputs."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from pathlib import Path

import pytest
import yaml

from pulumi_llm import cli
from pulumi_llm._plan import capture as capturing
from pulumi_llm._review.portrait import portrait
from tests.host import component_host

ROOT = Path(__file__).parents[1]
README, README_ZH = ROOT / "README.md", ROOT / "README.zh.md"
COMMANDS, COMMANDS_ZH = ROOT / "docs/commands.md", ROOT / "docs/commands.zh.md"


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", [README, README_ZH], ids=["en", "zh"])
def test_the_readme_is_no_longer_than_two_screens(page: Path) -> None:
    assert len(page.read_text().splitlines()) <= 120


def test_the_picture_in_the_readme_is_the_one_that_the_program_draws(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """UPDATE_GOLDEN=1 writes it, into the Chinese twin too."""
    (command,) = re.findall(r"^`pulumi-llm (plan .* --picture)` drew this", README.read_text(), re.MULTILINE)
    monkeypatch.chdir(ROOT)
    assert cli.main(command.split()) == 0
    drawn = capsys.readouterr().out
    if os.environ.get("UPDATE_GOLDEN"):
        for page in (README, README_ZH):
            text = re.sub(
                r"(?<=^```mermaid\n).*?(?=^```)", lambda _: drawn, page.read_text(), count=1, flags=re.M | re.S
            )
            page.write_text(text)
    assert [drawn] == blocks(README, "mermaid")


def test_the_stack_in_the_readme_runs_and_is_the_one_in_the_picture(tmp_path: Path) -> None:
    (stack,) = [text for text in blocks(README, "yaml") if text.startswith("config:")]
    assert len(stack.splitlines()) == 10
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
    shutil.copytree(ROOT / "stacks", tmp_path / "stacks")
    (tmp_path / "stacks/Pulumi.mine.yaml").write_text(stack)
    plan = capturing.capture_stack(tmp_path, "mine")
    assert {each.type.rsplit(":", 1)[-1] for each in plan.resources} >= {"Platform", "ModelServer", "OverseasProxy"}
    assert "endpoint" in plan.outputs
    assert [portrait(tmp_path, "mine")] == blocks(README, "mermaid")


def test_the_component_in_the_readme_runs() -> None:
    (program,) = blocks(README, "python")
    assert len(program.splitlines()) == 10
    plan = capturing.capture(lambda: exec(compile(program, "README.md", "exec"), {}))
    assert "llm:index:ModelServer" in {each.type for each in plan.resources}
    assert {"endpoint", "hourly_price"} <= set(plan.outputs)


@pytest.mark.thorough
def test_the_same_component_in_yaml_is_constructed_and_is_the_same_machine() -> None:
    (text,) = [text for text in blocks(README, "yaml") if "runtime: yaml" in text]
    ((name, resource),) = yaml.safe_load(text)["resources"].items()

    async def made() -> dict[str, object]:
        async with component_host() as host:
            await host.construct(resource["type"].split(":")[-1], name, resource["properties"])
            return {each.name: each.inputs["instanceType"] for each in host.monitor.seen if "-machine-" in each.name}

    (program,) = blocks(README, "python")
    plan = capturing.capture(lambda: exec(compile(program, "README.md", "exec"), {}))
    machines = {each.name: each.inputs["instanceType"] for each in plan.resources if "-machine-" in each.name}
    assert machines
    assert asyncio.run(made()) == machines


def test_the_table_of_commands_in_the_readme_is_what_the_help_says(capsys: pytest.CaptureFixture[str]) -> None:
    """UPDATE_GOLDEN=1 writes it."""
    assert cli.main(["--help"]) == 0
    said = re.findall(r"^  ([a-z]+)  +(.*)$", capsys.readouterr().out, re.MULTILINE)
    assert [name for name, _ in said] == list(cli.COMMANDS)
    table = "".join(f"| [`{name}`](docs/commands.md#{name}) | {text} |\n" for name, text in said)
    row = r"^(?:\| \[`[a-z]+`\]\(docs/commands\.md#.*\|\n)+"
    if os.environ.get("UPDATE_GOLDEN"):
        README.write_text(re.sub(row, lambda _: table, README.read_text(), flags=re.M))
    assert re.findall(row, README.read_text(), re.M) == [table]


def test_the_chinese_readme_has_a_row_for_each_command() -> None:
    rows = re.findall(r"^\| \[`([a-z]+)`\]\(docs/commands\.zh\.md#\1\) \| .+ \|$", README_ZH.read_text(), re.MULTILINE)
    assert rows == list(cli.COMMANDS)


@pytest.mark.parametrize("page", [COMMANDS, COMMANDS_ZH], ids=["en", "zh"])
def test_the_page_of_commands_has_a_section_for_each(page: Path) -> None:
    assert re.findall(r"^## `([a-z]+)`$", page.read_text(), re.MULTILINE) == list(cli.COMMANDS)


@pytest.mark.parametrize("command", ["plan", "render", "check", "offers", "bill", "compare", "explain"])
def test_the_output_that_the_page_of_commands_shows_is_the_commands_own(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # The first one of each: others count the days until today, or are of a stack with keys that the page names.
    shown = next(text for text in blocks(COMMANDS, "console") if text.startswith(f"$ pulumi-llm {command} "))
    first, *lines = shown.splitlines()
    arguments = first.removeprefix("$ pulumi-llm ").replace("--out rendered", f"--out {tmp_path}/rendered").split()
    monkeypatch.chdir(ROOT)
    cli.main(arguments)
    said = [line.rstrip().replace(f"{tmp_path}/", "") for line in capsys.readouterr().out.splitlines()]
    for line in lines:  # a line may be cut short by an ellipsis, and an ellipsis stands for any number of lines
        start, cut, _ = line.partition("…")
        assert any(each.startswith(start) if cut else each == line for each in said), f"not in the output: {line}"
