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
    drain: Path = Path("/run/llm/drain.json")
    resting: Path = Path("/run/llm/resting.json")
    status: Path = Path("/run/llm/status.json")
    wake: Path = Path("/run/llm/wake.sock")
    woken: Path = Path("/run/llm/wake.json")
