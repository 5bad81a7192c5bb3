"""The CPU of `plan -s aws-t4` where six more clouds are installed than it uses, against the same without them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench._installed import ROOT, SIX, environment
from bench._ratio import alternately, report

STACK, RUNS = "aws-t4", 15


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        every = _plan(environment(Path(folder) / "every"))
        fewer = _plan(environment(Path(folder) / "fewer", SIX))
        every(), fewer()  # what is compiled is compiled now
        of_every, of_fewer = alternately(every, fewer, RUNS)
    report(
        f"CPU of `plan -s {STACK}` with {len(SIX)} more clouds installed / without",
        of_every.cpu / of_fewer.cpu,
        1.03,
        f"{of_every.cpu:.3f} s / {of_fewer.cpu:.3f} s CPU, medians of {RUNS}",
    )


def _plan(variables: dict[str, str]) -> Callable[[], object]:
    command = [sys.executable, "-S", "-m", "pulumi_llm.cli", "plan", "-s", STACK, "--json", "--project", str(ROOT)]
    return lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=variables, cwd="/")
