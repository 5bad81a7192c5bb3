"""Whoever is refused over and over is told slowly, and nothing of what it sends is kept or read meanwhile."""

import asyncio
import time
from pathlib import Path

import pytest
from llm_gate.door import A_SECOND, AT_ONCE, LONGEST, Door
from llm_gate.serving import SMALL_PIECE, Connection

from tests.gateway.harness import KEY, chat, stand
from tests.gateway.upstreams import asking

CHAT = "/v1/chat/completions"
LONG = chat(messages=[{"role": "user", "content": "x" * 1_400_000}])


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_few_refusals_are_told_at_once_and_more_of_them_so_many_a_second() -> None:
    clock = Clock()
    door = Door(clock)
    assert [door.wait("a") for _ in range(AT_ONCE)] == [0.0] * AT_ONCE
    waits = [door.wait("a") for _ in range(50)]
    assert waits == pytest.approx([place / A_SECOND for place in range(50)])
    assert door.wait("b") == 0.0
    clock.now += LONGEST + AT_ONCE / A_SECOND
    assert [door.wait("a") for _ in range(AT_ONCE)] == [0.0] * AT_ONCE


def test_no_refusal_waits_longer_than_two_seconds_and_they_do_not_all_come_at_once() -> None:
    clock = Clock()
    door = Door(clock)
    for _ in range(20_000):
        assert door.wait("a") <= LONGEST
    late = {round(door.wait("a"), 3) for _ in range(1000)}
    assert len(late) > 500
    clock.now += 2 * LONGEST
    assert door.wait("a") == 0.0


async def test_who_asks_again_and_again_is_told_a_few_times_a_second(tmp_path: Path) -> None:
    statuses: list[int] = []
    async with stand(tmp_path, requests_per_minute=0) as (_, _, client):
        until = time.monotonic() + 3

        async def attacker() -> None:
            while time.monotonic() < until:
                async with client.post(CHAT, json=chat()) as reply:
                    statuses.append(reply.status)

        began = time.monotonic()
        await asyncio.gather(*(attacker() for _ in range(60)))
        took = time.monotonic() - began
    assert set(statuses) == {429}
    assert len(statuses) <= AT_ONCE + A_SECOND * took + 60 * took / (LONGEST / 2)


async def test_while_a_refusal_waits_nothing_of_its_request_is_held(tmp_path: Path) -> None:
    async with stand(tmp_path, requests_per_minute=0) as (gate, _, _):
        port = int(gate.url.rsplit(":", 1)[1])
        ends = [await asyncio.open_connection("127.0.0.1", port) for _ in range(AT_ONCE + 50)]
        for _, writer in ends:
            writer.write(asking(LONG, KEY))
        heads = await asyncio.gather(*(reader.readuntil(b"\r\n") for reader, _ in ends))
        assert {each.split()[1] for each in heads} == {b"429"}
        assert gate.gateway.held == 0
        for _, writer in ends:
            writer.transport.abort()


async def test_of_what_is_refused_no_more_is_read_than_a_head_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    read = Connection.buffer_updated

    def counted(self: Connection, nbytes: int) -> None:
        sizes.append(nbytes)
        read(self, nbytes)

    monkeypatch.setattr(Connection, "buffer_updated", counted)
    async with stand(tmp_path, requests_per_minute=0) as (gate, _, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(gate.url.rsplit(":", 1)[1]))
        writer.write(asking(LONG, KEY))
        assert (await reader.readuntil(b"\r\n")).split()[1] == b"429"
        assert sum(sizes) <= SMALL_PIECE
        writer.transport.abort()


async def test_a_caller_that_sends_all_of_a_long_body_first_reads_its_refusal_all_the_same(tmp_path: Path) -> None:
    async with stand(tmp_path, requests_per_minute=0) as (gate, _, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(gate.url.rsplit(":", 1)[1]))
        writer.write(asking(LONG, KEY))
        await writer.drain()
        assert b"rate_limit_exceeded" in await reader.read()
        writer.close()
