"""A rehearsal with the official plugins against `sim` of the same stack, as commands that a user types, turn about.

`pulumi-llm rehearse -s STACK` does all of it: `up`, a second preview, `destroy`. `pulumi-llm sim up -s STACK` is in a
folder of its own, so it makes the stack too, as a rehearsal does. Without plugins it says so.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from bench._ratio import alternately, report
from pulumi_llm import clouds
from pulumi_llm._rehearsal import plugins
from pulumi_llm.errors import Refusal

ROOT = Path(__file__).parents[1]
STACKS = {"tencent-t4": "tencentcloud", "aliyun-a100": "alicloud", "aws-t4": "aws"}
"""A stack of each cloud that can be rehearsed, and its package."""
RUNS = 3


def pulumi_llm(*arguments: str) -> None:
    """Run a command. Raises ``SystemExit`` with what it said where it does not succeed."""
    command = [sys.executable, "-m", "pulumi_llm.cli", *arguments]
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)}: {done.stdout[-1000:]}{done.stderr[-1000:]}")


def sim_up(stack: str) -> None:
    with tempfile.TemporaryDirectory() as home:
        pulumi_llm("sim", "--home", home, "up", "--yes", "-s", stack)


def main() -> None:
    others = [each.package for each in clouds.folders().values()]
    for stack, package in STACKS.items():
        try:
            plugins.find(package)
        except Refusal as refusal:
            print(f"{stack}: not measured: {refusal.findings[0].message}", flush=True)
            continue
        simulated = [word for each in others if each != package for word in ("--sim", each)]
        whole, quick = alternately(
            lambda stack=stack, simulated=simulated: pulumi_llm("rehearse", "-s", stack, *simulated),  # type: ignore[misc]
            lambda stack=stack: sim_up(stack),  # type: ignore[misc]
            RUNS,
        )
        note = f"{whole.wall:.1f} s / {quick.wall:.1f} s"
        report(f"{stack}: `rehearse` (up, preview, destroy) / `sim up`, wall", whole.wall / quick.wall, 2, note)
        note = f"{whole.cpu:.1f} s / {quick.cpu:.1f} s"
        report(f"{stack}: `rehearse` (up, preview, destroy) / `sim up`, CPU", whole.cpu / quick.cpu, 2, note)
