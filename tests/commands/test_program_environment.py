"""A program that is planned, the present one or that of a revision, finds no credentials of the caller."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pulumi_llm._commands import bill, diff, plan, render
from pulumi_llm._plan import environment

CREDENTIALS = {
    "AWS_SECRET_ACCESS_KEY": "of-the-caller-1",
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "of-the-caller-2",
    "TENCENTCLOUD_SECRET_KEY": "of-the-caller-3",
    "PULUMI_ACCESS_TOKEN": "of-the-caller-4",
    "GITHUB_TOKEN": "of-the-caller-5",
    "SOME_OTHER_THING": "of-the-caller-6",
}
PROGRAM = """\
import json, os, pathlib
home = [each.name for each in pathlib.Path.home().iterdir()]
with open({seen!r}, "a") as file:
    file.write(json.dumps({{"variables": dict(os.environ), "home": home}}) + "\\n")
"""
COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "plan": lambda where: plan.COMMAND.run(["-s", "dev", *where]),
    "render": lambda where: render.COMMAND.run(["-s", "dev", "--out", "out", *where]),
    "bill": lambda where: bill.COMMAND.run(["-s", "dev", "--against", "HEAD", *where]),
    "diff": lambda where: diff.COMMAND.run(["-s", "dev", "--base", "HEAD", *where]),
    "diff-of-another-python": lambda where: diff.COMMAND.run(
        ["-s", "dev", "--base", "HEAD", "--base-python", sys.executable, *where]
    ),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_program_sees_no_credentials_of_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    project, seen, home = tmp_path / "project", tmp_path / "seen", tmp_path / "home"
    project.mkdir()
    (home / ".aws").mkdir(parents=True)
    (project / "Pulumi.yaml").write_text("name: p\nruntime: python\n")
    (project / "Pulumi.dev.yaml").write_text("config: {}\n")
    (project / "__main__.py").write_text(PROGRAM.format(seen=str(seen)))
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *arguments], cwd=project, check=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(home))
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)

    assert COMMANDS[command](["--project", str(project)]) == 0

    assert dict(os.environ) == before
    runs = [json.loads(line) for line in seen.read_text().splitlines()]
    assert len(runs) >= (1 if command in ("plan", "render") else 2)
    for each in runs:
        assert "of-the-caller" not in json.dumps(each)
        assert each["home"] == []
        added = {"HOME", "USERPROFILE", "PULUMI_LLM_CACHE_DIR", "PYTHONUSERBASE", "LC_CTYPE"}
        assert set(each["variables"]) <= environment.KEPT | added


def test_what_the_program_sets_is_gone_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEPT_BY_THE_CALLER", "yes")
    with environment.bare():
        os.environ["LEFT_BY_A_PROGRAM"] = "yes"
        assert "KEPT_BY_THE_CALLER" not in os.environ
    assert os.environ["KEPT_BY_THE_CALLER"] == "yes"
    assert "LEFT_BY_A_PROGRAM" not in os.environ
