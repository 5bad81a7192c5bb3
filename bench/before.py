"""A plan and a comparison of one stack against the program of an older revision, side by side; and `--help`.

Each is a process of its own, from its start to its end, with the files of its own revision's stack. CPU is counted, not
the clock: that of the process and of those that it starts. The older revision comes out of git's history, where a clone
has it.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench._ratio import alternately, report, timed

ROOT = Path(__file__).parents[1]
REVISION = "78bcd70"
"""The last program before a plan's cost was looked into."""
STACK = "aliyun-t4"
GOAL = 0.5
RUNS = 7
HELP_SECONDS = 0.06


@dataclass(frozen=True)
class Program:
    """A revision's library, and a repository with one stack of it whose key's limit was changed since its commit."""

    library: Path
    project: Path

    def runs(self, *arguments: str) -> Callable[[], object]:
        """What runs the command line of this program."""
        command = [sys.executable, "-m", "pulumi_llm.cli", *arguments]
        environment = {**os.environ, "PYTHONPATH": str(self.library)}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        return lambda: subprocess.run(
            command, cwd=self.project, env=environment, check=True, capture_output=True, stdin=subprocess.DEVNULL
        )


def main() -> None:
    helped = min(timed(Program(ROOT / "components", ROOT).runs("--help")).cpu for _ in range(RUNS))
    report(f"--help / {HELP_SECONDS * 1000:g} ms of CPU", helped / HELP_SECONDS, 1.0, f"{helped * 1000:.0f} ms")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = old_source(REVISION)
        if source is None:
            print(
                f"plan and diff against {REVISION}: NOT measured: this clone's history does not go back that far "
                "(git fetch --unshallow)",
                flush=True,
            )
            return
        with tarfile.open(fileobj=io.BytesIO(source)) as files:
            files.extractall(folder / "source", filter="data")
        now = _program(ROOT, folder / "now")
        before = _program(folder / "source", folder / "before")
        for what, arguments in (("plan", ("plan",)), ("diff", ("diff", "--base", "main"))):
            tasks = [each.runs(*arguments, "-s", STACK) for each in (now, before)]
            for task in tasks:
                task()  # makes the bytecode, and what is kept of the SDKs' types
            ours, theirs = alternately(tasks[0], tasks[1], RUNS)
            note = f"{ours.cpu:.2f} s / {theirs.cpu:.2f} s CPU, start and end of the process included"
            report(f"{what} of {STACK} / the same at {REVISION}", ours.cpu / theirs.cpu, GOAL, note)


def old_source(revision: str, repository: Path = ROOT) -> bytes | None:
    """The revision's files as a tar archive; None where there is no git, no repository or no such commit."""
    try:
        done = subprocess.run(["git", "-C", str(repository), "archive", revision], capture_output=True, check=False)
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None


def _program(source: Path, project: Path) -> Program:
    (project / "stacks").mkdir(parents=True)
    for file in (*source.glob("stacks/*.py"), *source.glob("stacks/*.yaml"), source / "Pulumi.yaml"):
        (project / file.relative_to(source)).write_bytes(file.read_bytes())
    _git(project, "init", "--quiet", "--initial-branch=main")
    _git(project, "add", "--all")
    _git(project, "commit", "--quiet", "--message", "base")
    stack = project / "stacks" / f"Pulumi.{STACK}.yaml"
    stack.write_text(stack.read_text().replace("requests_per_minute: 60", "requests_per_minute: 90"))
    return Program(source / "components", project)


def _git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=bench", "-c", "user.email=bench@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True)


if __name__ == "__main__":
    main()
