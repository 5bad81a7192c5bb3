"""A caller that is served while another attacks: its p50 against its p50 alone.

Two kinds of attack: texts within default limits that are dearest to check for words, and long bodies of a key that is
over its limit, each on a connection of its own. All of it runs on one machine, so what the attacker's own work takes
from the victim is told apart:

* apart: the gateway has a processor to itself. The attacker runs on the others, where victim and upstream go before it
  (SCHED_IDLE). What is left is what the gateway makes the victim wait.
* as it comes: everybody everywhere. And the same attack on another gateway, with which the victim has nothing to do.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench._cpu import cpu, load
from bench._gateway import ROOT, Subject, gateway, key_of, upstream
from bench._load import connected, exchange, request
from bench._ratio import report

GOAL = 3.0
"""The victim's p50 under attack / alone."""
SECONDS = float(os.environ.get("BENCH_SECONDS", "3"))
PAIRS = int(os.environ.get("BENCH_ROUNDS", "3"))
PAUSE = 0.02
"""Seconds between two streams of the victim."""
SETTLED = 0.7
"""Seconds of an attack before it is measured."""
WORDS = ["bomb", "bombs", "敏感词", "project-x"]
RULES = {"requests_per_minute": None, "tokens_per_minute": 10**9, "max_concurrency": 8}


@dataclass(frozen=True)
class Attack:
    """``at_once``: its requests at a time; ``anew``: each on a connection of its own, that it closes once refused."""

    text: str
    length: int
    at_once: int
    key: str = "attacker"
    anew: bool = False


ATTACKS = {
    "prose": Attack("The quick brown fox jumps over the lazy dog. ", 300_000, 8),
    "near-misses b.o.m.": Attack("b.o.m.", 300_000, 8),
    "near-misses 敏。感词": Attack("敏。感词", 300_000, 8),
    "letters of two scripts": Attack("b\u043em.b.\u043e.m.", 300_000, 8),
    "refused bodies": Attack("word ", 1_400_000, 60, key="refused", anew=True),
}
KEYS = {"victim": RULES, "attacker": RULES, "refused": {**RULES, "requests_per_minute": 0}}


async def _attacking(url: str, attack: Attack) -> None:
    """Until SIGTERM; then what was done."""
    text = attack.text * (attack.length // len(attack.text))
    content = {"model": "m", "max_tokens": 16, "stream": True, "messages": [{"role": "user", "content": text}]}
    asked, done, stop = request(key_of(attack.key), content), 0, asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)

    async def one() -> None:
        nonlocal done
        reader, writer = await connected(url)
        while not stop.is_set():
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await exchange(reader, writer, asked)
                done += 1
            if attack.anew:
                writer.transport.abort()
                reader, writer = await connected(url)

    began = time.perf_counter()
    attackers = [asyncio.create_task(one()) for _ in range(attack.at_once)]
    await stop.wait()
    seconds = time.perf_counter() - began
    for each in attackers:
        each.cancel()
    print(json.dumps(done / seconds))


def _pinned(pid: int, cores: set[int]) -> None:
    for each in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(each.name), cores)


@contextlib.contextmanager
def _under(name: str, gate: Subject, cores: set[int] | None) -> Iterator[list[float]]:
    """In a process of its own. Gives a list that holds the attack's requests a second once it is over."""
    argv = [sys.executable, "-m", "bench.attack", gate.url, name]
    process = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if cores:
        _pinned(process.pid, cores)
        os.sched_setscheduler(process.pid, os.SCHED_IDLE, os.sched_param(0))
    rate: list[float] = []
    try:
        time.sleep(SETTLED)
        yield rate
        if process.poll() is not None:
            raise RuntimeError("the attack has ended before it was measured")
        process.terminate()
        rate.append(json.loads(process.communicate(timeout=30)[0]))
    finally:
        process.kill()
        process.wait()


def _victim(gate: Subject, cores: set[int] | None) -> float:
    """Seconds to the end of its streams, p50."""
    argv = [sys.executable, "-m", "bench._load", gate.url, "1", str(SECONDS), key_of("victim"), "", str(PAUSE)]
    process = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if cores:
        _pinned(process.pid, cores)
    whole: list[float] = json.loads(process.communicate(timeout=SECONDS + 60)[0])["whole"]
    return statistics.median(whole)


@dataclass(frozen=True)
class _Pair:
    alone: float
    under: float
    rate: float = 0.0
    busy: float = 0.0

    @property
    def ratio(self) -> float:
        return self.under / self.alone


def _pair(name: str, gate: Subject, attacked: Subject, cores: set[int] | None) -> _Pair:
    alone = _victim(gate, cores)
    with _under(name, attacked, cores) as rate:
        began, before = time.perf_counter(), cpu(attacked.gate)
        under = _victim(gate, cores)
        busy = (cpu(attacked.gate) - before) / 1000 / (time.perf_counter() - began)
    return _Pair(alone, under, rate[0], busy)


def _told(pairs: list[_Pair]) -> str:
    ratios = " ".join(f"{each.ratio:.1f}" for each in pairs)
    best = min(pairs, key=lambda each: each.ratio)
    return (
        f"{1000 * best.under:.1f} ms against {1000 * best.alone:.1f}, {best.rate:.1f} attacks a second, which take "
        f"{100 * best.busy:.0f} % of a processor; all pairs: {ratios}; {load()}"
    )


def _against(name: str, gate: Subject, other: Subject, upstream_pid: int) -> None:
    cores = sorted(os.sched_getaffinity(0))
    kinds: list[tuple[str, Subject, set[int] | None]] = [
        ("as it comes", gate, None),
        ("on another gateway", other, None),
    ]
    if len(cores) > 1:
        kinds.insert(0, ("apart", gate, set(cores[1:])))
    found: dict[str, list[_Pair]] = {kind: [] for kind, _, _ in kinds}
    for _ in range(PAIRS):
        for kind, attacked, rest in kinds:
            _pinned(gate.gate, {cores[0]} if rest else set(cores))
            _pinned(upstream_pid, rest or set(cores))
            found[kind].append(_pair(name, gate, attacked, rest))
    for kind, pairs in found.items():
        lowest = min(each.ratio for each in pairs)
        what = f"p50 beside {ATTACKS[name].at_once} x {ATTACKS[name].length // 1000} KB of {name}, {kind} / alone"
        report(what, lowest, GOAL, _told(pairs))


def main() -> None:
    lists = {"lists": [{"name": "words", "words": WORDS, "action": "block"}]}
    for name in ATTACKS:
        with contextlib.ExitStack() as up:
            behind = up.enter_context(upstream())
            gate, other = (up.enter_context(gateway(behind.port, KEYS, content=lists)) for _ in range(2))
            _against(name, gate, other, behind.pid)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(_attacking(sys.argv[1], ATTACKS[sys.argv[2]]))
    else:
        main()
