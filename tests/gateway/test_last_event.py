"""A stream is over with its last event, and one that fails half-way ends as its API ends failures."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.fake import Fake
from tests.gateway.harness import Home, Running, chat, client_of
from tests.gateway.upstreams import END, STREAM, before, chunk, event, read

CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"
BODIES: dict[str, dict[str, Any]] = {
    CHAT: chat(),
    COMPLETIONS: {"model": "plain", "prompt": "x"},
    "/v1/messages": {"model": "plain", "max_tokens": 50, "messages": [{"role": "user", "content": "x"}]},
    "/v1/responses": {"model": "plain", "input": "x"},
}
RULE = {"lists": [{"name": "house", "words": ["heron"], "action": "block"}]}
MASK = {"lists": [{"name": "house", "words": ["heron"], "action": "mask"}]}
LAST = {CHAT: b"data: [DONE]", COMPLETIONS: b"data: [DONE]", "/v1/messages": b'"message_stop"',
        "/v1/responses": b'"response.completed"'}  # fmt: skip


@pytest.mark.parametrize("content", [None, RULE])
@pytest.mark.parametrize("path", BODIES)
async def test_an_upstream_that_does_not_close_behind_its_last_event_keeps_no_place(
    tmp_path: Path, path: str, content: dict[str, Any] | None
) -> None:
    """It is asked over a connection that never ends; the caller's one place is free for the next call."""
    asked = connections = 0
    events = Fake()._events(path, {**BODIES[path], "stream_options": {"include_usage": True}}, "plain", "")

    async def says(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked, connections
        connections += 1
        await read(reader)
        asked += 1
        writer.write(STREAM + b"".join(map(chunk, events)))
        await asyncio.Event().wait()

    async with before(tmp_path, says, content=content, max_concurrency=1) as (gate, client):
        began = time.monotonic()
        for _ in range(3):
            async with client.post(path, json={**BODIES[path], "stream": True}) as reply:
                assert reply.status == 200
                assert LAST[path] in (await reply.read())[-2000:]
        assert time.monotonic() - began < 10
        assert await gate.settled() == [(10, 7)] * 3
        assert gate.gateway.store.active() == {"app": 0}
        assert asked == connections == 3


@pytest.mark.parametrize("pause", [0.0, 0.05])
async def test_a_connection_whose_last_chunk_comes_apart_is_used_again(tmp_path: Path, pause: float) -> None:
    connections = 0

    async def says(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while True:
            await read(reader)
            writer.write(STREAM + chunk(event("x")) + chunk(END))
            await writer.drain()
            await asyncio.sleep(pause)
            writer.write(b"0\r\n\r\n")

    async with before(tmp_path, says) as (_, client):
        for _ in range(3):
            async with client.post(CHAT, json=chat(stream=True)) as reply:
                assert b"[DONE]" in await reply.read()
            await asyncio.sleep(4 * pause + 0.02)
        assert connections == 1


async def test_what_an_upstream_says_behind_its_last_event_is_not_taken(tmp_path: Path) -> None:
    sent = 0

    async def says(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await read(reader)
        writer.write(STREAM + chunk(event("x")) + chunk(END))
        while True:
            writer.write(chunk(b": more\n\n" * 1000))
            await writer.drain()
            sent += 1
            await asyncio.sleep(0.02)

    async with before(tmp_path, says) as (gate, client):
        async with client.post(CHAT, json=chat(stream=True)) as reply:
            assert b"more" not in await reply.read()
        before_it = -1
        for _ in range(100):
            if sent == before_it:
                break
            before_it = sent
            await asyncio.sleep(0.5)
        assert sent == before_it < 500  # its connection was ended
        await gate.settled()


def broken_after(events: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway's own code fails after so many events of a stream."""
    from llm_gate.events import Events

    looked_at, seen = Events._looked_at, 0

    def fails(self: Events, event: bytes) -> Any:
        nonlocal seen
        seen += 1
        if seen > events:
            raise KeyError("the planted secret")
        return looked_at(self, event)

    monkeypatch.setattr(Events, "_looked_at", fails)
    monkeypatch.setattr(Events, "_plain", lambda self, piece: 0)


def running(root: Path, fake: Fake, content: dict[str, Any] | None, **limits: Any) -> Home:
    return Home(root).key(**limits).policy(content).routes(fake.url, kind="gateway")


async def posted(gate: Running, path: str) -> bytes:
    async with client_of(gate) as client, client.post(path, json={**BODIES[path], "stream": True}) as reply:
        assert reply.status == 200
        return await reply.read()


@pytest.mark.parametrize("content", [None, MASK])
@pytest.mark.parametrize("path", BODIES)
async def test_a_fault_of_our_own_ends_a_stream_in_the_shape_of_its_api(
    tmp_path: Path,
    path: str,
    content: dict[str, Any] | None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with Fake() as fake, running(tmp_path, fake, content, daily_tokens=100_000).here() as gate:
        broken_after(4, monkeypatch)
        said = await posted(gate, path)
        ((tokens_out, status),) = await gate.settled("tokens_out, status")
        assert gate.gateway.routes._health == {}
    assert said.count(b"HTTP/1.1") == 0
    *_, last = said.rstrip().split(b"\n\n")
    name, _, data = last.rpartition(b"data: ")
    document = json.loads(data)
    if path == "/v1/messages":
        assert (name, document["type"], document["error"]["type"]) == (b"event: error\n", "error", "api_error")
    elif path == "/v1/responses":
        assert (name, document["type"], document["code"]) == (b"event: error\n", "error", "internal_error")
    else:
        assert (name, document["error"]["code"]) == (b"", "internal_error")
    assert (tokens_out > 0, status) == (True, 500)
    logged = capsys.readouterr().err
    assert "[gate.internal] KeyError at test_last_event.py:" in logged
    assert "planted" not in logged


async def test_a_fault_before_the_first_event_is_an_answer_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Fake() as fake, running(tmp_path, fake, None).here() as gate, client_of(gate) as client:
        broken_after(0, monkeypatch)
        async with client.post(CHAT, json=chat(stream=True)) as reply:
            assert reply.status == 500
            assert (await reply.json())["error"]["code"] == "internal_error"


async def test_no_second_head_goes_into_an_answer_that_has_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever fails, and wherever: a broken answer is told from a whole one by its end."""
    from llm_gate.messages import Outgoing

    def fails(self: Outgoing, content: bytes = b"") -> None:
        raise KeyError

    async with Fake() as fake, running(tmp_path, fake, None).here() as gate:
        monkeypatch.setattr(Outgoing, "end", fails)
        port = int(gate.url.rsplit(":", 1)[1])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        from tests.gateway.harness import KEY
        from tests.gateway.upstreams import asking

        writer.write(asking(chat(stream=True), KEY))
        told = bytearray()
        try:
            while piece := await reader.read(2**16):
                told += piece
        except ConnectionResetError:
            pass
        writer.close()
        assert told.count(b"HTTP/1.1") == 1
        assert not told.endswith(b"0\r\n\r\n")
        await gate.settled()
