"""The gateway against its peers, one fake upstream, turn about in one run: first byte, streams a second, memory.

Peers are installed once into .tools/bench (LiteLLM alone takes 0.7 GB); one that cannot be had is left out, and that
is said. "Equal checks": a key, its models, requests and tokens per minute, a limit on parallel requests. What a stream
costs is measured by `bench.gateway_cpu` and `bench.gateway_peers`.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench._cpu import ROUNDS, STREAMS, resident
from bench._gateway import (
    KEY,
    MANY,
    ROOT,
    UPSTREAM_KEY,
    Subject,
    behind_caddy,
    caddy,
    certificate,
    free_port,
    gateway,
    peer,
    started,
    upstream,
)  # fmt: skip
from bench._load import PATH
from bench._ratio import report

SECONDS = float(os.environ.get("BENCH_SECONDS", "4"))
SOAK = int(os.environ.get("BENCH_SOAK_REQUESTS", "36000"))
"""Requests of the soak: an hour of ten a second."""
LOOK_BACK = 65.0
"""Seconds: each call is kept for the minute that its key's limits look back."""

LITELLM_AUTH = """
import hashlib
from litellm.proxy._types import UserAPIKeyAuth
async def user_api_key_auth(request, api_key):
    key = api_key.removeprefix("Bearer ")
    if key != "KEY":
        raise Exception("no")
    return UserAPIKeyAuth(api_key=hashlib.sha256(key.encode()).hexdigest(), models=["m"], rpm_limit=MANY,
                          tpm_limit=MANY * 100, max_parallel_requests=MANY)
"""


@contextlib.contextmanager
def _litellm(home: Path, upstream_port: int) -> Iterator[int]:
    venv, port = peer("litellm", "litellm[proxy]==1.106.2"), free_port()
    auth = LITELLM_AUTH.replace("KEY", KEY).replace("MANY", str(MANY))
    (home / "bench_auth.py").write_text(auth)
    model = {"model": "openai/m", "api_base": f"http://127.0.0.1:{upstream_port}/v1", "api_key": UPSTREAM_KEY}
    config = {
        "model_list": [{"model_name": "m", "litellm_params": model}],
        "litellm_settings": {"enable_post_custom_auth_checks": True, "telemetry": False},
        "general_settings": {
            "master_key": "sk-master-of-the-benchmark",
            "custom_auth": "bench_auth.user_api_key_auth",
            "custom_auth_run_common_checks": True,
        },
    }
    (home / "litellm.yaml").write_text(json.dumps(config))
    argv = [str(venv / "bin/litellm"), "--config", str(home / "litellm.yaml"), "--host", "127.0.0.1"]
    argv += ["--port", str(port), "--num_workers", "1"]
    quiet = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "PYTHONPATH": str(home)}
    with started("litellm", argv, port, home, **quiet):
        yield port


@contextlib.contextmanager
def _forward(home: Path, upstream_port: int) -> Iterator[int]:
    venv, port = peer("openai-forward", "openai-forward==0.8.1", "pyyaml"), free_port()
    route = [{"base_url": f"http://127.0.0.1:{upstream_port}", "route": "/", "type": "openai"}]
    env = {
        "FORWARD_CONFIG": json.dumps(route),
        "OPENAI_API_KEY_CONFIG": json.dumps({UPSTREAM_KEY: [0]}),
        "FORWARD_KEY_CONFIG": json.dumps({KEY: 0}),
        "LOG_OPENAI": "false",
    }
    argv = [str(venv / "bin/python"), "-m", "uvicorn", "openai_forward.app:app", "--host", "127.0.0.1"]
    argv += ["--port", str(port), "--no-access-log", "--log-level", "error"]
    with started("openai-forward", argv, port, home, **env):
        yield port


@contextlib.contextmanager
def subjects(home: Path, upstream_port: int) -> Iterator[tuple[dict[str, str], Subject]]:
    """Everything that is measured, up and answering: name to URL; and our gateway."""
    alone, ca = free_port(), certificate(home)
    found = {"direct": f"http://127.0.0.1:{upstream_port}{PATH}"}
    plain = (
        "{\n\tadmin off\n\tauto_https disable_redirects\n}\n"
        f":{alone} {{\n\tbind 127.0.0.1\n\ttls {ca} {home}/tls.key\n"
        f"\treverse_proxy 127.0.0.1:{upstream_port} {{\n\t\tflush_interval -1\n\t}}\n}}\n"
    )
    with contextlib.ExitStack() as up:
        gate = up.enter_context(gateway(upstream_port, home=home))
        ours = up.enter_context(behind_caddy(gate))
        up.enter_context(started("caddy-alone", caddy(home, "alone", plain), alone, home, HOME=str(home)))
        found["Caddy alone (TLS, no checks)"] = f"https://127.0.0.1:{alone}{PATH}"
        found["ours (Caddy with TLS, gateway)"] = ours.url
        found["ours without Caddy"] = gate.url
        for name, start in (("LiteLLM 1.106.2 alone", _litellm), ("openai-forward 0.8.1 alone (no limits)", _forward)):
            try:
                port = up.enter_context(start(home, upstream_port))
            except (RuntimeError, OSError) as error:
                print(f"   {name} does not start: not measured ({str(error).splitlines()[-1]})", flush=True)
                continue
            found[name] = f"http://127.0.0.1:{port}{PATH}"
        yield found, ours


def load(url: str, streams: int, seconds: float, ca: Path) -> tuple[list[float], float]:
    """Seconds to the first byte of each stream, and streams per second."""
    argv = [sys.executable, "-m", "bench._load", url, str(streams), str(seconds), KEY, str(ca)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1][:300])
    told = json.loads(done.stdout)
    return told["waits"], len(told["waits"]) / told["seconds"]


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def soak(url: str, pid: int, ca: Path) -> tuple[float, float, int]:
    """MiB when calls have come for as long as the limits look back, MiB after so many more, and how many those were."""
    began = time.monotonic()
    while time.monotonic() - began < LOOK_BACK:
        load(url, 16, 5, ca)
    early, done = resident(pid), 0
    while done < SOAK:
        done += len(load(url, 16, 5, ca)[0])
    return early, resident(pid), done


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        upstream() as behind,
        subjects(Path(folder), behind.port) as (found, gate),
    ):
        ca = gate.ca or Path()
        first: dict[tuple[str, int], list[float]] = {}
        rate: dict[tuple[str, int], list[float]] = {}
        for _ in range(ROUNDS):
            for streams in STREAMS:
                for name, url in list(found.items()):
                    try:
                        waits, each = load(url, streams, SECONDS, ca)
                    except RuntimeError as error:
                        print(f"   {name} at {streams}: {error}; not measured further", flush=True)
                        del found[name]
                        continue
                    first.setdefault((name, streams), []).extend(waits)
                    rate.setdefault((name, streams), []).append(each)
        print(f"   {'first byte, added to direct, ms: p50 / p99':<44}{'streams a second':>40}")
        print(f"   {'':<40}" + "".join(f"{count:>16}" for count in STREAMS) + "".join(f"{c:>9}" for c in STREAMS))
        for name in found:
            cells, speeds = "", ""
            for streams in STREAMS:
                base, mine = first["direct", streams], first[name, streams]
                p50, p99 = (1000 * (percentile(mine, q) - percentile(base, q)) for q in (0.5, 0.99))
                cells += f"{f'{p50:.1f} / {p99:.1f}':>16}"
                speeds += f"{statistics.median(rate[name, streams]):>9.0f}"
            print(f"   {name:<40}{cells}{speeds}", flush=True)
        ours, plain = "ours (Caddy with TLS, gateway)", "ours without Caddy"
        for share, goal in ((0.5, 5), (0.99, 20)):
            added = 1000 * (percentile(first[ours, 1], share) - percentile(first["direct", 1], share))
            report(f"first byte added at one stream, ms, p{share * 100:.0f}", added, goal)
        for name in found:
            if name.startswith("LiteLLM"):
                for streams in STREAMS:
                    ratio = statistics.median(rate[name, streams]) / statistics.median(rate[plain, streams])
                    report(f"{name}: its streams a second / ours without Caddy, at {streams}", ratio, 1)
        early, late, done = soak(found[plain], gate.gate, ca)
        report(f"memory after {done:,} more streams / after the first minute's", late / early, 1.05, f"{late:.0f} MiB")
        ledger = sum(each.stat().st_size for each in (Path(folder) / "state").glob("ledger.sqlite*")) / 2**20
        log = (Path(folder) / "state" / "ledger.sqlite-wal").stat().st_size / 2**20
        print(f"   the ledger has {ledger:.0f} MiB then, {log:.0f} of them its log", flush=True)


if __name__ == "__main__":
    main()
