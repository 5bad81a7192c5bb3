"""`llm-leave`: takes this machine off when nobody asks it, when its hours are over, and before its cloud takes it.

First the gateway refuses what is new (503, with Retry-After), then what is under way comes to its end, then the cloud
is asked to stop the machine. A stop that fails is told in the status, and the gateway serves on: nothing else happens.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.request import Request

from llm_node import status
from llm_node.leave_clouds import OPENER, Metadata, stop
from llm_node.leave_hours import Hours
from llm_node.system import Failure, at, write

CONFIG, DRAIN, STATE = "/opt/llm/leave.json", "/run/llm/drain.json", "/run/llm/leave.json"
PAUSE = 2.0
"""Seconds between two looks."""
LAST = 900.0
"""Seconds that what is under way may take at a stop. After that it is cut off: a stop that waits for ever is none."""
BY_HAND = 30
"""Minutes without a call after which a machine that somebody started outside its hours is stopped again."""
TAKEN = 600.0
"""Seconds within which a machine whose stop was taken has to be gone."""
AT_WORK = ("/run/llm/apply.lock", "/run/llm/backup/work.lock")
"""Held while a change of this node is put in force, and while a backup is made or put back."""
RETRY_AFTER = {"idle": 60, "hours": 60, "spot": 120}
"""Seconds after which a caller may try again: by then another machine may answer, or somebody has started this one."""


@dataclass(frozen=True)
class Clock:
    """Time as it passes; a test has its own."""

    wall: Callable[[], float] = time.time
    steady: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep
    up: Callable[[], float] = lambda: float(at("/proc/uptime").read_text().split()[0])
    """Seconds since the machine was started."""


@dataclass(frozen=True)
class Use:
    """What the gateway says: calls under way, and seconds since the last one came or ended."""

    active: int
    idle: float


def gateway() -> Use | None:
    """How the gateway is used; None where it does not say."""
    base = os.environ.get("LLM_GATE_MEASURED", "http://127.0.0.1:4001")
    try:
        with OPENER.open(Request(f"{base}/use"), timeout=5) as reply:  # noqa: S310 - loopback
            told = json.loads(reply.read())
            return Use(int(told["active"]), float(told["idle_seconds"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def at_work() -> bool:
    """Whether a change of this node is being put in force, or a backup made or put back."""
    return any(held(name) for name in AT_WORK)


def held(name: str) -> bool:
    """Whether somebody holds that lock."""
    try:
        with at(name).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def connected(ports: set[int]) -> bool:
    """Whether anybody is connected to one of these ports of this machine (proc_net_tcp.rst: 01 is established)."""
    for name in ("tcp", "tcp6"):
        try:
            rows = at(f"/proc/net/{name}").read_text().splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            __, local, __, state, *__ = row.split()
            if state == "01" and int(local.rpartition(":")[2], 16) in ports:
                return True
    return False


class Leave:
    """What the machine shall do by itself, and since when nothing has kept it."""

    def __init__(self, config: dict[str, Any], clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.cloud = str(config["cloud"])
        self.idle_seconds = 60.0 * config["idle_minutes"] if config.get("idle_minutes") else None
        hours = config.get("hours")
        self.hours = Hours(hours["zone"], hours["windows"]) if hours else None
        self.spot = bool(config.get("spot"))
        self.ports = set(config.get("ports", ()))
        self.metadata = Metadata(self.cloud)
        self.kept = self.clock.steady()
        """When something last kept the machine: a call, a connection, a change, a backup, its own start."""
        self.began = 0.0
        """Since when its hours count, in seconds after its start: its start, or a stop that failed."""
        self.limit = 0.0
        """Seconds without a call that are enough now."""
        self.stopping = False

    def run(self) -> None:
        """Look for good."""
        lift()
        tell("watching")
        while True:
            self.look()
            self.clock.pause(PAUSE)

    def look(self) -> None:
        """Look once, and leave if it is time."""
        if self.spot:
            try:
                taken = self.metadata.notice()
            except Failure:
                taken = None  # a notice that cannot be read is none
            if taken is not None:
                self.let_go(taken)
                return
        reason = self.reason()
        if reason is not None:
            self.leave(reason)

    def reason(self) -> str | None:
        """Why the machine is to be stopped now: ``idle``, ``hours``, or None."""
        use, now = gateway(), self.clock.steady()
        working = at_work()
        ready = bool(status.read(at("/run/llm/status.json")).get("ready"))
        if working or not ready or use is None or use.active or connected(self.ports):
            self.kept = now
        quiet = 0.0 if use is None else min(now - self.kept, use.idle)
        limit = self.idle_seconds
        if self.hours is not None and not self.hours.inside(self.clock.wall()):
            # Told from now on, and not once: a clock that is set right after the start takes the start with it.
            began = self.clock.wall() - (self.clock.up() - self.began)
            if self.hours.ended(self.clock.wall()) > began:
                return None if working else "hours"
            limit = limit or 60.0 * BY_HAND
        self.limit = limit or 0.0
        return "idle" if limit is not None and quiet >= limit else None

    def leave(self, reason: str) -> None:
        """Refuse what is new, let what is under way end, and have the machine stopped."""
        drain(reason)
        tell("draining", reason)
        begun = self.clock.steady()
        while (use := gateway()) is not None and use.active:
            if self.clock.steady() - begun >= LAST:
                break
            self.clock.pause(0.5)
        asked = use is None or use.idle < self.limit or connected(self.ports)
        if at_work() or (reason == "idle" and asked):
            # Somebody asked between the look and the refusal, or began to work on the machine meanwhile.
            lift()
            tell("watching")
            return
        try:
            stop(self.cloud, self.metadata)
        except Failure as failure:
            self.stay(failure, reason)
            return
        self.stopping = True
        tell("stopping", reason)
        begun = self.clock.steady()
        while self.clock.steady() - begun < TAKEN:
            self.clock.pause(PAUSE)
        message = f"the cloud took the stop and this machine still runs after {TAKEN / 60:.0f} minutes"
        self.stay(Failure("leave.still-here", message), reason)

    def stay(self, failure: Failure, reason: str) -> None:
        """Serve on after a stop that failed, and say why; it is tried again when it is time again."""
        self.stopping = False
        lift()
        self.kept, self.began = self.clock.steady(), self.clock.up()
        tell("failed", reason, code=failure.code, message=failure.message)
        sys.stderr.write(f"[{failure.code}] {failure.message}\n")

    def let_go(self, taken: str) -> None:
        """Refuse what is new on a spot machine that is about to be taken. There is nothing to be stopped."""
        if not at(DRAIN).exists():
            drain("spot")
            tell("draining", "spot", code="leave.spot-notice", message=f"the cloud takes this machine at {taken}")


MESSAGES = {
    "idle": "this server is being stopped, as nobody asked it for a while; whoever runs it can start it again",
    "hours": "this server is being stopped, as its hours are over; whoever runs it can start it again",
    "spot": "the cloud is about to take this server; try again later",
}


def drain(reason: str) -> None:
    """Have the gateway refuse what is new."""
    document = {"code": "server_stopping", "message": MESSAGES[reason], "retry_after": RETRY_AFTER[reason]}
    write(at(DRAIN), json.dumps(document))


def lift() -> None:
    """Have the gateway serve again."""
    at(DRAIN).unlink(missing_ok=True)


def tell(state: str, reason: str | None = None, *, code: str | None = None, message: str | None = None) -> None:
    """Note what this program is at, for `serve_status`."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    row = {"state": state, "reason": reason, "code": code, "message": message, "since": now}
    write(at(STATE), json.dumps(row | {"hint": status.hint(code) if code else None}))


def main() -> None:
    """Run until the machine is stopped, or this is: then the gateway serves again, unless all of it goes."""
    leaving = Leave(status.read(at(CONFIG)))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        leaving.run()
    finally:
        if not leaving.stopping:
            lift()
            at(STATE).unlink(missing_ok=True)
