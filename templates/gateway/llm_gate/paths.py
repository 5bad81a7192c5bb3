"""Where the gateway's files lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Paths:
    """Where everything lies. ``settings``: not secret. ``secrets``: readable by this process only."""

    settings: Path = Path("/opt/llm/gateway")
    secrets: Path = Path("/srv/llm/secrets")
    state: Path = Path("/srv/llm/gateway")
    run: Path = Path("/run/llm")
    """What the node's other programs say."""

    @property
    def drain(self) -> Path:
        """That calls are refused, and with which code."""
        return self.run / "drain.json"

    @property
    def resting(self) -> Path:
        """Upstreams that are restarted."""
        return self.run / "resting.json"

    @property
    def status(self) -> Path:
        """How the node is."""
        return self.run / "status.json"

    @property
    def leave(self) -> Path:
        """Whether the machine stops by itself."""
        return self.run / "leave.json"

    @property
    def wake(self) -> Path:
        """Where a further machine is asked for."""
        return self.run / "wake.sock"

    @property
    def woken(self) -> Path:
        """What came of that."""
        return self.run / "wake.json"
