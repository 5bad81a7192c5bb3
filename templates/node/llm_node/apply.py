"""`llm-node apply`: put the staged settings in force, with the secrets that arrive on standard input.

The same road at first and for every later change: files are put in place, only what changed is restarted, and it
ends when the node is ready, or with the code of what is in the way.
"""
# ruff: noqa: T201 - a command talks by printing

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from typing import Any

from llm_node import keys, status
from llm_node.system import Failure, at, run, write

STAGED, APPLIED = "/opt/llm/staged.json", "/opt/llm/applied.json"
POLL = float(os.environ.get("LLM_POLL_SECONDS", "2"))
PATIENCE = 3 * 3600  # seconds; a large model over a slow line


def main() -> None:
    """Apply, and print the status document."""
    settings, secrets = read(sys.stdin.read())
    at("/run/llm").mkdir(parents=True, exist_ok=True)
    with at("/run/llm/apply.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Failure("apply.busy", "another apply is at work on this node") from error
        enforce(settings, secrets)
    print(json.dumps(status.summary(), indent=1))


def read(text: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The staged settings, and secrets that belong to them and are complete."""
    settings = status.read(at(STAGED))
    if not settings:
        raise Failure("apply.nothing-staged", "no settings are staged on this node")
    try:
        document = json.loads(text)
        digest, secrets = document["settings_digest"], document["secrets"]
    except (ValueError, KeyError, TypeError) as error:
        # Not the error's own words: they may quote what was read.
        raise Failure("apply.malformed", f"standard input is not a secrets document ({type(error).__name__})") from None
    if digest != settings["digest"]:
        raise Failure("apply.wrong-digest", f"the secrets are for settings {digest}, staged are {settings['digest']}")
    if not isinstance(secrets, dict) or any(not isinstance(each, str) for each in secrets.values()):
        raise Failure("apply.malformed", "each secret has to be a text")
    missing = [name for name in settings["secrets"]["required"] if not secrets.get(name, "").strip()]
    if missing:
        raise Failure("apply.missing-secret", f"not given: {', '.join(missing)}")
    return settings, secrets


def enforce(settings: dict[str, Any], secrets: dict[str, str]) -> None:
    """From files to a node that is ready."""
    before = status.read(at(APPLIED))
    early = [each for each in settings["files"] if each["early"]]
    late = [each for each in settings["files"] if not each["early"]]

    changed = put(early)
    if "/etc/sysusers.d/llm.conf" in changed:
        run("systemd-sysusers")
    if changed:
        run("systemctl", "daemon-reload")
    stages = settings["stages"]
    units = [f"llm-{each}.service" for each in stages]
    if {"/opt/llm/node.json", "/opt/llm/pins.json"} & changed:
        # What the machine shall be is new: each stage looks again, and finds most of its work done.
        run("systemctl", "stop", *units)
        for each in stages:
            at(f"/run/llm/stages/{each}.json").unlink(missing_ok=True)
    for each in stages:
        # What failed before gets another chance, and its old verdict must not be taken for the new one.
        record = at(f"/run/llm/stages/{each}.json")
        if status.read(record).get("state") == "failed":
            record.unlink()
            run("systemctl", "reset-failed", f"llm-{each}.service")
    run("systemctl", "enable", "llm.target", *units)
    run("systemctl", "start", "--no-block", *units)

    wait(settings, ["disk"])
    new_keys = keys.put(settings, secrets)
    wait(settings, stages)
    if "driver" in stages:
        hold()

    changed |= new_keys | put(late)
    rows = [*settings["files"], *settings["secret_files"]]
    restart = {unit for each in rows if each["path"] in changed for unit in each["restart"]}
    remove(before, settings)
    run("systemctl", "daemon-reload")
    services = settings["services"]
    run("systemctl", "enable", *services)
    # Stopped first, so that it does not call ready what is about to be replaced.
    run("systemctl", "stop", "llm-watch.service")
    at("/run/llm/stages/serve.json").unlink(missing_ok=True)
    for service in services:
        # --no-block: vLLM may take an hour to load, and llm-watch says how far it is.
        again = service in restart or service == "llm-watch.service"
        run("systemctl", "reset-failed", service)
        run("systemctl", "restart" if again else "start", "--no-block", service)
    wait(settings, ["serve"])
    write(
        at(APPLIED),
        json.dumps({key: settings[key] for key in ("digest", "services", "stages")} | {"files": paths(settings)}),
    )


def put(files: list[dict[str, Any]]) -> set[str]:
    """Install files; returns the paths of those that changed."""
    changed = set()
    for each in files:
        if write(at(each["path"]), each["content"], int(each["mode"], 8), each["owner"]):
            changed.add(each["path"])
    return changed


def paths(settings: dict[str, Any]) -> list[str]:
    """All that these settings put on the machine."""
    return [each["path"] for each in [*settings["files"], *settings["secret_files"]]]


def remove(before: dict[str, Any], settings: dict[str, Any]) -> None:
    """Stop and delete what the settings before had and these have not."""
    for service in before.get("services", []):
        if service not in settings["services"]:
            run("systemctl", "disable", "--now", service)
    for path in before.get("files", []):
        if path not in paths(settings):
            at(path).unlink(missing_ok=True)


def hold() -> None:
    """Keep everybody's upgrades away from the driver and the kernel that it was built for."""
    patterns = ("nvidia-*", "libnvidia-*", "linux-image-*", f"linux-*{os.uname().release}*")
    rows = run("dpkg-query", "-Wf", "${Package} ${db:Status-Status}\\n", *patterns)[1].splitlines()
    names = sorted({row.split()[0] for row in rows if row.endswith(" installed")})
    if names:
        run("apt-mark", "hold", *names)


def wait(settings: dict[str, Any], names: list[str]) -> None:
    """Wait until stages are done; say what goes on, so that whoever looks (and the SSH connection) stays awake."""
    told, deadline, silent = "", time.monotonic() + PATIENCE, time.monotonic()
    while True:
        entries = {each: status.read(at(f"/run/llm/stages/{each}.json")) for each in names}
        for name, entry in entries.items():
            if entry.get("state") == "failed":
                raise Failure(entry["code"], f"{name}: {entry['message']}")
            unit = "llm-watch.service" if name == "serve" else f"llm-{name}.service"
            if not entry and run("systemctl", "is-failed", "--quiet", unit)[0] == 0:
                raise Failure(f"{name}.unit-failed", f"{unit} failed before it could say why")
        busy = [describe(each) for each in entries.values() if each and each["state"] != "done"]
        if all(each.get("state") == "done" for each in entries.values()):
            return
        if time.monotonic() > deadline:
            raise Failure(
                "apply.timeout", f"not ready after {PATIENCE // 3600} hours: {'; '.join(busy) or 'nothing began'}"
            )
        line = "; ".join(busy)
        if line != told or time.monotonic() - silent > 30:
            print(f"{settings['node']}: {line or 'waiting'}", file=sys.stderr, flush=True)
            told, silent = line, time.monotonic()
        time.sleep(POLL)


def describe(entry: dict[str, Any]) -> str:
    """A stage on one line."""
    progress = entry.get("progress")
    percent = f" {progress['percent']} %" if progress else ""
    trouble = f" [{entry['code']}] {entry['message']}, trying again" if entry.get("code") else ""
    return f"{entry['stage']}{percent}{trouble}"
