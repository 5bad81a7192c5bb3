"""From `pulumi-llm start` to the first token, against the node's own boot: its cloud switches it on, and no command.

One stack, `aliyun-t4`, whose weights lie on its data disk; its GPU host is shut down in order and comes back, turn
about. What stands in for what here, docs/boot-tests.md lists.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from bench._ratio import report
from pulumi_llm._simcloud import booting

if TYPE_CHECKING:
    from tests.boot.stack import BootedStack

GOAL = 1.15
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
STACK = "aliyun-t4"


def alone(path: Path) -> None:
    """The GPU host, and no other machine beside it."""
    document = yaml.safe_load(path.read_text())
    for part in ("proxy", "vectors"):
        document["config"]["pulumi-llm:platform"].pop(part, None)
    path.write_text(yaml.safe_dump(document))


def comes_back(stack: BootedStack, start: Callable[[], object]) -> float:
    """Seconds from a start to the first token that a client has, who asks all the time."""
    stack.machine("server").shut_down()
    begun = time.time()
    start()
    at = float(stack.client("first_token", **stack.access, model=stack.outputs["model"]))
    return at - begun


def by_command(stack: BootedStack) -> subprocess.Popen[bytes]:
    """`start`, beside the client that waits; it looks whether the machine runs, and ends."""
    argv = stack.sim.command("start", "-s", stack.sim.stack, "--yes")
    quiet = subprocess.DEVNULL
    return subprocess.Popen(
        argv, cwd=stack.sim.project, stdin=quiet, stdout=quiet, env={**os.environ, **stack.sim.environment}
    )


def main() -> None:
    support = booting.part("support")  # before what imports the harness by its name
    from tests.boot.stack import booted

    problems = support.problems()
    if problems:
        print(f"boot_start: NOT measured: {'; '.join(each.message for each in problems)}", flush=True)
        return
    with tempfile.TemporaryDirectory() as folder, booted(Path(folder), STACK, change=alone) as stack:
        own, commanded = list[float](), list[float]()
        for __ in range(ROUNDS):
            own.append(comes_back(stack, stack.machine("server").start))
            started = list[subprocess.Popen[bytes]]()
            commanded.append(comes_back(stack, lambda: started.append(by_command(stack))))  # noqa: B023 - at once
            assert started[0].wait(60) == 0, "`start` failed"
    print("own boot: " + ", ".join(f"{each:.1f} s" for each in own), flush=True)
    print("start:    " + ", ".join(f"{each:.1f} s" for each in commanded), flush=True)
    ratio = statistics.median(commanded) / statistics.median(own)
    report("`pulumi-llm start` to the first token / the node's own boot", ratio, GOAL)


if __name__ == "__main__":
    main()
