"""`llm-wake`: starts a further machine of this server when the gateway says that callers find none with room.

The gateway says so over a socket that it alone may write to, of a request that has passed every check. It is told by a
file what came of it. One machine at a time is started, so many a day and no more, and after a no nothing is asked for a
while: all of that is on the data disk, so it holds over a restart of anything.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

from llm_node import status
from llm_node.leave_clouds import Denial, Metadata, ask
from llm_node.system import Failure, at, write

CONFIG, STATE, KEPT = "/opt/llm/wake.json", "/run/llm/wake.json", "/srv/llm/wake/starts.json"
DAY = 86400.0
PAUSE, SOON = 600.0, 60.0
"""Seconds without a try after the cloud's no; and where the machine only was not stopped (yet)."""
BOOT = 1200.0
"""Seconds that a machine has from its start to its first call. Until then no other one is started."""
LONGEST = 4096
"""Bytes of what the gateway says."""
FIRST = 3
"""The file descriptor that systemd hands over."""
NOT_STOPPED = (
    r"^IncorrectInstanceStat(e|us)|^UnsupportedOperation\.InstanceState(Pending|Rebooting|Running|Starting|Stopping)$"
)
"""Codes that say that there is nothing to start yet: the machine runs, or is on its way."""


class Wake:
    """Which machines there are, and what was done last."""

    def __init__(self, config: dict[str, Any], wall: Callable[[], float] = time.time) -> None:
        self.wall = wall
        self.cloud = str(config["cloud"])
        self.machines: dict[str, str] = dict(config["machines"])
        """Their ids at the cloud, by what the gateway calls them, in the order in which they are used."""
        self.most = int(config["most"])
        self.sold_out = str(config["sold_out"])
        self.metadata = Metadata(self.cloud, "wake")
        self.told: dict[str, Any] = {}
        """What was done last."""
        try:
            self.told = self.kept()["last"]
        except Failure as failure:
            self.no(failure, None, PAUSE)
        if self.told.get("code") == "wake.too-many":
            self.told = {}  # more may be allowed now; how many there were is kept by itself

    def asked(self, away: list[str]) -> None:
        """Callers find no machine with room, and these are not there: start one, where that may be."""
        now, last = self.wall(), self.told
        left = float(last.get("until", 0)) - now
        if left > (BOOT if last.get("state") == "started" else DAY):
            last, left = {}, 0.0  # the clock was set back, which holds nothing up
        if last.get("state") == "refused" and left > 0:
            return
        if last.get("state") == "started" and last["machine"] in away and last["machine"] in self.machines:
            if left > 0:
                return
            message = f"{last['machine']} was started, and takes no calls after {BOOT / 60:.0f} minutes"
            self.no(Failure("wake.not-serving", message), last["machine"], PAUSE)
            return
        there = [each for each in self.machines if each in away]
        if not there:
            return
        try:
            starts = [each for each in self.kept()["starts"] if now - DAY < each <= now + 60]
        except Failure as failure:
            self.no(failure, None, PAUSE)
            return
        if len(starts) >= self.most:
            message = f"{len(starts)} machines were started within a day, and {self.most} may be"
            self.no(Failure("wake.too-many", message), None, min(starts) + DAY - now)
            return
        # One that was refused comes last: another zone may have what this one has not.
        at_last = last.get("machine") if last.get("state") == "refused" else None
        self.start(min(there, key=lambda each: each == at_last), [*starts, now])

    def start(self, machine: str, starts: list[float]) -> None:
        """Have the cloud start it. It is counted before: a count that cannot be kept starts nothing."""
        try:
            before, self.told = self.told, self.words("started", machine, self.wall() + BOOT)
            try:
                self.keep(starts)
            except Failure:
                self.told = before
                raise
            # Whatever ends this program now: it was started, as far as anybody knows.
            ask(self.cloud, self.metadata, "Start", self.machines[machine])
        except Failure as failure:
            said = failure.said if isinstance(failure, Denial) else ""
            pause = PAUSE
            if re.search(NOT_STOPPED, said):
                failure.code, pause = "wake.not-stopped", SOON
            elif re.search(self.sold_out, said):
                failure.code = "wake.sold-out"
            # A start that nobody answered may have been taken.
            taken = failure.code in ("wake.unreachable", "wake.no-count")
            self.no(failure, machine, pause, starts if taken else starts[:-1])
            return
        self.tell("started", machine, self.wall() + BOOT, starts)

    def serves(self, machine: str) -> None:
        """It takes calls: whenever it is away again, it may be started again."""
        if self.told.get("state") == "started" and self.told["machine"] == machine:
            self.tell("serving", machine, self.wall())

    def no(self, failure: Failure, machine: str | None, pause: float, starts: list[float] | None = None) -> None:
        """Say why nothing was started, and try nothing for so long."""
        self.tell("refused", machine, self.wall() + pause, starts, failure)
        sys.stderr.write(f"[{failure.code}] {failure.message}\n")

    def kept(self) -> dict[str, Any]:
        """What is on the data disk. A Failure ``wake.no-count`` where that cannot be read: then nothing is started."""
        try:
            found = json.loads(at(KEPT).read_text())
            return {"starts": [float(each) for each in found["starts"]], "last": made_of(found.get("last"))}
        except FileNotFoundError:
            return {"starts": [], "last": {}}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise Failure("wake.no-count", f"{KEPT} cannot be read: {error}") from None

    def keep(self, starts: list[float]) -> None:
        """Write the starts of the last day, and what was done last. A Failure ``wake.no-count`` where that fails."""
        try:
            write(at(KEPT), json.dumps({"starts": starts, "last": self.told}))
        except OSError as error:
            raise Failure("wake.no-count", f"{KEPT} cannot be written: {error}") from None

    def tell(
        self,
        state: str,
        machine: str | None,
        until: float,
        starts: list[float] | None = None,
        failure: Failure | None = None,
    ) -> None:
        """Note what was done, on the disk and for the gateway and `serve_status`. ``starts``: those of the last day."""
        self.told = self.words(state, machine, until, failure)
        try:
            self.keep(self.kept()["starts"] if starts is None else starts)
        except Failure as lost:
            sys.stderr.write(f"[{lost.code}] {lost.message}\n")
        self.publish()

    def words(self, state: str, machine: str | None, until: float, failure: Failure | None = None) -> dict[str, Any]:
        """What was done, as it is kept and told."""
        code, message = (failure.code, failure.message) if failure is not None else (None, None)
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.wall()))
        return {"state": state, "machine": machine, "code": code, "message": message, "until": until, "since": since}

    def publish(self) -> None:
        """The same, where it is read."""
        code = self.told.get("code")
        write(at(STATE), json.dumps(self.told | {"hint": status.hint(code) if code else None}))


def made_of(row: Any) -> dict[str, Any]:
    """What was done last, if it is something that this program writes."""
    known = isinstance(row, dict) and {"state", "machine", "code", "message", "since"} <= row.keys()
    return dict(row) if known and isinstance(row.get("until"), float) else {}


def heard(held: socket.socket) -> dict[str, Any]:
    """What the gateway said last, of all that waits; nothing where it made no sense."""
    data = held.recv(LONGEST)
    try:
        while True:
            data = held.recv(LONGEST, socket.MSG_DONTWAIT)
    except BlockingIOError:
        pass
    try:
        said = json.loads(data)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def hear(wake: Wake, held: socket.socket) -> None:
    """Do what the gateway asks."""
    said = heard(held)
    if isinstance(away := said.get("away"), list):
        wake.asked([str(each) for each in away])
    if isinstance(machine := said.get("serves"), str):
        wake.serves(machine)


def main() -> None:
    """Serve until this is stopped."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if os.environ.get("LISTEN_FDS") != "1":
        sys.exit("llm-wake.socket starts this: it hands over where the gateway asks")
    wake = Wake(status.read(at(CONFIG)))
    if wake.told:
        wake.publish()
    with socket.socket(fileno=FIRST) as held:
        while True:
            hear(wake, held)
