"""Run `pulumi-llm sim` on a copy of the project, and read what it did."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from pulumi_llm._simcloud import localstate
from tests.a_day import LINES

ROOT = Path(__file__).parents[2]


@dataclass
class Sim:
    """A project of its own with a simulated account of its own."""

    project: Path
    home: Path
    stack: str
    faults: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of_stack(cls, folder: Path, stack: str) -> Sim:
        """A copy of the shipped project, so that a test may edit the stack's file. Its day is that of the tests."""
        project = folder / "project"
        shutil.copytree(ROOT / "stacks", project / "stacks")
        program = project / "stacks/__main__.py"
        program.write_text(LINES + program.read_text())
        shutil.copy(ROOT / "Pulumi.yaml", project)
        return cls(project, folder / "home", stack)

    def command(self, *arguments: str) -> list[str]:
        faults = [part for fault in self.faults for part in ("--fault", fault)]
        own = ["--home", str(self.home), "--project", str(self.project), *faults]
        return [sys.executable, "-m", "pulumi_llm.cli", "sim", *own, *arguments]

    def run(self, *arguments: str, check: bool = True, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.project,
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check:
            assert done.returncode == 0, f"{arguments} ended with {done.returncode}\n{said(done)}"
        return done

    def up(self, *arguments: str) -> dict[str, int]:
        """`up` without a preview before it. Gives how many resources each kind of change touched."""
        done = self.run("up", "-s", self.stack, "--yes", "--skip-preview", "--json", *arguments)
        return _summary(done.stdout)

    def preview(self) -> Preview:
        done = self.run("preview", "-s", self.stack, "--json")
        return Preview(_document(done.stdout))

    def destroy(self) -> None:
        self.run("destroy", "-s", self.stack, "--yes", "--skip-preview")

    def outputs(self) -> dict[str, Any]:
        return dict(json.loads(self.run("stack", "output", "-s", self.stack, "--json", "--show-secrets").stdout))

    def state(self) -> dict[str, dict[str, Any]]:
        """The stack's resources by URN, secrets still encrypted."""
        exported = json.loads(self.run("stack", "export", "-s", self.stack).stdout)
        resources = exported["deployment"].get("resources") or []
        return {each["urn"]: each for each in resources}

    def wait_until_only(self, part: str, seconds: float = 240) -> None:
        """Wait until a running `up` has nothing left to make but resources whose type holds ``part``.

        Everything else must be made by then, or it would be cut off too when the engine is killed: that is so when the
        engine has written nothing for some seconds while only those are pending. A slow-create fault keeps them there.
        """
        project = yaml.safe_load((self.project / "Pulumi.yaml").read_text())["name"]
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pending = localstate.pending_operations(self.home / "state", project, self.stack)
            kinds = {urn.split("::")[2].rsplit("$", 1)[-1] for _, urn in pending}
            if kinds and all(part in kind for kind in kinds) and self._quiet_for() > 5:
                return
            time.sleep(0.2)
        raise AssertionError(f"the engine did not come to wait for {part} alone")

    def _quiet_for(self) -> float:
        written = [path.stat().st_mtime for path in (self.home / "state" / ".pulumi" / "stacks").rglob("*.json")]
        return time.time() - max(written, default=time.time())

    def edit(self, path: str, value: Any) -> None:
        """Set one value of the stack's platform or fleet, such as ``server.context_length``."""
        file = self.project / "stacks" / f"Pulumi.{self.stack}.yaml"
        content = yaml.safe_load(file.read_text())
        *steps, last = path.split(".")
        here = content["config"].get("pulumi-llm:fleet") or content["config"]["pulumi-llm:platform"]
        for step in steps:
            here = here.setdefault(step, {})
        here[last] = value
        file.write_text(yaml.safe_dump(content))


def said(done: subprocess.CompletedProcess[str]) -> str:
    """What the engine told people, without its stream of events."""
    lines = []
    for line in done.stdout.splitlines():
        event = json.loads(line).get("diagnosticEvent") if line.startswith('{"sequence"') else {"message": line}
        if event and event.get("severity") not in ("debug", "info#err"):
            lines.append(event["message"].rstrip())
    return "\n".join([*lines, done.stderr])


@dataclass
class Preview:
    """What `preview --json` says."""

    digest: dict[str, Any]

    @property
    def changes(self) -> dict[str, str]:
        """The operation on each resource that changes, by its name."""
        steps = self.digest.get("steps") or []
        return {each["urn"].rsplit("::", 1)[-1]: each["op"] for each in steps if each["op"] != "same"}

    @property
    def summary(self) -> dict[str, int]:
        return {key: count for key, count in self.digest.get("changeSummary", {}).items() if key != "same"}


def _document(text: str) -> dict[str, Any]:
    return dict(json.JSONDecoder().raw_decode(text[text.index("{") :])[0])


def _summary(text: str) -> dict[str, int]:
    for line in text.splitlines():
        if line.startswith("{") and "summaryEvent" in line:
            changes = json.loads(line)["summaryEvent"]["resourceChanges"]
            return {key: count for key, count in changes.items() if key != "same"}
    raise AssertionError(f"the engine gave no summary:\n{text[-3000:]}")
