"""The supervisor: starts stages and services in the order that their units ask for, and starts again what ends.

One process, one loop. It is spoken to over a socket that root alone opens, by what stands in for `systemctl`.
"""

from __future__ import annotations

import contextlib
import fnmatch
import json
import os
import selectors
import shutil
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

from pulumi_llm.clouds.ssh.inside.process import CHILD_SUBREAPER, LIBC
from pulumi_llm.clouds.ssh.inside.service import LOGS, SHOWN, Service
from pulumi_llm.clouds.ssh.inside.unit import FOLDER, Unit, load

SOCKET = "/run/llm-supervisor.sock"
ENABLED = Path("/opt/llm/container/enabled")
"""What starts with the supervisor, one name a line."""
BUSY = ("queued", "starting", "stopping")
TICK = 0.2


class Keeper:
    """All services, and whoever waits for one."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.services: dict[str, Service] = {}
        self.waiting: list[tuple[socket.socket, list[str], bool]] = []
        self.going = False

    # -- the loop

    def serve(self) -> int:
        """Run until it is told to go, and everything has ended."""
        signal.signal(signal.SIGTERM, lambda *_: self.go())
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        LIBC.prctl(CHILD_SUBREAPER, 1, 0, 0, 0)
        read, write = os.pipe()
        for end in (read, write):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(write)
        self.selector.register(read, selectors.EVENT_READ, lambda number: os.read(number, 4096))
        door = self.open_door()
        for name in enabled():
            self.start(name)
        while not self.going or any(each.state in BUSY or each.main for each in self.services.values()):
            for key, _ in self.selector.select(TICK):
                key.data(key.fd if key.fd != door.fileno() else door)
            self.reap()
            for one in list(self.services.values()):
                one.tick(time.monotonic())
            self.begin_what_may()
            self.answer_those_who_wait()
        door.close()
        Path(SOCKET).unlink()
        self.answer_those_who_wait()
        return 0

    def open_door(self) -> socket.socket:
        """The socket over which it is told what to do."""
        with contextlib.suppress(FileNotFoundError):
            Path(SOCKET).unlink()
        door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        old = os.umask(0o177)
        door.bind(SOCKET)
        os.umask(old)
        door.listen(64)
        self.selector.register(door, selectors.EVENT_READ, self.welcome)
        return door

    def reap(self) -> None:
        """Take note of every process that ended."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
            for each in self.services.values():
                if each.main == pid:
                    each.gone(code)
                    break

    def begin_what_may(self) -> None:
        """Start those in the queue that wait for nobody any more."""
        for each in list(self.services.values()):
            if each.state != "queued":
                continue
            unit = load(each.name) or Unit(each.name, {})
            before = [self.services[name] for name in unit.names("After") if name in self.services]
            if any(other.state in ("queued", "starting") for other in before):
                continue
            needed = [self.services.get(name) for name in unit.names("Requires")]
            if any(other is None or other.state != "active" for other in needed):
                each.ended("inactive")
                continue
            partner = self.services.get(each.name.rpartition(".")[0] + ".socket")
            listeners = partner.listeners if partner is not None and partner.name != each.name else []
            each.launch([one.fileno() for one in listeners])

    # -- what it is told

    def service(self, name: str) -> Service:
        """The service of a name."""
        return self.services.setdefault(name, Service(name, self.selector))

    def start(self, name: str, under_way: tuple[str, ...] = ()) -> None:
        """Start a unit and what it asks for."""
        unit = load(name)
        if unit is None or name in under_way:
            return
        one = self.service(name)
        if one.state in ("active", "starting", "queued"):
            return
        for each in [*unit.names("Requires"), *unit.names("Wants")]:
            self.start(each, (*under_way, name))
        one.queue()

    def stop(self, name: str, again: bool = False) -> None:
        """Stop a unit, and with it what cannot be without it."""
        one = self.services.get(name)
        if one is None or (one.state in ("inactive", "failed") and not again):
            if again:
                self.start(name)
            return
        for other in list(self.services.values()):
            if not again and name in other.unit.names("Requires") and other.state not in ("inactive", "failed"):
                self.stop(other.name)
        one.stop(again)

    def go(self) -> None:
        """End everything, and then this."""
        self.going = True
        for each in list(self.services.values()):
            each.stop()

    def welcome(self, door: socket.socket) -> None:
        """Hear one question, which is one line of JSON."""
        caller, _ = door.accept()
        caller.settimeout(5)
        try:
            with caller.makefile("r", encoding="utf-8") as lines:
                told = json.loads(lines.readline())
            wanted, block = self.do(told), bool(told.get("block"))
        except (OSError, ValueError, KeyError) as error:
            self.reply(caller, 1, str(error))
            return
        if isinstance(wanted, tuple):
            self.reply(caller, *wanted)
        else:
            self.waiting.append((caller, wanted if block else [], told["verb"] in ("start", "restart")))

    def do(self, told: dict[str, Any]) -> Any:
        """Do what is told: an answer (code, text), or the units that the caller waits for."""
        verb, names = told["verb"], [str(each) for each in told["units"]]
        if verb in ("start", "restart", "stop"):
            for name in names:
                if verb == "start":
                    self.start(name)
                else:
                    self.stop(name, again=verb == "restart")
            return names
        if verb == "exit":
            self.go()
            return (0, "")
        if verb == "reset-failed":
            for each in self.services.values():
                if each.state == "failed" and any(fnmatch.fnmatch(each.name, name) for name in names):
                    each.state = "inactive"
            return (0, "")
        return (0, json.dumps({name: self.shown(name) for name in names}))

    def shown(self, name: str) -> dict[str, str]:
        """What systemd would show of a unit."""
        one = self.services.get(name) or Service(name, self.selector)
        state, sub = SHOWN[one.state]
        return {"ActiveState": state, "SubState": sub, "NRestarts": str(one.restarts),
                "InvocationID": one.invocation, "MainPID": str(one.main)}  # fmt: skip

    def answer_those_who_wait(self) -> None:
        """Whoever waits for units that have come to rest is answered."""
        for each in list(self.waiting):
            caller, names, begun = each
            states = [self.services[name].state for name in names if name in self.services]
            if not any(state in BUSY for state in states):
                self.waiting.remove(each)
                bad = begun and any(state in ("failed", "inactive") for state in states)
                self.reply(caller, int(bad), "")

    def reply(self, caller: socket.socket, code: int, text: str) -> None:
        """Answer, if anybody is still there to hear it."""
        with contextlib.suppress(OSError), caller:
            caller.sendall(json.dumps({"rc": code, "out": text}).encode() + b"\n")


def enabled() -> list[str]:
    """What starts with the supervisor."""
    try:
        return ENABLED.read_text(encoding="utf-8").split()
    except OSError:
        return []


def enable(names: list[str], wanted: bool) -> None:
    """Note what starts with the supervisor, and what does not any more."""
    now = [each for each in enabled() if each not in names] + (names if wanted else [])
    new = ENABLED.with_name(".enabled.new")
    new.write_text("".join(each + "\n" for each in now if (FOLDER / each).exists()), encoding="utf-8")
    new.replace(ENABLED)


def up() -> int:
    """Start the supervisor, unless it runs: what a boot does elsewhere. What was noted before the stop is over."""
    if answers():
        return 0
    for each in ("/run/llm", SOCKET):
        shutil.rmtree(each, ignore_errors=True)
    LOGS.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.fork():
        deadline = time.monotonic() + 30
        while not answers():
            if time.monotonic() > deadline:
                print("[ssh.supervisor] the supervisor does not start -- try: {}/supervisor.log".format(LOGS),
                      file=sys.stderr)  # fmt: skip
                return 1
            time.sleep(0.1)
        return 0
    os.setsid()
    if os.fork():
        os._exit(0)
    os.chdir("/")
    os.umask(0o022)
    log = os.open(str(LOGS / "supervisor.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.closerange(3, 4096)
    # Of whoever calls, by SSH or by hand, nothing is taken over.
    os.execve("/usr/bin/python3", ["python3", "-I", __file__, "serve"], {"LANG": "C.UTF-8"})
    return 1


def answers() -> bool:
    """Whether the supervisor runs."""
    return ask("show", [])[0] == 0


def ask(verb: str, units: list[str], block: bool = False) -> tuple[int, str]:
    """What the supervisor says; 1 where there is none."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.connect(SOCKET)
            line.sendall(json.dumps({"verb": verb, "units": units, "block": block}).encode() + b"\n")
            with line.makefile("r", encoding="utf-8") as lines:
                told = json.loads(lines.readline())
        return int(told["rc"]), str(told["out"])
    except (OSError, ValueError):
        return 1, "the supervisor does not run"
