"""What three machines with the same model answer more than one, and what it costs to choose among them.

The engines take a fixed time for each answer and make so many at once, so that what is measured is the gateway's
choice. Conversations are as many as clients, and each grows. CPU is the gateway's own, as the kernel counts it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench._cpu import cpu, load
from bench._gateway import ROOT, Subject, gateway
from bench._load import connected, request
from bench._ratio import report
from pulumi_llm._bootstrap import GatewayRole, Route, Target, Upstream
from pulumi_llm.roles import gateway as files

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
SECONDS, AT_ONCE = 0.1, 8
"""Of one answer, and how many an engine makes at once: 80 a second."""
CLIENTS = 48
FASTER, CHOOSING = 2.4, 0.3
"""The goals: three machines over one, and milliseconds of CPU a request."""


@contextlib.contextmanager
def engines(count: int, seconds: float) -> Iterator[list[int]]:
    """The ports of so many engines."""
    argv = [sys.executable, "-m", "bench._engine", str(seconds), str(AT_ONCE)]
    running = [subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=ROOT, text=True) for _ in range(count)]
    try:
        yield [int(each.stdout.readline()) for each in running if each.stdout is not None]
    finally:
        for each in running:
            each.terminate()
            each.wait()


@contextlib.contextmanager
def before(ports: Sequence[int], *, replicas: bool) -> Iterator[Subject]:
    """A gateway before engines."""
    names = [f"u{place}" for place, _ in enumerate(ports)]
    role = GatewayRole(
        https_port=443,
        upstreams=tuple(
            Upstream(name=name, kind="vllm", base_url=f"http://127.0.0.1:{port}/v1", replica=replicas)
            for name, port in zip(names, ports, strict=True)
        ),
        routes=(
            Route(name="m", targets=tuple(Target(upstream=name, model="m", price_in=0, price_out=0) for name in names)),
        ),
    )
    with tempfile.TemporaryDirectory() as folder, gateway(1, home=Path(folder)) as gate:
        (Path(folder) / "settings/routes.json").write_text(files.routes(role))
        yield gate


async def conversations(gate: Subject, seconds: float, clients: int = CLIENTS) -> int:
    """Answers that so many conversations have got in so many seconds; each asks again once it is answered."""
    until = time.perf_counter() + seconds

    async def talk(number: int) -> int:
        reader, writer = await connected(gate.url)
        done = 0
        said: list[dict[str, str]] = [{"role": "user", "content": f"conversation {number} " + "herons " * 50}]
        while time.perf_counter() < until:
            writer.write(request(gate.key, {"model": "m", "messages": said}))
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            if not head.startswith(b"http/1.1 200"):
                raise RuntimeError(head.decode())
            length = next(int(each[15:]) for each in head.split(b"\r\n") if each.startswith(b"content-length:"))
            await reader.readexactly(length)
            done += 1
            if len(said) < 20:
                said += [{"role": "assistant", "content": "word"}, {"role": "user", "content": "and then?"}]
        writer.close()
        return done

    return sum(await asyncio.gather(*(talk(number) for number in range(clients))))


def rates() -> None:
    """Three over one."""
    with engines(3, SECONDS) as ports, before(ports[:1], replicas=True) as one, before(ports, replicas=True) as three:
        found: dict[int, list[float]] = {1: [], 3: []}
        for _ in range(ROUNDS):
            for count, gate in ((1, one), (3, three)):
                found[count].append(asyncio.run(conversations(gate, 4)) / 4)
    middle = {count: statistics.median(each) for count, each in found.items()}
    ratio = middle[3] / middle[1]
    met = "met" if ratio >= FASTER else "NOT met"
    told = f"{middle[3]:.0f} answers a second of three, {middle[1]:.0f} of one ({load()})"
    print(f"three machines over one: {ratio:.2f} (goal >= {FASTER:g}, {met})  {told}", flush=True)


def choosing() -> None:
    """CPU per request with the choice and without it, over the same engines."""
    with engines(3, 0) as ports, before(ports, replicas=True) as new, before(ports, replicas=False) as plain:
        found: dict[str, list[float]] = {"new": [], "plain": []}
        for turn in range(2 * ROUNDS):
            pairs = (("new", new), ("plain", plain))
            for name, gate in pairs[:: 1 if turn % 2 else -1]:
                begun = cpu(gate.gate)
                done = asyncio.run(conversations(gate, 1, 16))
                found[name].append((cpu(gate.gate) - begun) / done)
    new_, plain_ = min(found["new"]), min(found["plain"])
    report(
        "choosing a replica: ms of CPU a request", new_ - plain_, CHOOSING, f"{new_:.2f} and {plain_:.2f} ({load()})"
    )


def main() -> None:
    rates()
    choosing()


if __name__ == "__main__":
    main()
