"""The gateway against its peers, one fake upstream, turn about in one run: first byte, streams a second, memory.

Peers are installed once into .tools/bench (LiteLLM alone takes 0.7 GB); one that cannot be had is left out, and that
is said. "Equal checks": a key, its models, requests and tokens per minute, a limit on parallel requests.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench._ratio import report
from pulumi_llm._bootstrap import GatewayRole, NodeRequest, Route, Target, Upstream
from pulumi_llm.roles import caddy as front
from pulumi_llm.roles import gateway as files

ROOT = Path(__file__).parents[1]
TOOLS = Path(os.environ.get("PULUMI_LLM_TOOLS", ROOT / ".tools"))
PEERS = ROOT / ".tools" / "bench"
KEY, UPSTREAM_KEY = "sk-bench-0123456789", "sk-upstream"
STREAMS = (1, 16, 64)
SECONDS = float(os.environ.get("BENCH_SECONDS", "4"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
SOAK = int(os.environ.get("BENCH_SOAK_REQUESTS", "36000"))
"""Requests of the soak: an hour of ten a second."""
LOOK_BACK = 65.0
"""Seconds: each call is kept for the minute that its key's limits look back."""
MANY = 10_000_000

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


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextlib.contextmanager
def started(name: str, argv: list[str], port: int, home: Path, path: str = "/", **env: str) -> Iterator[int]:
    """A server, once it answers on its port; yields its process id."""
    log = (home / f"{name}.log").open("wb")
    process = subprocess.Popen(argv, stdout=log, stderr=log, cwd=home, env={**os.environ, **env})
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port), 1):
                    break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((home / f"{name}.log").read_text()[-800:]) from None
                time.sleep(0.1)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def upstream(events: int = 20, pause: float = 0.0) -> Iterator[int]:
    argv = [sys.executable, "-m", "bench._upstream", str(events), str(pause)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=ROOT, text=True)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait()


def caddy(home: Path, name: str, text: str) -> list[str]:
    config = home / f"{name}.caddyfile"
    config.write_text(text)
    found = shutil.which("caddy", path=f"{TOOLS / 'bin'}:{os.environ['PATH']}")
    if found is None:
        raise RuntimeError("there is no caddy: run `make tools`")
    return [found, "run", "--config", str(config), "--adapter", "caddyfile"]


def our_files(home: Path, upstream_port: int, https_port: int, gate_port: int) -> str:
    """The node's own files under ``home``; returns the Caddyfile."""
    role = GatewayRole(
        https_port=https_port,
        upstreams=(Upstream(name="u", kind="openai", base_url=f"http://127.0.0.1:{upstream_port}/v1", secret="u"),),
        routes=(Route(name="m", targets=(Target(upstream="u", model="m", price_in=1, price_out=1),)),),
    )
    limits = {"models": ["m"], "requests_per_minute": MANY, "tokens_per_minute": MANY * 100, "max_concurrency": MANY}
    for name in ("settings", "secrets", "state"):
        (home / name).mkdir(exist_ok=True)
    (home / "settings/policy.json").write_text(json.dumps({"keys": {"bench": limits}}))
    (home / "settings/routes.json").write_text(files.routes(role))
    (home / "secrets/gateway-keys.json").write_text(json.dumps({hashlib.sha256(KEY.encode()).hexdigest(): "bench"}))
    (home / "secrets/upstream.env").write_text(f"U={UPSTREAM_KEY}\n")
    node = NodeRequest(
        name="bench",
        cloud="aws",
        region="us-east-1",
        login_user="ubuntu",
        in_china=False,
        data_disk_gib=0,
        roles=(role,),
    )
    text = front.caddyfile(node).replace("/srv/llm/secrets", str(home)).replace("/var/lib/llm-caddy", str(home / "c"))
    bound = text.replace(f":{https_port} {{", f":{https_port} {{\n\tbind 127.0.0.1")
    return bound.replace("127.0.0.1:4000", f"127.0.0.1:{gate_port}")


def peer(name: str, *packages: str) -> Path | None:
    """A peer's own environment, made once; None where it cannot be had."""
    home = PEERS / name
    if not (home / "bin" / "python").exists() or not (home / "complete").exists():
        uv = ROOT / ".tools/uv/bin/uv"
        print(f"   (installing {name}, once)", flush=True)
        made = subprocess.run([uv, "venv", "-q", "--clear", "--python", sys.executable, home], check=False)
        got = subprocess.run([uv, "pip", "install", "-q", "--python", home / "bin/python", *packages], check=False)
        if made.returncode or got.returncode:
            print(f"   {name} could not be installed: not measured", flush=True)
            return None
        (home / "complete").touch()
    return home


@contextlib.contextmanager
def subjects(home: Path, upstream_port: int) -> Iterator[tuple[dict[str, str], int]]:
    """Everything that is measured, up and answering: name to URL; and our gateway's process id."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
         home / "tls.key", "-out", home / "tls.crt", "-days", "2", "-subj", "/CN=bench",
         "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)  # fmt: skip
    alone, https, gate, lite, forward = (free_port() for _ in range(5))
    path = "/v1/chat/completions"
    found = {"direct": f"http://127.0.0.1:{upstream_port}{path}"}
    plain = (
        "{\n\tadmin off\n\tauto_https disable_redirects\n}\n"
        f":{alone} {{\n\tbind 127.0.0.1\n\ttls {home}/tls.crt {home}/tls.key\n"
        f"\treverse_proxy 127.0.0.1:{upstream_port} {{\n\t\tflush_interval -1\n\t}}\n}}\n"
    )
    with contextlib.ExitStack() as up:
        up.enter_context(started("caddy-alone", caddy(home, "alone", plain), alone, home, HOME=str(home)))
        found["Caddy alone (TLS, no checks)"] = f"https://127.0.0.1:{alone}{path}"
        text = our_files(home, upstream_port, https, gate)
        argv = [sys.executable, "-m", "llm_gate", "--port", str(gate), "--metrics-port", "0"]
        argv += [part for name in ("settings", "secrets", "state") for part in (f"--{name}", str(home / name))]
        pid = up.enter_context(started("gate", argv, gate, home, PYTHONPATH=str(ROOT / "templates/gateway")))
        up.enter_context(started("caddy", caddy(home, "ours", text), https, home, HOME=str(home)))
        found["ours (Caddy with TLS, gateway)"] = f"https://127.0.0.1:{https}{path}"
        found["ours without Caddy"] = f"http://127.0.0.1:{gate}{path}"
        venv = peer("litellm", "litellm[proxy]==1.106.2")
        if venv:
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
            argv += ["--port", str(lite), "--num_workers", "1"]
            quiet = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "PYTHONPATH": str(home)}
            up.enter_context(started("litellm", argv, lite, home, **quiet))
            found["LiteLLM 1.106.2 alone"] = f"http://127.0.0.1:{lite}{path}"
        venv = peer("openai-forward", "openai-forward==0.8.1", "pyyaml")
        if venv:
            route = [{"base_url": f"http://127.0.0.1:{upstream_port}", "route": "/", "type": "openai"}]
            env = {
                "FORWARD_CONFIG": json.dumps(route),
                "OPENAI_API_KEY_CONFIG": json.dumps({UPSTREAM_KEY: [0]}),
                "FORWARD_KEY_CONFIG": json.dumps({KEY: 0}),
                "LOG_OPENAI": "false",
            }
            argv = [str(venv / "bin/python"), "-m", "uvicorn", "openai_forward.app:app", "--host", "127.0.0.1"]
            argv += ["--port", str(forward), "--no-access-log", "--log-level", "error"]
            try:
                up.enter_context(started("openai-forward", argv, forward, home, **env))
                found["openai-forward 0.8.1 alone (no limits)"] = f"http://127.0.0.1:{forward}{path}"
            except RuntimeError as error:
                print(f"   openai-forward does not start: not measured ({str(error).splitlines()[-1]})", flush=True)
        yield found, pid


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


def resident(pid: int) -> float:
    """MiB of memory that a process holds."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


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
    with tempfile.TemporaryDirectory() as folder, upstream() as port, subjects(Path(folder), port) as (found, pid):
        ca = Path(folder) / "tls.crt"
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
        early, late, done = soak(found[plain], pid, ca)
        report(f"memory after {done:,} more streams / after the first minute's", late / early, 1.05, f"{late:.0f} MiB")
        ledger = sum(each.stat().st_size for each in (Path(folder) / "state").glob("ledger.sqlite*")) / 2**20
        log = (Path(folder) / "state" / "ledger.sqlite-wal").stat().st_size / 2**20
        print(f"   the ledger has {ledger:.0f} MiB then, {log:.0f} of them its log", flush=True)
    from bench import gateway_cpu, gateway_peers  # which measure with what stands here

    gateway_cpu.main()
    gateway_peers.main()


if __name__ == "__main__":
    main()
