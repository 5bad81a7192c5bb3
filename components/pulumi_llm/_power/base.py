"""What a cloud's `power` is asked, and what it answers. Nothing here names a cloud or imports a cloud's SDK.

A cloud that can stop a machine so that it costs nothing has a module `power` in its folder, with
``connect(region) -> Power`` and ``ACTIONS``, and a file `data/power.json` with what can be known before it is asked.
"""

from __future__ import annotations

from typing import Literal, Protocol

from pulumi_llm._dataclasses import dataclass

NO_SDK, NO_CREDENTIALS = "power.no-sdk", "power.no-credentials"
"""What is told where an account cannot be asked at all."""

Action = Literal["look", "stop", "start"]
State = Literal["running", "stopped", "starting", "stopping", "other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A machine as its cloud tells it now."""

    state: State
    charged: bool = False
    """It stands still and is paid for all the same."""
    unfit: str = ""
    """Why a stop would not end the charge, as far as the cloud tells; empty: it would."""
    trouble: str = ""
    """The cloud's words for a start or stop that it took and did not finish; empty: there is none."""


class Power(Protocol):
    """The machines of one region. Each method raises `_refresh.calls.Failure` where the call fails."""

    def look(self, machine: str) -> Seen | None:
        """The machine of that id; None where there is none (any more)."""
        ...

    def stop(self, machine: str) -> None:
        """Stop it so that it is not charged for. The cloud takes the order, and does it afterwards."""
        ...

    def start(self, machine: str) -> None:
        """Start it. The cloud takes the order, and does it afterwards."""
        ...
