"""Reads what the engine keeps in a local state folder: which stacks, whose locks, what a killed run left."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

from pulumi_llm._dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lock:
    """A running operation's mark on a stack: who holds it, and since when (the engine's own time stamp)."""

    path: Path
    pid: int
    host: str
    since: str

    @property
    def is_stale(self) -> bool:
        """Whether the process that made the lock ran on this machine and is gone."""
        return self.host == socket.gethostname() and not _is_engine(self.pid)


def has_stack(state: Path, project: str, stack: str) -> bool:
    """Whether the state folder knows the stack."""
    return _checkpoint(state, project, stack) is not None


def locks(state: Path, project: str, stack: str) -> list[Lock]:
    """Every lock on the stack; one that cannot be read is left out, as the engine will speak of it."""
    found: list[Lock] = []
    for path in sorted((state / ".pulumi" / "locks" / "organization" / project / stack).glob("*.json")):
        try:
            entry = json.loads(path.read_text(encoding="utf-8"))
            found.append(Lock(path, int(entry["pid"]), str(entry["hostname"]), str(entry.get("timestamp", ""))))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found


def pending_operations(state: Path, project: str, stack: str) -> list[tuple[str, str]]:
    """What was under way when the engine was killed: (kind such as ``creating``, URN) for each."""
    path = _checkpoint(state, project, stack)
    if path is None or path.suffix != ".json":
        return []
    try:
        latest = json.loads(path.read_text(encoding="utf-8"))["checkpoint"]["latest"] or {}
        pending = latest.get("pending_operations") or []
        return [(str(each["type"]), str(each["resource"]["urn"])) for each in pending]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def _checkpoint(state: Path, project: str, stack: str) -> Path | None:
    folder = state / ".pulumi" / "stacks" / project
    places = (folder / f"{stack}.json{compression}" for compression in ("", ".gz", ".zst"))
    return next((place for place in places if place.is_file()), None)


def _is_engine(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    process = Path(f"/proc/{pid}")
    try:
        if process.joinpath("stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z":
            return False  # killed, and only not yet taken note of by its parent
        # The number may have been given to another program since.
        command = process.joinpath("cmdline").read_bytes()
        return b"pulumi" in command or not command
    except (OSError, IndexError):
        return True
