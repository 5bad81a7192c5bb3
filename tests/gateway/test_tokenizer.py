"""Where the model's own server can count a prompt, a limit takes the prompt for what it is; pictures by their size."""

import asyncio
import base64
import json
import struct
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from llm_gate import pictures
from llm_gate.counting import Counting, question
from llm_gate.requests import Call
from llm_gate.routes import Target, Upstream
from llm_gate.tokens import PER_REQUEST, of_request
from llm_gate.upstream import Secrets

from tests.gateway.fake import Fake
from tests.gateway.harness import Home, chat, client_of, stand

CHAT = "/v1/chat/completions"
LONG = "blue herons stand in shallow water " * 100
"""3,500 bytes, some 700 tokens."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """What the fake server was asked to count; it says five bytes a token."""
    seen: list[tuple[str, dict[str, Any]]] = []
    handle = Fake.handle

    async def counting(self: Fake, request: web.BaseRequest) -> web.StreamResponse:
        if request.path not in ("/tokenize", "/v1/messages/count_tokens"):
            return await handle(self, request)
        body = json.loads(await request.read())
        seen.append((request.path, body))
        count = len(json.dumps(body.get("messages", body.get("prompt")))) // 5
        return web.json_response({"count": count} if request.path == "/tokenize" else {"input_tokens": count})

    monkeypatch.setattr(Fake, "handle", counting)
    return seen


def long(**more: Any) -> dict[str, Any]:
    return chat(**more) | {"messages": [{"role": "user", "content": LONG}]}


async def test_a_prompt_that_fits_by_the_models_own_count_is_served_though_its_bound_does_not_fit(
    tmp_path: Path, asked: list[tuple[str, dict[str, Any]]]
) -> None:
    async with stand(tmp_path, kind="vllm", daily_tokens=1_000) as (gate, _, client):
        tools = [{"type": "function", "function": {"name": "look", "parameters": {}}}]
        template = {"chat_template_kwargs": {"enable_thinking": False}, "tools": tools}
        async with client.post(CHAT, json=long(max_tokens=100, **template)) as reply:
            assert reply.status == 200
        assert await gate.settled() == [(10, 7)]
        path, body = asked.pop()
        assert (path, body["model"]) == ("/tokenize", "plain")
        # What the template makes of a request depends on these, and on nothing else.
        assert {name: body[name] for name in template} == template
        assert body["messages"] == long()["messages"]
        assert not {"max_tokens", "stream"} & body.keys()


@pytest.mark.parametrize(
    ("path", "body", "asks"),
    [
        ("/v1/completions", {"prompt": LONG}, "/tokenize"),
        ("/v1/embeddings", {"input": LONG}, "/tokenize"),
        ("/v1/messages", {"messages": [{"role": "user", "content": LONG}]}, "/v1/messages/count_tokens"),
        ("/v1/completions", {"prompt": [LONG, LONG]}, None),
        ("/v1/responses", {"input": LONG}, None),
    ],
)
async def test_what_vllm_can_count_on_each_endpoint_it_is_asked(
    tmp_path: Path, asked: list[tuple[str, dict[str, Any]]], path: str, body: dict[str, Any], asks: str | None
) -> None:
    bound = {"/v1/responses": "max_output_tokens", "/v1/embeddings": None}.get(path, "max_tokens")
    async with stand(tmp_path, kind="vllm", daily_tokens=1_000) as (_, _, client):
        async with client.post(path, json={"model": "plain", **body, **({bound: 9} if bound else {})}) as reply:
            assert reply.status == (200 if asks else 400)
        assert [each for each, _ in asked] == ([asks] if asks else [])


def test_what_a_chats_template_is_told_besides_is_counted_too() -> None:
    """A document may be longer than all messages: a prompt counted without it would pass any limit."""
    documents = [{"title": "herons", "text": LONG}]
    body = chat(documents=documents, reasoning_effort="high", chat_template_kwargs={"a": 1})
    path, asked = question(Call(CHAT, "m", body, False, False, 1, 1, None)) or ("", {})
    assert path == "/tokenize"
    told = {"a": 1, "documents": documents, "reasoning_effort": "high", "enable_thinking": True}
    assert asked["chat_template_kwargs"] == told
    body = chat(output_config={"effort": "high"}, chat_template_kwargs={"a": 1})
    _, asked = question(Call("/v1/messages", "m", body, False, False, 1, 1, None)) or ("", {})
    assert (asked["output_config"], asked["chat_template_kwargs"]) == ({"effort": "high"}, {"a": 1})


async def test_nobody_is_asked_where_the_bound_takes_little_of_what_is_left_or_no_tokens_are_counted(
    tmp_path: Path, asked: list[tuple[str, dict[str, Any]]]
) -> None:
    for place, limits in enumerate(({"daily_tokens": 100_000}, {"requests_per_minute": 5})):
        async with (
            stand(tmp_path / str(place), kind="vllm", **limits) as (_, _, client),
            client.post(CHAT, json=long(max_tokens=10)) as reply,
        ):
            assert reply.status == 200
    assert not asked


async def test_nobody_is_asked_for_an_answer_that_does_not_fit_by_itself(
    tmp_path: Path, asked: list[tuple[str, dict[str, Any]]]
) -> None:
    async with (
        stand(tmp_path, kind="vllm", daily_tokens=1_000) as (_, _, client),
        client.post(CHAT, json=long(max_tokens=1_001)) as reply,
    ):
        assert reply.status == 400
    assert not asked


async def test_a_vendor_is_not_asked_to_count_and_its_bound_holds(
    tmp_path: Path, asked: list[tuple[str, dict[str, Any]]]
) -> None:
    async with stand(tmp_path, kind="openai", daily_tokens=3_000) as (_, fake, client):
        # One request of some 8,600 tokens passed a daily limit of 3,000 when its tokens were estimated.
        for text in ("\u3402\u9fa5" * 1_450, "🧑🏽‍🚒" * 200, json.dumps({"a": [1, 2]}) * 250, LONG):
            body = chat(max_tokens=10) | {"messages": [{"role": "user", "content": text}]}
            async with client.post(CHAT, json=body) as reply:
                assert reply.status == 400
        assert not fake.seen
    assert not asked


@pytest.mark.parametrize("answer", ["status-500", {"count": -1}, {"count": True}, {"count": "9"}, {}, "html"])
async def test_where_the_server_does_not_count_the_bound_has_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    async def odd(self: Fake, request: web.BaseRequest) -> web.StreamResponse:
        if isinstance(answer, dict):
            return web.json_response(answer)
        return web.Response(status=500 if answer == "status-500" else 200, text="<html>")

    monkeypatch.setattr(Fake, "handle", odd)
    async with (
        stand(tmp_path, kind="vllm", daily_tokens=1_000) as (_, _, client),
        client.post(CHAT, json=long(max_tokens=10)) as reply,
    ):
        assert (reply.status, (await reply.json())["error"]["code"]) == (400, "request_exceeds_limit")


async def test_a_server_that_does_not_come_to_counting_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slow(self: Fake, request: web.BaseRequest) -> web.StreamResponse:
        await asyncio.sleep(60)
        return web.Response()

    monkeypatch.setattr(Fake, "handle", slow)
    monkeypatch.setattr("llm_gate.counting.PATIENCE", 0.2)
    async with stand(tmp_path, kind="vllm", daily_tokens=1_000) as (_, _, client):
        began = time.monotonic()

        async def one() -> int:
            async with client.post(CHAT, json=long(max_tokens=10)) as reply:
                return reply.status

        # Neither are those before it in the queue of its key.
        assert await asyncio.gather(*(one() for _ in range(20))) == [400] * 20
        assert time.monotonic() - began < 3


async def test_the_count_that_holds_for_all_targets_is_the_highest(
    tmp_path: Path, asked: list[tuple[str, dict[str, Any]]]
) -> None:
    """With a vendor among the targets the bound has to do: the request may end there."""
    async with Fake() as fake:
        mixed = {
            "targets": [{"upstream": "fake", "model": "plain"}],
            "fallback": [{"upstream": "paid", "model": "plain"}],
        }
        home = Home(tmp_path).key(daily_tokens=1_000)
        home.routes(
            fake.url,
            kind="vllm",
            upstreams={"paid": {"kind": "openai", "base_url": fake.url, "secret": "upstream_fake"}},
            routes={"plain": mixed},
        )
        async with (
            home.here() as gate,
            client_of(gate) as client,
            client.post(CHAT, json=long(max_tokens=10)) as reply,
        ):
            assert reply.status == 400
    assert not asked


async def test_thinking_that_comes_on_top_of_an_answers_bound_is_reserved(tmp_path: Path) -> None:
    async with stand(tmp_path, kind="qwen", tokens_per_minute=1_000) as (_, _, client):
        for budget, status in ((1_000, 400), (500, 200)):
            async with client.post(CHAT, json=chat(max_tokens=10, thinking_budget=budget)) as reply:
                assert reply.status == status


async def test_an_answer_that_is_reported_longer_than_it_may_be_counts_as_long_as_it_may_be_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = Fake._whole

    def boasting(self: Fake, *given: Any, **more: Any) -> dict[str, Any]:
        usage = {"prompt_tokens": 10, "completion_tokens": 90_000, "total_tokens": 90_010}
        return whole(self, *given, **more) | {"usage": usage}

    monkeypatch.setattr(Fake, "_whole", boasting)
    async with stand(tmp_path / "qwen", kind="qwen", daily_tokens=1_000) as (gate, _, client):
        # It may think beyond its bound, and that is paid for.
        async with client.post(CHAT, json=chat(max_tokens=20)) as reply:
            assert reply.status == 200
        assert await gate.settled() == [(10, 90_000)]
    async with stand(tmp_path, daily_tokens=1_000) as (gate, _, client):
        for _ in range(2):
            async with client.post(CHAT, json=chat(max_tokens=20)) as reply:
                assert reply.status == 200
        assert await gate.settled() == [(10, 20)] * 2
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("[gate.usage]")]
    assert len(told) == 1, "once a minute"
    assert "'plain'" in told[0]


def png(width: int, height: int) -> str:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IEND", b"")).decode()


def encoded(*parts: bytes) -> str:
    return base64.b64encode(b"".join(parts)).decode()


SIZES = {
    "png": png(640, 480),
    "gif": encoded(b"GIF89a", struct.pack("<HH", 640, 480), bytes(10)),
    # A photograph's own notes, its tables, then the frame.
    "jpeg": encoded(
        b"\xff\xd8\xff\xe1", struct.pack(">H", 5002), bytes(5000), b"\xff\xdb", struct.pack(">H", 4), bytes(2),
        b"\xff\xff\xc2", struct.pack(">HBHHB", 17, 8, 480, 640, 3), bytes(9),
    ),
    "webp, lossy": encoded(
        b"RIFF", bytes(4), b"WEBPVP8 ", bytes(7), b"\x9d\x01\x2a", struct.pack("<HH", 640, 480), bytes(9)
    ),
    "webp, lossless": encoded(
        b"RIFF", bytes(4), b"WEBPVP8L", bytes(4), b"\x2f", struct.pack("<I", 639 | 479 << 14), bytes(9)
    ),
    "webp, extended": encoded(
        b"RIFF", bytes(4), b"WEBPVP8X", bytes(8), (639).to_bytes(3, "little"), (479).to_bytes(3, "little"), bytes(9)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SIZES)
def test_a_pictures_size_is_read_from_its_head(name: str) -> None:
    assert pictures.size_of(SIZES[name]) == (640, 480)
    assert pictures.size_of(SIZES[name].replace("+", "-").replace("/", "_").rstrip("=")) == (640, 480)


@pytest.mark.parametrize(
    "content", ["", "AAAA", "not base64!", encoded(b"\x89PNG\r\n\x1a\n"), png(0, 5), SIZES["jpeg"][:40]]
)
def test_what_has_no_size_that_can_be_read_has_none(content: str) -> None:
    assert pictures.size_of(content) is None


@pytest.mark.parametrize(
    ("kind", "model", "size", "published"),
    [
        # The vendors' own examples: what is reserved is no less, and no more than some three times as much.
        ("openai", "gpt-4o", (1024, 1024), 765),
        ("openai", "gpt-4o", (2048, 4096), 1105),
        ("openai", "gpt-4o-mini", (128, 64), 8500),
        ("openai", "gpt-4o-mini", (1024, 1024), 25501),
        ("openai", "gpt-4.1-nano", (1800, 2400), 3572),
        ("anthropic", "claude-opus", (200, 200), 54),
        ("anthropic", "claude-opus", (1092, 1092), 1590),
        ("anthropic", "claude-opus", (2576, 2576), 4784),
        ("gemini", "gemini-2.5-flash", (384, 384), 258),
        ("gemini", "gemini-2.5-flash", (960, 540), 1548),
        ("qwen", "qwen3-vl-plus", (1024, 1024), 1371),
    ],
)
def test_a_picture_reserves_what_its_vendor_publishes_or_more(
    kind: str, model: str, size: tuple[int, int], published: int
) -> None:
    (row,) = pictures.rows([(kind, model)])
    assert published <= row.of(*size) <= row.most
    assert row.of(*size) <= max(7 * published, row.least)


def test_a_picture_counts_by_its_size_and_a_file_by_its_bytes() -> None:
    def counted(url: str, *targets: tuple[str, str]) -> int:
        def body(address: str) -> dict[str, Any]:
            part = {"type": "image_url", "image_url": {"url": address}}
            return {"messages": [{"role": "user", "content": [part]}]}

        return of_request(body(url), targets) - of_request(body(""), targets)

    picture = f"data:image/png;base64,{png(1092, 1092)}"
    claude, gpt = ("anthropic", "claude-opus"), ("openai", "gpt-4o-mini")
    assert counted(picture, claude) == pictures.rows([claude])[0].of(1092, 1092)
    assert counted(picture, claude, gpt) == pictures.rows([gpt])[0].of(1092, 1092)
    assert counted("https://example.com/a.png", claude) == 4800
    assert counted("data:image/avif;base64,AAAAAAAA", claude) == 4800
    assert counted("data:application/pdf;base64," + "A" * 40_000, claude) == 30_001


def test_each_row_of_the_pictures_names_its_source() -> None:
    document = json.loads((Path(pictures.__file__).parent / "pictures.json").read_text())
    assert all(len(row["source"]) > 40 for row in document["rows"])
    assert pictures.ROWS[-1].kind == "*"


async def test_what_is_reserved_is_the_count_and_what_a_renderer_adds(tmp_path: Path) -> None:
    async def post(*asked: Any) -> tuple[int, bytes]:
        return 200, b'{"count": 321}'

    counting = Counting(post, Secrets(tmp_path))
    target = Target(Upstream("u", "vllm", "http://127.0.0.1:8000/v1"), "m")
    for bound, reserved in ((9_000, 321 + PER_REQUEST), (400, 400)):
        call = Call(CHAT, "m", long(), False, False, bound, 1, None)
        assert (await counting.exact(call, [target], "k", 1_000)).tokens_in == reserved


def test_what_vllm_is_asked_holds_nothing_that_the_prompt_does_not_depend_on() -> None:
    call = Call(CHAT, "m", long(temperature=1, user="me"), False, False, 1, 1, None)
    assert question(call) == ("/tokenize", {"messages": long()["messages"]})
