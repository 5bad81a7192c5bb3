"""One control group for each machine, in every hierarchy: what runs in a machine is found there, and ended there."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path


def hierarchies() -> list[Path]:
    """Where control groups are mounted: one place with version 2, one a controller with version 1."""
    rows = [line.split() for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
    return [Path(row[1]) for row in rows if row[2] in ("cgroup", "cgroup2") and row[1].startswith("/sys/fs/cgroup")]


def make(name: str) -> list[Path]:
    """The group called ``name`` (a relative path) in every hierarchy; the files through which a process enters it."""
    files = []
    for root in hierarchies():
        (root / name).mkdir(parents=True, exist_ok=True)
        for place in (root / name.partition("/")[0], root / name):
            for each in ("cpuset.cpus", "cpuset.mems"):  # version 1 lets nobody into a group without
                if (place / each).exists() and not (place / each).read_text().strip():
                    (place / each).write_text((root / each).read_text())
        files.append(root / name / "cgroup.procs")
    return files


def processes(name: str) -> set[int]:
    """All processes in a group and the groups below it."""
    found: set[int] = set()
    for root in hierarchies():
        for file in _files(root / name):
            try:
                found |= {int(line) for line in file.read_text().split()}
            except OSError:
                continue  # it went away in the meantime
    return found


def kill(name: str, patience: float = 20.0) -> None:
    """End everything in a group at once.

    Raises:
        OSError: something is still there after ``patience`` seconds.
    """
    deadline = time.monotonic() + patience
    while left := processes(name) - {os.getpid()}:
        if time.monotonic() > deadline:
            raise OSError(f"processes of {name} do not end: {sorted(left)}")
        for each in left:
            try:
                os.kill(each, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.05)


def remove(name: str) -> None:
    """Take a group and those below it away, in every hierarchy. Nothing may run in them any more."""
    for root in hierarchies():
        for folder, _, _ in os.walk(root / name, topdown=False):
            try:
                Path(folder).rmdir()
            except OSError:
                time.sleep(0.1)  # the kernel may still be at it
                Path(folder).rmdir()


def _files(folder: Path) -> Iterator[Path]:
    for place, _, _ in os.walk(folder):
        yield Path(place) / "cgroup.procs"
