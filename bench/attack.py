"""A caller that is served while another sends the texts that are dearest to check: its p50 against its p50 alone.

The attacker stays within default limits: eight requests at a time. Both have keys of their own; word lists check all.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench._ratio import report

ROOT = Path(__file__).parents[1]
GOAL = 3.0
"""The victim's p50 under attack / alone."""
SECONDS = float(os.environ.get("BENCH_SECONDS", "6"))
AT_ONCE = 8
"""Requests of the attacker: a key's `max_concurrency` unless it says otherwise."""
PAUSE = 0.02
"""Seconds between two requests of the victim."""
LENGTH = 300_000
WORDS = ["bomb", "bombs", "敏感词", "project-x"]
KEYS = {"victim": "sk-bench-victim-0123456789", "attacker": "sk-bench-attacker-0123456789"}
TEXTS = {
    "prose": "The quick brown fox jumps over the lazy dog. ",
    "near-misses b.o.m.": "b.o.m.",
    "near-misses 敏。感词": "敏。感词",
    "letters of two scripts": "b\u043em.b.\u043e.m.",
}


@contextlib.contextmanager
def gateway(home: Path) -> Iterator[int]:
    """A gateway before a fake upstream; gives its port."""
    with contextlib.ExitStack() as up:
        behind = _started(up, [sys.executable, "-m", "bench._upstream"])
        limits = {"requests_per_minute": None, "tokens_per_minute": 10**9, "max_concurrency": AT_ONCE}
        lists = [{"name": "words", "words": WORDS, "action": "block"}]
        rows = {
            "settings/policy.json": {"keys": dict.fromkeys(KEYS, limits), "content": {"lists": lists}},
            "settings/routes.json": {
                "upstreams": {"u": {"kind": "openai", "base_url": f"http://127.0.0.1:{int(behind)}/v1"}},
                "routes": {"m": {"targets": [{"upstream": "u", "model": "m"}]}},
            },
            "secrets/gateway-keys.json": {hashlib.sha256(key.encode()).hexdigest(): who for who, key in KEYS.items()},
        }
        for name in ("settings", "secrets", "state"):
            (home / name).mkdir()
        for name, row in rows.items():
            (home / name).write_text(json.dumps(row))
        argv = [sys.executable, "-m", "llm_gate", "--port", "0", "--metrics-port", "0"]
        argv += [part for name in ("settings", "secrets", "state") for part in (f"--{name}", str(home / name))]
        said = _started(up, argv, PYTHONPATH=str(ROOT / "templates/gateway"))
        yield int(said.split()[1].rpartition(":")[2])


def _started(up: contextlib.ExitStack, argv: list[str], **env: str) -> str:
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=ROOT, text=True, env={**os.environ, **env})
    up.callback(process.wait)
    up.callback(process.kill)
    assert process.stdout is not None
    return process.stdout.readline()


def request(who: str, text: str, *, stream: bool) -> bytes:
    body = json.dumps(
        {"model": "m", "max_tokens": 16, "stream": stream, "messages": [{"role": "user", "content": text}]}
    ).encode()
    return (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {KEYS[who]}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


async def client(port: int, asked: bytes, seconds: float, pause: float = 0) -> list[float]:
    """Seconds that each of a row of requests took, to the end of its answer."""
    waits: list[float] = []
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    until = time.perf_counter() + seconds
    try:
        while time.perf_counter() < until:
            began = time.perf_counter()
            writer.write(asked)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"{head!r} {await reader.read(500)!r}")
            await reader.readuntil(b"0\r\n\r\n")
            waits.append(time.perf_counter() - began)
            await asyncio.sleep(pause)
    finally:
        writer.close()
    return waits


def victims(port: int) -> list[float]:
    asked = request("victim", "Say something about blue herons, please.", stream=True)
    return asyncio.run(client(port, asked, SECONDS, PAUSE))


@contextlib.contextmanager
def attack(port: int, text: str) -> Iterator[None]:
    """In a process of its own: what sending costs is the attacker's."""
    argv = [sys.executable, "-m", "bench.attack", str(port), text]
    process = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.5)
        yield
        if process.poll() is not None:
            raise RuntimeError("the attack has ended before it was measured")
    finally:
        process.kill()
        process.wait()


async def attacking(port: int, text: str) -> None:
    print("begun", flush=True)
    asked = request("attacker", text * (LENGTH // len(text)), stream=True)
    await asyncio.gather(*(client(port, asked, 600) for _ in range(AT_ONCE)))


def main() -> None:
    for name, text in TEXTS.items():
        with tempfile.TemporaryDirectory() as folder, gateway(Path(folder)) as port:
            victims(port)
            alone = statistics.median(victims(port))
            with attack(port, text):
                under = statistics.median(victims(port))
        note = f"{1000 * under:.1f} ms against {1000 * alone:.1f} ms"
        report(f"p50 beside {AT_ONCE} x {LENGTH // 1000} KB of {name} / alone", under / alone, GOAL, note)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(attacking(int(sys.argv[1]), sys.argv[2]))
    else:
        main()
