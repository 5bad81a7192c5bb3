"""A world: the namespace outside, the edge that answers in it, and the machines. It lies in one folder, outlives the
process that made it, and is taken away whole, also after a crash."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llm_boot import cgroups, compute, disks, faults, network
from llm_boot.compute import Row
from llm_boot.edge import table
from llm_boot.faults import Fault
from llm_boot.machine import Machine, MachineSpec
from llm_boot.support import require, run

HARNESS = Path(__file__).parents[1]
REGISTER = Path("/run/pulumi-llm-boot")
"""One file a world: its folder, and the process that it belongs to."""


class World:
    """Opened by `make` or `find`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        entry = json.loads((folder / "world.json").read_text(encoding="utf-8"))
        self.name: str = entry["name"]
        self.parts = Path(entry["parts"])

    @classmethod
    def make(cls, folder: Path, *, owner: int | None = None, system: str = "") -> World:
        """A world in a new or empty folder. With an ``owner`` (a process id) `reap` takes it away once that is gone.

        ``system``: its machines are of this one, which `tools/fetch systems` made.

        Raises:
            Refusal: machines cannot be booted here (codes ``boot.…``).
            OSError: one of the system's programs failed.
        """
        parts = require() / "systems" / system if system else require()
        reap()
        name = f"llmb-{secrets.token_hex(3)}"
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o711)  # user data and keys lie below
        (folder / "machines").mkdir(exist_ok=True)
        entry = {"name": name, "parts": str(parts)}
        mark = {"folder": str(folder), "owner": owner, "since": _since(owner) if owner else None}
        with _register():
            (REGISTER / f"{name}.json").write_text(json.dumps(mark))
        (folder / "world.json").write_text(json.dumps(entry), encoding="utf-8")
        world = cls(folder)
        try:
            network.make_world(name, [world.gateway, table()["resolver"], *table()["metadata_addresses"]])
            world._start_edge()
        except BaseException:
            world.destroy()
            raise
        return world

    @classmethod
    def find(cls, folder: Path) -> World | None:
        """The world in a folder, if there is one."""
        return cls(folder) if (folder / "world.json").exists() else None

    @property
    def is_alive(self) -> bool:
        """Whether its network is there: it does not outlive a restart of this machine."""
        return (network.NAMESPACES / self.name).exists()

    @property
    def gateway(self) -> str:
        """The address that every machine sends through."""
        return str(table()["address"])

    def destroy(self) -> None:
        """Take everything away: machines, namespaces, loop devices, mounts, files."""
        dismantle(self.name, self.folder)

    # -- machines, disks, and places to call from

    def machine(self, spec: MachineSpec) -> Machine:
        """Make a machine; it is not switched on yet."""
        folder = self.folder / "machines" / spec.name
        with self._lock():
            counter = self.folder / "counter"
            number = int(counter.read_text()) + 1 if counter.exists() else 1
            counter.write_text(str(number))
            Machine.lay_down(folder, spec, number)
        made = self._open(folder)
        made.prepare()
        return made

    def find_machine(self, name: str) -> Machine | None:
        """A machine by its name."""
        folder = self.folder / "machines" / name
        return self._open(folder) if (folder / "number").exists() else None

    def machines(self) -> list[Machine]:
        """All machines."""
        return [self._open(each.parent) for each in sorted((self.folder / "machines").glob("*/number"))]

    def disk(self, name: str, gib: float) -> Path:
        """A data disk, made if it is not there; it outlives the machine that it is plugged into."""
        file = self.folder / "disks" / f"{name}.img"
        if not file.exists():
            disks.make(file, gib)
        return file

    def place(self, name: str, address: str) -> str:
        """A namespace from which somebody at that address calls; its name."""
        namespace = f"{self.name}-{name}"
        if not (network.NAMESPACES / namespace).exists():
            wire = f"p-{name}"[:15]
            network.make_place(self.name, namespace, wire, self.gateway)
            network.give_address(self.name, namespace, wire, self.gateway, address)
        return namespace

    # -- the edge

    def break_with(self, *rules: Fault) -> None:
        """Let these things go wrong at the edge, in the place of those that did."""
        faults.write(self.folder / "faults.json", list(rules))

    def requests(self, **match: Any) -> list[dict[str, Any]]:
        """What the edge was asked, oldest first; ``match`` restricts it to those with these values."""
        return _lines(self.folder / "requests.jsonl", match)

    def forget_requests(self) -> None:
        """Let `requests` begin anew."""
        with contextlib.suppress(FileNotFoundError):
            os.truncate(self.folder / "requests.jsonl", 0)

    # -- the clouds that it stands for

    def tell(self, machine: Machine, row: Row) -> None:
        """Let a cloud know this of a machine from now on. It has to have its address."""
        with compute.changing(self.folder):
            compute.write(self.folder, {**compute.read(self.folder), machine.address: row})

    def orders(self, **match: Any) -> list[dict[str, Any]]:
        """What the clouds' APIs were asked by machines, oldest first."""
        return _lines(self.folder / "orders.jsonl", match)

    def _start_edge(self) -> None:
        ready = self.folder / "ready"
        ready.unlink(missing_ok=True)
        entering = "; ".join(f"echo $$ > '{each}'" for each in cgroups.make(f"{self.name}/edge"))
        # The network alone: the edge switches machines, which it finds by their control groups under /sys.
        line = f'{entering}; exec nsenter --net={network.NAMESPACES / self.name} -- "$@"'
        with (self.folder / "edge.log").open("ab") as log:
            started = subprocess.Popen(
                [
                    "sh",
                    "-c",
                    line,
                    "sh",
                    sys.executable,
                    "-P",
                    "-m",
                    "llm_boot.edge",
                    str(self.folder),
                    str(self.parts),
                ],
                # The harness is in a folder of its own, which no other process has on its path.
                env={**os.environ, "PYTHONPATH": os.pathsep.join([str(HARNESS), os.environ.get("PYTHONPATH", "")])},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + 60
        while not ready.exists():
            if started.poll() is not None or time.monotonic() > deadline:
                raise OSError(f"the edge does not start: {(self.folder / 'edge.log').read_text()[-2000:]}")
            time.sleep(0.05)

    def _open(self, folder: Path) -> Machine:
        return Machine(folder, self.name, self.gateway, str(table()["resolver"]), self.parts)

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _lines(file: Path, match: dict[str, Any]) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []
    return [row for row in rows if all(row.get(key) == value for key, value in match.items())]


def dismantle(name: str, folder: Path) -> None:
    """Take a world away by its name, whatever of it is there."""
    cgroups.kill(name)
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
    for each in sorted((each for each in mounts if each.startswith(f"{folder}/")), reverse=True):
        run("umount", "--lazy", each, check=False)
    for line in run("losetup", "--noheadings", "--list", "--output", "NAME,BACK-FILE", check=False).splitlines():
        device, _, file = line.strip().partition(" ")
        if file.strip().startswith(f"{folder}/"):
            run("losetup", "--detach", device, check=False)
    for namespace in sorted(network.NAMESPACES.glob(f"{name}*")):
        network.remove(namespace.name)
    cgroups.remove(name)
    shutil.rmtree(folder, ignore_errors=True)
    (REGISTER / f"{name}.json").unlink(missing_ok=True)


def reap() -> list[str]:
    """Take away the worlds whose owner is gone; their names. Those of others, and those without one, stay."""
    found = []
    with _register():
        for file in sorted(REGISTER.glob("*.json")):
            try:
                entry = json.loads(file.read_text())
            except FileNotFoundError:
                continue  # its owner has just taken it away
            if entry["owner"] is not None and _since(entry["owner"]) != entry["since"]:
                dismantle(file.stem, Path(entry["folder"]))
                found.append(file.stem)
    return found


@contextlib.contextmanager
def _register() -> Iterator[None]:
    """The register for one alone: two runs that start at once do not take away the same world."""
    REGISTER.mkdir(exist_ok=True)
    with (REGISTER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _since(process: int) -> str | None:
    """When a process started, in the kernel's ticks; None if there is no such process."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    return None


def describe(world: World) -> str:
    """How to reach the machines, for people."""
    lines = [f"{each.spec.name}: {each.address or 'no public address'}" for each in world.machines()]
    return "\n".join([*lines, f"call them from the world's namespace: ip netns exec {world.name} curl …"])
