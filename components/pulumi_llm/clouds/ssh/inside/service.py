"""One service as the supervisor keeps it: where it is, and what its end means."""

from __future__ import annotations

import fcntl
import os
import selectors
import signal
import socket
import time
import uuid
from pathlib import Path

from pulumi_llm.clouds.ssh.inside.process import begin, folders, processes, tell
from pulumi_llm.clouds.ssh.inside.unit import Unit, load, size

LOGS = Path("/var/log/llm")
LOG_BYTES = 8 * 2**20
"""A log that is longer is put aside, in the place of the one before."""
CLEAN = {0, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP, -signal.SIGPIPE}
"""Ends that are no failure."""
SHOWN = {"queued": ("inactive", "dead"), "starting": ("activating", "start"), "active": ("active", "running"),
         "waiting": ("activating", "auto-restart"), "stopping": ("deactivating", "stop-sigterm"),
         "failed": ("failed", "failed"), "inactive": ("inactive", "dead")}  # fmt: skip
"""Our states, as systemd tells them."""


class Service:
    """A service, a stage or a socket. Nothing here waits: `keeper.py` calls what is due."""

    def __init__(self, name: str, selector: selectors.BaseSelector) -> None:
        self.name, self.selector = name, selector
        self.state, self.unit = "inactive", Unit(name, {})
        self.steps: list[tuple[str, list[str]]] = []
        self.main, self.sessions = 0, set()  # type: int, set[int]
        self.restarts, self.due, self.again, self.invocation = 0, 0.0, False, ""
        self.listeners: list[socket.socket] = []
        self.sockets: list[int] = []
        self.rest: dict[int, bytes] = {}

    # -- what it is told

    def queue(self) -> None:
        """It shall run; what it needs comes first."""
        if self.state in ("inactive", "failed"):
            self.state, self.restarts = "queued", 0
        elif self.state == "waiting":
            self.state = "queued"
        elif self.state == "stopping":
            self.again = True

    def stop(self, again: bool = False) -> None:
        """It shall end; ``again``: and then run anew."""
        self.again = again
        for each in self.listeners:
            each.close()
        self.listeners = []
        if self.sessions and processes(self.sessions):
            if self.state != "stopping":
                self.state, self.due = "stopping", time.monotonic() + self.unit.seconds("TimeoutStopSec", 90)
                tell(processes(self.sessions), signal.SIGTERM)
        else:
            self.ended("inactive")

    # -- what is due

    def launch(self, sockets: list[int]) -> None:
        """Begin, with a unit that is read anew."""
        unit = load(self.name)
        if unit is None:
            self.ended("failed")
            return
        self.unit, self.invocation = unit, uuid.uuid4().hex
        if self.name.endswith(".target"):
            self.state = "active"
        elif self.name.endswith(".socket"):
            self.listen()
        else:
            self.sockets, self.steps, self.state = sockets, [], "starting"
            try:
                self.steps = unit.commands
                folders(unit)
            except (OSError, KeyError, ValueError) as error:
                self.say("{}: {}".format(self.name, error))
            self.step() if self.steps else self.gone(1)

    def listen(self) -> None:
        """Bind a socket's address. Whoever calls while its service starts anew waits there."""
        for each in self.unit.all("ListenStream"):
            host, _, port = each.rpartition(":")
            one = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size(self.unit.one("ReceiveBuffer", "256K")))
            try:
                one.bind((host, int(port)))
                one.listen(int(self.unit.one("Backlog", "4096")))
            except OSError as error:
                self.say("{}: {}".format(each, error))
                self.ended("failed")
                return
            self.listeners.append(one)
        self.state = "active"

    def step(self) -> None:
        """Run the next of its programs; with the last one a service counts as running."""
        prefix, argv = self.steps.pop(0)
        read, write = os.pipe()
        fcntl.fcntl(read, fcntl.F_SETFL, os.O_NONBLOCK)
        sockets = self.sockets if not self.steps else []
        self.main = begin(self.unit, prefix, argv, sockets, write)
        os.close(write)
        self.sessions.add(self.main)
        self.optional = "-" in prefix
        self.rest[read] = b""
        self.selector.register(read, selectors.EVENT_READ, self.hear)
        if not self.steps and not self.unit.oneshot:
            self.state = "active"

    def gone(self, code: int) -> None:
        """Its program ended: a negative number is a signal."""
        self.main = 0
        if self.state == "stopping":
            if not processes(self.sessions):
                self.ended("inactive")
            return
        if self.steps and (code == 0 or self.optional):
            self.step()
            return
        tell(processes(self.sessions), signal.SIGKILL)
        if self.unit.oneshot:
            done = code == 0 or self.optional
            self.ended("failed" if not done else "active" if self.unit.one("RemainAfterExit") == "yes" else "inactive")
            return
        restart = self.unit.one("Restart", "no")
        if restart == "always" or (restart == "on-failure" and code not in CLEAN):
            self.say("{} ended with {}, and starts again".format(self.name, code))
            self.sessions.clear()
            self.restarts += 1
            self.state, self.due = "waiting", time.monotonic() + self.unit.seconds("RestartSec", 0.1)
        else:
            self.ended("inactive" if code in CLEAN else "failed")

    def tick(self, now: float) -> None:
        """What time has brought: an end that takes too long, a pause that is over."""
        if self.state == "stopping":
            left = processes(self.sessions)
            if not left and not self.main:
                self.ended("inactive")
            elif now > self.due:
                tell(left, signal.SIGKILL)
        elif self.state == "waiting" and now > self.due:
            self.state = "queued"

    def ended(self, state: str) -> None:
        """It is where it stays, unless it shall run again."""
        self.state, self.main = state, 0
        self.sessions.clear()
        if self.again:
            self.again, self.state, self.restarts = False, "queued", 0

    # -- what it says

    def hear(self, descriptor: int) -> None:
        """Keep what its programs say, each line with its time and the run that it belongs to."""
        try:
            data = os.read(descriptor, 65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        *lines, rest = (self.rest[descriptor] + data).split(b"\n")
        if not data or len(rest) > 65536:
            lines, rest = [*lines, *([rest] if rest else [])], b""
        if lines:
            self.say(*(each.decode("utf-8", "replace") for each in lines))
        self.rest[descriptor] = rest
        if not data:
            self.selector.unregister(descriptor)
            os.close(descriptor)
            del self.rest[descriptor]

    def say(self, *lines: str) -> None:
        """Put lines into its log, which root alone reads."""
        file = LOGS / (self.name + ".log")
        try:
            if file.exists() and file.stat().st_size > LOG_BYTES:
                file.replace(LOGS / (self.name + ".log.1"))
            now = time.strftime("%Y-%m-%dT%H:%M:%S+0000", time.gmtime())
            with open(os.open(str(file), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w") as log:
                log.writelines("{} {} {}\n".format(now, self.invocation or "-", each) for each in lines)
        except OSError:
            return  # a disk that is full shall not end what runs
