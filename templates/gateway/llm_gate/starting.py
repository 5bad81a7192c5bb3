"""Asks for a further machine where callers find none that answers, or none with room for a while.

The gateway holds no authority at a cloud. It says over a socket which machines are not there; `llm-wake`, a program of
its own, decides and asks the cloud, and says by a file what came of it.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from llm_gate import errors
from llm_gate.errors import Refused
from llm_gate.policy import Reread
from llm_gate.replicas import Replicas
from llm_gate.routes import Routes, Target
from llm_gate.use import PROBE

FULL = 20.0
"""Seconds for which every machine that is there has to be full before another one is asked for."""
PAUSE = 1.0
"""Seconds between two words to the program that starts machines."""
READY = 300
"""Seconds that a machine takes from its start to its first call, about: its weights are on its disk."""
LONGEST = 600
"""Seconds after which a caller is told to come again, at most."""


class Starting:
    """What is asked of `llm-wake`, and what a caller is told meanwhile."""

    def __init__(
        self, place: Path, told: Reread, routes: Routes, replicas: Replicas, complain: Callable[[str], None]
    ) -> None:
        """``place``: the socket. ``told``: the file in which the program says what it did last."""
        self._place, self._told, self._routes, self._replicas = str(place), told, routes, replicas
        self._complain = complain
        self.on = False
        """Whether machines are started for requests at all."""
        self._since: dict[str, float] = {}
        """Since when every machine that is there has been full, by the model's own server on this one."""
        self._said = -PAUSE

    def present(self, targets: list[Target], caller: str) -> list[Target]:
        """The targets without those that are off; and if the others have been full for a while, ask for one of them.

        Of a call that has passed every check. The node's own questions are nobody's use.
        """
        rows = self._rows(targets)
        if not rows or caller == PROBE:
            return targets
        off = [each for each in rows if self._replicas.away(each.upstream)]
        there = [each for each in rows if each not in off]
        if off and there:
            now, own = time.monotonic(), next((each.upstream.name for each in rows if each.upstream.here), "")
            if any(self._room(each) for each in there):
                self._since.pop(own, None)
            elif now - self._since.setdefault(own, now) >= FULL and not self._routes.resting:
                self._ask(off)
        else:
            self.gone(targets, caller)
        return [each for each in targets if each not in off or each.upstream.here]

    def gone(self, targets: list[Target], caller: str) -> bool:
        """Ask for a machine if all are off, though another target may answer; whether somebody hears it.

        Not while a model is changed: what rests is back before another machine would be there.
        """
        rows = self._off(targets, caller)
        return bool(rows) and not self._routes.resting and self._ask(rows)

    def left(self, target: Target) -> None:
        """A call has ended at a target: where there is room again, nobody is needed."""
        if not self._since or not target.upstream.fill or not self._room(target):
            return
        if target.upstream.here:
            self._since.pop(target.upstream.name, None)
        else:
            self._since.clear()  # a further machine has every model

    def none(self, targets: list[Target], model: str, caller: str) -> Refused | None:
        """No target has answered: what the caller is told if that is as all machines are off, and one is asked for."""
        if self._routes.resting and self._off(targets, caller):
            return errors.changing()
        if not self.gone(targets, caller):
            return None
        self._told.fresh()
        last = self._told.content
        left = _number(last.get("until")) - time.time()
        if last.get("state") == "refused" and left > 0:
            message = f"no machine with {model!r} answers, and none could be started; try again later"
            after = {"Retry-After": str(round(min(max(left, 1), LONGEST)))}
            return Refused(503, "api_error", "model_not_started", message, after)
        return errors.asleep(model, READY)

    def look(self) -> None:
        """Say so once a machine that was started takes calls."""
        if not self.on:
            return
        self._told.fresh()
        last = self._told.content
        machine = str(last.get("machine"))
        if last.get("state") == "started" and self._replicas.serves(machine):
            self._say({"serves": machine})

    def _rows(self, targets: Sequence[Target]) -> list[Target]:
        return [each for each in targets if each.upstream.fill] if self.on else []

    def _off(self, targets: list[Target], caller: str) -> list[Target]:
        """The machines of such a call, if all of them are off."""
        rows = [] if caller == PROBE else self._rows(targets)
        return rows if all(self._replicas.away(each.upstream) for each in rows) else []

    def _room(self, target: Target) -> bool:
        return self._replicas.active[target.upstream.name] < target.upstream.fill

    def _ask(self, off: Sequence[Target]) -> bool:
        """Ask for one of them, once in a while; whether somebody is there who hears it."""
        now = time.monotonic()
        if now - self._said < PAUSE:
            return True
        names = [each.upstream.name for each in off if not each.upstream.here]
        if not names or not self._say({"away": names}):
            return False
        self._said = now
        return True

    def _say(self, words: dict[str, Any]) -> bool:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as held:
                held.sendto(json.dumps(words).encode(), self._place)
        except BlockingIOError:
            return True  # it has enough to read
        except OSError as error:
            self._complain(f"[gate.starting] {type(error).__name__}: llm-wake does not listen")
            return False
        return True


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
