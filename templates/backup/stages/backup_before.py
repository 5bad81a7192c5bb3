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
POLL = float(os.environ.get("LLM_POLL_SECONDS", "2"))
SILENCE = 30.0
"""Seconds after which a line says that it still works: a connection without any would be ended."""


def before(settings: dict[str, Any], say: Callable[[str], None]) -> None:
    """Have it made and sent where the machine makes them by itself. A Failure where it cannot: nothing is changed."""
    stands, comes = status.read(at(CONFIG)), asked(settings)
    changes = upgrades(stands, comes)
    if not changes or not stands.get("target"):
        return
    what = f"a backup before {' and '.join(changes)}"
    say(f"{settings['node']}: {what}")
    seen, told = stamp(), time.monotonic()
    work = subprocess.Popen(["systemctl", "start", UNIT], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while work.poll() is None:
        if time.monotonic() - told > SILENCE:
            say(f"{settings['node']}: {what} is under way")
            told = time.monotonic()
        time.sleep(POLL)
    last = status.read(at(LAST)) if stamp() != seen else {}
    if not last or "error" in last:
        error = last.get("error") or {"code": "backup.died", "message": "the work was broken off"}
        raise Failure("backup.none-before-upgrade", f"{what}: [{error['code']}] {error['message']}; nothing is changed")


def asked(settings: dict[str, Any]) -> dict[str, Any]:
    """What the new settings say of the store."""
    found: dict[str, Any] = next(
        (json.loads(each["content"]) for each in settings["files"] if each["path"] == CONFIG), {}
    )
    return found


def upgrades(stands: dict[str, Any], comes: dict[str, Any]) -> list[str]:
    """Which versions change. Another engine is no upgrade: it has a folder of its own."""
    if not stands or not comes or stands["engine"] != comes["engine"]:
        return []
    new = {each["title"]: each["version"] for each in (comes, *comes.get("beside", []))}
    return [
        f"{each['title']} {each['version']} becomes {new[each['title']]}"
        for each in (stands, *stands.get("beside", []))
        if new.get(each["title"], each["version"]) != each["version"]
    ]


def stamp() -> int:
    """When the last backup's end was noted, in nanoseconds; 0: none was."""
    try:
        return at(LAST).stat().st_mtime_ns
    except FileNotFoundError:
        return 0
