"""What goes wrong at the edge of the machines' network, on request.

Rules are JSON in ``faults.json`` of the edge's folder, and are read again for every request, so that a test can break
and mend things while machines run. The first rule that fits, and has not happened ``times`` times, happens.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Literal

Action = Literal[
    "status", "reset", "cut", "stall", "corrupt", "truncate", "replace", "slow", "drop", "unknown-host", "not-yet-valid"
]
"""``status``: answer with that code. ``reset``: hang up. ``cut``: promise all, send a share, hang up. ``stall``: send a
share, then nothing. ``corrupt``: another byte in the middle. ``truncate``: a shorter file, whole in itself.
``replace``: another file. ``slow``: that many bytes a second. For names: ``drop`` the question, or answer
``unknown-host``. For certificates: ``not-yet-valid``, as a machine whose clock is a day behind sees them."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One rule. ``host`` is a glob, ``path`` a regular expression searched for in path and query."""

    do: Action
    host: str = "*"
    path: str = ""
    times: int | None = None
    """How often it happens; None: always."""
    share: float = 0.5
    """For cut, stall and truncate: how much of the body is sent, 0 to 1."""
    status: int = 503
    rate: int = 65536
    """For slow: bytes a second."""
    file: str = ""
    """For replace: its path."""
    unless_token: str = ""
    """It does not happen to a request with this bearer token."""


class Faults:
    """The rules of one edge, and how often each has happened."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._spent: dict[str, int] = {}

    def find(self, host: str, path: str, token: str, *actions: str) -> Fault | None:
        """The rule for a request, restricted to some actions where they are named; it counts as having happened."""
        for fault in read(self.file):
            if actions and fault.do not in actions:
                continue
            if not actions and fault.do in ("drop", "unknown-host", "not-yet-valid"):
                continue
            if not fnmatch(host, fault.host) or not re.search(fault.path, path):
                continue
            if fault.unless_token and token == fault.unless_token:
                continue
            key = json.dumps(asdict(fault))
            if fault.times is not None and self._spent.get(key, 0) >= fault.times:
                continue
            self._spent[key] = self._spent.get(key, 0) + 1
            return fault
        return None


def read(file: Path) -> list[Fault]:
    """The rules in a file; none where there is no file."""
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    return [Fault(**row) for row in rows]


def write(file: Path, faults: list[Fault]) -> None:
    """Put these rules in the place of all that were there."""
    new = file.with_suffix(".new")
    new.write_text(json.dumps([asdict(each) for each in faults]), encoding="utf-8")
    new.replace(file)
