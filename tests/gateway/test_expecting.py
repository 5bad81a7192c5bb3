"""Who asks whether to send a body, and is refused, need not send it."""

import asyncio
from pathlib import Path

from tests.gateway.harness import chat, stand
from tests.gateway.upstreams import asking


async def test_a_connection_ends_where_a_body_was_refused_before_it_was_sent(tmp_path: Path) -> None:
    head, _, _ = asking(chat(), "sk-nobody", "/v1/chat/completions", "Expect: 100-continue").partition(b"\r\n\r\n")
    async with stand(tmp_path) as (gate, _, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(gate.url.rsplit(":", 1)[1]))
        writer.write(head + b"\r\n\r\n")
        async with asyncio.timeout(5):
            told = await reader.read()
        writer.close()
        assert told.startswith(b"HTTP/1.1 401 ")
        assert b"Connection: close\r\n" in told
