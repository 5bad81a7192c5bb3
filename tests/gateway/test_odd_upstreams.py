"""Upstreams that answer in ways of their own: whoever asks gets all that is said, and nobody else pays for it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.harness import KEY, chat
from tests.gateway.upstreams import END, STREAM, asking, before, chunk, event, read

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
