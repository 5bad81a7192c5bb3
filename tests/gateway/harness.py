"""The real gateway process, started over a directory, with keys and routes that a test chooses."""

import asyncio
import hashlib
import json
import os
import socket
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tests.gateway.fake import Fake

CODE = Path(__file__).parents[2] / "templates" / "gateway"
UPSTREAM_KEY = "sk-upstream-PLANTED-0123456789abcdef"
KEY = "sk-caller-PLANTED-fedcba9876543210"
PROMPT = "the planted prompt about blue herons"

MODELS = (
    "plain",
    "echo",
    "no-usage",
    "stall",
    "stall-early",
    "slow",
    "cut",
    "cut-early",
    "hold",
    "flaky",
    "redirect",
    "html",
    "reset",
    "status-429",
    "status-500",
    "status-401",
    "status-400",
    "too-long",
)


@dataclass
class Running:
    """A gateway that answers: in this process, or (``process``) in one of its own."""

    url: str
    metrics: str
    home: Path
    process: asyncio.subprocess.Process | None = None
    gateway: Any = None

    async def logged(self) -> str:
        """Stop the process, and all that it wrote."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.terminate()
        out, err = await self.process.communicate()
        return (out + err).decode()

    def calls(self, columns: str) -> list[tuple[Any, ...]]:
        """The ledger's rows, oldest first."""
        with closing(sqlite3.connect(self.home / "state" / "ledger.sqlite")) as ledger:
            return ledger.execute(f"SELECT {columns} FROM calls ORDER BY id").fetchall()

    async def settled(self, columns: str = "tokens_in, tokens_out") -> list[tuple[Any, ...]]:
        """The rows, once no call is open."""
        while self.calls("count(*) FILTER (WHERE state = 'open')") != [(0,)]:
            await asyncio.sleep(0.01)
        return self.calls(columns)


class Home:
    """The directory of one gateway: write it, start it, change it while it runs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("settings", "secrets", "state"):
            (root / name).mkdir(parents=True, exist_ok=True)
        self.keys: dict[str, tuple[str, dict[str, Any]]] = {}
        self.content: dict[str, Any] = {}
        (root / "secrets" / "upstream.env").write_text(f"UPSTREAM_FAKE={UPSTREAM_KEY}\n")

    def key(self, name: str = "app", key: str = KEY, **limits: Any) -> "Home":
        self.keys[name] = (key, limits)
        hashes = {hashlib.sha256(text.encode()).hexdigest(): who for who, (text, _) in self.keys.items()}
        self.write("secrets/gateway-keys.json", hashes)
        self.policy()
        return self

    def policy(self, content: dict[str, Any] | None = None) -> "Home":
        self.content = content or self.content
        rules = {who: rules for who, (_, rules) in self.keys.items()}
        self.write("settings/policy.json", {"keys": rules, "content": self.content})
        return self

    def routes(self, fake_url: str, *, kind: str = "openai", **more: Any) -> "Home":
        upstreams = {"fake": {"kind": kind, "base_url": fake_url, "secret": "upstream_fake"}}
        upstreams.update(more.pop("upstreams", {}))
        rows: dict[str, Any] = {each: {"targets": [{"upstream": "fake", "model": each}]} for each in MODELS}
        self.write("settings/routes.json", {"upstreams": upstreams, "routes": {**rows, **more.pop("routes", {})}})
        return self

    def write(self, name: str, document: Any) -> None:
        """In one step, as the node does: half a file is never there to be read."""
        path = self.root / name
        new = path.with_name(path.name + ".new")
        new.write_text(json.dumps(document))
        new.replace(path)

    @asynccontextmanager
    async def running(
        self, *arguments: str, python: str = sys.executable, held: socket.socket | None = None
    ) -> AsyncIterator[Running]:
        """The gateway as its unit starts it, but for the folders and any free port.

        ``held``: a socket that it is given as systemd gives one (sd_listen_fds(3)).
        """
        argv = [python, "-m", "llm_gate", "--port", "0", "--metrics-port", "0", *arguments]
        for name in ("settings", "secrets", "state"):
            argv += [f"--{name}", str(self.root / name)]
        argv += ["--run", str(self.root)]
        if held is not None:
            given = f'exec 3<&{held.fileno()}; LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"'
            argv = ["bash", "-c", given, "bash", *argv]
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            pass_fds=() if held is None else (held.fileno(),),
            env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{CODE}:{self.root / 'settings'}"},
        )
        try:
            assert process.stdout is not None
            line = (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
            assert line, (await process.communicate())[1].decode()
            _, front, _, back = line.split()
            yield Running(f"http://{front}", f"http://{back}", self.root, process)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    @asynccontextmanager
    async def here(self, *, patience: dict[str, float] | None = None) -> AsyncIterator[Running]:
        """The gateway in this process and loop."""
        from llm_gate.attempt import Patience
        from llm_gate.paths import Paths
        from llm_gate.server import Gateway, server

        paths = Paths(*(self.root / each for each in ("settings", "secrets", "state")), run=self.root)
        gateway = Gateway(paths, patience=Patience(**(patience or {})))
        await gateway.content.load()
        addresses = []
        servers = [server(gateway.handle), server(gateway.measure)]
        for each in servers:
            await each.start(socket.create_server(("127.0.0.1", 0)))
            addresses.append(f"http://127.0.0.1:{each.addresses[0][1]}")
        try:
            yield Running(addresses[0], addresses[1], self.root, gateway=gateway)
        finally:
            for each in servers:
                await each.stop(0.1)
            await gateway.close()


def chat(model: str = "plain", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": PROMPT}], **more}


@asynccontextmanager
async def stand(
    root: Path,
    *,
    content: dict[str, Any] | None = None,
    words: list[str] | None = None,
    patience: dict[str, float] | None = None,
    kind: str = "openai",
    **limits: Any,
) -> AsyncIterator[tuple[Running, Fake, aiohttp.ClientSession]]:
    """A gateway with one key before a fake upstream, and a client that holds the key, all in this process."""
    async with Fake(words) as fake:
        home = Home(root).key(**limits).policy(content).routes(fake.url, kind=kind)
        async with home.here(patience=patience) as gate, client_of(gate) as client:
            yield gate, fake, client


def client_of(gate: Running, key: str = KEY) -> aiohttp.ClientSession:
    """A plain HTTP client with a key."""
    headers = {"Authorization": f"Bearer {key}"}
    return aiohttp.ClientSession(gate.url, headers=headers, connector=aiohttp.TCPConnector(limit=0))
