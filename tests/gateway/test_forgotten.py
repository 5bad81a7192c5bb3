"""What is over is forgotten at once: the collector comes only after tens of thousands of objects, and a request may
have 8 MiB."""

import asyncio
import gc
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.gateway.harness import KEY, Running, chat, stand
from tests.gateway.upstreams import asking

CHAT = "/v1/chat/completions"


@pytest.fixture
def by_hand() -> Iterator[None]:
    """Nothing is collected that anything still points at, be it itself."""
    gc.disable()
    gc.freeze()  # what is there already is looked at by nobody
    yield
    gc.unfreeze()
    gc.enable()


def kept() -> list[str]:
    """What is still there of requests."""
    names = ("llm_gate.messages.Request", "llm_gate.requests.Call", "llm_gate.attempt.Exchange")
    kinds = [f"{type(each).__module__}.{type(each).__qualname__}" for each in gc.get_objects()]
    return [each for each in kinds if each in names]


async def until_nothing_is_kept(client: aiohttp.ClientSession) -> None:
    for _ in range(100):
        if not kept():
            break
        await asyncio.sleep(0.01)
    assert not kept()


@pytest.mark.parametrize("content", [None, "block"])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "model",
["plain", "status-500", "status-400", "html", "reset", "cut", "cut-early", "nowhere"],
)  # fmt: skip
@pytest.mark.usefixtures("by_hand")
async def test_nothing_of_a_request_is_kept_however_it_ends(
    tmp_path: Path, model: str, stream: bool, content: str | None
) -> None:
    words = {"lists": [{"name": "house", "words": ["how are"], "action": content}]} if content else None
    async with stand(tmp_path, content=words, kind="vllm") as (_, _, client):
        async with client.post(CHAT, json=chat(model, stream=stream)) as reply:
            await reply.read()
        await until_nothing_is_kept(client)


def raw(gate: Running) -> Any:
    return asyncio.open_connection("127.0.0.1", int(gate.url.rsplit(":", 1)[1]))


@pytest.mark.parametrize("half", [0.01, 0.5, 0.99])
@pytest.mark.usefixtures("by_hand")
async def test_nothing_is_kept_of_a_body_that_breaks_off(tmp_path: Path, half: float) -> None:
    async with stand(tmp_path) as (gate, _, client):
        _, writer = await raw(gate)
        body = asking(chat(messages=[{"role": "user", "content": "x" * 100_000}]), KEY)
        writer.write(body[: int(len(body) * half)])
        await asyncio.sleep(0.05)
        writer.transport.abort()
        await until_nothing_is_kept(client)


@pytest.mark.parametrize("data", ["{", json.dumps(chat(background=True)), json.dumps({"model": "plain"} | {"n": 1000})])
@pytest.mark.usefixtures("by_hand")
async def test_nothing_is_kept_of_a_request_that_is_refused(tmp_path: Path, data: str) -> None:
    async with stand(tmp_path) as (_, _, client):
        async with client.post(CHAT, data=data, headers={"Content-Type": "application/json"}) as reply:
            assert reply.status == 400
        await until_nothing_is_kept(client)
