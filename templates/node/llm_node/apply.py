"""`llm-node apply [MINUTES]`: put the staged settings in force, with the secrets that arrive on standard input.

The same road at first and for every later change: files are put in place, only what changed is restarted, and it
ends when the node is ready, or with the code of what is in the way. A change that does not become ready is taken back:
the last configuration that was ready runs again, its secrets included.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from llm_node import beside, keys, logs, rest, status, sweep
from llm_node.system import Failure, at, own, run, write

STAGED, GOOD, ALONE = "/opt/llm/staged.json", "/opt/llm/good.json", "/run/llm/apply.alone"
POLL = float(os.environ.get("LLM_POLL_SECONDS", "2"))
KILLS = 3  # times that a stage is started again after it was killed
FIRST = 2 / 3  # share of the time that a change has before it is taken back; the rest is for that


def main(minutes: str = "180") -> None:
    """Apply, and print the status document."""
    settings, secrets = read(sys.stdin.read())
    keys.check(settings, secrets)
    at("/run/llm").mkdir(parents=True, exist_ok=True)
    with lock():
        change(settings, secrets, float(minutes) * 60)
    say(json.dumps(status.summary(), indent=1), sys.stdout)


def lock() -> IO[str]:
    """The one apply at a time. One that lost its connection goes on to its end, unless another one comes: this."""
    file = at("/run/llm/apply.lock").open("a")
    for _ in range(30):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            at(ALONE).unlink(missing_ok=True)
            return file
        except BlockingIOError:
            if at(ALONE).exists():
                os.kill(int(at(ALONE).read_text()), signal.SIGTERM)
            time.sleep(POLL)
    raise Failure("apply.busy", "another apply is at work on this node, and somebody waits for it")


def say(text: str, where: Any = None) -> None:
    """Print a line; nobody may be there any more to read it."""
    try:
        print(text, file=where or sys.stderr, flush=True)
    except OSError:
        write(at(ALONE), str(os.getpid()))
        sys.stdout = sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 - until the end


def change(settings: dict[str, Any], secrets: dict[str, str], seconds: float) -> None:
    """Put settings in force; if they do not become ready, put the last good ones in force again, and say so."""
    good = status.read(at(GOOD))
    settings = beside.chosen(settings, good)
    beside.over()
    for name in settings.get("before", []):
        # What fails here has changed nothing. It has as long as the change, which has its own time after that.
        import_module(f"llm_node.{name}").before(settings, say, time.monotonic() + seconds)
    begun = time.monotonic()
    try:
        enforce(settings, secrets, good, begun + seconds * (FIRST if good else 1))
    except Failure as failure:
        if not good or (good["digest"] == settings["digest"] and not keys.differ(settings)):
            raise
        say(f"{settings['node']}: [{failure.code}] {failure.message}; going back to the last good configuration")
        beside.note("failed", failure.code, failure.message)
        try:
            enforce(good, None, settings, begun + seconds)
        except Failure as again:
            what = f"the last good configuration does not come back either: [{again.code}] {again.message}"
        else:
            what = "the last good configuration is running again"
        raise Failure(failure.code, f"{failure.message}; {what}") from failure
    beside.over()
    sweep.after(settings, good)
    keys.keep(settings)
    write(at(GOOD), json.dumps(settings), 0o600)


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


def enforce(settings: dict[str, Any], secrets: dict[str, str] | None, before: dict[str, Any], deadline: float) -> None:
    """From files to a node that is ready. Without secrets, those of the last good configuration are put back."""
    late = [each for each in settings["files"] if not each["early"]]
    stages = settings["stages"]
    changed = begin(settings, before)

    wait(settings, ["disk"], deadline)
    new_keys = keys.restore(settings) if secrets is None else keys.put(settings, secrets)
    ahead = [] if before else start_ahead(settings, late)
    wait(settings, stages, deadline)
    if "driver" in stages:
        hold()
    for name, owner in settings.get("folders", {}).items():
        folder = at(f"/srv/llm/{name}")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        own(folder, owner)

    # The gateway still sends to the one before, and to nobody else if this fails. On the way back that one runs.
    if secrets is not None and beside.begins(settings, before):
        new_engine = put(beside.engine(settings))
        run("systemctl", "daemon-reload")
        beside.load(settings, bool(new_engine), deadline, say)
    changed |= new_keys | put(late)
    rows = [*settings["files"], *settings["secret_files"]]
    restart = {unit for each in rows if each["path"] in changed for unit in each["restart"]}
    remove(before, settings)
    run("systemctl", "daemon-reload")
    restart -= {*ahead}
    with rest.before(settings, restart):
        serve(settings, restart, deadline)
    beside.settle(settings, before, deadline, say)


def start_ahead(settings: dict[str, Any], late: list[dict[str, Any]]) -> list[str]:
    """Start what loads longest on a new node; their units wait for the stages that they need, and for no others."""
    ahead = settings.get("ahead", {"units": [], "files": []})
    changed = put([each for each in late if each["path"] in ahead["files"]])
    if ahead["units"]:
        run("systemctl", "daemon-reload")
    for unit in ahead["units"]:
        run("systemctl", "restart" if changed else "start", "--no-block", unit)
    return list(ahead["units"])


def serve(settings: dict[str, Any], restart: set[str], deadline: float) -> None:
    """Start what is to run, anew where it has changed, and wait until all of it answers."""
    services = settings["services"]
    run("systemctl", "enable", *services)
    # Stopped first, so that it does not call ready what is about to be replaced.
    run("systemctl", "stop", "llm-watch.service")
    at("/run/llm/stages/serve.json").unlink(missing_ok=True)
    status.publish()
    for service in services:
        # --no-block: vLLM may take an hour to load, and llm-watch says how far it is.
        again_too = service in restart or service == "llm-watch.service"
        run("systemctl", "reset-failed", service)
        run("systemctl", "restart" if again_too else "start", "--no-block", service)
    wait(settings, ["serve"], deadline)


def begin(settings: dict[str, Any], before: dict[str, Any] | None = None) -> set[str]:
    """Put the files that stages need in place, and start the stages; the files that have changed."""
    changed = put([each for each in settings["files"] if each["early"]])
    if "/etc/sysusers.d/llm.conf" in changed:
        run("systemd-sysusers")
    if changed:
        run("systemctl", "daemon-reload")
    stages = settings["stages"]
    units = [f"llm-{each}.service" for each in stages]
    # What the machine shall be, or how it comes by it, is new: stages look again, and find most of their work done.
    new_node = "/opt/llm/node.json" in changed
    if new_node or any(each == "/opt/llm/supply.json" or "/locks/" in each for each in changed):
        again = [each for each in stages if new_node or each not in ("disk", "weights")]
        run("systemctl", "stop", *[f"llm-{each}.service" for each in again])
        for each in again:
            at(f"/run/llm/stages/{each}.json").unlink(missing_ok=True)
    for each in stages:
        # What failed before gets another chance, and its old verdict must not be taken for the new one.
        if status.entry(each).get("state") == "failed":
            at(f"/run/llm/stages/{each}.json").unlink()
            run("systemctl", "reset-failed", f"llm-{each}.service")
    sweep.before(settings, before or {})
    run("systemctl", "enable", "llm.target", *units)
    run("systemctl", "start", "--no-block", *units)
    return changed


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
    kept = beside.kept(settings, before)
    for service in before.get("services", []):
        if service not in settings["services"]:
            # Not again after a reboot, even of one that serves on for a while.
            run("systemctl", "disable", *(["--now"] if service not in kept else []), service)
    for path in paths(before) if before else []:
        if path not in paths(settings) and path not in kept:
            at(path).unlink(missing_ok=True)


def hold() -> None:
    """Keep everybody's upgrades away from the driver and the kernel that it was built for."""
    patterns = ("nvidia-*", "libnvidia-*", "linux-image-*", f"linux-*{os.uname().release}*")
    rows = run("dpkg-query", "-Wf", "${Package} ${db:Status-Status}\\n", *patterns)[1].splitlines()
    names = sorted({row.split()[0] for row in rows if row.endswith(" installed")})
    if names:
        run("apt-mark", "hold", *names)


def wait(settings: dict[str, Any], names: list[str], deadline: float) -> None:
    """Wait until stages are done; say what goes on, so that whoever looks (and the SSH connection) stays awake."""
    told, begun, silent = "", time.monotonic(), time.monotonic()
    killed: dict[str, int] = {}
    while True:
        entries = {each: status.entry(each) for each in names}
        for name, entry in entries.items():
            if entry.get("state") != "done" and dead(name):
                entries[name] = entry = status.entry(name)  # it may have spoken since
                if entry.get("state") == "running":
                    killed[name] = killed.get(name, 0) + 1
                if not entry or killed.get(name, 0) > KILLS:
                    raise Failure(f"{name}.unit-failed", f"llm-{name}.service ended before it could say why")
                if entry["state"] == "running":  # what was done stays done, and those that wait for it start too
                    say(f"{settings['node']}: {name} was killed, and starts again")
                    run("systemctl", "start", "--no-block", *[f"llm-{each}.service" for each in settings["stages"]])
            if entry.get("state") == "failed":
                raise Failure(entry["code"], f"{name}: {entry['message']}")
        busy = [describe(each) for each in entries.values() if each and each["state"] != "done"]
        if all(each.get("state") == "done" for each in entries.values()):
            return
        if time.monotonic() > deadline:
            minutes = (time.monotonic() - begun) / 60
            raise Failure(
                "apply.timeout", f"not ready after {minutes:.0f} minutes: {'; '.join(busy) or 'nothing began'}"
            )
        line = "; ".join(busy)
        if line != told or time.monotonic() - silent > 30:
            say(f"{settings['node']}: {line or 'waiting'}")
            logs.refresh()
            status.publish()
            told, silent = line, time.monotonic()
        time.sleep(POLL)


def dead(name: str) -> bool:
    """Whether systemd says that a stage's program, or the watch, ended in failure."""
    unit = "llm-watch.service" if name == "serve" else f"llm-{name}.service"
    return run("systemctl", "is-failed", "--quiet", unit)[0] == 0


def describe(entry: dict[str, Any]) -> str:
    """A stage on one line."""
    progress = entry.get("progress")
    percent = f" {progress['percent']} %" if progress else ""
    trouble = f" [{entry['code']}] {entry['message']}, trying again" if entry.get("code") else ""
    return f"{entry['stage']}{percent}{trouble}"
