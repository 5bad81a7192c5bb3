"""A chat page as a node runs it: locked wheels, its unit's command line, and the files of the settings.

In front of it is the real Caddy, behind it the real gateway with the node's own policy and routes. Only the models'
servers are the tests' own.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import os
import re
import shlex
import signal
import ssl
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import aiohttp

from pulumi_llm import _bootstrap, _nodes
from pulumi_llm._bootstrap import NodeRequest
from pulumi_llm._resolve import resolve_platform
from tests.gateway.fake import Fake
from tests.gateway.front import free_port
from tests.gateway.harness import Home, Running
from tests.vectors.front import fronted
from tests.vectors.wheels import environment

ADMIN, PASSWORD = "ops@example.com", "P" * 40
KEY = "sk-the-pages-own-" + "k" * 20
START_SECONDS = 240  # it imports for half a minute, and for minutes where others work beside it
DIMENSIONS = 64


def platform(**more: Any) -> dict[str, Any]:
    """A platform with a chat page; ``more``: other parts, and ``apps`` for what the page is asked beside."""
    apps = {"chat": {"admin_email": ADMIN}, **more.pop("apps", {})}
    server: dict[str, Any] = {
        "cloud": "aliyun",
        "region": "cn-hangzhou",
        "gpu": "T4",
        "model": "Qwen/Qwen2.5-7B-Instruct-AWQ",
    }
    ours = {"vendor": "vllm", "base_url": "http://192.168.0.9:8000/v1", "models": ["bge-reranker"]}
    server |= {"upstreams": {"qwen": {"models": ["text-embedding-v4"]}, "beside": ours}, "apps": apps}
    access = {"allowed_cidrs": ["203.0.113.0/24"], "ssh_cidrs": ["203.0.113.0/24"]}
    return {"server": {**server, **more.pop("server", {})}, "access": access, **more}


def node(**more: Any) -> NodeRequest:
    """The model server's node of such a platform."""
    return _nodes.server_node("chat", resolve_platform(platform(**more)).server)


class Models(Fake):
    """The models' servers: vectors are told by their words, so that a question is near what it asks about."""

    def _whole(self, path: str, body: dict[str, Any], text: str, *, usage: bool) -> dict[str, Any]:
        found = super()._whole(path, body, text, usage=usage)
        if path.endswith("/embeddings"):
            texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
            rows = [{"object": "embedding", "index": at, "embedding": vector(each)} for at, each in enumerate(texts)]
            found["data"] = rows
        if path.endswith("/rerank"):
            asked = vector(body["query"])
            found["results"] = [
                {"index": at, "document": {"text": each}, "relevance_score": _dot(asked, vector(each))}
                for at, each in enumerate(body["documents"])
            ]
        return found


def vector(text: str) -> list[float]:
    """Of length 1: each word falls on one of the numbers."""
    numbers = [0.0] * DIMENSIONS
    for word in re.findall(r"\w+", text.lower()):
        numbers[int.from_bytes(hashlib.sha256(word.encode()).digest()[:4]) % DIMENSIONS] += 1
    length = math.hypot(*numbers) or 1.0
    return [each / length for each in numbers]


def _dot(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


@dataclass
class Page:
    """``base`` is where Caddy serves it, ``own`` its own port on loopback, ``home`` its folder on the data disk."""

    base: str
    own: str
    tls: ssl.SSLContext
    models: Models
    gate: Running
    log: Path
    home: Path
    pid: int

    @asynccontextmanager
    async def visitor(self, **headers: str) -> AsyncIterator[aiohttp.ClientSession]:
        """Somebody with a browser's cookies, and no log-in yet."""
        connector = aiohttp.TCPConnector(ssl=self.tls)
        async with aiohttp.ClientSession(self.base, connector=connector, headers=headers) as session:
            yield session

    @asynccontextmanager
    async def admin(self) -> AsyncIterator[aiohttp.ClientSession]:
        """The first administrator, logged in with the secret."""
        async with self.visitor() as session:
            asked = {"email": ADMIN, "password": PASSWORD}
            async with session.post("/api/v1/auths/signin", json=asked) as answer:
                assert answer.status == 200, await answer.text()
                session.headers["Authorization"] = f"Bearer {(await answer.json())['token']}"
            yield session


def written(document: dict[str, Any], path: str) -> str:
    """A file of the settings."""
    (found,) = [str(each["content"]) for each in document["files"] if each["path"] == path]
    return found


def variables(text: str) -> dict[str, str]:
    """What systemd's EnvironmentFile= makes of a file of ours. It reads values in quotes as a shell does."""
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(text)
        file.flush()
        argv = ["env", "-i", "bash", "--norc", "-c", 'set -fa; . "$1"; exec /usr/bin/env -0', "bash", file.name]
        told = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    pairs = dict(each.split("=", 1) for each in told.split("\0") if each)
    return {name: pairs[name] for name in re.findall(r"^([A-Z][A-Z0-9_]*)=", text, re.MULTILINE)}


@asynccontextmanager
async def page(
    folder: Path, asked: NodeRequest, *, store: Mapping[str, str] = MappingProxyType({}), **secrets: str
) -> AsyncIterator[Page]:
    """The page of a node. ``store``: what its settings say of a store, and what holds here; ``secrets``: more of the
    node's secrets, by name."""
    given = {"open_webui_password": PASSWORD, "open_webui_session": "S" * 40, "gateway_key_chat": KEY, **secrets}
    document = _bootstrap.settings(asked)
    home, port = folder / "open-webui", free_port()
    home.mkdir(parents=True, exist_ok=True)
    models = Models()
    async with models:
        gateway = _gateway(folder / "gate", document, models)
        async with gateway.running() as gate:
            moves = {
                "127.0.0.1:4000": gate.url.removeprefix("http://"), "/srv/llm/open-webui": str(home),
                "--port 7311": f"--port {port}", **store,
            }  # fmt: skip
            unit = moved(written(document, "/etc/systemd/system/llm-chat.service"), moves)
            told = variables(moved(written(document, "/opt/llm/open-webui/settings.env"), moves))
            for row in document["secret_files"]:
                if f"EnvironmentFile={row['path']}" in unit:
                    told |= {variable: given[name] for name, variable in row["entries"].items()}
            venv = environment("open-webui")
            line = re.search(r"^ExecStart=\S+/bin/open-webui (.*)$", unit, re.MULTILINE)
            assert line
            # A program's own first line names the folder that it was installed in, which may have moved.
            argv = [str(venv / "bin/python"), str(venv / "bin/open-webui"), *shlex.split(line[1])]
            if os.geteuid() == 0:
                # As ProtectSystem=strict has it: what it runs from cannot be written.
                kept = f"mount --bind {venv} {venv} && mount -o remount,ro,bind {venv} && exec {shlex.join(argv)}"
                argv = ["unshare", "--mount", "--propagation", "private", "sh", "-c", kept]
            log = folder / "log"
            with log.open("wb") as out:
                env = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", **told}
                server = subprocess.Popen(argv, stdout=out, stderr=out, env=env, cwd=home, start_new_session=True)
            try:
                own = f"http://127.0.0.1:{port}"
                await _well(own, server, log)
                with fronted(folder, asked, {7311: port, 4000: int(gate.url.rpartition(":")[2])}) as front:
                    tls = ssl.create_default_context(cafile=str(front.authority))
                    yield Page(front.url(18447), own, tls, models, gate, log, home, server.pid)
            finally:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()


def moved(text: str, moves: dict[str, str]) -> str:
    """A file with the node's addresses and folders replaced by those here."""
    for old, new in moves.items():
        text = text.replace(old, new)
    return text


def _gateway(root: Path, document: dict[str, Any], models: Models) -> Home:
    """The node's policy and routes as they are, but for where its upstreams are."""
    home = Home(root)
    home.write("settings/policy.json", json.loads(written(document, "/opt/llm/gateway/policy.json")))
    routes = json.loads(written(document, "/opt/llm/gateway/routes.json"))
    for each in routes["upstreams"].values():
        each["base_url"] = models.url
    home.write("settings/routes.json", routes)
    home.write("secrets/gateway-keys.json", {hashlib.sha256(KEY.encode()).hexdigest(): "chat"})
    (row,) = [each for each in document["secret_files"] if each["path"].endswith("/upstream.env")]
    keys = "".join(f"{variable}=sk-of-the-vendor\n" for variable in row["entries"].values())
    (root / "secrets/upstream.env").write_text(keys)
    return home


async def _well(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    async with aiohttp.ClientSession() as session:
        while True:
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            try:
                async with session.get(f"{url}/health") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.3)
