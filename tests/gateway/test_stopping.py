"""While its machine is about to be stopped a gateway takes nothing new on, and says how it is used before."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.fake import Fake
from tests.gateway.harness import KEY, Home, Running, chat, client_of

DRAIN = {"code": "server_stopping", "message": "this server is being stopped", "retry_after": 60}


async def use(gate: Running) -> dict[str, Any]:
    async with client_of(gate, KEY) as client, client.get(f"{gate.metrics}/use") as reply:
        assert reply.status == 200
        return dict(await reply.json())


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
async def test_what_is_new_is_refused_with_a_code_and_a_time_and_then_served_again(tmp_path: Path, path: str) -> None:
    body = chat(max_tokens=5)
    home = Home(tmp_path).key()
    async with Fake() as fake, home.routes(fake.url, kind="vllm").here() as gate, client_of(gate, KEY) as client:
        home.write("drain.json", DRAIN)
        async with client.post(path, json=body) as reply:
            told = (await reply.json())["error"]
            assert (reply.status, reply.headers["Retry-After"]) == (503, "60")
            assert told["message"] == DRAIN["message"]
            assert told.get("code", told["type"]) in ("server_stopping", "overloaded_error")
        async with client.get("/v1/models") as reply:
            assert reply.status == 200
        async with client.post(path, json=body, headers={"Authorization": "Bearer sk-wrong"}) as reply:
            assert reply.status == 401
        (tmp_path / "drain.json").unlink()
        async with client.post(path, json=body) as reply:
            assert reply.status == 200


async def test_what_is_under_way_comes_to_its_end_and_is_counted_until_then(tmp_path: Path) -> None:
    home = Home(tmp_path).key()
    async with Fake() as fake, home.routes(fake.url).here() as gate, client_of(gate, KEY) as client:
        assert (await use(gate))["active"] == 0
        asked = asyncio.create_task(client.post("/v1/chat/completions", json=chat("slow", stream=True)))
        while not (await use(gate))["active"]:
            await asyncio.sleep(0.01)
        home.write("drain.json", DRAIN)
        fake.release.set()
        reply = await asked
        text = await reply.text()
        assert reply.status == 200
        assert "[DONE]" in text
        while (await use(gate))["active"]:
            await asyncio.sleep(0.01)
        assert (await use(gate))["idle_seconds"] < 5


async def test_neither_a_refusal_nor_the_nodes_own_question_counts_as_use(tmp_path: Path) -> None:
    home = Home(tmp_path).key().key("node-probe", "sk-probe")
    async with Fake() as fake, home.routes(fake.url).here() as gate:
        gate.gateway.use._last -= 1000
        for key, body in (("sk-wrong", chat()), (KEY, chat("no-such-model")), ("sk-probe", chat())):
            async with client_of(gate, key) as client:
                await (await client.post("/v1/chat/completions", json=body)).read()
        async with client_of(gate, KEY) as client:
            await (await client.get("/v1/models")).read()
        assert (await use(gate))["idle_seconds"] >= 1000
        async with client_of(gate, KEY) as client:
            await (await client.post("/v1/chat/completions", json=chat())).read()
        found = await use(gate)
        assert found["active"] == 0
        assert found["idle_seconds"] < 100


async def test_calls_that_came_before_another_table_are_told_until_they_end(tmp_path: Path) -> None:
    """Whoever stops the upstream of the table before waits for that."""
    home = Home(tmp_path).key()
    async with Fake() as fake, Fake() as other, home.routes(fake.url).here() as gate, client_of(gate, KEY) as client:
        asked = asyncio.create_task(client.post("/v1/chat/completions", json=chat("hold")))
        while not fake.working:
            await asyncio.sleep(0.01)
        assert (await use(gate))["earlier"] == 0
        home.routes(other.url)
        assert (await use(gate))["earlier"] == 1
        async with client.post("/v1/chat/completions", json=chat()) as reply:
            assert reply.status == 200
        assert len(other.seen) == 1
        assert (await use(gate))["earlier"] == 1
        fake.release.set()
        assert (await asked).status == 200
        while (await use(gate))["active"]:
            await asyncio.sleep(0.01)
        assert (await use(gate))["earlier"] == 0
