"""A copy of this checkout to work in: what git tracks, with the edits that are not committed yet."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
AUTHOR = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org", "-c", "commit.gpgsign=false")


@dataclass(frozen=True)
class Checkout:
    """The copy, with its own git history of one commit."""

    path: Path
    written: set[str] = field(default_factory=set)
    """The files that a tool of the repository wrote, rather than a hand."""

    @staticmethod
    def made(path: Path) -> Checkout:
        tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
        for name in filter(None, tracked.split("\0")):
            if (ROOT / name).is_file():
                (path / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, path / name)
        copy = Checkout(path)
        copy._git("init", "-q")
        copy._git("add", "-A")
        copy._git(*AUTHOR, "commit", "-qm", "as it was")
        return copy

    def _git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.path, capture_output=True, check=True, text=True)
        return done.stdout

    def touched(self) -> list[str]:
        """The files that are new or differ, by git."""
        said = self._git("status", "--porcelain", "--untracked-files=all", "--no-renames")
        return sorted(line[3:].strip('"') for line in said.splitlines())

    def holding(self, folder: str, text: str) -> Path:
        """The one file under a folder that holds a text: an edit's place, wherever modules move."""
        top = self.path / folder
        files = sorted(each for each in top.rglob("*") if each.is_file()) if top.is_dir() else [top]
        found = [each for each in files if _holds(each, text)]
        assert len(found) == 1, f"{text!r} is in {len(found)} files of {folder}"
        return found[0]

    def after(self, folder: str, line: str, more: str) -> None:
        """Put lines after the first place of a text, in the one file of the folder that has it."""
        path = self.holding(folder, line)
        path.write_text(path.read_text(encoding="utf-8").replace(line, line + more, 1), encoding="utf-8")

    def before(self, folder: str, line: str, more: str) -> None:
        """Put lines before the first place of a text, in the one file of the folder that has it."""
        path = self.holding(folder, line)
        path.write_text(path.read_text(encoding="utf-8").replace(line, more + line, 1), encoding="utf-8")

    def rows_of(self, name: str, cloud: str) -> str:
        """The table of that name with a cloud's rows: of that cloud alone, or of all."""
        tables = [each.relative_to(self.path) for each in self.path.glob(f"components/pulumi_llm/**/{name}")]
        found = [each for each in tables if cloud in each.parts] or tables
        assert len(found) == 1, f"{name} of {cloud} is in {len(found)} files"
        return str(found[0])

    def row(self, path: str, source: Mapping[str, str], row: Mapping[str, Any]) -> None:
        """One more row of a table of the catalogue, with a source of its own."""
        file = self.path / path
        text = file.read_text(encoding="utf-8")
        name = row["source"]
        text = text.replace('  "sources": {\n', f'  "sources": {{\n    "{name}": {json.dumps(source)},\n', 1)
        head, mark, rest = text.partition('  "rows": [\n')
        assert mark, f"{path} has no rows"
        file.write_text(f"{head}{mark}    {json.dumps(row)},\n{rest}", encoding="utf-8")

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        paths = (self.path / "components", self.path / "templates/gateway")
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths)), "PYTHONWARNINGS": "ignore"}
        command = [sys.executable, *arguments]
        return subprocess.run(
            command, cwd=self.path, env=environment, capture_output=True, text=True, check=False, timeout=600
        )

    def python(self, code: str) -> str:
        """What a script prints that runs with the copy's modules."""
        done = self._run("-c", code)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def has(self, name: str) -> bool:
        """Whether there is such a file or folder."""
        return (self.path / name).exists()

    def tool(self, name: str, *options: str, given: str = "") -> None:
        """Run one of the repository's tools; ``given`` is a file that it reads, which is no part of the copy."""
        file = self.path.with_name("given.json")
        file.write_text(given, encoding="utf-8")
        before = set(self.touched())
        done = self._run(name, *options, *([str(file)] if given else ()))
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        self.written.update(set(self.touched()) - before)

    def command(self, *arguments: str, code: int = 0) -> str:
        """What the copy's `pulumi-llm` says, with this exit code."""
        done = self._run("-m", "pulumi_llm.cli", *arguments)
        assert done.returncode == code, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    def plan(self, shipped: str, **changes: str) -> Any:
        """The plan, as data, of a stack that is a shipped one but for single keys."""
        text = (self.path / f"stacks/Pulumi.{shipped}.yaml").read_text(encoding="utf-8")
        for key, value in changes.items():
            text, times = re.subn(rf"^( +){key}: .*$", rf"\g<1>{key}: {value}", text, count=1, flags=re.MULTILINE)
            assert times == 1, f"{shipped} has no {key}"
        file = self.path / "stacks/Pulumi.mine.yaml"
        file.write_text(text, encoding="utf-8")
        try:
            return json.loads(self.command("plan", "-s", "mine", "--json"))
        finally:
            file.unlink()  # the copy's own tests know the shipped stacks alone

    def tests(self, *chosen: str, only: str) -> None:
        """The copy's own tests of that corner pass (`pytest -k`), so nothing that has to be touched was left out."""
        options = ("-q", "-n0", "-x", "-p", "no:cacheprovider", "-m", "not engine and not artefact and not boot")
        done = self._run("-m", "pytest", *options, "-k", only, *chosen)
        assert done.returncode == 0, done.stdout[-6000:]


def _holds(path: Path, text: str) -> bool:
    try:
        return text in path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return False
