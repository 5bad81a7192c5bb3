"""The Worker under workerd, Cloudflare's own runtime (`tools/fetch workerd`), before a fake upstream on loopback."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from pulumi_llm._worker import files
from tests.gateway.fake import Fake
from tests.gateway.harness import KEY, MODELS, UPSTREAM_KEY

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


@dataclass
class Home:
    """The folder of one Worker: write it, start it, change it while it is stopped."""

    root: Path
    keys: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    upstreams: dict[str, Any] = field(default_factory=dict)
    routes: dict[str, Any] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)

    def key(self, name: str = "app", key: str = KEY, **limits: Any) -> Home:
        self.keys[name] = (key, limits)
        return self

    def to(self, url: str, *, kind: str = "openai", **more: Any) -> Home:
        """Every model of the fake, at this address. ``more``: of each target, such as its price."""
        self.upstreams["fake"] = {"kind": kind, "base_url": url, "secret": "upstream_fake"}
        self.routes |= {each: {"targets": [{"upstream": "fake", "model": each, **more}]} for each in MODELS}
        return self

    def _write(self) -> Path:
        keys = {name: limits for name, (_, limits) in self.keys.items()}
        settings = files.settings_of({"upstreams": self.upstreams, "routes": self.routes}, keys, **self.more)
        modules = {**files.modules(), files.SETTINGS: settings}
        for name, text in modules.items():
            (self.root / name).write_text(text)
        (self.root / "state").mkdir(exist_ok=True)
        digests = {hashlib.sha256(key.encode()).hexdigest(): name for name, (key, _) in self.keys.items()}
        secrets = {**files.key_table(digests), "UPSTREAM_FAKE": UPSTREAM_KEY}
        first = [files.MAIN, *(name for name in modules if name != files.MAIN)]
        config = self.root / "config.capnp"
        config.write_text(
            _CONFIG.format(
                modules=", ".join(f"(name = {_text(name)}, esModule = embed {_text(name)})" for name in first),
                secrets=", ".join(f"(name = {_text(name)}, text = {_text(value)})" for name, value in secrets.items()),
                date=_text(files.COMPATIBILITY_DATE),
                flags=", ".join(map(_text, files.COMPATIBILITY_FLAGS)),
                ledger=_text(files.LEDGER),
                state=_text(str(self.root / "state")),
            )
        )
        return config

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Running]:
        """The Worker, once it listens."""
        read, write = os.pipe()
        log = (self.root / "workerd.log").open("ab")
        process = await asyncio.create_subprocess_exec(
            workerd(), "serve", str(self._write()), f"--control-fd={write}", pass_fds=(write,), stdout=log, stderr=log
        )
        os.close(write)
        try:
            with os.fdopen(read, "rb") as control:
                line = await asyncio.wait_for(asyncio.to_thread(control.readline), START)
                assert line, (self.root / "workerd.log").read_text()
                yield Running(f"http://127.0.0.1:{json.loads(line)['port']}", self.root, process)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            log.close()


_CONFIG = """
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
    (name = "state", disk = (path = {state}, writable = true)),
    (name = "loopback", network = (allow = ["local"]))],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")]);
const main :Workerd.Worker = (
  modules = [{modules}],
  compatibilityDate = {date}, compatibilityFlags = [{flags}],
  bindings = [(name = "LEDGER", durableObjectNamespace = {ledger}), {secrets}],
  durableObjectNamespaces = [(className = {ledger}, uniqueKey = "ledger", enableSql = true)],
  durableObjectStorage = (localDisk = "state"),
  globalOutbound = "loopback");
"""


def _text(value: str) -> str:
    """A text as Cap'n Proto writes it."""
    return json.dumps(value)


@dataclass
class Running:
    """A Worker that answers."""

    url: str
    home: Path
    process: asyncio.subprocess.Process

    def logged(self) -> str:
        """All that the runtime wrote."""
        return (self.home / "workerd.log").read_text()

    def charged(self) -> tuple[int, int, int]:
        """Tokens and billionths of a dollar that are counted, of all keys, and calls that are open."""
        tokens = nanos = opened = 0
        for path in (self.home / "state").rglob("*.sqlite"):
            if path.name == "metadata.sqlite":
                continue
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as file:
                row = file.execute("SELECT coalesce(sum(tokens), 0), coalesce(sum(nanos), 0) FROM days").fetchone()
                (more,) = file.execute("SELECT count(*) FROM calls WHERE open").fetchone()
            tokens, nanos, opened = tokens + row[0], nanos + row[1], opened + more
        return tokens, nanos, opened

    async def settled(self) -> tuple[int, int]:
        """Tokens and billionths of a dollar, once no call is open."""
        async with asyncio.timeout(60):
            while (found := self.charged())[2]:
                await asyncio.sleep(0.02)
        return found[0], found[1]


def client_of(gate: Running, key: str | None = KEY) -> aiohttp.ClientSession:
    """A plain HTTP client with a key."""
    headers = {"Authorization": f"Bearer {key}"} if key is not None else {}
    return aiohttp.ClientSession(gate.url, headers=headers, connector=aiohttp.TCPConnector(limit=0))


@asynccontextmanager
async def stand(
    root: Path, *, words: list[str] | None = None, kind: str = "openai", more: dict[str, Any] | None = None, **limits: Any
) -> AsyncIterator[tuple[Running, Fake, aiohttp.ClientSession]]:
    """A Worker with one key before a fake upstream, and a client that holds the key."""
    async with Fake(words) as fake:
        home = Home(root, more=more or {}).key(**limits).to(fake.url, kind=kind, price_in=1.0, price_out=2.0)
        async with home.running() as gate, client_of(gate) as client:
            yield gate, fake, client
