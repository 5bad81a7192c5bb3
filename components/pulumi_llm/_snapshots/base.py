"""What a cloud's `snapshots` is asked, and what it answers. Nothing here names a cloud or imports a cloud's SDK.

A cloud whose disks can be copied has a module `snapshots` in its folder, with ``connect(region) -> Snapshots`` and
``ACTION``, and a file `data/snapshots.json` with what can be known before it is asked.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Protocol

from pulumi_llm._dataclasses import dataclass

NO_SDK, NO_CREDENTIALS = "snapshots.no-sdk", "snapshots.no-credentials"
"""What is told where an account cannot be asked at all."""

State = Literal["whole", "under way", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A snapshot as its cloud tells it now. Times are UTC."""

    id: str
    disk: str
    """The disk that it is a copy of, which may be gone."""
    taken: datetime
    gib: int
    """The size of that disk: no disk that is made from it may be smaller."""
    state: State
    expires: datetime | None = None
    """When the cloud deletes it, as far as it tells; None: not known, or never."""
    by_schedule: bool = False


class Snapshots(Protocol):
    """The snapshots of one region. Each method raises `_refresh.calls.Failure` where the call fails."""

    def of_disk(self, disk: str) -> list[Copy]:
        """All of that disk, whether it is still there or not, in no order."""
        ...

    def find(self, snapshot: str) -> Copy | None:
        """The one of that id; None where there is none (any more)."""
        ...
