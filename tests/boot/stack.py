"""A shipped stack, brought up with booted machines, and clients that call it from a namespace of their own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llm_boot.machine import Machine
from llm_boot.world import World
from tests.clients.installed import CLIENTS
from tests.clients.scenarios import Scenario
from tests.clients.session import filled, settings
from tests.engine.sim import Sim

CLIENT = "203.0.113.200"
"""In the range that the shipped stacks let in, and none of the addresses that machines get."""

PATIENCE = 1500
"""Seconds in which everything has to be ready; a wait ends as soon as it is."""


@contextlib.contextmanager
def booted(folder: Path, stack: str, change: Callable[[Path], None] | None = None) -> Iterator[BootedStack]:
    """A shipped stack, brought up as a user would. It is away afterwards, however its test ends, this process too.

    ``change``: what is done to its file before.
    """
    sim = Sim.of_stack(folder, stack)
    if change is not None:
        change(sim.project / f"stacks/Pulumi.{stack}.yaml")
    sim.environment["PULUMI_LLM_BOOT_OWNER"] = str(os.getpid())
    try:
        made = BootedStack(sim)
        made.up("--boot")
        yield made
    finally:
        world = World.find(sim.home / "world")
        if world is not None:
            world.destroy()


@dataclass
class BootedStack:
    """One stack with its machines."""

    sim: Sim
    outputs: dict[str, Any] = field(default_factory=dict)

    @property
    def world(self) -> World:
        """What its machines live in."""
        found = World.find(self.sim.home / "world")
        assert found is not None, "there is no world"
        return found

    def up(self, *options: str) -> None:
        """Carry out what its file says now; its outputs are read anew."""
        asked = (*options, "up", "-s", self.sim.stack, "--yes", "--skip-preview")
        done = self.sim.run(*asked, check=False, timeout=PATIENCE)
        if done.returncode:
            world = World.find(self.sim.home / "world")
            told = "\n".join(self.story(each) for each in world.machines()) if world else "no world was made"
            raise AssertionError(
                f"up ended with {done.returncode}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}\n{told}"
            )
        self.outputs = self.sim.outputs()

    def story(self, machine: Machine) -> str:
        """What a machine says of itself, for a failure's message."""
        asked = (
            "cat /run/llm/status.json; systemctl --failed --no-legend; journalctl -u 'llm-*' -n 60 -o cat --no-pager"
        )
        inside = machine.inside("sh", "-c", asked, check=False) if machine.is_running else "it is off"
        return f"--- {machine.spec.name}\n{inside[-6000:]}\n{machine.console(10)}"

    def machine(self, role: str) -> Machine:
        """The machine of a role (``server`` or ``proxy``)."""
        found = next(each for urn, each in self.sim.state().items() if f"::llm-{role}-machine-" in urn)
        machine = self.world.find_machine(found["id"])
        assert machine is not None
        return machine

    def first_said(self, role: str, unit: str, words: str) -> float:
        """When a unit of a role's machine first logged these words, in seconds of the machine's own clock."""
        log = self.machine(role).inside("journalctl", "-u", unit, "-o", "json", "--no-pager").splitlines()
        rows = [row for row in map(json.loads, log) if words in str(row["MESSAGE"])]
        assert rows, f"{unit} has not said {words!r}"
        return min(int(row["__MONOTONIC_TIMESTAMP"]) for row in rows) / 1e6

    def client(self, what: str, **arguments: Any) -> Any:
        """Do something as a client, from a namespace that is neither the machine's nor the world's."""
        place = self.world.place("client", CLIENT)
        program = [sys.executable, str(Path(__file__).with_name("clients.py")), what]
        command = ["ip", "netns", "exec", place, *program]
        done = subprocess.run(
            command, input=json.dumps(arguments), capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode == 0, f"{what} failed:\n{done.stderr[-3000:]}"
        return json.loads(done.stdout)

    def program(self, scenario: Scenario, folder: Path, key: str, *, hang_up_after: str = "") -> str:
        """What one of people's own clients prints, run where `client` is; how it ends is its own.

        ``hang_up_after``: interrupt it, as Ctrl-C does, once its output holds this.
        """
        start = CLIENTS[scenario.client].argv()
        assert start is not None
        home, work, ca = folder / "home", folder / "work", folder / "ca.pem"
        home.mkdir()
        work.mkdir()
        ca.write_text(self.outputs["certificate_authority"])
        url = self.outputs["endpoint"].removesuffix("/v1")
        places = {"URL": url, "CA": ca, "KEY": key, "HOME": home, "WORK": work}
        for name, text in scenario.files.items():
            path = Path(filled(name, **places))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(filled(text, **places))
        environment = settings(url, ca, key, home) | {"MODEL": self.outputs["model"]}
        environment |= {name: filled(value, **places) for name, value in scenario.environment.items()}
        argv = ["ip", "netns", "exec", self.world.place("client", CLIENT), *start]
        process = subprocess.Popen(
            [*argv, *(filled(each, **places) for each in scenario.arguments)], cwd=work, env=environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        assert process.stdout is not None
        timer = threading.Timer(PATIENCE / 10, os.killpg, (process.pid, signal.SIGKILL))
        timer.start()
        said = ""
        try:
            while piece := os.read(process.stdout.fileno(), 65536):
                said += piece.decode(errors="replace")
                if hang_up_after and hang_up_after in said:
                    os.killpg(process.pid, signal.SIGINT)
                    hang_up_after = ""
            process.wait()
        finally:
            timer.cancel()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said)

    def command(self, *argv: str) -> str:
        """What `pulumi-llm` prints, called where the machines can be reached from. It has to end well."""
        place = self.world.place("client", CLIENT)
        command = ["ip", "netns", "exec", place, sys.executable, "-m", "pulumi_llm.cli", *argv]
        environment = {**os.environ, "PULUMI_LLM_SIM_HOME": str(self.sim.home), "XDG_STATE_HOME": str(self.sim.home)}
        done = subprocess.run(
            command, cwd=self.sim.project, env=environment, capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode == 0, f"{argv} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    @property
    def access(self) -> dict[str, str]:
        """What a client of the GPU host's gateway has to know."""
        return {
            "ca": self.outputs["certificate_authority"],
            "endpoint": self.outputs["endpoint"],
            "key": self.outputs["api_keys"]["default"],
        }

    @property
    def vectors_access(self) -> dict[str, str]:
        """What a client of its vector store has to know."""
        return {
            "ca": self.outputs["vectors_certificate_authority"],
            "key": self.outputs["vectors_key"],
            "endpoint": self.outputs["vectors_endpoint"],
            "grpc": self.outputs["vectors_grpc"],
        }
