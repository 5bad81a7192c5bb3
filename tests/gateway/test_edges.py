"""Bodies, numbers and accidents that no client library would make."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.harness import KEY, chat, stand

CHAT = "/v1/chat/completions"


def nested(depth: int, where: str) -> bytes:
    deep = "[" * depth + "]" * depth
    rest = {
        "messages": f'{{"model": "plain", "messages": [{{"role": "user", "content": {deep}}}]}}',
        "metadata": f'{{"model": "plain", "metadata": {deep}, "messages": [{{"role": "user", "content": "x"}}]}}',
        "model": f'{{"model": {deep}}}',
    }
    return rest[where].encode()


@pytest.mark.parametrize("checked", [False, True])
@pytest.mark.parametrize("where", ["messages", "metadata", "model"])
@pytest.mark.parametrize("depth", [150, 600, 3_000, 60_000])
async def test_a_body_that_is_nested_too_deeply_is_the_callers_mistake(
    tmp_path: Path, where: str, depth: int, checked: bool, capsys: Any
) -> None:
    content = {"lists": [{"name": "a", "words": ["x1y"], "action": "block"}]} if checked else None
    async with stand(tmp_path, content=content) as (gate, fake, client):
        headers = {"Content-Type": "application/json"}
        async with client.post(CHAT, data=nested(depth, where), headers=headers) as reply:
            assert reply.status == 400
        assert not fake.seen
        assert await gate.settled("state") == []
        assert "gate.internal" not in capsys.readouterr().err


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
async def test_an_answer_of_no_tokens_is_no_bound(tmp_path: Path, name: str) -> None:
    """Some servers take 0 for "as many as you like", and nothing would be reserved for it."""
    async with stand(tmp_path, tokens_per_minute=1000) as (_, fake, client):
        async with client.post(CHAT, json=chat(**{name: 0})) as reply:
            assert reply.status == 400
        assert not fake.seen


@pytest.mark.parametrize("said", ["inf", "nan", "1e400", "-5", "Wed, 21 Oct 2026 07:28:00 GMT", "9" * 400])
async def test_however_an_upstream_says_when_to_come_back_the_caller_gets_a_number(
    tmp_path: Path, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aiohttp import web

    from tests.gateway.fake import Fake

    async def busy(self: Fake, request: web.BaseRequest) -> web.StreamResponse:
        return web.json_response({"error": {"message": "busy"}}, status=429, headers={"Retry-After": said})

    monkeypatch.setattr(Fake, "handle", busy)
    async with stand(tmp_path) as (_, _, client), client.post(CHAT, json=chat()) as reply:
        assert reply.status == 429
        assert 1 <= int(reply.headers["Retry-After"]) <= 300


async def test_a_count_that_no_answer_has_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.gateway.fake import Fake

    whole = Fake._whole

    def boasting(self: Fake, *given: Any, **more: Any) -> dict[str, Any]:
        usage = {"prompt_tokens": 10**30, "completion_tokens": 10**30}
        return whole(self, *given, **more) | {"usage": usage}

    monkeypatch.setattr(Fake, "_whole", boasting)
    async with stand(tmp_path) as (gate, _, client):
        async with client.post(CHAT, json=chat()) as reply:
            assert reply.status == 200
        ((tokens_in, tokens_out),) = await gate.settled()
        assert 0 < tokens_in < 200
        assert 0 < tokens_out < 100


async def test_while_the_ledger_cannot_be_read_nobody_is_let_in(tmp_path: Path) -> None:
    class Broken:
        def execute(self, *_: object) -> None:
            raise sqlite3.OperationalError("disk I/O error")

    async with stand(tmp_path) as (gate, fake, client):
        whole, gate.gateway.store.db = gate.gateway.store.db, Broken()  # type: ignore[assignment]
        async with client.post(CHAT, json=chat()) as reply:
            assert reply.status == 503
            assert (await reply.json())["error"]["code"] == "ledger_unavailable"
        gate.gateway.store.db = whole
        assert not fake.seen


async def test_while_the_ledger_is_locked_nothing_is_admitted_and_the_caller_is_told_to_come_back(
    tmp_path: Path,
) -> None:
    async with stand(tmp_path) as (gate, fake, client):
        gate.gateway.store.db.execute("PRAGMA busy_timeout=50")
        other = sqlite3.connect(tmp_path / "state" / "ledger.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        async with client.post(CHAT, json=chat()) as reply:
            assert reply.status == 503
            assert (await reply.json())["error"]["code"] == "ledger_unavailable"
            assert int(reply.headers["Retry-After"]) >= 1
        assert not fake.seen
        other.execute("ROLLBACK")
        async with client.post(CHAT, json=chat()) as reply:
            assert reply.status == 200
        assert gate.gateway.store.active() == {"app": 0}
        other.close()


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_that_cannot_be_settled_is_answered_and_settled_later(
    tmp_path: Path, stream: bool, capsys: Any
) -> None:
    async with stand(tmp_path, max_concurrency=1, tokens_per_minute=1000) as (gate, fake, client):
        store = gate.gateway.store
        store.db.execute("PRAGMA busy_timeout=50")
        asked = asyncio.create_task(client.post(CHAT, json=chat("hold", stream=stream)))
        while not fake.working:
            await asyncio.sleep(0.01)
        other = sqlite3.connect(tmp_path / "state" / "ledger.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        fake.release.set()
        async with await asked as reply:
            assert reply.status == 200
            assert "there" in await reply.text()
        said = ""
        while "[gate.ledger]" not in said:
            await asyncio.sleep(0.01)
            said += capsys.readouterr().err
        # What was reserved for it is free, whatever the disk does.
        assert store.active() == {"app": 0}
        assert dict(gate.calls("state, tokens"))["open"] > 17
        other.execute("ROLLBACK")
        other.close()
        async with client.post(CHAT, json=chat()) as reply:
            assert reply.status == 200
        assert await gate.settled("state, tokens") == [("done", 17), ("done", 17)]


async def test_the_same_key_in_both_headers_is_one_key_and_another_is_nobodys(tmp_path: Path) -> None:
    async with stand(tmp_path) as (_, _, client):
        async with client.post(CHAT, json=chat(), headers={"x-api-key": KEY}) as reply:
            assert reply.status == 200
        async with client.post(CHAT, json=chat(), headers={"x-api-key": "sk-other"}) as reply:
            assert reply.status == 401


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("2001:db8::7", 200), ("2001:db9::7", 403), ("::ffff:203.0.113.9", 200), ("::ffff:198.51.100.1", 403),
        ("fe80::1%eth0", 403), ("203.0.113.9", 200), ("203.0.113.9:443", 403), ("", 403), ("203.0.113.09", 403),
    ],
)  # fmt: skip
async def test_addresses_of_both_kinds_are_read_as_what_they_are(tmp_path: Path, address: str, status: int) -> None:
    cidrs, headers = ["203.0.113.0/24", "2001:db8::/32"], {"X-Llm-Client": address}
    async with stand(tmp_path, source_cidrs=cidrs) as (_, _, client):
        reply = await client.post(CHAT, json=chat(), headers=headers)
        assert reply.status == status


MANY = {
    "lists": '{"model": "plain", "messages": [' + ",".join(["[]"] * 150_000) + "]}",
    "objects": '{"model": "plain", "messages": [' + ",".join(['{"a":1}'] * 150_000) + "]}",
    "brackets": '{"model": "plain", "messages": [' + ",".join(["[[]]"] * 400_000) + "]}",
    "numbers": '{"model": "plain", "prompt": [' + ",".join(["1"] * 1_100_000) + "]}",
}


@pytest.mark.parametrize("shape", MANY)
async def test_a_body_of_very_many_small_things_is_refused_before_it_keeps_everybody_waiting(
    tmp_path: Path, shape: str
) -> None:
    path = "/v1/completions" if shape == "numbers" else CHAT
    async with stand(tmp_path) as (gate, fake, client):
        async with client.post(path, data=MANY[shape], headers={"Content-Type": "application/json"}) as reply:
            assert (reply.status, (await reply.json())["error"]["code"]) == (400, "invalid_json")
        assert not fake.seen
        assert await gate.settled("state") == []


async def test_a_long_text_full_of_signs_is_a_text(tmp_path: Path) -> None:
    text = '{"rows": [[1, 2], [3, 4]]}, ' * 25_000
    async with stand(tmp_path) as (_, fake, client):
        async with client.post(CHAT, json=chat(messages=[{"role": "user", "content": text}])) as reply:
            assert reply.status == 200
        assert fake.last.body["messages"][0]["content"] == text


async def test_bodies_under_way_fill_no_more_memory_than_there_is_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from llm_gate import server

    monkeypatch.setattr(server, "MOST_HELD", 1_000_000)
    long = chat("hold", messages=[{"role": "user", "content": "x" * 600_000}])
    async with stand(tmp_path) as (gate, fake, client):
        first = asyncio.create_task(client.post(CHAT, json=long))
        while not fake.working:
            await asyncio.sleep(0.01)
        async with client.post(CHAT, json=long) as reply:
            assert (reply.status, (await reply.json())["error"]["code"]) == (503, "gateway_busy")
        async with client.post(CHAT, json=chat()) as reply:
            assert reply.status == 200
        fake.release.set()
        assert (await first).status == 200
        async with client.post(CHAT, json=long) as reply:
            assert reply.status == 200
        while gate.gateway.held:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("path", [CHAT, "/v1/completions", "/v1/responses", "/v1/messages"])
async def test_hanging_up_before_the_upstream_counts_does_not_make_a_stream_free(tmp_path: Path, path: str) -> None:
    """Anthropic reports one token of output at the beginning, and the whole number only at the end."""
    body: dict[str, Any] = {"model": "slow", "stream": True, "max_tokens": 50}
    body |= {"prompt": "x"} if path == "/v1/completions" else {"messages": [{"role": "user", "content": "x"}]}
    if path == "/v1/responses":
        body = {"model": "slow", "stream": True, "input": "x"}
    words = ["word " * 40] * 6
    async with stand(tmp_path, kind="gateway", words=words) as (gate, _, client):
        reply = await client.post(path, json=body)
        seen = b""
        while seen.count(b"word word") < 20:
            seen += await reply.content.readany()
        reply.close()
        ((tokens_out,),) = await gate.settled("tokens_out")
        assert tokens_out >= 40


async def test_chores_go_on_after_one_has_failed(tmp_path: Path, capsys: Any) -> None:
    import contextlib

    from llm_gate import __main__ as program

    async with stand(tmp_path) as (gate, _, _):
        done: list[str] = []

        def prune() -> int:
            done.append("prune")
            raise sqlite3.OperationalError("database or disk is full")

        gate.gateway.store.prune = prune
        chores = asyncio.create_task(program._chores(gate.gateway, 0.001))
        while len(done) < 3:
            await asyncio.sleep(0.001)
        chores.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await chores
        assert capsys.readouterr().err.count("[gate.chores] OperationalError") >= 2


async def test_a_caller_that_hangs_up_or_speaks_no_http_fills_no_log_and_is_not_quoted(tmp_path: Path) -> None:
    from tests.gateway.fake import Fake
    from tests.gateway.harness import Home, client_of

    async with Fake(["word " * 2000] * 50) as fake:
        home = Home(tmp_path).key().routes(fake.url)
        async with home.running() as gate:
            async with client_of(gate) as client:
                for _ in range(5):
                    reply = await client.post(CHAT, json=chat(stream=True))
                    await reply.content.readany()
                    reply.close()
            host, port = gate.url.removeprefix("http://").split(":")
            head = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}"
            for rest in ("\x00\r\n", "\r\nContent-Length: -1\r\n", "\r\nX: y\r\n planted-folded\r\n", "\r\n: \r\n"):
                reader, writer = await asyncio.open_connection(host, int(port))
                writer.write(f"{head}{rest}\r\n".encode())
                await reader.read(200)
                writer.close()
            await gate.settled()
            said = await gate.logged()
    assert "Traceback" not in said
    assert "planted" not in said.lower()
    assert said.count("\n") < 15


@pytest.mark.parametrize(
    ("wrong", "least"),
    [
        ({"max_tokens": 0}, "from 1 to"),
        ({"max_tokens": -1}, "from 1 to"),
        ({"max_completion_tokens": 0}, "from 1 to"),
        ({"n": -1}, "from 0 to"),
        ({"stream": "true"}, ""),
        ({"stream_options": []}, ""),
        ({"model": ["plain"]}, ""),
    ],
)
async def test_a_refused_value_is_named_by_its_field_and_by_what_would_do(
    tmp_path: Path, wrong: dict[str, Any], least: str
) -> None:
    """OpenAI's clients show the field beside the error (``param``)."""
    async with stand(tmp_path) as (_, fake, client):
        async with client.post(CHAT, json=chat() | wrong) as reply:
            told = (await reply.json())["error"]
            assert (reply.status, told["param"]) == (400, next(iter(wrong)))
            assert least in told["message"]
        assert not fake.seen
