"""The gateway before models that take turns: fakes with vLLM's three routes, which answer nothing while they sleep."""

from __future__ import annotations

import asyncio
import fcntl
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from pulumi_llm.roles import turning
from tests.gateway.fake import Fake
from tests.gateway.harness import KEY, Home, Running, chat, client_of

TURNS_KEY = "sk-turns-PLANTED-0123"
CHAT = "/v1/chat/completions"
A, B = "vllm", "vllm/coder"


class Sleeper(Fake):
    """A vLLM that sleeps and wakes. The world counts who is awake, and what was asked of one that sleeps."""

    def __init__(self, world: World, name: str, *, asleep: bool) -> None:
        super().__init__()
        self.world, self.name, self.asleep, self.broken = world, name, asleep, ""
        self.wrong_keys = 0
        self.pause = 0.0

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path in ("/is_sleeping", "/sleep", "/wake_up"):
            if request.headers.get("x-llm-turns") != TURNS_KEY:
                self.wrong_keys += 1
                return web.json_response({"detail": "Not Found"}, status=404)
            return await self._turn(request.path.removeprefix("/"), request.method)
        if request.path not in ("/tokenize", "/v1/messages/count_tokens"):
            self.world.asked_asleep += self.asleep
        return await super().handle(request)

    async def _turn(self, what: str, method: str) -> web.Response:
        assert method == ("GET" if what == "is_sleeping" else "POST")
        if what == "is_sleeping":
            return web.json_response({"is_sleeping": self.asleep})
        self.world.done.append((what, self.name))
        await asyncio.sleep(self.world.takes)
        if self.broken == what:
            return web.json_response({"error": "RuntimeError"}, status=500)
        self.world.cut += self.working if what == "sleep" else 0
        self.asleep = what == "sleep"
        self.world.most_awake = max(self.world.most_awake, sum(not each.asleep for each in self.world.models.values()))
        return web.json_response({"status": "sleeping" if self.asleep else "awake"})


class World:
    """Two models on one card, behind one gateway."""

    def __init__(self, root: Path, takes: float) -> None:
        self.root, self.takes = root, takes
        self.models: dict[str, Sleeper] = {}
        self.done: list[tuple[str, str]] = []
        self.asked_asleep = self.most_awake = self.cut = 0
        self.gate: Running
        self.client: aiohttp.ClientSession

    async def ask(self, model: str, **more: Any) -> tuple[int, dict[str, Any], Any]:
        async with self.client.post(CHAT, json=chat(model, **more)) as reply:
            return reply.status, await reply.json(), reply.headers

    async def told(self) -> dict[str, Any]:
        async with aiohttp.ClientSession() as session, session.get(f"{self.gate.metrics}/turns") as reply:
            found: dict[str, Any] = await reply.json()
            return found

    async def load(self, name: str, key: str = TURNS_KEY) -> int:
        url = f"{self.gate.metrics}/turns?load={name.replace('/', '%2F')}"
        async with aiohttp.ClientSession() as session, session.post(url, headers={"X-Llm-Turns": key}) as reply:
            return reply.status

    async def waiting(self, count: int) -> None:
        async with asyncio.timeout(10):
            while (await self.told())["waiting"] != count:
                await asyncio.sleep(0.01)


@asynccontextmanager
async def two(
    root: Path, *, awake: float = 0.2, wait: float = 10.0, takes: float = 0.01, **limits: Any
) -> AsyncIterator[World]:
    """The model ``chat`` and the model ``coder``, of which the first is awake; ``hold`` is answered by the first."""
    world = World(root, takes)
    async with AsyncExitStack() as stack:
        for name in (A, B):
            world.models[name] = await stack.enter_async_context(Sleeper(world, name, asleep=name == B))
        home = Home(root).key(**limits)
        locks = {name: str(root / f"{name.replace('/', '-')}.card") for name in (A, B)}
        home.write("settings/routes.json", table(world, locks, awake, wait))
        (root / "secrets" / turning.GATES).write_text(f"{TURNS_KEY}\n")
        world.gate = await stack.enter_async_context(home.here())
        world.client = await stack.enter_async_context(client_of(world.gate))
        yield world
        # whatever the test did
        assert world.asked_asleep == 0
        assert world.most_awake <= 1
        assert world.cut == 0
        assert not any(each.wrong_keys for each in world.models.values())


def table(world: World, locks: dict[str, str], awake: float, wait: float) -> dict[str, Any]:
    upstreams = {name: {"kind": "vllm", "base_url": each.url} for name, each in world.models.items()}
    routes = {
        model: {"targets": [{"upstream": upstream, "model": model, "price_in": 0, "price_out": 0}]}
        for model, upstream in (("plain", A), ("hold", A), ("slow", A), ("echo", B), ("coder-hold", B))
    }
    turns = {"members": locks, "awake_seconds": awake, "wait_seconds": wait}
    return {"upstreams": upstreams, "routes": routes, "turns": turns}


async def test_a_call_for_one_that_sleeps_puts_the_other_to_sleep_and_wakes_it(tmp_path: Path) -> None:
    async with two(tmp_path) as world:
        assert (await world.ask("plain"))[0] == 200
        assert world.done == []
        assert (await world.ask("echo"))[0] == 200
        assert world.done == [("sleep", A), ("wake_up", B)]
        assert (await world.told())["awake"] == B
        assert (await world.ask("plain"))[0] == 200
        assert world.done[2:] == [("sleep", B), ("wake_up", A)]


async def test_answers_under_way_come_to_their_end_first_and_those_that_come_later_wait(tmp_path: Path) -> None:
    async with two(tmp_path) as world:
        held = asyncio.create_task(world.ask("hold"))
        while not world.models[A].working:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)  # it has been awake for long enough
        other = asyncio.create_task(world.ask("echo"))
        await world.waiting(1)
        await asyncio.sleep(0.05)
        late = asyncio.create_task(world.ask("plain"))
        await world.waiting(2)
        assert world.done == []
        world.models[A].release.set()
        assert [(await each)[0] for each in (held, other, late)] == [200, 200, 200]
        assert world.done == [("sleep", A), ("wake_up", B), ("sleep", B), ("wake_up", A)]


async def test_a_storm_for_both_is_answered_to_the_last_call_with_few_swaps(tmp_path: Path) -> None:
    async with two(tmp_path, awake=0.3, wait=30) as world:
        for each in world.models.values():
            each.pause = 0.002

        async def caller(model: str) -> set[int]:
            return {(await world.ask(model, stream=False))[0] for _ in range(30)}

        found = await asyncio.gather(*(caller(model) for model in ("plain", "echo") * 8))
        assert set().union(*found) == {200}
        rows = await world.gate.settled("tokens_in, tokens_out, status")
        assert len(rows) == 480
        # of eight callers each, thirty times one after the other: by turns it would be 480
        assert len(world.done) < 60


async def test_who_waits_too_long_is_told_with_a_code_and_when_to_come_again(tmp_path: Path) -> None:
    async with two(tmp_path, wait=5, tokens_per_minute=100_000) as world:
        held = asyncio.create_task(world.ask("hold"))
        while not world.models[A].working:
            await asyncio.sleep(0.01)
        status, said, headers = await world.ask("echo")
        assert status == 503
        assert said["error"]["code"] == "model_asleep"
        assert 1 <= int(headers["Retry-After"]) <= 60
        world.models[A].release.set()
        assert (await held)[0] == 200
        assert (await world.gate.settled("status, tokens_in, tokens_out"))[1] == (503, 0, 0)


async def test_hanging_up_while_waiting_costs_nothing_and_holds_up_nobody(tmp_path: Path) -> None:
    async with two(tmp_path, tokens_per_minute=100_000, max_concurrency=2) as world:
        held = asyncio.create_task(world.ask("hold"))
        while not world.models[A].working:
            await asyncio.sleep(0.01)
        gone = asyncio.create_task(world.ask("echo"))
        await world.waiting(1)
        gone.cancel()
        await world.waiting(0)
        world.models[A].release.set()
        assert (await held)[0] == 200
        await asyncio.sleep(0.3)
        assert world.done == [], "nobody wants the other one any more"
        rows = await world.gate.settled("status, tokens_in, tokens_out")
        assert (499, 0, 0) in rows
        assert (await asyncio.gather(world.ask("plain"), world.ask("plain")))[0][0] == 200


async def test_one_that_does_not_wake_is_told_of_and_the_other_goes_on(tmp_path: Path) -> None:
    async with two(tmp_path) as world:
        world.models[B].broken = "wake_up"
        status, said, headers = await world.ask("echo")
        assert (status, said["error"]["code"]) == (503, "model_not_woken")
        assert "Retry-After" in headers
        assert (await world.told())["failed"] == {B: "wake"}
        assert (await world.ask("plain"))[0] == 200
        world.models[B].broken = ""
        assert (await world.ask("echo"))[0] == 200
        assert (await world.told())["failed"] == {}


async def test_one_that_is_not_there_is_told_of_at_once_and_the_other_is_not_put_to_sleep(tmp_path: Path) -> None:
    async with two(tmp_path) as world:
        await world.models[B].runner.cleanup()
        status, said, _ = await world.ask("echo")
        assert (status, said["error"]["code"]) == (503, "model_not_running")
        assert world.done == []


async def test_a_fallback_answers_for_one_whose_turn_does_not_come(tmp_path: Path) -> None:
    async with two(tmp_path, wait=5) as world, Fake() as vendor:
        path = tmp_path / "settings" / "routes.json"
        document = json.loads(path.read_text())
        document["upstreams"]["vendor"] = {"kind": "openai", "base_url": vendor.url}
        document["routes"]["echo"]["fallback"] = [{"upstream": "vendor", "model": "plain"}]
        Home(tmp_path).write("settings/routes.json", document)
        held = asyncio.create_task(world.ask("hold"))
        while not world.models[A].working:
            await asyncio.sleep(0.01)
        assert (await world.ask("echo"))[0] == 200
        assert [each.path for each in vendor.seen] == [CHAT]
        world.models[A].release.set()
        await held


async def test_the_tokenizer_answers_while_its_model_sleeps(tmp_path: Path) -> None:
    async with two(tmp_path) as world:
        body = {"model": "echo", "messages": [{"role": "user", "content": "hi"}]}
        async with world.client.post("/v1/messages/count_tokens", json=body) as reply:
            assert reply.status == 200
        assert world.done == []


@pytest.mark.parametrize("state", ["both awake", "both asleep", "the other awake"])
async def test_a_gateway_that_starts_finds_out_who_is_awake(tmp_path: Path, state: str) -> None:
    async with two(tmp_path) as world:
        world.models[A].asleep = state != "both awake"
        world.models[B].asleep = state == "both asleep"
        for model in ("echo", "plain", "echo"):
            assert (await world.ask(model))[0] == 200
        assert sum(not each.asleep for each in world.models.values()) == 1


async def test_a_model_that_starts_asks_for_the_card_with_the_key_and_has_it_for_itself(tmp_path: Path) -> None:
    async with two(tmp_path, wait=30) as world:
        assert await world.load(B, key="sk-other") == 404
        assert await world.load("vllm/nobody") == 409
        await world.models[B].runner.cleanup()
        assert await world.load(B) == 200
        assert world.done == [("sleep", A)]
        lock = (tmp_path / "vllm-coder.card").open("w")
        fcntl.flock(lock, fcntl.LOCK_EX)
        late = asyncio.create_task(world.ask("plain"))
        await asyncio.sleep(3)
        assert world.done == [("sleep", A)], "it loads, and measures what the card has less of meanwhile"
        lock.close()
        # its process is gone without having been there: the other one serves
        async with asyncio.timeout(30):
            assert (await late)[0] == 200
        assert (await world.told())["failed"] == {B: "load"}


async def test_a_model_that_loads_waits_as_long_as_answers_may_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llm_gate.turns.LOADER", 0.5)
    async with two(tmp_path, wait=30) as world:
        await world.models[B].runner.cleanup()
        long = asyncio.create_task(world.ask("hold"))
        while not world.models[A].working:
            await asyncio.sleep(0.01)
        loads = asyncio.create_task(world.load(B))
        await asyncio.sleep(2)
        assert not loads.done(), "whoever asked anew would open the awake one for others, and never find it idle"
        world.models[A].release.set()
        assert (await long)[0] == 200
        assert await loads == 200


async def test_without_models_that_take_turns_there_is_nothing_to_tell_and_nobody_is_asked(tmp_path: Path) -> None:
    async with Fake() as fake:
        home = Home(tmp_path).key().routes(fake.url)
        async with home.here() as gate, client_of(gate, KEY) as client:
            async with client.post(CHAT, json=chat("plain")) as reply:
                assert reply.status == 200
            async with aiohttp.ClientSession() as session, session.get(f"{gate.metrics}/turns") as reply:
                assert await reply.json() == {}
        assert [each.path for each in fake.seen] == [CHAT]
