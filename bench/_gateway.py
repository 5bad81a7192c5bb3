"""What the benchmarks of the gateway start: an upstream, a gateway over a folder of its own, Caddy before it, peers."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench._load import PATH
from pulumi_llm._bootstrap import GatewayRole, NodeRequest, Route, Target, Upstream
from pulumi_llm.roles import caddy as front
from pulumi_llm.roles import gateway as files

ROOT = Path(__file__).parents[1]
CODE = ROOT / "templates/gateway"
TOOLS = Path(os.environ.get("PULUMI_LLM_TOOLS", ROOT / ".tools"))
PEERS = ROOT / ".tools" / "bench"
UPSTREAM_KEY = "sk-upstream"
MANY = 10_000_000
UNLIMITED = {"models": ["m"], "requests_per_minute": MANY, "tokens_per_minute": MANY * 100, "max_concurrency": MANY}


def key_of(name: str) -> str:
    """The secret of a key of that name."""
    return f"sk-bench-{name}-0123456789"


KEY = key_of("bench")


@dataclass(frozen=True)
class Subject:
    """A gateway that answers."""

    url: str
    gate: int
    """Its process."""
    others: tuple[int, ...] = ()
    """Processes that it needs besides."""
    key: str = KEY
    ca: Path | None = None
    """Whoever signed its certificate, where it speaks TLS."""
    home: Path = Path()

    @property
    def processes(self) -> tuple[int, ...]:
        """All that it takes."""
        return self.gate, *self.others


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextlib.contextmanager
def started(name: str, argv: list[str], port: int, home: Path, **env: str) -> Iterator[int]:
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


@dataclass(frozen=True)
class Behind:
    """The upstream that answers."""

    port: int
    pid: int


@contextlib.contextmanager
def upstream(events: int = 20, pause: float = 0.0) -> Iterator[Behind]:
    """A model API."""
    argv = [sys.executable, "-m", "bench._upstream", str(events), str(pause)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=ROOT, text=True)
    assert process.stdout is not None
    try:
        yield Behind(int(process.stdout.readline()), process.pid)
    finally:
        process.terminate()
        process.wait()


def _role(upstream_port: int, https_port: int) -> GatewayRole:
    return GatewayRole(
        https_port=https_port,
        upstreams=(Upstream(name="u", kind="openai", base_url=f"http://127.0.0.1:{upstream_port}/v1", secret="u"),),
        routes=(Route(name="m", targets=(Target(upstream="u", model="m", price_in=1, price_out=1),)),),
    )


@contextlib.contextmanager
def gateway(
    upstream_port: int,
    keys: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    home: Path | None = None,
    code: Path = CODE,
    content: Mapping[str, Any] | None = None,
) -> Iterator[Subject]:
    """A gateway before an upstream, over a folder of its own. ``keys``: the rules of each by its name."""
    keys = keys or {"bench": UNLIMITED}
    with contextlib.ExitStack() as up:
        home = home or Path(up.enter_context(tempfile.TemporaryDirectory()))
        for name in ("settings", "secrets", "state"):
            (home / name).mkdir(exist_ok=True)
        hashes = {hashlib.sha256(key_of(each).encode()).hexdigest(): each for each in keys}
        policy = {"keys": dict(keys), **({"content": dict(content)} if content else {})}
        (home / "settings/policy.json").write_text(json.dumps(policy))
        (home / "settings/routes.json").write_text(files.routes(_role(upstream_port, 443)))
        (home / "secrets/gateway-keys.json").write_text(json.dumps(hashes))
        (home / "secrets/upstream.env").write_text(f"U={UPSTREAM_KEY}\n")
        port = free_port()
        argv = [sys.executable, "-m", "llm_gate", "--port", str(port), "--metrics-port", "0"]
        argv += [part for name in ("settings", "secrets", "state") for part in (f"--{name}", str(home / name))]
        pid = up.enter_context(started("gate", argv, port, home, PYTHONPATH=str(code)))
        yield Subject(f"http://127.0.0.1:{port}{PATH}", pid, key=key_of(next(iter(keys))), home=home)


def certificate(home: Path) -> Path:
    """A certificate for loopback, its own authority."""
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    argv += ["-days", "2", "-subj", "/CN=bench", "-addext", "subjectAltName=IP:127.0.0.1"]
    argv += ["-keyout", str(home / "tls.key"), "-out", str(home / "tls.crt")]
    subprocess.run(argv, check=True, capture_output=True)
    return home / "tls.crt"


def caddy(home: Path, name: str, text: str) -> list[str]:
    """How Caddy is started with a Caddyfile."""
    config = home / f"{name}.caddyfile"
    config.write_text(text)
    found = os.environ.get("BENCH_CADDY") or shutil.which("caddy", path=f"{TOOLS / 'bin'}:{os.environ['PATH']}")
    if found is None:
        raise RuntimeError("there is no caddy: run `make tools`")
    return [found, "run", "--config", str(config), "--adapter", "caddyfile"]


@contextlib.contextmanager
def behind_caddy(gate: Subject) -> Iterator[Subject]:
    """The gateway behind a Caddy with the node's own Caddyfile."""
    home, https = gate.home, free_port()
    ca = certificate(home)
    node = NodeRequest(
        name="bench",
        cloud="aws",
        region="us-east-1",
        login_user="ubuntu",
        in_china=False,
        data_disk_gib=0,
        roles=(_role(1, https),),
    )
    text = front.caddyfile(node).replace("/srv/llm/secrets", str(home)).replace("/var/lib/llm-caddy", str(home / "c"))
    text = text.replace(f":{https} {{", f":{https} {{\n\tbind 127.0.0.1")
    text = text.replace("127.0.0.1:4000", gate.url.split("/")[2])
    with started("caddy", caddy(home, "ours", text), https, home, HOME=str(home)) as pid:
        yield Subject(f"https://127.0.0.1:{https}{PATH}", gate.gate, (pid,), gate.key, ca, home)


def peer(name: str, *packages: str) -> Path:
    """A peer's own environment, made once. Raises RuntimeError where it cannot be had."""
    home = PEERS / name
    if not (home / "bin" / "python").exists() or not (home / "complete").exists():
        uv = ROOT / ".tools/uv/bin/uv"
        print(f"   (installing {name}, once)", flush=True)
        made = subprocess.run([uv, "venv", "-q", "--clear", "--python", sys.executable, home], check=False)
        got = subprocess.run([uv, "pip", "install", "-q", "--python", home / "bin/python", *packages], check=False)
        if made.returncode or got.returncode:
            raise RuntimeError(f"{name} could not be installed")
        (home / "complete").touch()
    return home
