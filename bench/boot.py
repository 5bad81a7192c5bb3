"""Where the time goes while a shipped stack boots: the engine, and each stage on each machine.

No ratio and no goal: how long a boot takes is the machine's that it runs on. `boot_graph` says how well the stages run
side by side. What stands in for what here, docs/boot-tests.md lists.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pulumi_llm._simcloud import booting

if TYPE_CHECKING:
    from llm_boot.machine import Machine

STACK = "aliyun-t4"


@dataclass(frozen=True)
class Span:
    """A stage's first start and last end, in seconds after the machine was switched on."""

    stage: str
    start: float
    end: float


def spans(machine: Machine) -> Iterator[Span]:
    """What a booted machine says of its stages; to the second, as that is how they are noted."""
    switched_on = _switched_on(machine)
    for each in json.loads(machine.inside("cat", "/run/llm/status.json"))["stages"]:
        yield Span(each["stage"], _seconds(each["started"]) - switched_on, _seconds(each["updated"]) - switched_on)


def _switched_on(machine: Machine) -> float:
    # Machines here share this one's kernel, and with it the clock that never jumps.
    ago = time.monotonic() - int(machine.inside("systemctl", "show", "-P", "UserspaceTimestampMonotonic")) / 1e6
    return time.time() - ago


def _seconds(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()


def main() -> None:
    support = booting.part("support")  # before what imports the harness by its name
    from tests.boot.stack import booted

    problems = support.problems()
    if problems:
        print(f"boot: NOT measured: {'; '.join(each.message for each in problems)}", flush=True)
        return
    with tempfile.TemporaryDirectory() as folder:
        began = time.time()
        with booted(Path(folder), STACK) as stack:
            took = time.time() - began
            print(f"{STACK}: `up` took {took:.0f} s, from nothing to a completion", flush=True)
            for role in ("server", "proxy"):
                machine = stack.machine(role)
                print(f"{role}: switched on after {_switched_on(machine) - began:.0f} s; seconds from there:")
                for each in spans(machine):
                    print(f"  {each.stage:9} {each.start:5.0f} to {each.end:5.0f}", flush=True)


if __name__ == "__main__":
    main()
