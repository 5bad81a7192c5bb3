"""The status document: one file per stage under /run/llm/stages, and their sum in /run/llm/status.json."""

from __future__ import annotations

import fcntl
import json
import time
from pathlib import Path
from typing import Any

from llm_node.system import at, node, write


def read(path: Path) -> dict[str, Any]:
    """A JSON file, or nothing."""
    try:
        return json.loads(path.read_text())  # type: ignore[no-any-return]
    except (OSError, ValueError):
        return {}


def entry(stage: str) -> dict[str, Any]:
    """Where a stage is; nothing if it never began."""
    return read(at(f"/run/llm/stages/{stage}.json"))


def hint(code: str) -> str:
    """What to do about a code. The first boot has no hints yet: they come with the settings."""
    return str(read(at("/opt/llm/hints.json")).get(code, ""))


def record(stage: str, state: str, **fields: Any) -> None:
    """Note where a stage is (running, done or failed), and bring the sum up to date."""
    path = at(f"/run/llm/stages/{stage}.json")
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    if "code" in fields:
        fields["hint"] = hint(fields["code"])
    path.parent.mkdir(parents=True, exist_ok=True)
    # systemd starts several stages at once, and each of them writes the sum.
    with path.with_name("lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        row = {"stage": stage, "state": state, "started": read(path).get("started", now), "updated": now, **fields}
        write(path, json.dumps(row))
        publish()


def publish() -> None:
    """Bring the sum up to date."""
    write(at("/run/llm/status.json"), json.dumps(summary(), indent=1))


def summary() -> dict[str, Any]:
    """The document: what the node is at, whether it is ready, and on failure a code and a hint."""
    stages = [entry(each) or {"stage": each, "state": "waiting"} for each in [*node()["stages"], "serve"]]
    order = ["failed", "running", "waiting", "done"]
    ready = stages[-1]["state"] == "done"
    now = stages[-1] if ready else min(stages, key=lambda each: order.index(each["state"]))
    return {
        "schema": 1,
        "node": node()["name"],
        "ready": ready,
        **{key: now.get(key) for key in ("stage", "state", "progress", "code", "message", "hint")},
        "started": min((each["started"] for each in stages if "started" in each), default=None),
        "updated": max((each["updated"] for each in stages if "updated" in each), default=None),
        "stages": stages,
        "log": read(at("/run/llm/log.json")).get("lines", []),
    }
