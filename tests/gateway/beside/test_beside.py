"""The main model is changed beside the one that runs: the node's program, its gateway, a server of fixed times."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import statistics
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from pulumi_llm import _bootstrap as bootstrap
from pulumi_llm._bootstrap import NodeRequest
from pulumi_llm.roles import vllm
from tests.bootstrap.samples import Node, booted, gateway_of, gpu_node, vllm_of, without
from tests.bootstrap.test_node_status import valid
from tests.gateway.harness import CODE

PATIENCE = 300
"""Seconds for a whole test: each change is two programs of a node, half a minute each on a busy machine."""
CHAT = "/v1/chat/completions"
HERE = Path(__file__).parent
KEY = "sk-caller-0123456789abcdef"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port: int = held.getsockname()[1]
        return port


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    """Two free ones in the place of 8000 and 8010."""
    first, second = free_port(), free_port()
    monkeypatch.setattr(vllm, "SECOND_PORT", second)
    return first, second


def request_of(port: int, context: int, **changes: Any) -> NodeRequest:
    """A GPU host whose main model is changed beside the running one."""
    request = without(gpu_node(), "weaviate")
    gateway = gateway_of(request)
    ways = [replace(each, base_url=each.base_url.replace("8000", str(port))) for each in gateway.upstreams]
    keys = tuple(replace(each, limits={}) for each in gateway.keys)
    told = {"beside": True, "gpu_memory_utilization": 0.47, "max_model_len": context, **changes}
    model = replace(vllm_of(request), port=port, **told)
    return request.having(replace(gateway, upstreams=tuple(ways), keys=keys), model)


@dataclass
class Machine:
    """A node's root directory, its gateway, and whoever asks it."""

    node: Node
    url: str
    use: str
    how: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    calling: bool = True

    def settings(self, request: NodeRequest) -> str:
        """Staged; returns the secrets that go with them."""
        document = bootstrap.settings(request)
        done = self.node.run("stage", stdin=json.dumps(document))
        assert done.returncode == 0, done.stderr
        secrets = {name: f"planted-{name}" for name in bootstrap.secret_names(request)} | {"gateway_key_app": KEY}
        return bootstrap.secrets_document(document, secrets)

    async def up(self, request: NodeRequest, **env: str) -> tuple[int, str]:
        """Stage and apply as `pulumi up` does; the exit code, and all that it said."""
        given = await asyncio.to_thread(self.settings, request)
        env = {"LLM_GATE_USE": self.use, "LLM_DRAIN_SECONDS": "20", **env}
        done = await asyncio.to_thread(lambda: self.node.run("apply", stdin=given, **env))
        return done.returncode, done.stdout + done.stderr

    def how_it_serves(self, **arguments: str) -> None:
        """More arguments for the server of a context length."""
        rows = {name.removeprefix("of_"): line.split() for name, line in arguments.items()}
        (self.node.root / "how.json").write_text(json.dumps(rows))

    def units(self) -> set[str]:
        """The units of the main model's server that run."""
        found = set()
        for each in (self.node.root / "log").glob("*.pid"):
            if Path(f"/proc/{each.read_text()}").exists():
                found.add(each.name.removesuffix(".pid"))
        return found

    @property
    def change(self) -> dict[str, Any]:
        path = self.node.path("/run/llm/change.json")
        return json.loads(path.read_text()) if path.exists() else {}

    async def asked(self, client: aiohttp.ClientSession, *, stream: bool) -> str:
        """How it ended, in a word; who answered whole says its context length."""
        body = {"model": "yi-6b-chat", "stream": stream, "messages": [{"role": "user", "content": "hello"}]}
        begun = time.monotonic()
        try:
            async with client.post(CHAT, json=body) as reply:
                text = await reply.text()
        except aiohttp.ClientError as error:
            return type(error).__name__
        if reply.status != 200:
            return f"{reply.status} {text[:200]}"
        self.seconds.append(time.monotonic() - begun)
        if stream:
            return re.findall(r'"content": ?"(\d+)"', text)[0] if text.endswith("data: [DONE]\n\n") else "cut"
        return str(json.loads(text)["choices"][0]["message"]["content"])

    @asynccontextmanager
    async def callers(self, number: int = 12) -> AsyncIterator[None]:
        """Some who ask without a pause, half of them for streams."""
        headers = {"Authorization": f"Bearer {KEY}"}
        async with aiohttp.ClientSession(self.url, headers=headers, connector=aiohttp.TCPConnector(limit=0)) as client:

            async def caller(which: int) -> None:
                await asyncio.sleep(which * 0.03)
                while self.calling:
                    self.how[await self.asked(client, stream=which % 2 == 0)] += 1

            tasks = [asyncio.create_task(caller(each)) for each in range(number)]
            yield
            self.calling = False
            await asyncio.gather(*tasks)


@asynccontextmanager
async def machine(root: Path) -> AsyncIterator[Machine]:
    node = booted(root, gpu_node())
    (root / "log").mkdir()
    node.fake("systemctl", f'exec "{sys.executable}" "{HERE}/systemctl.py" "{root}" "$@"')
    node.fake("journalctl", f'for each in "$@"; do [ -f "{root}/log/$each" ] && cat "{root}/log/$each"; done; exit 0')
    for name in ("systemd-sysusers", "apt-mark", "dpkg-query", "nvidia-smi"):
        node.fake(name, "exit 0")
    front, back = free_port(), free_port()
    found = Machine(node, f"http://127.0.0.1:{front}", f"http://127.0.0.1:{back}/use")
    try:
        yield found
    finally:
        for each in (root / "log").glob("*.pid"):
            if Path(f"/proc/{each.read_text()}").exists():
                os.kill(int(each.read_text()), signal.SIGKILL)


@asynccontextmanager
async def gateway(found: Machine) -> AsyncIterator[asyncio.subprocess.Process]:
    """The gateway as its unit starts it, over the files that the node's program has put in place."""
    state = found.node.path("/srv/llm/gateway")
    state.mkdir(parents=True, exist_ok=True)
    argv = [sys.executable, "-m", "llm_gate", "--port", found.url.rpartition(":")[2]]
    argv += ["--metrics-port", found.use.rpartition(":")[2].partition("/")[0]]
    argv += ["--settings", str(found.node.path("/opt/llm/gateway")), "--state", str(state)]
    argv += ["--secrets", str(found.node.path("/srv/llm/secrets"))]
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(CODE)}
    process = await asyncio.create_subprocess_exec(*argv, env=env, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), 30)
        yield process
    finally:
        process.kill()
        await process.wait()


@asynccontextmanager
async def serving(root: Path, request: NodeRequest) -> AsyncIterator[Machine]:
    """A node that is up, with its gateway."""
    async with machine(root) as found:
        code, said = await found.up(request)
        assert code == 0, said
        async with gateway(found):
            yield found


async def test_a_change_under_load_fails_no_request_and_the_one_before_is_gone(
    tmp_path: Path, ports: tuple[int, int]
) -> None:
    async with serving(tmp_path, request_of(ports[0], 4096)) as it:
        async with it.callers():
            await asyncio.sleep(1)
            code, said = await it.up(request_of(ports[0], 2048))
            await asyncio.sleep(0.6)
        assert code == 0, said
        assert set(it.how) == {"4096", "2048"}, it.how
        assert it.units() == {"llm-vllm2.service"}
        assert not it.node.path("/etc/systemd/system/llm-vllm.service").exists()
        assert it.change == {}


async def test_changes_take_turns_between_the_two_units(tmp_path: Path, ports: tuple[int, int]) -> None:
    async with serving(tmp_path, request_of(ports[0], 4096)) as it:
        found = []
        for context in (2048, 1024):
            code, said = await it.up(request_of(ports[0], context))
            assert code == 0, said
            found.append(it.units())
        assert found == [{"llm-vllm2.service"}, {"llm-vllm.service"}]
        assert not it.node.path("/etc/systemd/system/llm-vllm2.service").exists()


async def test_what_the_model_does_not_notice_starts_nothing(tmp_path: Path, ports: tuple[int, int]) -> None:
    async with serving(tmp_path, request_of(ports[0], 4096)) as it:
        assert (await it.up(request_of(ports[0], 2048)))[0] == 0
        request = request_of(ports[0], 2048)
        more = replace(gateway_of(request), blocked_words=("other",))
        before = len(it.node.calls)
        code, said = await it.up(request.having(more))
        assert code == 0, said
        assert it.units() == {"llm-vllm2.service"}
        assert "loaded as" not in said
        assert not [each for each in it.node.calls[before:] if "restart" in each and "vllm" in each]


@pytest.mark.parametrize(("how", "code"), [("--how dies", "vllm.out-of-memory"), ("--how mute", "vllm.no-answer")])
async def test_one_that_fails_is_taken_back_at_once_and_costs_no_request(
    tmp_path: Path, ports: tuple[int, int], how: str, code: str
) -> None:
    async with serving(tmp_path, request_of(ports[0], 4096)) as it:
        it.how_it_serves(of_2048=how)
        async with it.callers(4):
            await asyncio.sleep(0.5)
            begun = time.monotonic()
            rc, said = await it.up(request_of(ports[0], 2048))
            took = time.monotonic() - begun
            await asyncio.sleep(0.5)
        assert rc == 1
        assert f"[{code}]" in said.splitlines()[-1]
        assert "the last good configuration is running again" in said.splitlines()[-1]
        assert took < 10
        assert set(it.how) == {"4096"}, it.how
        assert it.units() == {"llm-vllm.service"}
        assert not it.node.path("/etc/systemd/system/llm-vllm2.service").exists()
        assert (it.change["state"], it.change["code"]) == ("failed", code)
        assert it.change["hint"]
        valid({**json.loads(it.node.run("status").stdout), "change": it.change})
        it.how_it_serves()
        rc, said = await it.up(request_of(ports[0], 2048))
        assert rc == 0, said
        assert it.units() == {"llm-vllm2.service"}
        assert it.change == {}


async def test_a_card_without_room_for_both_is_told_before_anything_is_loaded(
    tmp_path: Path, ports: tuple[int, int]
) -> None:
    async with serving(tmp_path, request_of(ports[0], 4096)) as it:
        it.node.fake("nvidia-smi", "echo 15360, 6000")
        rc, said = await it.up(request_of(ports[0], 2048))
        assert rc == 1
        assert "[vllm.no-room-beside] GPU 0 has 5.86 of 15.00 GiB free" in said
        assert not (tmp_path / "log/llm-vllm2.service").exists()
        assert it.units() == {"llm-vllm.service"}
        it.node.fake("nvidia-smi", "echo 15360, 7800")
        assert (await it.up(request_of(ports[0], 2048)))[0] == 0


async def test_an_answer_that_takes_long_is_waited_for_and_then_cut_off(tmp_path: Path, ports: tuple[int, int]) -> None:
    async with serving(tmp_path, request_of(ports[0], 4096)) as it:
        it.how_it_serves(of_2048="--pause 0.2", of_1024="")
        assert (await it.up(request_of(ports[0], 2048)))[0] == 0
        headers = {"Authorization": f"Bearer {KEY}"}
        async with aiohttp.ClientSession(it.url, headers=headers) as client:
            slow = asyncio.create_task(it.asked(client, stream=True))
            await asyncio.sleep(0.5)
            code, said = await it.up(request_of(ports[0], 1024))
            assert code == 0, said
            assert await slow == "2048"
            it.how_it_serves(of_2048="--pause 1")
            assert (await it.up(request_of(ports[0], 2048)))[0] == 0
            slow = asyncio.create_task(it.asked(client, stream=True))
            await asyncio.sleep(0.5)
            code, said = await it.up(request_of(ports[0], 1024), LLM_DRAIN_SECONDS="1")
            assert code == 0, said
            assert "1 requests to the model before did not end in time" in said
            assert await slow != "2048"


async def test_a_server_that_was_not_made_for_it_is_restarted_once(tmp_path: Path, ports: tuple[int, int]) -> None:
    async with serving(tmp_path, request_of(ports[0], 4096, beside=False)) as it:
        for context, unit in ((2048, "llm-vllm.service"), (1024, "llm-vllm2.service")):
            code, said = await it.up(request_of(ports[0], context))
            assert code == 0, said
            assert it.units() == {unit}
        code, said = await it.up(request_of(ports[0], 1024, beside=False))
        assert code == 0, said
        assert it.units() == {"llm-vllm.service"}


def p99(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=100)[98]


async def test_a_change_adds_little_to_what_requests_take(tmp_path: Path, ports: tuple[int, int]) -> None:
    """Answers of a second: what the machine's other work adds is small beside it. That may pass by: three tries."""
    async with machine(tmp_path) as it:
        it.how_it_serves(of_4096="--pause 0.05", of_2048="--pause 0.05 --loads 5")
        code, said = await it.up(request_of(ports[0], 4096))
        assert code == 0, said
        ratios = []
        async with gateway(it), it.callers(24):
            for context in (2048, 4096, 2048):
                it.seconds = []
                await asyncio.sleep(6)
                before, it.seconds = it.seconds, []
                code, said = await it.up(request_of(ports[0], context))
                during = it.seconds
                assert code == 0, said
                assert len(during) > 100
                ratios.append(p99(during) / p99(before))
                print(f"p99 before {p99(before):.3f} s, during {p99(during):.3f} s, of {len(before)}, {len(during)}")
                if ratios[-1] <= 1.1:
                    break
        assert set(it.how) <= {"4096", "2048"}, it.how
        assert min(ratios) <= 1.1, ratios
