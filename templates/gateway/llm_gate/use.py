"""How long nobody has used the gateway, and what is said while its machine is about to be stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Any

from llm_gate.errors import Refused
from llm_gate.policy import Reread

PROBE = "node-probe"
"""The node's own key, with which it asks itself: nobody's use."""
CHANGED = 10
"""Seconds after which a caller may try again while a model is changed: another look costs next to nothing."""


class Use:
    """Calls under way, and when the last one was taken on or ended.

    Only what passes every check counts as use: whoever is refused over and over keeps no machine running.
    """

    def __init__(self, drain: Reread, clock: Callable[[], float] = time.monotonic) -> None:
        """``drain``: a file that is there while the machine is about to be stopped (llm-leave.service)."""
        self._drain = drain
        self._clock = clock
        self._last = clock()
        self.active = 0

    def enter(self, key: str) -> None:
        """A call whose key is good has come."""
        self.active += key != PROBE

    def leave(self, key: str) -> None:
        """It has been answered, or refused."""
        self.active -= key != PROBE

    def admit(self, key: str) -> None:
        """A call was taken on, or one that was taken on has come to its end."""
        if key != PROBE:
            self._last = self._clock()

    def document(self) -> dict[str, Any]:
        """For the program that stops the machine."""
        return {"active": self.active, "idle_seconds": round(self._clock() - self._last, 3)}

    def refuse_while_changed(self, resting: Collection[str]) -> None:
        """Raise `Refused` where upstreams rest: a model that nobody else has is not served until they are back."""
        if resting:
            message = "this server's model is being changed; try again"
            raise Refused(503, "api_error", "model_changing", message, {"Retry-After": str(CHANGED)})

    def refuse_while_stopping(self) -> None:
        """Raise `Refused`, with the code and the time that the file tells, while the machine is about to be stopped."""
        self._drain.fresh()
        told = self._drain.content
        if told:
            code, message = str(told.get("code", "server_stopping")), str(told.get("message", "this server stops"))
            raise Refused(503, "api_error", code, message, {"Retry-After": str(told.get("retry_after", 60))})
