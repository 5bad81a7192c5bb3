"""openai-forward from its locked wheels, started as its unit starts it, between the real gateway and a fake vendor."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from pulumi_llm import _bootstrap as bootstrap
from pulumi_llm._bootstrap import GatewayRole, Route, ServiceRole, Target, Upstream
from pulumi_llm.roles import engines
from tests.bootstrap.samples import proxy_node
from tests.gateway.fake import ANSWER, Fake
from tests.gateway.front import free_port
from tests.gateway.harness import KEY, MODELS, PROMPT, UPSTREAM_KEY, Home, Running, chat, client_of
from tests.vectors.wheels import environment

pytestmark = pytest.mark.clients
CHAT = "/v1/chat/completions"
ENGINE = "openai-forward"


@dataclass
class Behind:
    gate: Running
    fake: Fake
    client: aiohttp.ClientSession
    engine: str
    log: Path


def unit_of(files: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    """What the engine's unit starts, and with which variables, as systemd reads them."""
    unit = files["/etc/systemd/system/llm-forward.service"]
    (line,) = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    given = [each for row in re.findall(r"^Environment=(.*)$", unit, re.MULTILINE) for each in shlex.split(row)]
    return shlex.split(line), {name: value.replace("%%", "%") for name, _, value in (x.partition("=") for x in given)}


@asynccontextmanager
async def behind(root: Path, *, kind: str = "openai", content: Any = None, **limits: Any) -> AsyncIterator[Behind]:
    port, home = free_port(), environment(ENGINE)
    async with Fake() as fake:
        (vendor,) = engines.behind(
            [Upstream(name="fake", kind=kind, base_url=fake.url, secret="upstream_fake")], ENGINE
        )
        gateway = GatewayRole(
            https_port=443,
            upstreams=(vendor,),
            routes=tuple(Route(name=each, targets=(Target(upstream="fake", model=each),)) for each in MODELS),
        )
        node = replace(proxy_node(), roles=(gateway, ServiceRole(role=ENGINE)))
        files = {each["path"]: each["content"] for each in bootstrap.settings(node)["files"]}
        argv, variables = unit_of(files)
        argv = [str(home / "bin" / Path(argv[0]).name), *(each.replace("7320", str(port)) for each in argv[1:])]
        (root / "engine").mkdir()
        log = root / "engine.log"
        with log.open("wb") as out:
            env = {**variables, "HOME": str(root / "engine"), "PATH": os.environ["PATH"]}
            server = await asyncio.create_subprocess_exec(*argv, stdout=out, stderr=out, env=env, cwd=root / "engine")
        try:
            engine = f"http://127.0.0.1:{port}"
            async with aiohttp.ClientSession() as plain, asyncio.timeout(60):
                while True:
                    try:
                        async with plain.get(f"{engine}/healthz") as reply:
                            assert reply.status == 200
                            break
                    except aiohttp.ClientConnectionError:
                        assert server.returncode is None, log.read_text()
                        await asyncio.sleep(0.2)
            here = Home(root / "gate").key(**limits).policy(content)
            here.write(
                "settings/routes.json", json.loads(files["/opt/llm/gateway/routes.json"].replace("7320", str(port)))
            )
            async with here.running() as gate, client_of(gate) as client:
                yield Behind(gate, fake, client, engine, log)
        finally:
            if server.returncode is None:
                server.terminate()
                await server.wait()


async def test_whole_answers_and_streams_pass_and_are_counted_by_the_gateway(tmp_path: Path) -> None:
    async with behind(tmp_path, requests_per_minute=3) as it:
        async with it.client.post(CHAT, json=chat()) as reply:
            assert (await reply.json())["choices"][0]["message"]["content"] == ANSWER
        async with it.client.post(CHAT, json=chat(stream=True)) as reply:
            assert (await reply.text()).endswith("data: [DONE]\n\n")
        async with it.client.post("/v1/embeddings", json={"model": "plain", "input": PROMPT}) as reply:
            assert (await reply.json())["data"][0]["embedding"] == [0.25, 0.5]
        assert await it.gate.settled() == [(10, 7), (10, 7), (5, 0)]
        # The limit is the gateway's, and what it refuses goes nowhere.
        async with it.client.post(CHAT, json=chat()) as reply:
            assert reply.status == 429
        assert [each.path for each in it.fake.seen] == [CHAT, CHAT, "/v1/embeddings"]
        for each in it.fake.seen:
            assert each.headers["authorization"] == f"Bearer {UPSTREAM_KEY}"
            assert KEY not in str(each)


async def test_anthropics_own_headers_reach_it(tmp_path: Path) -> None:
    async with behind(tmp_path, kind="anthropic") as it:
        body = {"model": "plain", "max_tokens": 9, "messages": [{"role": "user", "content": PROMPT}]}
        async with it.client.post("/v1/messages", json=body) as reply:
            assert (await reply.json())["content"][0]["text"] == ANSWER
        assert it.fake.last.headers["x-api-key"] == UPSTREAM_KEY
        assert it.fake.last.headers["anthropic-version"] == "2023-06-01"


async def test_the_filter_is_the_gateways_in_both_directions(tmp_path: Path) -> None:
    content = {"lists": [{"name": "a", "words": ["herons", "hello"], "action": "block"}]}
    async with behind(tmp_path, content=content) as it:
        async with it.client.post(CHAT, json=chat()) as reply:
            assert (reply.status, (await reply.json())["error"]["code"]) == (400, "content_policy_violation")
        assert it.fake.seen == []
        asked = chat(messages=[{"role": "user", "content": "say it"}])
        async with it.client.post(CHAT, json=asked) as reply:
            assert ANSWER not in await reply.text()
        assert len(it.fake.seen) == 1


async def test_the_vendor_is_told_of_a_caller_who_leaves(tmp_path: Path) -> None:
    async with behind(tmp_path) as it:
        async with it.client.post(CHAT, json=chat("stall", stream=True)) as reply:
            await reply.content.readany()
        async with asyncio.timeout(10):
            while not it.fake.hung_up["stall"]:
                await asyncio.sleep(0.05)


async def test_the_engine_has_no_key_and_writes_down_nothing_of_what_passes(tmp_path: Path) -> None:
    async with behind(tmp_path) as it:
        for model in ("plain", "echo", "status-500", "status-401", "cut", "reset"):
            async with it.client.post(CHAT, json=chat(model, stream=True)) as reply:
                await reply.read()
        # Whoever asks it past the gateway, on the node itself, has what he brings.
        async with aiohttp.ClientSession() as plain, plain.post(f"{it.engine}/fake/chat/completions", json=chat()) as _:
            assert "authorization" not in it.fake.last.headers or UPSTREAM_KEY not in str(it.fake.last.headers)
        said = it.log.read_text() + "".join(
            each.read_text(errors="replace") for each in (tmp_path / "engine").rglob("*") if each.is_file()
        )
        for planted in (KEY, UPSTREAM_KEY, PROMPT):
            assert planted not in said
