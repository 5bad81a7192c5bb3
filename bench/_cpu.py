"""CPU and memory of gateways under streams: one loop that measures them all, turn about."""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench._gateway import Subject, upstream
from bench._load import drive

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
STREAMS = (1, 16, 64)
"""Streams at a time."""
MODES = ((20, 0.0), (20, 0.01), (200, 0.0), (200, 0.01))
"""Events of a stream, and seconds between two."""

Start = Callable[[int], contextlib.AbstractContextManager[Subject]]
"""Starts a gateway before an upstream that is on this port."""


@dataclass(frozen=True)
class Measured:
    """One kind of streams: CPU seconds per 1,000 of them, by the gateway's name, at each of `STREAMS`."""

    how: str
    cpu: dict[str, list[float]]
    """The median of the rounds."""
    least: dict[str, list[float]]
    """The round that took least: what else the machine does only ever adds to it."""


def cpu(pid: int) -> float:
    """Milliseconds of CPU that a process has had, all of its threads, as the kernel counts it."""
    total = 0
    for each in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError):  # a thread that has just ended
            total += int((each / "schedstat").read_text().split()[0])
    return total / 1e6


def resident(pid: int) -> float:
    """MiB of memory that a process holds."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def load() -> str:
    """How busy the machine is."""
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def measured(starts: Mapping[str, Start], first: str) -> Iterator[Measured]:
    """Medians of each kind of streams, printed with the ratio of ``first`` to each."""
    for events, pause in MODES:
        found: dict[tuple[str, int], list[float]] = {}
        with upstream(events, pause) as behind, contextlib.ExitStack() as up:
            running = {name: up.enter_context(start(behind.port)) for name, start in starts.items()}
            for each in running.values():
                asyncio.run(drive(each.url, 4, 20, each.key, each.ca))
            for turn in range(ROUNDS):
                for at_a_time in STREAMS:
                    # A few streams of a few events take less than the kernel's own jitter.
                    total = max(2 * at_a_time, *((4, 320 // events) if pause else (100, 8_000 // events)))
                    for name, each in list(running.items())[:: 1 if turn % 2 else -1]:
                        before = sum(map(cpu, each.processes))
                        asyncio.run(drive(each.url, at_a_time, total, each.key, each.ca))
                        found.setdefault((name, at_a_time), []).append((sum(map(cpu, each.processes)) - before) / total)
            memory = {name: sum(map(resident, each.processes)) for name, each in running.items()}
        told = Measured(
            f"{events} events, {1000 * pause:.0f} ms between them",
            {name: [statistics.median(found[name, each]) for each in STREAMS] for name in starts},
            {name: [min(found[name, each]) for each in STREAMS] for name in starts},
        )
        print(f"   {told.how}: CPU s per 1,000 streams at {STREAMS} at a time ({load()})")
        for name in starts:
            cells = ", ".join(f"{each:.2f}" for each in told.cpu[name])
            pairs = zip(told.cpu[first], told.cpu[name], strict=True)
            ratios = ", ".join(f"{own / each:.2f}" for own, each in pairs)
            note = "" if name == first else f"{first} / its: {ratios:<20}"
            print(f"      {name:<22}{cells:<22}{note:<44}{memory[name]:>5.0f} MiB", flush=True)
        yield told
