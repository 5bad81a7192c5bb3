"""How well the boot graph runs in parallel: stages of given lengths, against the longest chain of the graph.

systemd is what runs the graph on a node, so a machine is booted for it, from a node's own user data. Where that cannot
be done (docs/boot-tests.md), the graph's own figures are printed, and that nothing was measured.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench._ratio import report
from pulumi_llm._bootstrap.user_data import stage_units
from pulumi_llm._simcloud import booting
from pulumi_llm.roles import order, registry
from pulumi_llm.roles.manifest import Stage

GOAL = 1.1
ROUNDS = 3
SECONDS: Mapping[str, float] = {
    "disk": 1, "base": 3, "weights": 12, "driver": 5, "python": 8, "services": 4, "images": 3, "gateway": 2,
    "environments": 2,
}  # fmt: skip
"""A length for each stage, in seconds; in about the proportion that they have on a real boot."""

Run = Callable[[str], str]
"""Runs a shell command as root on the machine, and returns what it printed. Raises where it fails."""


def longest_chain(stages: Sequence[Stage], seconds: Mapping[str, float]) -> tuple[float, tuple[str, ...]]:
    """The chain of stages that takes longest when each begins as soon as it can: seconds, and names."""
    best: dict[str, tuple[float, tuple[str, ...]]] = {}
    for each in stages:  # in an order that respects what each needs
        before = max((best[name] for name in each.after), default=(0.0, ()))
        best[each.name] = (before[0] + seconds[each.name], (*before[1], each.name))
    return max(best.values())


def one_after_the_other(stages: Sequence[Stage], seconds: Mapping[str, float]) -> float:
    """What all stages would take in a row, in seconds."""
    return sum(seconds[each.name] for each in stages)


def units(request: Any, seconds: Mapping[str, float]) -> dict[str, str]:
    """A node's own stage units (absolute path to content), each with a sleep in place of its work."""
    replaced = {}
    for path, unit in stage_units(request).items():
        name = Path(path).stem.removeprefix("llm-")
        work = f"ExecStart=/opt/llm/bin/llm-node run {name}"
        assert work in unit
        replaced[path] = unit.replace(work, f"ExecStart=/bin/sleep {seconds[name]}")
    return replaced


def measure(run: Run, names: list[str]) -> float:
    """Start the stages' units on a machine that has them, and return the seconds until all are done.

    ``run`` runs on that machine; the units (see `units`) are in place there, and systemd has read them.
    """
    wanted = " ".join(f"llm-{name}.service" for name in names)
    run(f"systemctl stop {wanted}")
    since = time.monotonic()
    run(f"systemctl start {wanted}")  # returns when the last of them, all oneshot, has ended
    took = time.monotonic() - since
    for name in names:
        state = run(f"systemctl show --value --property=ActiveState llm-{name}.service").strip()
        assert state == "active", f"{name} is {state}"
    return took


def compare(run: Run, request: Any, seconds: Mapping[str, float] = SECONDS) -> float:
    """Install a node's graph with stages of these lengths on a machine, run it, report, and return the ratio."""
    wanted = order.stages(request)
    for path, unit in units(request, seconds).items():
        run(f"cat > {path} <<'END_OF_UNIT'\n{unit}\nEND_OF_UNIT")
    run("systemctl daemon-reload")
    took = measure(run, [each.name for each in wanted])
    chain, names = longest_chain(wanted, seconds)
    ratio = took / chain
    report(
        "boot to ready / longest chain of the graph", ratio, GOAL, f"{took:.2f} s / {chain:g} s: {' > '.join(names)}"
    )
    return ratio


def main() -> None:
    support = booting.part("support")

    stages = sorted(
        (each for role in registry.built_in().values() for each in role.manifest.stages), key=lambda each: each.order
    )
    chain, names = longest_chain(stages, SECONDS)
    row = one_after_the_other(stages, SECONDS)
    print(f"the graph's longest chain: {chain:g} s ({' > '.join(names)}); one after the other: {row:g} s", flush=True)
    problems = support.problems()
    if problems:
        print(f"boot_graph: NOT measured: {'; '.join(each.message for each in problems)}", flush=True)
        return
    with booted() as (run, request):
        for _ in range(ROUNDS):
            compare(run, request)


@contextmanager
def booted() -> Iterator[tuple[Run, Any]]:
    """A machine that booted a GPU host's own user data, and what that was rendered from; it goes with the block."""
    from tests.bootstrap.samples import gpu_node

    from pulumi_llm import _bootstrap as bootstrap

    spec_of, worlds = booting.part("machine").MachineSpec, booting.part("world").World

    request = gpu_node(data_disk_gib=0)
    with tempfile.TemporaryDirectory() as folder:
        world = worlds.make(Path(folder) / "world", owner=os.getpid())
        try:
            text = bootstrap.user_data(request)
            machine = world.machine(spec_of(name="bench", user_data=text, login_user="ubuntu", public_key=""))
            machine.start()
            run = shell(["nsenter", "--target", str(machine.leader), "--all", "--"])
            machine.until(lambda: "done" in run("cloud-init status || true"), "the end of cloud-init", 120)
            yield run, request
        finally:
            world.destroy()


def shell(machine: list[str]) -> Run:
    """A `Run` by a command prefix, such as ``["ssh", "root@machine"]`` or ``["nsenter", "-t", PID, "-a"]``."""

    def run(command: str) -> str:
        done = subprocess.run([*machine, "sh", "-c", command], capture_output=True, text=True, check=True)
        return done.stdout

    return run


if __name__ == "__main__":
    main()
