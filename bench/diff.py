"""How long `pulumi-llm diff` takes: one stack and all of them, each in a process of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bench._ratio import report, timed

ROOT = Path(__file__).parents[1]
GOAL = 5.0
"""Seconds for one stack, warm."""
GOAL_OF_ALL = 15.0
"""Seconds for all six stacks."""
STEPS = ("aws-fleet", "aws-nodes", "aws-replicas")
"""Stacks beyond one machine, which the goal is not about."""
RUNS = 3


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        project = Path(name) / "project"
        shutil.copytree(ROOT / "stacks", project / "stacks", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "Pulumi.yaml", project)
        _git(project, "init", "--quiet", "--initial-branch=main")
        _git(project, "add", "--all")
        _git(project, "commit", "--quiet", "--message", "base")
        for step in STEPS:
            (project / "stacks" / f"Pulumi.{step}.yaml").unlink()
        for file in (project / "stacks").glob("Pulumi.*.yaml"):
            file.write_text(file.read_text().replace("requests_per_minute: 60", "requests_per_minute: 90"))
        _diff(project, "-s", "aliyun-t4")
        one = min(timed(lambda: _diff(project, "-s", "aliyun-t4")).wall for _ in range(RUNS))
        report(f"diff of one stack / {GOAL:g} s", one / GOAL, 1.0, f"{one:.2f} s wall, start and both revisions, warm")
        every = min(timed(lambda: _diff(project)).wall for _ in range(RUNS))
        report(f"diff of all six stacks / {GOAL_OF_ALL:g} s", every / GOAL_OF_ALL, 1.0, f"{every:.2f} s wall")


def _diff(project: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "pulumi_llm.cli", "diff", "--base", "main", "--project", str(project), *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=bench", "-c", "user.email=bench@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True)


if __name__ == "__main__":
    main()
