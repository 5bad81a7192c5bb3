"""How a ratio is measured and printed."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """Seconds of wall clock and of CPU (children included), medians of the runs."""

    wall: float
    cpu: float


def alternately(first: Callable[[], object], second: Callable[[], object], runs: int) -> tuple[Timing, Timing]:
    """Time both, turn about, so that whatever else the machine does falls on both alike."""
    timings: tuple[list[Timing], list[Timing]] = ([], [])
    for _ in range(runs):
        for task, kept in ((first, timings[0]), (second, timings[1])):
            kept.append(timed(task))
    return _median(timings[0]), _median(timings[1])


def timed(task: Callable[[], object]) -> Timing:
    cpu = _cpu()
    wall = time.perf_counter()
    task()
    return Timing(time.perf_counter() - wall, _cpu() - cpu)


def report(what: str, ratio: float, goal: float, note: str = "") -> None:
    met = "met" if ratio <= goal else "NOT met"
    print(f"{what}: {ratio:.3f} (goal <= {goal:g}, {met}){'  ' + note if note else ''}", flush=True)


def _cpu() -> float:
    total = 0.0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        usage = resource.getrusage(who)
        total += usage.ru_utime + usage.ru_stime
    return total


def _median(timings: list[Timing]) -> Timing:
    return Timing(statistics.median(t.wall for t in timings), statistics.median(t.cpu for t in timings))
