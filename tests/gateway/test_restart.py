"""The gateway is started anew behind the node's own Caddy, while callers stream and ask."""

import asyncio
import json
import os
import re
import signal
import socket
import time
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest
from llm_gate.handed import handed

from tests.gateway.fake import Fake
from tests.gateway.front import Front, caddyfile, front, nodes_caddy
from tests.gateway.harness import KEY, Home, Running, chat

CHAT = "/v1/chat/completions"


@pytest.fixture(params=["the newest", "the node's"])
def caddy(request: pytest.FixtureRequest, tmp_path: Path) -> str | None:
    """Caddy as the tools fetch it, and as nodes have it."""
    return nodes_caddy(tmp_path) if request.param == "the node's" else None


class Paced(Fake):
    pause = 0.03


def client_of(it: Front) -> aiohttp.ClientSession:
    headers = {"Authorization": f"Bearer {KEY}"}
    return aiohttp.ClientSession(it.url, headers=headers, connector=aiohttp.TCPConnector(ssl=it.tls, limit=0))


async def asked(client: aiohttp.ClientSession, model: str, *, stream: bool) -> str:
    """How it ended, in a word."""
    async with client.post(CHAT, json=chat(model, stream=stream)) as reply:
        text = await reply.text()
        if reply.status != 200:
            return f"{reply.status}"
        return "whole" if (text.endswith("data: [DONE]\n\n") if stream else json.loads(text)["choices"]) else "cut"


async def ended(gate: Running) -> None:
    """End it as systemd does, and wait until it has."""
    assert gate.process is not None
    gate.process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(gate.process.wait(), 60) == 0, await gate.logged()


@pytest.mark.artefact
async def test_whoever_streams_or_asks_while_the_gateway_starts_anew_gets_a_whole_answer(
    tmp_path: Path, caddy: str | None
) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as held:
        async with AsyncExitStack() as stack:
            it = await stack.enter_async_context(front(tmp_path, upstream=Paced, caddy=caddy, held=held))
            client = await stack.enter_async_context(client_of(it))
            how, stop, sent = Counter[str](), asyncio.Event(), 0

            async def caller(number: int) -> None:
                nonlocal sent
                while not stop.is_set():
                    sent += 1
                    how[await asked(client, "plain", stream=number % 2 == 0)] += 1

            callers = [asyncio.create_task(caller(each)) for each in range(16)]
            gate = it.gate
            for _ in range(4):
                await asyncio.sleep(0.5)
                await ended(gate)
                gate = await stack.enter_async_context(Home(tmp_path / "gate").running(held=held))
            stop.set()
            await asyncio.gather(*callers)
            assert how == {"whole": sent}
            assert len(it.fake.seen) == sent
            assert {state for (state,) in await gate.settled("state")} == {"done"}
            assert len(gate.calls("id")) == sent


def asking(model: str, *, stream: bool = False) -> bytes:
    """A request as it goes over the wire."""
    body = json.dumps(chat(model, stream=stream)).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {KEY}\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Content-Type: application/json\r\n\r\n".encode() + body


class Direct:
    """A connection to the gateway that is kept, as Caddy keeps its own."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def __aenter__(self) -> "Direct":
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        return self

    async def __aexit__(self, *error: object) -> None:
        self.writer.close()

    async def asked(self, request: bytes, until: bytes = b"") -> bytes:
        """The answer's head, once it is whole, or a stream has come up to a word."""
        self.writer.write(request)
        async with asyncio.timeout(10):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = [line for line in head.split(b"\r\n") if line.startswith(b"Content-Length: ")]
            await (self.reader.readexactly(int(length[0].split()[1])) if length else self.reader.readuntil(until))
        return head


async def test_a_request_on_a_connection_that_was_kept_is_answered_though_the_gateway_is_ending(tmp_path: Path) -> None:
    """Caddy puts it there before it knows, and would not send it a second time: the caller would get 502."""
    async with Fake() as fake, Home(tmp_path).key().routes(fake.url).running() as gate:
        port = int(gate.url.rpartition(":")[2])
        async with Direct(port) as kept, Direct(port) as new, Direct(port) as streaming:
            assert b"Connection: close" not in await kept.asked(asking("plain"))
            assert b"Connection: close" not in await streaming.asked(asking("slow", stream=True), b"there")
            assert gate.process is not None
            gate.process.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.3)
            fake.release.set()
            async with asyncio.timeout(10):
                await streaming.reader.readuntil(b"0\r\n\r\n")
            # Each is told that it was the last, so that nobody puts another request there.
            for each in (kept, new, streaming):
                assert b"Connection: close" in await each.asked(asking("plain"))
            assert await asyncio.wait_for(gate.process.wait(), 2) == 0


async def test_connections_that_ask_nothing_are_kept_for_longer_than_caddy_keeps_them_and_no_longer(
    tmp_path: Path,
) -> None:
    from llm_gate.server import PARTING

    (kept,) = re.findall(r"keepalive (\d+)s", caddyfile(tmp_path, 443, "http://127.0.0.1:4000"))
    assert int(kept) + 2 <= PARTING < 10
    async with Fake() as fake, Home(tmp_path).key().routes(fake.url).running() as gate:
        port = int(gate.url.rpartition(":")[2])
        async with Direct(port) as idle:
            await idle.asked(asking("plain"))
            assert gate.process is not None
            gate.process.send_signal(signal.SIGTERM)
            begun = time.monotonic()
            assert await asyncio.wait_for(gate.process.wait(), 20) == 0
            assert PARTING - 0.1 < time.monotonic() - begun < PARTING + 5


async def test_a_gateway_listens_by_itself_where_nothing_is_handed_to_it(tmp_path: Path) -> None:
    """Descriptors that were meant for whoever has started it are none of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LISTEN_PID", str(os.getpid() + 1))
        patch.setenv("LISTEN_FDS", "1")
        assert handed() is None
        assert "LISTEN_FDS" not in os.environ
        patch.setenv("LISTEN_PID", str(os.getpid()))
        patch.setenv("LISTEN_FDS", "2")
        with pytest.raises(ValueError, match="one socket is wanted, and 2 were handed over"):
            handed()
