"""Upstreams that answer in ways of their own: whoever asks gets all that is said, and nobody else pays for it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.harness import KEY, chat
from tests.gateway.upstreams import END, STREAM, answered, asking, before, chunk, event, read, whole

CHAT = "/v1/chat/completions"
WORDS, PIECES = "words " * 8000, 300


def rule(action: str, word: str) -> dict[str, Any]:
    return {"lists": [{"name": "house", "words": [word], "action": action}]}


@pytest.mark.parametrize("content", [None, rule("block", "heron")])
async def test_a_caller_that_reads_slowly_gets_the_whole_stream(tmp_path: Path, content: dict[str, Any] | None) -> None:
    said = 0

    async def says(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal said
        await read(reader)
        writer.write(STREAM)
        for _ in range(PIECES):
            writer.write(chunk(event(WORDS)))
            await writer.drain()
            await asyncio.sleep(0.001)  # so that none waits at the gateway when it is told to wait
            said += 1
        writer.write(chunk(END) + b"0\r\n\r\n")
        await writer.drain()

    async with before(tmp_path, says, content=content, patience={"between": 3}) as (gate, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(gate.url.rsplit(":", 1)[1]), limit=2**16)
        writer.write(asking(chat(stream=True), KEY, CHAT, "Connection: close"))
        before_it = -1
        while said != before_it:  # until all buffers are full
            before_it = said
            await asyncio.sleep(0.5)
        assert said < PIECES
        told = bytearray()
        while piece := await reader.read(2**16):
            told += piece
        writer.close()
        assert told.count(WORDS.encode()) == PIECES
        assert b"[DONE]" in told[-100:]


@pytest.mark.parametrize("content", [None, rule("block", "stork"), rule("mask", "heron")])
async def test_a_character_that_is_cut_in_two_comes_through(tmp_path: Path, content: dict[str, Any] | None) -> None:
    """Servers that hold text as UTF-16 cut a pair of halves wherever a piece ends."""

    async def says(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            if (await read(reader)).get("stream"):
                pieces = [event("a smile \ud83d", usage={"total_tokens": 3}), event("\ude00, a heron"), END]
                writer.write(STREAM + b"".join(map(chunk, pieces)) + b"0\r\n\r\n")
            else:
                writer.write(answered("half \ud83d of a heron"))
            await writer.drain()

    seen = "*****" if content and content["lists"][0]["action"] == "mask" else "heron"
    async with before(tmp_path, says, content=content) as (_, client):
        async with client.post(CHAT, json=chat(stream=True)) as reply:
            rows = [line[6:] for line in (await reply.text()).splitlines() if line.startswith("data: {")]
        said = "".join(each["delta"].get("content", "") for row in rows for each in json.loads(row)["choices"])
        assert said.encode("utf-16", "surrogatepass").decode("utf-16") == f"a smile \U0001f600, a {seen}"
        async with client.post(CHAT, json=chat()) as reply:
            assert reply.status == 200
            assert (await reply.json())["choices"][0]["message"]["content"] == f"half \ud83d of a {seen}"


async def test_nothing_is_asked_behind_a_request_that_was_answered_before_it_was_read(tmp_path: Path) -> None:
    asked = 0

    async def says(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await reader.readuntil(b"\r\n\r\n")
        if asked > 1:
            writer.write(answered())
            return
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(whole({"error": {"message": "no"}}, status=400))
        await asyncio.Event().wait()

    async with before(tmp_path, says, patience={"first_byte": 2}) as (_, client):
        long = chat(messages=[{"role": "user", "content": "x " * 3_500_000}])
        async with client.post(CHAT, json=long) as reply:
            assert reply.status == 400
        async with client.post(CHAT, json=chat()) as reply:
            assert reply.status == 200
