"""How long nobody has used the gateway, and what is said while its machine is about to be stopped."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection
from typing import Any

from llm_gate.errors import Refused, changing
from llm_gate.policy import Reread

PROBE = "node-probe"
"""The node's own key, with which it asks itself: nobody's use."""
SERVES, NO = "X-Llm-Serves", "no"
"""The header by which a gateway says, with its list of models, that it takes no calls now."""


class Use:
    """Calls under way, and when the last one was taken on or ended.

    Only what passes every check counts as use: whoever is refused over and over keeps no machine running.
    """

    def __init__(self, drain: Reread, status: Reread, clock: Callable[[], float] = time.monotonic) -> None:
        """``drain``: a file that is there while the machine is about to be stopped (llm-leave.service); ``status``: the
        node's own."""
        self._drain, self._status = drain, status
        self._clock = clock
        self._last = clock()
        self.active = 0
        self._by_table: Counter[int] = Counter()
        """Calls under way, by the number of the routing table that was in force when they came."""

    def enter(self, key: str, table: int) -> None:
        """A call whose key is good has come. ``table``: the number of the routing table in force."""
        self.active += key != PROBE
        self._by_table[table] += 1

    def leave(self, key: str, table: int) -> None:
        """It has been answered, or refused."""
        self.active -= key != PROBE
        self._by_table[table] -= 1
        if not self._by_table[table]:
            del self._by_table[table]

    def admit(self, key: str) -> None:
        """A call was taken on, or one that was taken on has come to its end."""
        if key != PROBE:
            self._last = self._clock()

    def document(self, table: int) -> dict[str, Any]:
        """For the program that stops the machine, and for whoever is about to stop an upstream: ``earlier`` are calls
        that came before this routing table was in force, and may still go where an earlier one led."""
        earlier = sum(calls for number, calls in self._by_table.items() if number != table)
        return {"active": self.active, "idle_seconds": round(self._clock() - self._last, 3), "earlier": earlier}

    def told(self) -> dict[str, str]:
        """The header for a gateway in front of this one, as long as it had better send its calls elsewhere."""
        self._drain.fresh()
        self._status.fresh()
        return {} if self._status.content.get("ready") and not self._drain.content else {SERVES: NO}

    def refuse_while_changed(self, resting: Collection[str]) -> None:
        """Raise `Refused` where upstreams rest: a model that nobody else has is not served until they are back."""
        if resting:
            raise changing()

    def refuse_while_stopping(self) -> None:
        """Raise `Refused`, with the code and the time that the file tells, while the machine is about to be stopped."""
        self._drain.fresh()
        told = self._drain.content
        if told:
            code, message = str(told.get("code", "server_stopping")), str(told.get("message", "this server stops"))
            raise Refused(503, "api_error", code, message, {"Retry-After": str(told.get("retry_after", 60))})
