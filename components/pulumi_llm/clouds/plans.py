"""When a cloud copies a disk, or starts a machine.

Plain data that needs no Pulumi: schedules are judged before a program runs.
"""

from __future__ import annotations

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
