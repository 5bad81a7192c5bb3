"""Hundreds of callers at once, who hang up when they like, while the gateway is killed, or its settings change."""

import asyncio
import contextlib
import json
import random
import resource
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.fake import ANSWER, Fake
from tests.gateway.harness import KEY, Home, Running, chat, client_of
from tests.gateway.upstreams import asking

CHAT = "/v1/chat/completions"
REAL = 17
"""Tokens of an answer of the fake upstream, prompt included."""
MANY = 500


@pytest.fixture(autouse=True)
def enough_files() -> Iterator[None]:
    """Each caller is a socket here and one in the gateway, which has our limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 8192)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def ends(gate: Running) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", int(gate.url.rsplit(":", 1)[1]))


async def impatient(gate: Running, chance: random.Random) -> bytes:
    """One request: whole, or given up at any moment. What came of its answer."""
    asked = asking(chat(max_tokens=10, stream=chance.random() < 0.7), KEY)
    patience = chance.choice((30.0, 30.0, chance.uniform(0, 1.5)))
    found = b""
    with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
        reader, writer = await ends(gate)
        try:
            async with asyncio.timeout(patience):
                cut = chance.choice((len(asked), len(asked), chance.randrange(len(asked))))
                writer.write(asked[:cut])
                await writer.drain()
                if cut == len(asked):
                    found = await reader.readuntil(b"\r\n\r\n")
                    while not found.endswith((b"0\r\n\r\n", b"}")):
                        piece = await reader.read(65536)
                        if not piece:
                            break
                        found += piece
        finally:
            writer.transport.abort()
    return found


def most_within_a_minute(rows: list[tuple[float, int]]) -> tuple[int, int]:
    """The most calls, and the most tokens, that any sixty seconds had."""
    calls = tokens = 0
    for start, _ in rows:
        inside = [spent for at, spent in rows if start <= at < start + 60]
        calls, tokens = max(calls, len(inside)), max(tokens, sum(inside))
    return calls, tokens


@pytest.mark.parametrize("limit", ["requests_per_minute", "tokens_per_minute", "daily_tokens"])
async def test_five_hundred_callers_who_hang_up_and_a_gateway_that_is_killed_pass_no_limit(
    tmp_path: Path, limit: str
) -> None:
    chance = random.Random(limit)
    given = 60 if limit == "requests_per_minute" else 60 * REAL
    whole = 0
    async with Fake() as fake:
        home = Home(tmp_path).key(max_concurrency=None, **{limit: given}).routes(fake.url)
        # One that waits: on a busy machine all others may have hung up before anything was sent on.
        async with home.running() as gate, client_of(gate) as client:
            async with client.post(CHAT, json=chat(max_tokens=10)) as reply:
                assert reply.status == 200
                await reply.read()
            await gate.settled()
        for kill in (True, True, True, False):
            async with home.running() as gate:
                callers = [asyncio.create_task(impatient(gate, chance)) for _ in range(MANY // 4)]
                if kill:
                    done = asyncio.gather(*callers)
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(asyncio.shield(done), chance.uniform(0.05, 0.6))
                    assert gate.process is not None
                    gate.process.send_signal(signal.SIGKILL)
                    await gate.process.wait()
                answers = await asyncio.gather(*callers)
                whole += sum(each.startswith(b"HTTP/1.1 200") and b"finish_reason" in each for each in answers)
                if not kill:
                    # Whatever came before, what is left of the limit is served to its end.
                    async with client_of(gate) as client:
                        statuses = []
                        while 429 not in statuses:
                            async with client.post(CHAT, json=chat(max_tokens=10)) as reply:
                                statuses.append(reply.status)
                                await reply.read()
                    assert set(statuses) <= {200, 429}
                    await gate.settled()
        with closing(sqlite3.connect(home.root / "state" / "ledger.sqlite")) as ledger:
            rows = ledger.execute("SELECT at, tokens FROM calls ORDER BY at").fetchall()
            (days,) = ledger.execute("SELECT sum(tokens) FROM days").fetchone()
        calls, tokens = most_within_a_minute(rows)
        charged = sum(spent for _, spent in rows)
        assert {"requests_per_minute": calls, "tokens_per_minute": tokens, "daily_tokens": charged}[limit] <= given
        # Nothing reached the upstream that is not written down, and none is charged less than it used.
        assert 0 < len(fake.seen) <= len(rows)
        assert REAL * whole <= charged == days


async def test_hundreds_of_streams_go_on_while_the_settings_change_and_the_process_is_told_to_read_them_again(
    tmp_path: Path,
) -> None:
    """Files are in force with the next request, so SIGHUP, as other servers know it, has nothing to do."""
    async with Fake() as fake:
        home = Home(tmp_path).key(max_concurrency=None).key("other", "sk-other", max_concurrency=None)
        async with home.routes(fake.url).running() as gate, client_of(gate) as client, client_of(gate, "sk-other") as b:
            replies = [client.post(CHAT, json=chat("slow", stream=True)) for _ in range(200)]
            replies += [b.post(CHAT, json=chat("slow", stream=True)) for _ in range(200)]
            begun = await asyncio.gather(*replies)
            assert {each.status for each in begun} == {200}
            assert gate.process is not None
            for turn in range(5):
                home.key(requests_per_minute=turn + 1)
                home.policy({"lists": [{"name": "a", "words": [f"word{turn}"], "action": "block"}]})
                home.routes("http://127.0.0.1:9/v1")
                gate.process.send_signal(signal.SIGHUP)
                await asyncio.sleep(0.3)
            home.write("secrets/gateway-keys.json", {})
            async with b.get("/v1/models") as reply:
                assert reply.status == 401
            fake.release.set()
            told = await asyncio.gather(*(each.text() for each in begun))
            assert all(each.endswith("data: [DONE]\n\n") for each in told)
            assert {said(each) for each in told} == {ANSWER}
            assert gate.process.returncode is None
            assert set(await gate.settled()) == {(10, 7)}


def said(stream: str) -> str:
    rows = [json.loads(line[6:]) for line in stream.splitlines() if line.startswith("data: {")]
    return "".join(choice["delta"].get("content", "") for row in rows for choice in row["choices"])


async def test_hundreds_of_streams_come_to_their_end_when_the_gateway_is_told_to_stop(tmp_path: Path) -> None:
    async with Fake() as fake:
        home = Home(tmp_path).key(max_concurrency=None).routes(fake.url)
        async with home.running() as gate, client_of(gate) as client:
            begun = await asyncio.gather(*(client.post(CHAT, json=chat("slow", stream=True)) for _ in range(300)))
            assert gate.process is not None
            gate.process.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.2)
            fake.release.set()
            told = await asyncio.gather(*(each.text() for each in begun))
            assert {said(each) for each in told} == {ANSWER}
            assert await gate.process.wait() == 0
            assert gate.calls("count(*), sum(tokens)") == [(300, 300 * REAL)]


def resident(gate: Running) -> int:
    """Bytes of memory of the gateway's process."""
    assert gate.process is not None
    return int(Path(f"/proc/{gate.process.pid}/statm").read_text().split()[1]) * resource.getpagesize()


async def test_two_thousand_callers_who_keep_their_connection_cost_little_memory_and_nobody_else(
    tmp_path: Path,
) -> None:
    models = f"GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n\r\n".encode()
    async with Fake() as fake, Home(tmp_path).key().routes(fake.url).running() as gate, client_of(gate) as client:
        async with client.post(CHAT, json=chat()) as reply:
            assert reply.status == 200
        before, kept = resident(gate), []
        for _ in range(2000):
            reader, writer = await ends(gate)
            writer.write(models)
            assert (await reader.readuntil(b"\r\n")).split()[1] == b"200"
            kept.append(writer)
        assert (resident(gate) - before) / 2000 < 16 * 2**10
        async with client.post(CHAT, json=chat()) as reply:
            assert reply.status == 200
        for writer in kept:
            writer.transport.abort()


async def test_callers_who_send_their_bodies_slowly_hold_no_more_than_their_keys_places(tmp_path: Path) -> None:
    """So many as may run are read, however many send, and what they hold goes with them."""
    big: dict[str, Any] = chat(messages=[{"role": "user", "content": "x" * 1_000_000}])
    asked = asking(big, KEY)
    async with Fake() as fake:
        home = Home(tmp_path).key(max_concurrency=8).key("other", "sk-other").routes(fake.url)
        async with home.running() as gate, client_of(gate, "sk-other") as other:
            async with other.post(CHAT, json=chat()) as reply:
                assert reply.status == 200
            before = resident(gate)

            async def slow() -> bytes:
                reader, writer = await ends(gate)
                with contextlib.suppress(OSError):
                    for place in range(0, 900_000, 100_000):
                        writer.write(asked[place : place + 100_000])
                        await asyncio.sleep(0.1)
                with contextlib.suppress(OSError, TimeoutError):
                    async with asyncio.timeout(5):
                        return await reader.read(12)
                writer.transport.abort()
                return b""

            senders = [asyncio.create_task(slow()) for _ in range(300)]
            most = 0
            while not all(each.done() for each in senders):
                most = max(most, resident(gate))
                await asyncio.sleep(0.05)
            told = [await each for each in senders]
            assert told.count(b"") <= 8
            assert set(told) == {b"", b"HTTP/1.1 429"}
            assert most - before < 8 * 4 * 2**20 + 2**24
            async with other.post(CHAT, json=chat()) as reply:
                assert reply.status == 200
