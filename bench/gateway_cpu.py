"""What a stream costs the gateway's process, and what a key that is over its limit costs others.

CPU is the process's own, as the kernel counts it, so whatever else the machine does falls into it only by way of its
caches. BENCH_GATEWAY_CODE: the `templates/gateway` of an older checkout, measured turn about with this one's.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench import gateway
from bench._load import BODY
from bench._ratio import report

OLDER = os.environ.get("BENCH_GATEWAY_CODE")
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
GOAL = 0.6
"""Of the CPU of the gateway that was there before HTTP was read by httptools."""
MODES = ((20, 0.0), (20, 0.01), (200, 0.0), (200, 0.01))
"""Events of a stream, and seconds between two."""
ATTACKERS, LONG = 60, 1_400_000
"""Requests at a time of a key that is over its limit, and bytes of each."""
PATH = "/v1/chat/completions"


def cpu(pid: int) -> float:
    """Milliseconds of CPU that a process has had, all of its threads."""
    return sum(int((each / "schedstat").read_text().split()[0]) for each in Path(f"/proc/{pid}/task").iterdir()) / 1e6


@contextlib.contextmanager
def gate(code: Path, upstream_port: int) -> Iterator[tuple[int, int, Path]]:
    """A gateway of this code: its port, its process and its folder."""
    with tempfile.TemporaryDirectory() as folder:
        home, port = Path(folder), gateway.free_port()
        gateway.our_files(home, upstream_port, gateway.free_port(), port)
        argv = [sys.executable, "-m", "llm_gate", "--port", str(port), "--metrics-port", "0"]
        argv += [part for name in ("settings", "secrets", "state") for part in (f"--{name}", str(home / name))]
        with gateway.started("gate", argv, port, home, PYTHONPATH=str(code)) as pid:
            yield port, pid, home


def request(body: bytes, key: str = gateway.KEY) -> bytes:
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def drive(port: int, at_a_time: int, total: int, key: str = gateway.KEY) -> list[float]:
    """So many streams to their end; seconds that each took."""
    asked, took, left = request(json.dumps(BODY).encode(), key), [], [total]

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while left[0] > 0:
            left[0] -= 1
            began = time.perf_counter()
            writer.write(asked)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(repr(head))
            await reader.readuntil(b"0\r\n\r\n")
            took.append(time.perf_counter() - began)
        writer.close()

    await asyncio.gather(*(one() for _ in range(at_a_time)))
    return took


def streams() -> None:
    """CPU seconds per 1,000 streams; with an older checkout the ratio to it."""
    codes = {"now": gateway.ROOT / "templates/gateway", **({"older": Path(OLDER)} if OLDER else {})}
    for events, pause in MODES:
        found: dict[tuple[str, int], list[float]] = {}
        with gateway.upstream(events, pause) as upstream, contextlib.ExitStack() as up:
            gates = {name: up.enter_context(gate(code, upstream)) for name, code in codes.items()}
            for port, _, _ in gates.values():
                asyncio.run(drive(port, 4, 20))
            for _ in range(ROUNDS):
                for at_a_time in gateway.STREAMS:
                    for name, (port, pid, _) in gates.items():
                        total = max(2 * at_a_time, 4 if pause else 100)
                        before = cpu(pid)
                        asyncio.run(drive(port, at_a_time, total))
                        found.setdefault((name, at_a_time), []).append((cpu(pid) - before) / total)
            memory = {name: gateway.resident(pid) for name, (_, pid, _) in gates.items()}
        how = f"{events} events, {1000 * pause:.0f} ms between them"
        for name in codes:
            cells = ", ".join(f"{statistics.median(found[name, each]):.2f}" for each in gateway.STREAMS)
            print(
                f"   {how}: {name}: CPU s per 1,000 streams at {gateway.STREAMS}: {cells}; {memory[name]:.0f} MiB",
                flush=True,
            )
        if OLDER:
            for each in gateway.STREAMS:
                ratio = statistics.median(found["now", each]) / statistics.median(found["older", each])
                report(f"{how}, {each} at a time: CPU now / older", ratio, GOAL)


def attack() -> None:
    """A key over its limit of requests sends long bodies; how long another key's streams take meanwhile."""
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "word " * (LONG // 5)}]}).encode()

    async def victim(port: int) -> float:
        # A program of its own, so that it does not wait for the attackers' own work.
        url = f"http://127.0.0.1:{port}{PATH}"
        argv = [sys.executable, "-m", "bench._load", url, "1", "4", gateway.KEY, "/dev/null"]
        load = await asyncio.create_subprocess_exec(*argv, cwd=gateway.ROOT, stdout=asyncio.subprocess.PIPE)
        told, _ = await load.communicate()
        waits: list[float] = json.loads(told)["waits"]
        return statistics.median(waits)

    async def alone_and_under_attack(port: int) -> tuple[float, float]:
        alone = await victim(port)
        stop = asyncio.Event()

        async def attacker() -> None:
            while not stop.is_set():
                with contextlib.suppress(OSError):
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                    try:
                        writer.write(request(body, "sk-attacker"))
                        await writer.drain()
                        await reader.read(200)
                    finally:
                        writer.close()
                        await writer.wait_closed()

        attackers = [asyncio.create_task(attacker()) for _ in range(ATTACKERS)]
        await asyncio.sleep(1)
        attacked = await victim(port)
        stop.set()
        await asyncio.gather(*attackers, return_exceptions=True)
        return alone, attacked

    with gateway.upstream() as upstream, gate(gateway.ROOT / "templates/gateway", upstream) as (port, _, home):
        policy = json.loads((home / "settings/policy.json").read_text())
        policy["keys"]["attacker"] = {"requests_per_minute": 0}
        hashes = json.loads((home / "secrets/gateway-keys.json").read_text())
        hashes[hashlib.sha256(b"sk-attacker").hexdigest()] = "attacker"
        for name, content in (("settings/policy.json", policy), ("secrets/gateway-keys.json", hashes)):
            (home / name).write_text(json.dumps(content))
        alone, attacked = asyncio.run(alone_and_under_attack(port))
    note = f"{1000 * alone:.1f} ms alone, {1000 * attacked:.1f} ms beside {ATTACKERS} refused bodies of {LONG:,} bytes"
    report("another key's p50 under attack / alone", attacked / alone, 3, note)


def main() -> None:
    streams()
    attack()


if __name__ == "__main__":
    main()
