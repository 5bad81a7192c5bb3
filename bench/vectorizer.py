"""Texts that Weaviate turns into vectors through the gateway, against the embedder asked directly, turn about.

The embedder takes a fixed time for each text (`BENCH_RATE` a second). Weaviate is the real one with the settings of a
node, asked by its own client; the gateway is the real one with a node's policy. Between the two is systemd's own
forwarder, as on a node, where this machine has it.

`BENCH_REAL=1`: a real vLLM with a tiny model takes the embedder's place, and fewer texts.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

from bench._cpu import load
from bench._gateway import ROOT, free_port, started

TEXTS = int(os.environ.get("BENCH_TEXTS", "10000"))
RATE = float(os.environ.get("BENCH_RATE", "500"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "1"))
BATCH, AT_ONCE, DIMENSIONS = 200, 8, 384
GOAL = 0.9
FORWARDER = Path("/usr/lib/systemd/systemd-socket-proxyd")


def texts(count: int) -> list[str]:
    """Short ones, of some 60 letters."""
    return [f"short text {number} about the pump of a station and its brass valve" for number in range(count)]


def directly(port: int, model: str, count: int) -> float:
    """Texts a second of the embedder itself, in calls of the same size, as many at a time."""
    rows = texts(count)
    calls = [rows[place : place + BATCH] for place in range(0, count, BATCH)]

    def call(each: list[str]) -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=300)
        headers = {"Content-Type": "application/json"}
        connection.request("POST", "/v1/embeddings", json.dumps({"model": model, "input": each}), headers)
        answer = connection.getresponse()
        if answer.status != 200 or len(json.loads(answer.read())["data"]) != len(each):
            raise RuntimeError(f"the embedder answered {answer.status}")
        connection.close()

    begun = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(call, calls))
    return count / (time.perf_counter() - begun)


@contextlib.contextmanager
def forwarded(url: str, home: Path) -> Iterator[str]:
    """The gateway's address behind systemd's forwarder, where there is one."""
    if not FORWARDER.exists() or shutil.which("systemd-socket-activate") is None:
        yield url
        return
    port, there = free_port(), url.removeprefix("http://")
    argv = ["systemd-socket-activate", "-l", f"127.0.0.1:{port}", str(FORWARDER), "--connections-max=512", there]
    with started("forwarder", argv, port, home):
        yield f"http://127.0.0.1:{port}"


async def through(port: int, count: int, folder: Path) -> float:
    """Texts a second into Weaviate, until all of them are there."""
    from tests.vectors.weaviate import MODEL, Store, gateway, node, running
    from weaviate.classes.config import Configure, DataType, Property

    def put(store: Store) -> float:
        with store.client() as client:
            made = client.collections.create(
                "Texts",
                properties=[Property(name="text", data_type=DataType.TEXT)],
                vector_config=Configure.Vectors.text2vec_openai(
                    model=MODEL, base_url=store.base_url, vectorize_collection_name=False
                ),
            )
            begun = time.perf_counter()
            with made.batch.fixed_size(batch_size=BATCH, concurrent_requests=AT_ONCE) as batch:
                for each in texts(count):
                    batch.add_object(properties={"text": each})
            seconds = time.perf_counter() - begun
            if made.batch.failed_objects or made.aggregate.over_all(total_count=True).total_count != count:
                raise RuntimeError(f"{len(made.batch.failed_objects)} were not taken: {made.batch.failed_objects[:1]}")
        return count / seconds

    request = node()
    async with gateway(folder / "gateway", request, f"http://127.0.0.1:{port}/v1") as gate:
        with forwarded(gate.url, folder) as url, running(folder / "store", request, url) as store:
            return await asyncio.to_thread(put, store)


@contextlib.contextmanager
def embedder(folder: Path) -> Iterator[tuple[int, int, str]]:
    """Its port, how many texts it is for, and what it is."""
    if os.environ.get("BENCH_REAL"):
        sys.path.insert(0, str(ROOT / "tools/boot"))
        from tests.clients.engine import engine, guessed
        from tests.vectors.weaviate import MODEL

        flags = ("--served-model-name", MODEL, "--max-model-len", "512", "--enforce-eager", "--runner", "pooling")
        with engine(folder, flags, guessed()) as url:
            yield int(url.rpartition(":")[2]), min(TEXTS, 1000), "vLLM with a tiny model, on this machine's processors"
        return
    argv = [sys.executable, "-m", "bench._embedder", str(RATE), str(DIMENSIONS)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline()), TEXTS, f"a stand-in of {RATE:g} vectors of {DIMENSIONS} numbers a second"
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    from tests.vectors.weaviate import MODEL, SERVER

    if not SERVER.exists():
        print("Weaviate's server is not there: tools/fetch weaviate")
        return
    with tempfile.TemporaryDirectory() as name, embedder(Path(name)) as (port, count, what):
        alone, behind = [], []
        for turn in range(ROUNDS):
            alone.append(directly(port, MODEL, count))
            behind.append(asyncio.run(through(port, count, Path(name) / f"round{turn}")))
    one, other = statistics.median(alone), statistics.median(behind)
    ratio, told = other / one, f"{other:.0f} and {one:.0f} texts a second, {count} texts, {what} ({load()})"
    print(f"into Weaviate through the gateway over the embedder itself: {ratio:.3f} (goal >= {GOAL:g}, "
          f"{'met' if ratio >= GOAL else 'NOT met'})  {told}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
