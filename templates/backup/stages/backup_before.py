"""Before another version of the store, or of what stands beside it, is put in force: a backup by the timer's own unit.

A newer version may bring its files into a form that the one before cannot read: the backup is the way back.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from typing import Any

from llm_node import status
from llm_node.backup_store import CONFIG, FOLDER
from llm_node.system import Failure, at

LAST, UNIT = f"{FOLDER}/last.json", "llm-backup.service"
TRIES = 3
POLL = float(os.environ.get("LLM_POLL_SECONDS", "2"))
SILENCE = 30.0
"""Seconds after which a line says that it still works: a connection without any would be ended."""


def before(settings: dict[str, Any], say: Callable[[str], None], deadline: float) -> None:
    """Have it made and sent where the machine makes them by itself. A Failure where it cannot: nothing is changed."""
    stands, comes = status.read(at(CONFIG)), asked(settings)
    changes = upgrades(stands, comes)
    if not changes or not stands.get("target"):
        return
    what = f"a backup before {' and '.join(changes)}"
    say(f"{settings['node']}: {what}")
    last: dict[str, Any] = {}
    for _ in range(TRIES):
        last = made(f"{settings['node']}: {what} is under way", say, deadline)
        if not last or last.get("scheduled"):
            break  # else systemd had the unit at work on what somebody asked for, and that goes to no bucket
    error = last.get("error")
    if not last.get("scheduled") or error:
        error = error or {"code": "backup.died", "message": "it did not come to its end"}
        raise Failure("backup.none-before-upgrade", f"{what}: [{error['code']}] {error['message']}; nothing is changed")


def made(line: str, say: Callable[[str], None], deadline: float) -> dict[str, Any]:
    """Start the unit and wait for its end: what it noted. Empty: nothing, or it goes on after the time that it has."""
    seen, told = stamp(), time.monotonic()
    work = subprocess.Popen(["systemctl", "start", UNIT], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while work.poll() is None:
        if time.monotonic() > deadline:
            work.kill()  # who waits for the unit, and not the unit
            work.wait()
            return {}
        if time.monotonic() - told > SILENCE:
            say(line)
            told = time.monotonic()
        time.sleep(POLL)
    return status.read(at(LAST)) if stamp() != seen else {}


def asked(settings: dict[str, Any]) -> dict[str, Any]:
    """What the new settings say of the store."""
    found: dict[str, Any] = next(
        (json.loads(each["content"]) for each in settings["files"] if each["path"] == CONFIG), {}
    )
    return found


def upgrades(stands: dict[str, Any], comes: dict[str, Any]) -> list[str]:
    """Which versions change. Another engine is no upgrade: it has a folder of its own."""
    old, new = versions(stands), versions(comes)
    return [
        f"{title} {version} becomes {new[name][1]}"
        for name, (title, version) in old.items()
        if name in new and new[name][1] != version
    ]


def versions(said: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Title and version of the store and of what is saved with it, by the names of their roles."""
    if not said:
        return {}
    rows = {said["engine"]: said, **{each["name"]: each for each in said.get("beside", [])}}
    return {name: (row["title"], row["version"]) for name, row in rows.items()}


def stamp() -> int:
    """When the last backup's end was noted, in nanoseconds; 0: none was."""
    try:
        return at(LAST).stat().st_mtime_ns
    except FileNotFoundError:
        return 0
