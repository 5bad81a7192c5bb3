"""When a cloud copies a disk, or starts a machine, and what a machine may call.

Plain data that needs no Pulumi: it is judged before a program runs.
"""

from __future__ import annotations

from typing import Literal

from pulumi_llm._dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotPlan:
    """When snapshots of a disk begin, by the cloud's own clock, and how many days each is kept."""

    days: tuple[int, ...]
    """Days of the week, Monday as 0."""
    hour: int
    minute: int
    keep_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StartPlan:
    """When a machine is started, by the clock of a time zone, summer time included."""

    days: tuple[int, ...]
    """Days of the week, Monday as 0."""
    hour: int
    minute: int
    zone: str
    """A name of the IANA's, such as ``Asia/Shanghai``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WayOut:
    """One port that a machine may call, and where: a range, or a list of ranges that the cloud keeps by a name."""

    protocol: Literal["tcp", "udp"]
    port: int
    to: str
    listed: bool = False
    """``to`` is the name of the cloud's list."""
    description: str

    @property
    def label(self) -> str:
        """What tells it from the others of its machine."""
        return f"{self.protocol}-{self.port}-{'list' if self.listed else self.to.replace('/', '-')}"
