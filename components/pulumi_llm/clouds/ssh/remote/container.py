"""A container that somebody rents out: what takes systemd's place there, and what is opened so that services get in."""

from __future__ import annotations

import json
import os
import stat
import time
from pathlib import Path
from typing import Any

from pulumi_llm.clouds.ssh.remote.machine import BOX, kept, must, read, run, write

MARK = ".pulumi-llm.json"
"""In the folder that survives: whose it is, for a container that was made anew."""
SOCKET = "/run/llm-supervisor.sock"
PATIENCE = 150
"""Seconds that services have to end, which is more than any of them is given."""
STAND_INS = ("systemctl", "journalctl", "systemd-sysusers")


def inside() -> None:
    """Let every program that is run from here find what stands in for systemd's, before the container's own."""
    os.environ["PATH"] = "{}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".format(BOX)


def furnish(told: dict[str, Any]) -> None:
    """The supervisor, and the commands by which the node's programs speak to it."""
    write(BOX / "supervisor.py", told["supervisor"])
    for name in STAND_INS:
        text = '#!/bin/sh\nexec /usr/bin/python3 -I {}/supervisor.py {} "$@"\n'
        write(BOX / "bin" / name, text.format(BOX, name), 0o755)
    write(BOX / "up", "#!/bin/sh\nexec /usr/bin/python3 -I {}/supervisor.py up\n".format(BOX), 0o755)


def mark(told: dict[str, Any]) -> None:
    """Note in the folder whose it is."""
    write(Path(told["folder"]) / MARK, json.dumps({"name": told["name"]}), 0o600)


def marked(told: dict[str, Any]) -> bool:
    """Whether the folder is of the same node, from a container that is no more."""
    try:
        return bool(json.loads(read(str(Path(told["folder"]) / MARK)))["name"] == told["name"])
    except (ValueError, KeyError, TypeError):
        return False


def closed(folder: Path) -> list[list[Any]]:
    """The folders above ours through which only their owner may pass, such as /root; with their modes."""
    found = []
    for each in folder.parents:
        if each.exists():
            mode = stat.S_IMODE(each.stat().st_mode)
            if not mode & stat.S_IXOTH:
                found.append([str(each), mode])
    return found


def open_way(rows: list[list[Any]]) -> None:
    """Let others pass through these folders, and see nothing of them: services do not run as root."""
    for path, mode in rows:
        Path(path).chmod(mode | stat.S_IXGRP | stat.S_IXOTH)


def close_way(rows: list[list[Any]]) -> None:
    """As it was."""
    for path, mode in rows:
        if Path(path).is_dir():
            Path(path).chmod(mode)


def begin() -> None:
    """Start the supervisor, which starts what is enabled."""
    must("ssh.supervisor", str(BOX / "up"), "")


def end() -> None:
    """End the supervisor and all that it runs; nothing is done where it does not run."""
    run("systemctl", "exit")
    deadline = time.monotonic() + PATIENCE
    while Path(SOCKET).exists() and time.monotonic() < deadline:
        time.sleep(0.2)


def is_container(before: dict[str, Any] | None = None) -> bool:
    """Whether the machine was taken as a container."""
    return (before or kept() or {}).get("mode") == "container"
