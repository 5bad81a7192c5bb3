"""The real gateway and the real program that starts machines, between a caller and a cloud on loopback."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web
from llm_gate.policy import Reread
from llm_gate.routes import Routes
from llm_gate.starting import Starting

from pulumi_llm._stopping import facts
from tests.gateway.fake import Fake
from tests.gateway.harness import Home, Running, client_of
from tests.gateway.test_replicas import CHAT, ask, talk
from tests.leave.conftest import World, world
from tests.wake.conftest import MACHINES, lib, started
from tests.wake.test_wake import SOLD_OUT

FILL = 2
__all__ = ["lib", "world"]

NOBODY, SMALL, OTHER = (f"sk-{each}-PLANTED-0000000000000000" for each in ("nobody", "small", "other"))


class Far(Fake):
    """Another machine's gateway, off until it is started: an address of loopback that is not this machine's own."""

    async def __aenter__(self) -> Far:
        self.runner = web.ServerRunner(web.Server(self.handle, handler_cancellation=True, access_log=None))
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.2", self._port).start()
        return self

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """As the gateway there does: to be looked at is nobody's use."""
        return web.json_response({"data": []}) if request.method == "GET" else await super().handle(request)


def free_port(address: str) -> int:
    with socket.create_server((address, 0)) as held:
        return int(held.getsockname()[1])


class Server:
    """The first machine: its folder, what its cloud was asked, and where the others will be."""

    def __init__(self, root: Path, lib: Path, world: World) -> None:
        self.root, self.lib, self.world = root, lib, world
        self.home = Home(root)
        self.ports = {name: free_port("127.0.0.2") for name in MACHINES}
        (root / "opt/llm").mkdir(parents=True)
        (root / "run").mkdir()
        (root / "run/llm").symlink_to(root)  # what one writes the other reads
        sold_out = facts(world.cloud)["sold_out"]["pattern"]
        config = {"cloud": world.cloud, "machines": MACHINES, "most": 2, "sold_out": sold_out}
        (root / "opt/llm/wake.json").write_text(json.dumps(config))
        (root / "opt/llm/hints.json").write_text("{}")
        self.held = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.held.bind(str(root / "wake.sock"))

    def routes(self, engine: str, **more: Any) -> None:
        """Its own engine, and the others."""
        row: dict[str, Any] = {"kind": "vllm", "secret": "upstream_fake", "replica": True, "fill": FILL}
        upstreams = {"vllm": {**row, "base_url": engine}}
        upstreams |= {name: {**row, "base_url": f"http://127.0.0.2:{port}/v1"} for name, port in self.ports.items()}
        free = {"price_in": 0, "price_out": 0}
        names = ("plain", "hold")
        rows = {name: {"targets": [{"upstream": each, "model": name, **free} for each in upstreams]} for name in names}
        for each in rows.values():
            each.update(more)
        document = {"upstreams": {**upstreams, **more.pop("upstreams", {})}, "routes": rows, "starts": True}
        self.home.write("settings/routes.json", document)

    def started(self) -> list[str]:
        return [started(each) for each in self.world.stops]

    def told(self) -> dict[str, Any]:
        path = self.root / "wake.json"
        return dict(json.loads(path.read_text())) if path.exists() else {}

    @asynccontextmanager
    async def waking(self) -> AsyncIterator[None]:
        """The program, as its unit starts it with its socket."""
        run = "import sys; sys.path.insert(0, sys.argv[1]); from llm_node.wake import main; main()"
        given = f'exec 3<&{self.held.fileno()}; LISTEN_FDS=1 exec "$@"'
        where = dict.fromkeys(("LLM_METADATA", "LLM_CLOUD_API"), self.world.url)
        process = await asyncio.create_subprocess_exec(
            *("bash", "-c", given, "bash", sys.executable, "-I", "-c", run, str(self.lib)),
            pass_fds=(self.held.fileno(),),
            env={"PATH": os.environ["PATH"], "LLM_ROOT": str(self.root), **where},
        )
        try:
            yield
        finally:
            process.terminate()
            await process.wait()

    @asynccontextmanager
    async def gate(self) -> AsyncIterator[Running]:
        """The gateway, once it knows that the others are off."""
        async with self.home.here() as gate:
            gate.gateway._fresh_routes()
            async with asyncio.timeout(10):
                while gate.gateway.replicas.gone() < set(self.ports):
                    await asyncio.sleep(0.01)
            yield gate


@contextmanager
def small_folder() -> Iterator[Path]:
    """A socket's path has a hundred characters at most."""
    with tempfile.TemporaryDirectory(prefix="wake") as folder:
        yield Path(folder)


@pytest.fixture
def first(lib: Path, world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr("llm_gate.watching.LOOK", 0.05)
    with small_folder() as folder:
        made = Server(folder, lib, world)
        made.home.key()
        made.routes("http://127.0.0.1:9/v1")  # its own engine is not there
        yield made
        made.held.close()


async def eventually(true: Any) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.01)


async def said(client: Any, body: dict[str, Any] | None = None) -> tuple[int, str, str]:
    async with client.post(CHAT, json=body or talk("hello")) as reply:
        document = await reply.json()
        return reply.status, document.get("error", {}).get("code", ""), reply.headers.get("Retry-After", "")


async def test_a_thousand_requests_at_once_start_one_machine_and_it_answers_once_it_is_there(first: Server) -> None:
    async with first.waking(), first.gate() as gate, client_of(gate) as client:
        found = await asyncio.gather(*(said(client) for __ in range(1000)))
        assert set(found) == {(503, "model_asleep", "30")}
        await eventually(lambda: first.told().get("state") == "started")
        assert first.started() == ["i-2"]
        for __ in range(3):
            await asyncio.sleep(1.05)
            assert await said(client) == (503, "model_asleep", "30")
        assert first.started() == ["i-2"]
        async with Far(port=first.ports["replica.2"]) as far:
            await eventually(lambda: "replica.2" not in gate.gateway.replicas.gone())
            gate.gateway.starting.look()
            await eventually(lambda: first.told()["state"] == "serving")
            assert await ask(client, talk("hello")) == 200
            assert [each.path for each in far.seen if each.path == CHAT] == [CHAT]
        assert first.started() == ["i-2"]


async def test_whoever_is_refused_starts_nothing(first: Server) -> None:
    first.home.key("small", SMALL, requests_per_minute=0)
    first.home.key("other", OTHER, models=["hold"])
    async with first.waking(), first.gate() as gate:
        async with client_of(gate, NOBODY) as client:
            assert (await said(client))[:2] == (401, "invalid_api_key")
        async with client_of(gate, SMALL) as client:
            assert (await said(client))[:1] == (429,)
        async with client_of(gate, OTHER) as client:
            assert (await said(client))[:1] == (403,)
        async with client_of(gate) as client:
            assert (await said(client, talk("hello", "nothing")))[0] == 404
            assert (await said(client, talk("hello", max_tokens=-1)))[0] == 400
            async with client.get("/v1/models") as reply:
                assert reply.status == 200
        await asyncio.sleep(0.5)
        assert first.started() == []
        assert first.told() == {}


async def test_a_refused_start_is_told_with_a_code_and_nothing_is_tried_for_a_while(first: Server) -> None:
    first.world.answer = SOLD_OUT[first.world.cloud]
    async with first.waking(), first.gate() as gate, client_of(gate) as client:
        assert (await said(client))[1] == "model_asleep"
        await eventually(lambda: first.told().get("code") == "wake.sold-out")
        status, code, after = await said(client)
        assert (status, code) == (503, "model_not_started")
        assert 590 <= int(after) <= 600
    # A restart of both: the pause goes on.
    async with first.waking(), first.gate() as gate, client_of(gate) as client:
        for __ in range(3):
            assert (await said(client))[1] == "model_not_started"
            await asyncio.sleep(1.05)
    assert first.started() == ["i-2"]


async def test_the_count_of_the_day_holds_over_a_restart_of_all(first: Server) -> None:
    for number in range(4):
        async with first.waking(), first.gate() as gate, client_of(gate) as client:
            await said(client)
            await eventually(lambda number=number: len(first.started()) >= min(number + 1, 2))
            if number < 2:
                await eventually(lambda: first.told().get("state") == "started")
                async with Far(port=first.ports["replica.2"]):
                    await eventually(lambda gate=gate: "replica.2" not in gate.gateway.replicas.gone())
                    gate.gateway.starting.look()
                    await eventually(lambda: first.told().get("state") == "serving")
            else:
                await eventually(lambda: first.told().get("code") == "wake.too-many")
                assert (await said(client))[1] == "model_not_started"
    assert first.started() == ["i-2", "i-2"]


async def test_another_target_of_the_route_answers_meanwhile(first: Server) -> None:
    async with Fake() as vendor:
        upstream = {"vendor": {"kind": "openai", "base_url": vendor.url, "secret": "upstream_fake"}}
        fallback = [{"upstream": "vendor", "model": "plain", "price_in": 0, "price_out": 0}]
        first.routes("http://127.0.0.1:9/v1", upstreams=upstream, fallback=fallback)
        async with first.waking(), first.gate() as gate, client_of(gate) as client:
            assert await ask(client, talk("hello")) == 200
            assert len(vendor.seen) == 1
            await eventually(lambda: first.started() == ["i-2"])


async def test_where_all_are_full_for_a_while_the_next_one_is_started_and_not_for_a_moment(
    first: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llm_gate.starting.FULL", 0.3)
    async with Fake() as engine:
        first.routes(engine.url)
        async with first.waking(), first.gate() as gate, client_of(gate) as client:
            assert await ask(client, talk("hello")) == 200
            # Full, and the next call comes when there is room again.
            held = [asyncio.create_task(ask(client, talk("x", "hold"))) for __ in range(FILL + 1)]
            await eventually(lambda: engine.working == FILL + 1)
            engine.release.set()
            assert await asyncio.gather(*held) == [200] * (FILL + 1)
            await asyncio.sleep(0.4)
            assert await ask(client, talk("hello")) == 200
            assert first.started() == []
            # Full for longer.
            engine.release.clear()
            held = [asyncio.create_task(ask(client, talk("x", "hold"))) for __ in range(FILL + 1)]
            await eventually(lambda: engine.working == FILL + 1)
            await asyncio.sleep(0.4)
            assert await ask(client, talk("hello")) == 200  # it is served all the same
            await eventually(lambda: first.started() == ["i-2"])
            engine.release.set()
            assert await asyncio.gather(*held) == [200] * (FILL + 1)


def test_calls_for_one_model_do_not_hide_that_another_ones_machines_are_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, active = [1000.0], Counter({"a": FILL})
    monkeypatch.setattr("llm_gate.starting.time.monotonic", lambda: now[0])
    replicas: Any = SimpleNamespace(away=lambda upstream: not upstream.here, active=active)
    starting = Starting(tmp_path / "none", Reread(tmp_path / "told"), Routes(), replicas, lambda _: None)
    starting.on, asked = True, []
    monkeypatch.setattr(starting, "_say", lambda words: asked.append(words) or True)

    def targets(own: str) -> Any:
        rows = ((own, True), ("replica.2", False))
        return [SimpleNamespace(upstream=SimpleNamespace(name=name, fill=FILL, here=here)) for name, here in rows]

    for __ in range(60):
        starting.present(targets("a"), "caller")
        starting.present(targets("b"), "caller")  # it has room
        starting.left(targets("b")[0])
        now[0] += 1
    assert {"away": ["replica.2"]} in asked
    asked.clear()
    active.clear()  # a call has ended, so there is room
    starting.left(targets("a")[0])
    active["a"] = FILL
    starting.present(targets("a"), "caller")
    assert asked == []


async def test_a_model_that_is_being_changed_starts_no_machine(first: Server) -> None:
    async with Fake() as engine:
        first.routes(engine.url)
        async with first.waking(), first.gate() as gate, client_of(gate) as client:
            first.home.write("resting.json", {"upstreams": ["vllm"]})
            assert (await said(client))[:2] == (503, "model_changing")
            await asyncio.sleep(0.3)
            assert first.started() == []


async def test_where_nobody_listens_no_start_is_promised(first: Server) -> None:
    first.held.close()
    (first.root / "wake.sock").unlink()
    async with first.gate() as gate, client_of(gate) as client:
        assert (await said(client))[:2] == (502, "upstream_unavailable")
