"""What the Worker promises in its own way: a ledger for each key, hang-ups, addresses, restarts, no key anywhere."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from llm_gate.tokens import of_request

from pulumi_llm._worker import files
from tests.gateway.fake import Fake
from tests.gateway.harness import KEY, PROMPT, UPSTREAM_KEY, Home, chat
from tests.gateway.upstreams import asking
from tests.worker.harness import client_of, worker

CHAT = "/v1/chat/completions"


async def status_of(client: aiohttp.ClientSession, body: dict[str, Any]) -> int:
    async with client.post(CHAT, json=body) as reply:
        await reply.read()
        return reply.status


@pytest.mark.parametrize("stream", [False, True])
async def test_of_200_requests_at_once_as_many_are_let_in_as_the_minute_has(tmp_path: Path, stream: bool) -> None:
    async with Fake() as fake:
        home = Home(tmp_path).key(requests_per_minute=37).routes(fake.url)
        async with worker(home) as gate, client_of(gate) as client:
            asked = [status_of(client, chat(stream=stream)) for _ in range(200)]
            assert Counter(await asyncio.gather(*asked)) == {200: 37, 429: 163}
            assert len(fake.seen) == 37
            await gate.settled()
            assert gate.days() == (37, 37 * 17, 0)


async def test_parallel_streams_pass_no_limit_of_tokens(tmp_path: Path) -> None:
    limit = 4 * (200 + of_request(chat())) + 50
    async with Fake() as fake:
        home = Home(tmp_path).key(tokens_per_minute=limit).routes(fake.url)
        async with worker(home) as gate, client_of(gate) as client:
            body = chat("slow", stream=True, max_tokens=200)
            asked = [asyncio.create_task(status_of(client, body)) for _ in range(40)]
            while sum(each.done() for each in asked) < 36:
                await asyncio.sleep(0.02)
            assert fake.working == 4
            fake.release.set()
            assert Counter(await asyncio.gather(*asked)) == {200: 4, 429: 36}
            assert [sum(each) for each in await gate.settled()] == [17] * 4


async def test_a_budget_in_money_lets_no_call_in_that_could_pass_it(tmp_path: Path) -> None:
    async with Fake() as fake:
        home = Home(tmp_path).key(daily_budget_usd=0.001)
        price = {"upstream": "fake", "model": "plain", "price_in": 1.0, "price_out": 10.0}
        home.routes(fake.url, routes={"plain": {"targets": [price]}})
        async with worker(home) as gate, client_of(gate) as client:
            # Each may cost 0.00068 USD and more, and costs 0.00008.
            answers = Counter(await asyncio.gather(*(status_of(client, chat(max_tokens=50)) for _ in range(20))))
            assert answers == {200: 1, 429: 19}
            await gate.settled()
            assert gate.days() == (1, 17, 10 * 1000 + 7 * 10_000)
            async with client.post(CHAT, json=chat("echo")) as reply:
                assert (reply.status, (await reply.json())["error"]["code"]) == (403, "price_unknown")
            for _ in range(8):
                await status_of(client, chat(max_tokens=50))
            async with client.post(CHAT, json=chat(max_tokens=90)) as reply:
                assert (reply.status, (await reply.json())["error"]["code"]) == (429, "budget_exceeded")
                assert 0 < int(reply.headers["Retry-After"]) <= 86400
                assert reply.headers["x-should-retry"] == "false"


async def test_so_many_run_at_once_and_a_place_is_free_when_one_ends(tmp_path: Path) -> None:
    async with Fake() as fake:
        home = Home(tmp_path).key(max_concurrency=3).routes(fake.url)
        async with worker(home) as gate, client_of(gate) as client:
            asked = [asyncio.create_task(status_of(client, chat("hold"))) for _ in range(10)]
            while sum(each.done() for each in asked) < 7:
                await asyncio.sleep(0.02)
            async with asyncio.timeout(60):  # the three are on their way
                while fake.working < 3:
                    await asyncio.sleep(0.02)
            assert not any(each.done() and each.result() == 200 for each in asked)
            fake.release.set()
            assert Counter(await asyncio.gather(*asked)) == {200: 3, 429: 7}
            assert await status_of(client, chat()) == 200


async def test_two_keys_have_two_ledgers(tmp_path: Path) -> None:
    async with Fake() as fake:
        home = Home(tmp_path).key(requests_per_minute=1).key("other", "sk-other", requests_per_minute=2)
        async with worker(home.routes(fake.url)) as gate, client_of(gate) as one, client_of(gate, "sk-other") as other:
            assert [await status_of(one, chat()) for _ in range(2)] == [200, 429]
            assert [await status_of(other, chat()) for _ in range(3)] == [200, 200, 429]


async def test_the_first_event_is_here_before_the_last_is_sent(tmp_path: Path) -> None:
    async with Fake() as fake:
        home = Home(tmp_path).key().routes(fake.url)
        slow = chat("slow", stream=True)
        async with worker(home) as gate, client_of(gate) as client, client.post(CHAT, json=slow) as reply:
            assert b"Hello" in await reply.content.readuntil(b"Hello")
            # The fake waits for this before it sends the rest.
            assert not fake.release.is_set()
            assert fake.working == 1
            fake.release.set()
            assert (await reply.read()).endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize(
    ("model", "kind", "tokens_out"),
    [("hold", "openai", 50), ("stall-early", "openai", 50), ("stall", "custom", 50), ("stall", "deepseek", 11)],
)
async def test_whoever_hangs_up_is_charged_and_the_upstreams_work_ends(
    tmp_path: Path, model: str, kind: str, tokens_out: int
) -> None:
    """In full where nobody knows how far the upstream was; what was seen where it shows all that it makes."""
    async with Fake() as fake:
        home = Home(tmp_path).key(max_concurrency=1, daily_tokens=10_000).routes(fake.url, kind=kind)
        async with worker(home) as gate, client_of(gate) as client:
            reader, writer = await asyncio.open_connection(*gate.url.removeprefix("http://").split(":"))
            writer.write(asking(chat(model, stream=model != "hold", max_tokens=50), KEY))
            while not fake.working:
                await asyncio.sleep(0.01)
            if model == "stall":
                await reader.readuntil(b" there")
            # workerd tells a broken connection; one that is closed on one side it takes for a caller that waits.
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
            while fake.working:
                await asyncio.sleep(0.01)
            expected = [(of_request(chat()), tokens_out, "caller hung up")]
            assert await gate.settled("tokens_in, tokens_out, verdict") == expected
            assert await status_of(client, chat()) == 200


async def test_a_caller_that_closes_its_half_is_noticed_with_the_next_event(tmp_path: Path) -> None:
    async with Fake() as fake:
        fake.pause = 0.05
        home = Home(tmp_path).key(max_concurrency=1).routes(fake.url)
        async with worker(home) as gate, client_of(gate) as client:
            fake.words = [f" word{number}" for number in range(400)]
            reply = await client.post(CHAT, json=chat(stream=True))
            await reply.content.readuntil(b"word1")
            reply.close()
            while fake.working:
                await asyncio.sleep(0.01)
            ((verdict,),) = await gate.settled("verdict")
            assert verdict == "caller hung up"
            assert fake.hung_up["plain"] == 1


async def test_no_limit_is_forgotten_by_a_kill(tmp_path: Path) -> None:
    async with Fake() as fake:
        home = Home(tmp_path).key(requests_per_minute=5, daily_tokens=10_000).routes(fake.url)
        async with worker(home) as gate, client_of(gate) as client:
            assert [await status_of(client, chat(max_tokens=50)) for _ in range(3)] == [200] * 3
            held = asyncio.create_task(status_of(client, chat("hold", max_tokens=50)))
            while not fake.working:
                await asyncio.sleep(0.01)
            gate.process.kill()
            await gate.process.wait()
            with pytest.raises(aiohttp.ClientError):
                await held
        async with worker(home) as gate, client_of(gate) as client:
            # The call that was cut off stays charged at all that was reserved for it.
            assert gate.days()[:2] == (4, 3 * 17 + of_request(chat(max_tokens=50)) + 50)
            assert [await status_of(client, chat(max_tokens=50)) for _ in range(2)] == [200, 429]


@pytest.mark.parametrize(
    ("address", "status"),
    [
        *[("203.0.113.7", 200), ("203.0.114.7", 403), ("2001:db8::1", 200), ("2001:db9::1", 403)],
        *[("::ffff:203.0.113.9", 200), ("", 403), ("nonsense", 403), ("203.0.113.7, 1.1.1.1", 403), ("1:2:3", 403)],
    ],
)
async def test_a_key_works_from_its_addresses_only(tmp_path: Path, address: str, status: int) -> None:
    """Cloudflare writes the header itself, whatever a caller says (Cloudflare HTTP headers, CF-Connecting-IP)."""
    async with Fake() as fake:
        home = Home(tmp_path).key(source_cidrs=["203.0.113.0/24", "2001:db8::/32"]).routes(fake.url)
        told = {"CF-Connecting-IP": address}
        async with worker(home) as gate, client_of(gate) as client, client.get("/v1/models", headers=told) as reply:
            assert reply.status == status


async def test_no_key_and_no_prompt_is_in_modules_logs_or_ledgers(tmp_path: Path) -> None:
    async with Fake() as fake:
        home = Home(tmp_path).key(daily_tokens=100_000).routes(fake.url)
        async with worker(home) as gate, client_of(gate) as client:
            for model in ("plain", "echo", "cut", "cut-early", "status-400", "status-401", "status-500", "reset"):
                for stream in (False, True):
                    async with client.post(CHAT, json=chat(model, stream=stream)) as reply:
                        assert UPSTREAM_KEY.encode() not in await reply.read()
                        assert UPSTREAM_KEY not in str(reply.headers)
            await gate.settled()
        for path in (each for each in tmp_path.rglob("*") if each.is_file()):
            content = path.read_bytes()
            # The runtime's configuration has what Cloudflare keeps as secrets of the Worker; never the callers' keys.
            assert KEY.encode() not in content or path.match("secrets/*"), path
            assert PROMPT.encode() not in content, path
            if path.name not in ("config.capnp", "upstream.env"):
                assert UPSTREAM_KEY.encode() not in content, path


async def test_the_bound_of_a_request_is_llm_gates_own(tmp_path: Path) -> None:
    """Where they differ, one of two gateways in a row would let through what the other refuses."""
    texts = ["plain words", "敏感词 and ASCII", "\U0001d160\ufdfa\u00c5", "🧑‍🚀🦜", '{"a": [1,1,1]}', "\x00\x9f\u2000"]
    shapes: list[dict[str, Any]] = [{"messages": [{"role": "user", "content": text}]} for text in texts]
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":[1,1,1],"b":{"c":"é"}}'}}
    shapes += [
        {"messages": [{"role": "assistant", "content": None, "tool_calls": [call]}]},
        {"messages": [], "tools": [{"type": "function", "function": {"name": "f", "parameters": {"x": True}}}]},
        {"messages": [], "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}}},
    ]
    async with Fake() as fake:
        home = Home(tmp_path).key(daily_tokens=1).routes(fake.url)
        async with worker(home) as gate, client_of(gate) as client:
            for shape in shapes:
                async with client.post(CHAT, json={"model": "plain", "max_tokens": 1, **shape}) as reply:
                    said = (await reply.json())["error"]
                assert said["code"] == "request_exceeds_limit"
                (found,) = re.findall(r"may take (\d+) tokens", said["message"])
                assert int(found) - 1 == of_request(shape), shape


async def test_a_picture_counts_as_the_vendors_largest(tmp_path: Path) -> None:
    part = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    body = {"model": "plain", "max_tokens": 1, "messages": [{"role": "user", "content": [part]}]}
    async with Fake() as fake:
        home = Home(tmp_path).key(daily_tokens=1).routes(fake.url, kind="anthropic")
        async with worker(home) as gate, client_of(gate) as client, client.post(CHAT, json=body) as reply:
            (found,) = re.findall(r"may take (\d+) tokens", (await reply.json())["error"]["message"])
        assert 4800 < int(found) < 5100


def test_a_keys_digest_is_all_that_a_worker_has_of_it_and_no_secret_is_longer_than_5_kilobytes() -> None:
    tables = files.key_table({f"{number:064x}": "k" * 63 for number in range(95)})
    assert list(tables) == ["GATE_KEYS_0", "GATE_KEYS_1", "GATE_KEYS_2"]
    assert all(len(each) <= 5000 for each in tables.values())
    assert sum(len(json.loads(each)) for each in tables.values()) == 95


def test_every_module_that_is_imported_is_among_the_workers_own() -> None:
    modules = files.modules()
    for name, text in modules.items():
        for imported in re.findall(r'from "([^"]+)"', text):
            if imported != "cloudflare:workers":
                assert imported.removeprefix("./") in {*modules, files.SETTINGS}, name
