"""The engine itself reads the table of tests/yaml_rows.py as it stands there, and `plan` gives a program the same."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from pulumi_llm._plan.capture import capture_stack
from pulumi_llm._simcloud.engine import find_engine
from pulumi_llm._simcloud.invocation import prepare
from tests.yaml_rows import READ, REFUSED, repeated

pytestmark = pytest.mark.engine

PROGRAM = f"""\
import json
import pulumi

config = pulumi.Config()
pulumi.export("seen", json.dumps([config.get(f"k{{number}}") for number in range({len(READ)})]))
"""


class Asked:
    """A project of its own, and the engine with a state of its own."""

    def __init__(self, folder: Path) -> None:
        self.project = folder / "project"
        self.project.mkdir()
        (self.project / "Pulumi.yaml").write_text("name: p\nruntime: {name: python, options: {toolchain: pip}}\n")
        (self.project / "__main__.py").write_text(PROGRAM)
        self.engine = find_engine()
        self.environment = {**prepare(folder / "home", self.engine), "TZ": "UTC"}
        self.run("stack", "init", "dev")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(self.engine.pulumi), "--non-interactive", *arguments]
        return subprocess.run(
            command, cwd=self.project, env=self.environment, capture_output=True, text=True, check=False
        )

    def write(self, rows: list[str]) -> None:
        """A stack's file that holds ``rows`` under p:k0, p:k1 and so on."""
        salt = [each for each in self.file.read_text().splitlines() if each.startswith("encryptionsalt")]
        config = [f"  p:k{number}: {row}" for number, row in enumerate(rows)]
        self.file.write_text("\n".join([*salt[:1], "config:", *config]) + "\n")

    @property
    def file(self) -> Path:
        return self.project / "Pulumi.dev.yaml"


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Asked:
    return Asked(tmp_path_factory.mktemp("yaml"))


def test_the_engine_reads_every_row_as_the_table_says(asked: Asked) -> None:
    asked.write([row for row, _ in READ])
    done = asked.run("config", "--json", "--stack", "dev")
    found = json.loads(done.stdout[done.stdout.index("{") :])
    expected = {f"p:k{number}": text for number, (_, text) in enumerate(READ)}
    assert {key: each.get("value", "") for key, each in found.items()} == expected


def test_a_program_gets_the_same_from_the_engine_and_from_plan(asked: Asked) -> None:
    asked.write([row for row, _ in READ])
    planned = capture_stack(asked.project, "dev").outputs["seen"]
    done = asked.run("up", "--yes", "--skip-preview", "--stack", "dev")
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(asked.run("stack", "output", "--json", "--stack", "dev").stdout)["seen"]
    assert told == planned or told == json.loads(planned)


@pytest.mark.parametrize("row", [*REFUSED, repeated(9, 5)], ids=lambda row: str(row)[:20])
def test_the_engine_refuses_what_the_table_refuses(asked: Asked, row: str) -> None:
    asked.write([row])
    assert asked.run("config", "--json", "--stack", "dev").returncode != 0
