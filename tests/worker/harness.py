"""The Worker under workerd, Cloudflare's own runtime (`tools/fetch workerd`), in llm-gate's place.

It is started from the folder that llm-gate is started from (`tests.gateway.harness.Home`), so the tests of the one can
be asked of the other.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from pulumi_llm._worker import files
from tests.gateway.harness import KEY, Home

CHECKOUT = Path(__file__).parents[2]
START = 60.0
"""Seconds for workerd to listen; it takes one, but not on a machine that is busy."""


def workerd() -> str:
    """The runtime, or a skip that says what is missing."""
    folder = Path(os.environ.get("PULUMI_LLM_TOOLS", CHECKOUT / ".tools")) / "bin"
    found = shutil.which("workerd", path=f"{folder}:{os.environ['PATH']}")
    if found is None:
        pytest.skip("workerd is not here: `tools/fetch workerd` gets it from npm")
    return found


class NotServed(Exception):  # noqa: N818 - it is what a test asked for
    """A test wants an upstream that no Worker has: vLLM stands behind llm-gate."""


@dataclass
class Running:
    """A Worker that answers, with the looks of `tests.gateway.harness.Running`."""

    url: str
    home: Path
    process: asyncio.subprocess.Process

    def logged(self) -> str:
        """All that the runtime wrote."""
        return (self.home / "workerd.log").read_text()

    def calls(self, columns: str) -> list[tuple[Any, ...]]:
        """The rows of all ledgers, each ledger's oldest first."""
        return self._asked(f"SELECT {columns} FROM calls ORDER BY id")

    def days(self) -> tuple[int, int, int]:
        """Requests, tokens and billionths of a dollar that are counted, of all keys."""
        rows = self._asked("SELECT requests, tokens, nanos FROM days")
        return sum(row[0] for row in rows), sum(row[1] for row in rows), sum(row[2] for row in rows)

    async def settled(self, columns: str = "tokens_in, tokens_out") -> list[tuple[Any, ...]]:
        """The rows, once no call is open."""
        async with asyncio.timeout(60):
            while any(row[0] for row in self.calls("open")):
                await asyncio.sleep(0.02)
        return self.calls(columns)

    def _asked(self, query: str) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = []
        for path in sorted((self.home / "objects").rglob("*.sqlite")):
            if path.name == "metadata.sqlite":
                continue
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as file:
                found += file.execute(query).fetchall()
        return found


def modules_and_secrets(home: Home, patience: Mapping[str, float]) -> tuple[dict[str, str], dict[str, str]]:
    """What a Worker is made of that has this folder's keys, limits and routes. Raises `NotServed`."""
    routes = json.loads((home.root / "settings" / "routes.json").read_text())
    if any(each["kind"] in ("vllm", "gateway") for each in routes["upstreams"].values()):
        raise NotServed
    keys = {name: limits for name, (_, limits) in home.keys.items()}
    more = {"patience": {name: 1000 * seconds for name, seconds in patience.items()}} if patience else {}
    modules = {**files.modules(), files.SETTINGS: files.settings_of(routes, keys, **more)}
    digests = {hashlib.sha256(key.encode()).hexdigest(): name for name, (key, _) in home.keys.items()}
    lines = (home.root / "secrets" / "upstream.env").read_text().splitlines()
    return modules, {**files.key_table(digests), **dict(line.split("=", 1) for line in lines)}


def written(root: Path, modules: Mapping[str, str], secrets: Mapping[str, str]) -> Path:
    """The configuration of workerd, beside the Worker's modules."""
    for name, text in modules.items():
        (root / name).write_text(text)
    (root / "objects").mkdir(exist_ok=True)
    first = [files.MAIN, *(name for name in modules if name != files.MAIN)]
    config = root / "config.capnp"
    config.write_text(
        _CONFIG.format(
            modules=", ".join(f"(name = {_text(name)}, esModule = embed {_text(name)})" for name in first),
            secrets=", ".join(f"(name = {_text(name)}, text = {_text(value)})" for name, value in secrets.items()),
            date=_text(files.COMPATIBILITY_DATE),
            flags=", ".join(map(_text, files.COMPATIBILITY_FLAGS)),
            ledger=_text(files.LEDGER),
            objects=_text(str(root / "objects")),
        )
    )
    return config


_CONFIG = """
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
    (name = "objects", disk = (path = {objects}, writable = true)),
    (name = "loopback", network = (allow = ["local"]))],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")]);
const main :Workerd.Worker = (
  modules = [{modules}],
  compatibilityDate = {date}, compatibilityFlags = [{flags}],
  bindings = [(name = "LEDGER", durableObjectNamespace = {ledger}), {secrets}],
  durableObjectNamespaces = [(className = {ledger}, uniqueKey = "ledger", enableSql = true)],
  durableObjectStorage = (localDisk = "objects"),
  globalOutbound = "loopback");
"""


def _text(value: str) -> str:
    """A text as Cap'n Proto writes it."""
    return json.dumps(value)


@asynccontextmanager
async def worker(home: Home, *, patience: Mapping[str, float] | None = None) -> AsyncIterator[Running]:
    """The Worker with the keys, limits and routes of this folder, once it listens. ``patience``: in seconds."""
    async with serve(home.root, *modules_and_secrets(home, patience or {})) as running:
        yield running


@asynccontextmanager
async def serve(root: Path, modules: Mapping[str, str], secrets: Mapping[str, str]) -> AsyncIterator[Running]:
    """A Worker of these modules and secrets, once it listens; its objects are kept in a folder of ``root``."""
    read, write = os.pipe()
    log = (root / "workerd.log").open("ab")
    config = written(root, modules, secrets)
    process = await asyncio.create_subprocess_exec(
        workerd(), "serve", str(config), f"--control-fd={write}", pass_fds=(write,), stdout=log, stderr=log
    )
    os.close(write)
    try:
        with os.fdopen(read, "rb") as control:
            line = await asyncio.wait_for(asyncio.to_thread(control.readline), START)
            assert line, (root / "workerd.log").read_text()
            yield Running(f"http://127.0.0.1:{json.loads(line)['port']}", root, process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        log.close()


def client_of(gate: Running, key: str = KEY) -> aiohttp.ClientSession:
    """A plain HTTP client with a key."""
    headers = {"Authorization": f"Bearer {key}"}
    return aiohttp.ClientSession(gate.url, headers=headers, connector=aiohttp.TCPConnector(limit=0))
