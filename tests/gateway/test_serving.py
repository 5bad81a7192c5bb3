"""HTTP without Caddy in front: what can be read in two ways is refused, and one request never becomes two."""

import asyncio
import json
import re
from pathlib import Path

import pytest

from tests.gateway.harness import KEY, Running, chat, stand
from tests.gateway.test_front import shapes

CHAT = "/v1/chat/completions"
MODELS = f"GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n".encode()


async def told(gate: Running, *parts: bytes, wait: float = 5) -> bytes:
    """What a connection answers to these bytes, until it is closed or says nothing more for half a second."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(gate.url.rsplit(":", 1)[1]))
    found = b""
    try:
        for part in parts:
            writer.write(part)
            await asyncio.sleep(0.02)
        async with asyncio.timeout(wait):
            while piece := await asyncio.wait_for(reader.read(65536), 0.5):
                found += piece
    except (TimeoutError, ConnectionResetError):
        pass
    finally:
        writer.close()
    return found


def statuses(said: bytes) -> list[int]:
    return [int(each) for each in re.findall(rb"HTTP/1\.1 (\d{3}) ", said)]


def post(body: bytes, *more: str) -> bytes:
    lines = [
        f"POST {CHAT} HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {KEY}",
        "Content-Type: application/json",
        *more,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


BODY = json.dumps(chat()).encode()
MORE_SHAPES = {
    "a coding before chunks": post(b"0\r\n\r\n", "Transfer-Encoding: gzip, chunked"),
    "chunks in HTTP/1.0": post(b"0\r\n\r\n", "Transfer-Encoding: chunked").replace(b"HTTP/1.1", b"HTTP/1.0"),
    "HTTP/2 in words": MODELS.replace(b"HTTP/1.1", b"HTTP/2.0") + b"\r\n",
    "no version": b"GET /v1/models\r\n\r\n",
    "a host twice": MODELS + b"Host: x\r\n\r\n",
    "an unknown expectation": post(BODY, f"Content-Length: {len(BODY)}", "Expect: the worst"),
    "a very long header": MODELS + b"X: " + b"y" * 40_000 + b"\r\n\r\n",
}


@pytest.mark.parametrize("shape", [*shapes(), *MORE_SHAPES])
async def test_what_can_be_read_in_two_ways_is_refused_and_nothing_after_it_is_read(tmp_path: Path, shape: str) -> None:
    request = {**shapes(), **MORE_SHAPES}[shape]
    async with stand(tmp_path) as (gate, fake, _):
        said = await told(gate, request + MODELS + b"\r\n")
        assert len(statuses(said)) == 1
        assert statuses(said)[0] in (400, 417, 431, 505), said
        assert b'"error"' in said
        assert not fake.seen


async def test_requests_in_a_row_are_answered_in_their_order(tmp_path: Path) -> None:
    one = post(BODY, f"Content-Length: {len(BODY)}")
    async with stand(tmp_path) as (gate, fake, _):
        said = await told(gate, one + MODELS + b"\r\n" + one + MODELS + b"Connection: close\r\n\r\n" + one)
        assert statuses(said) == [200, 200, 200, 200]
        assert said.index(b"chat.completion") < said.index(b'"list"') < said.rindex(b"chat.completion")
        assert len(fake.seen) == 2


async def test_a_body_may_come_in_pieces_and_in_chunks(tmp_path: Path) -> None:
    chunks = b"".join(b"%x\r\n%b\r\n" % (1, BODY[i : i + 1]) for i in range(len(BODY))) + b"0\r\n\r\n"
    head = post(b"", "Transfer-Encoding: chunked", "Connection: close")
    async with stand(tmp_path) as (gate, _, _):
        for parts in ((head[:40], head[40:] + chunks[:7], chunks[7:]), (head + chunks,)):
            assert statuses(await told(gate, *parts)) == [200]


async def test_whoever_waits_to_be_told_to_go_on_is_told(tmp_path: Path) -> None:
    head = post(b"", f"Content-Length: {len(BODY)}", "Expect: 100-continue", "Connection: close")
    async with stand(tmp_path) as (gate, _, _):
        assert statuses(await told(gate, head, BODY)) == [100, 200]


async def test_a_key_over_its_limit_is_refused_before_its_body_is_read(tmp_path: Path) -> None:
    """Not a byte of the body is sent, and the answer is there; nor is anybody told to go on."""
    head = post(b"", "Content-Length: 1400000", "Expect: 100-continue")
    async with stand(tmp_path, requests_per_minute=1) as (gate, _, client):
        async with client.post(CHAT, json=chat()) as reply:
            assert reply.status == 200
        said = await told(gate, head)
        assert statuses(said) == [429]
        assert b"rate_limit_exceeded" in said
        assert b"Connection: close" in said


async def test_so_many_as_may_run_are_read_and_not_one_more(tmp_path: Path) -> None:
    head = post(b"{", "Content-Length: 100000")
    async with stand(tmp_path, max_concurrency=2) as (gate, _, _):
        port = int(gate.url.rsplit(":", 1)[1])
        inside = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        for _, writer in inside:
            writer.write(head)
        while gate.gateway.held < 2:
            await asyncio.sleep(0.01)
        assert statuses(await told(gate, head)) == [429]
        for _, writer in inside:
            writer.close()
        while gate.gateway.held:
            await asyncio.sleep(0.01)
        assert statuses(await told(gate, post(BODY, f"Content-Length: {len(BODY)}"))) == [200]


async def test_what_is_said_to_be_too_long_is_refused_unread(tmp_path: Path) -> None:
    async with stand(tmp_path) as (gate, _, _):
        assert statuses(await told(gate, post(b"", "Content-Length: 9000000"))) == [413]


async def test_a_caller_of_http_1_0_gets_no_chunks(tmp_path: Path) -> None:
    body = json.dumps(chat(stream=True)).encode()
    request = post(body, f"Content-Length: {len(body)}").replace(b"HTTP/1.1", b"HTTP/1.0", 1)
    async with stand(tmp_path) as (gate, _, _):
        said = await told(gate, request)
        assert said.endswith(b"data: [DONE]\n\n")
        assert b"chunked" not in said
