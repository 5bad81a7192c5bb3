"""The model of a server with `replicas` is changed machine by machine: nodes and gateways as they are, under load."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from pulumi_llm import _replicas
from pulumi_llm._bootstrap import GatewayKey, NodeRequest
from pulumi_llm.roles.requests import Route, Target, Upstream
from tests.bootstrap.samples import Node, booted, gateway_of, gpu_node, vllm_of, without
from tests.gateway.beside.test_beside import HERE, KEY, Machine, free_port
from tests.gateway.harness import CODE

PATIENCE = 600
"""Seconds for a whole test: each change is two programs of a node, half a minute each on a busy machine."""
SHARED = "sk-front-0123456789abcdef"
"""The first machine's key at the other one."""


@dataclass
class Turn(Machine):
    """A machine of two, with its own gateway and engine."""

    port: int = field(default_factory=free_port)
    other: str = ""
    """Where the other one's gateway answers; empty: this is not the first."""

    def request(self, context: int) -> NodeRequest:
        """The node: of the first, both engines; of the other, its own and the first one's key."""
        plain = without(gpu_node(), "weaviate")
        gateway, model = gateway_of(plain), replace(vllm_of(plain), port=self.port, max_model_len=context)
        ways = [Upstream(name="vllm", kind="vllm", base_url=f"http://127.0.0.1:{self.port}/v1", replica=True)]
        keys = [GatewayKey(name=_replicas.KEY)]
        if self.other:
            far = Upstream(
                name="replica.2", kind="vllm", base_url=f"{self.other}/v1", secret=_replicas.SECRET, replica=True
            )
            ways, keys = [*ways, far], [replace(each, limits={}) for each in gateway.keys]
        targets = tuple(Target(upstream=each.name, model="yi-6b-chat", weight=1 / len(ways)) for each in ways)
        routes = (Route(name="yi-6b-chat", targets=targets),)
        return plain.having(replace(gateway, upstreams=tuple(ways), keys=tuple(keys), routes=routes), model)

    def settings(self, request: NodeRequest) -> str:
        """Staged; with the key that both know."""
        given = json.loads(super().settings(request))
        for name in (_replicas.SECRET, f"gateway_key_{_replicas.KEY}"):
            if name in given["secrets"]:
                given["secrets"][name] = SHARED
        return json.dumps(given)

    async def change(self, context: int) -> None:
        """What `pulumi up` does with this machine."""
        limits = {"LLM_DRAIN_SECONDS": "120"}  # it ends as soon as nobody is under way
        code, said = await self.up(self.request(context), LLM_GATE_MEASURED=self.use.removesuffix("/use"), **limits)
        assert code == 0, said

    async def has_under_way(self, number: int) -> None:
        """Wait until so many requests are with the engines."""
        async with aiohttp.ClientSession() as client:
            while True:
                async with client.get(self.use) as reply:
                    if sum((await reply.json(content_type=None))["upstreams"].values()) == number:
                        return
                await asyncio.sleep(0.05)


@asynccontextmanager
async def gateway(it: Turn) -> AsyncIterator[None]:
    state = it.node.path("/srv/llm/gateway")
    state.mkdir(parents=True, exist_ok=True)
    argv = [sys.executable, "-m", "llm_gate", "--run", str(it.node.path("/run/llm"))]
    argv += ["--port", it.url.rpartition(":")[2], "--metrics-port", it.use.rpartition(":")[2].partition("/")[0]]
    argv += ["--settings", str(it.node.path("/opt/llm/gateway")), "--state", str(state)]
    argv += ["--secrets", str(it.node.path("/srv/llm/secrets"))]
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(CODE)}
    process = await asyncio.create_subprocess_exec(*argv, env=env, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), PATIENCE)
        yield
    finally:
        process.kill()
        await process.wait()


def machine(root: Path, other: str = "") -> Turn:
    node = booted(root, gpu_node())
    (root / "log").mkdir()
    node.fake("systemctl", f'exec "{sys.executable}" "{HERE}/systemctl.py" "{root}" "$@"')
    node.fake("journalctl", f'for each in "$@"; do [ -f "{root}/log/$each" ] && cat "{root}/log/$each"; done; exit 0')
    for name in ("systemd-sysusers", "apt-mark", "dpkg-query", "nvidia-smi"):
        node.fake(name, "exit 0")
    return Turn(node, f"http://127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}/use", other=other)


@asynccontextmanager
async def pair(root: Path) -> AsyncIterator[tuple[Turn, Turn]]:
    """The first machine and the other one, up, each with its gateway."""
    second = machine(root / "second")
    first = machine(root / "first", second.url)
    try:
        for each in (second, first):
            await each.change(4096)
        async with gateway(second), gateway(first):
            yield first, second
    finally:
        for each in (first, second):
            ended(each.node)


def ended(node: Node) -> None:
    for each in (node.root / "log").glob("*.pid"):
        if Path(f"/proc/{each.read_text()}").exists():
            os.kill(int(each.read_text()), 9)


@pytest.mark.parametrize("loads", [1])
async def test_machines_change_their_model_one_after_the_other_and_no_request_fails(tmp_path: Path, loads: int) -> None:
    """The other one first, and the first one last, as `depends_on` has it (tests/test_replicas.py)."""
    async with pair(tmp_path) as (first, second):
        for each in (first, second):
            each.how_it_serves(of_4096="--pause 0.02", of_2048=f"--pause 0.02 --loads {loads}")
        async with first.callers(8):
            await asyncio.sleep(1)
            seen: list[dict[str, Any]] = []
            for each in (second, first):
                before = Counter(first.how)
                await each.change(2048)
                await asyncio.sleep(0.5)
                seen.append(dict(first.how - before))
        assert set(first.how) == {"4096", "2048"}, first.how
        assert first.how["2048"] > 0
        # While one is changed the other answers: nobody waits until both are new.
        assert "4096" in seen[0]
        assert "2048" in seen[1]
        for each in (first, second):
            assert not each.node.path("/run/llm/resting.json").exists()


async def test_an_answer_under_way_comes_to_its_end_before_its_engine_restarts(tmp_path: Path) -> None:
    """The stand-in waits for nobody: without rest its stream would be cut."""
    async with pair(tmp_path) as (first, second):
        for each in (first, second):
            each.how_it_serves(of_2048="--pause 0.2")
        for each in (second, first):
            await each.change(2048)
        headers = {"Authorization": f"Bearer {KEY}"}
        async with aiohttp.ClientSession(first.url, headers=headers) as client:
            slow = [asyncio.create_task(first.asked(client, stream=True)) for _ in range(4)]
            await first.has_under_way(len(slow))
            for each in (second, first):
                await each.change(1024)
            assert await asyncio.gather(*slow) == ["2048"] * 4
