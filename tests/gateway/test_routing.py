"""Where requests go: by weight, to the next one where the first does not begin to answer, and to nobody twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from llm_gate.requests import Call
from llm_gate.routes import COOL_DOWN, FAILURES, KINDS, Route, Routes, Target, Upstream
from llm_gate.upstream import able, body, headers, url

from tests.gateway.fake import Fake
from tests.gateway.harness import KEY, Home, Running, chat, client_of

CHAT = "/v1/chat/completions"


@asynccontextmanager
async def two(
    root: Path, first: str, *, second: str = "plain", **limits: Any
) -> AsyncIterator[tuple[Running, Fake, Fake, aiohttp.ClientSession]]:
    """A route with a target at home that does what ``first`` says, and a fallback overseas."""
    async with Fake() as home, Fake() as away:
        upstreams = {
            "home": {"kind": "vllm", "base_url": home.url},
            "away": {"kind": "openai", "base_url": away.url, "secret": "upstream_fake"},
        }
        route = {
            "targets": [{"upstream": "home", "model": first, "price_in": 0, "price_out": 0}],
            "fallback": [{"upstream": "away", "model": second, "price_in": 1, "price_out": 1}],
        }
        stand = Home(root).key(**limits).routes(home.url, upstreams=upstreams, routes={"both": route})
        async with (
            stand.here(patience={"first_byte": 1, "between": 5}) as gate,
            client_of(gate, KEY) as client,
        ):
            yield gate, home, away, client


FAILING = ["status-500", "status-429", "status-401", "reset", "html", "redirect", "hold"]


@pytest.mark.parametrize(
    ("first", "stream"),
    [*[(each, way) for each in FAILING for way in (False, True)], ("cut-early", True), ("stall-early", True)],
)
async def test_where_home_does_not_begin_to_answer_the_fallback_does(tmp_path: Path, first: str, stream: bool) -> None:
    async with two(tmp_path, first) as (gate, home, away, client):
        async with client.post(CHAT, json=chat("both", stream=stream)) as reply:
            assert reply.status == 200
            told = await reply.text()
        assert "Hello" in told
        assert home.seen
        assert away.last.body["model"] == "plain"
        assert await gate.settled("upstream, tokens_in, tokens_out, nanos") == [("away", 10, 7, 17_000)]


async def test_after_the_first_byte_nobody_else_is_asked(tmp_path: Path) -> None:
    async with two(tmp_path, "cut") as (_, _, away, client):
        async with client.post(CHAT, json=chat("both", stream=True)) as reply:
            assert "upstream_cut" in await reply.text()
        assert not away.seen


async def test_a_request_that_is_wrong_is_wrong_everywhere(tmp_path: Path) -> None:
    async with two(tmp_path, "status-400") as (_, _, away, client):
        async with client.post(CHAT, json=chat("both")) as reply:
            assert reply.status == 400
        assert not away.seen


async def test_a_fallback_gets_neither_homes_fields_nor_homes_key(tmp_path: Path) -> None:
    async with two(tmp_path, "status-500") as (_, home, away, client):
        async with client.post(CHAT, json=chat("both", top_k=3, max_tokens=9)) as reply:
            assert reply.status == 200
        assert "authorization" not in home.last.headers
        assert home.last.body["top_k"] == 3
        assert "top_k" not in away.last.body
        assert away.last.body["max_completion_tokens"] == 9


async def test_all_that_fails_counts_as_one_request_of_no_tokens(tmp_path: Path) -> None:
    async with two(tmp_path, "status-500", second="status-500") as (gate, _, _, client):
        async with client.post(CHAT, json=chat("both")) as reply:
            assert reply.status == 502
        assert await gate.settled("tokens, nanos, status") == [(0, 0, 502)]


async def test_home_is_asked_again_after_it_has_cooled_down(tmp_path: Path) -> None:
    async with two(tmp_path, "flaky") as (gate, home, away, client):
        home.failures = FAILURES
        for _ in range(FAILURES + 2):
            async with client.post(CHAT, json=chat("both")) as reply:
                assert reply.status == 200
        assert (len(home.seen), len(away.seen)) == (FAILURES, FAILURES + 2)
        later = asyncio.get_running_loop().time() + COOL_DOWN + 1
        gate.gateway.routes.clock = lambda: later
        async with client.post(CHAT, json=chat("both")) as reply:
            assert reply.status == 200
        assert len(home.seen) == FAILURES + 1


def target(name: str, *, kind: str = "openai", **more: Any) -> Target:
    return Target(Upstream(name, kind, f"https://{name}.example/v1"), "m", **more)


def test_requests_are_shared_out_by_weight() -> None:
    points = [place / 100 for place in range(100)]
    routes = Routes(chance=lambda: points.pop())
    route = Route("r", (target("a", weight=3), target("b", weight=1)))
    firsts = [routes.order(route, CHAT)[0].upstream.name for _ in range(50)]
    # Each order draws twice: 50 of the 100 points choose who is first.
    assert 35 <= firsts.count("a") <= 40


def test_who_is_not_drawn_first_is_still_there_before_the_fallbacks() -> None:
    route = Route("r", (target("a"), target("b")), (target("c"), target("a")))
    names = [each.upstream.name for each in Routes().order(route, CHAT)]
    assert sorted(names[:2]) == ["a", "b"]
    assert names[2:] == ["c"]


def test_whoever_cools_down_is_asked_last_and_not_never() -> None:
    now = [0.0]
    routes = Routes(clock=lambda: now[0])
    first, second = target("a"), target("b")
    route = Route("r", (first,), (second,))
    for _ in range(FAILURES):
        assert routes.order(route, CHAT) == [first, second]
        routes.failed(first)
    assert routes.order(route, CHAT) == [second, first]
    routes.failed(second, wait=1)
    now[0] = 2
    assert routes.order(route, CHAT) == [second, first]
    now[0] = COOL_DOWN + 1
    assert routes.order(route, CHAT) == [first, second]


def test_one_success_makes_up_for_failures() -> None:
    routes, only = Routes(), target("a")
    for _ in range(FAILURES - 1):
        routes.failed(only)
    routes.worked(only)
    routes.failed(only)
    assert not routes.cooling(only)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_asked_only_for_what_it_has(kind: str) -> None:
    route = Route("r", (target("a", kind=kind),))
    for endpoint in KINDS["gateway"]:
        assert bool(Routes().order(route, endpoint)) == (endpoint in KINDS[kind])


@pytest.mark.parametrize(
    "more", [{"n": 2}, {"logprobs": True}, {"response_format": {"type": "json_object"}}, {"logit_bias": {"1": 1}}]
)
def test_what_anthropics_openai_endpoint_passes_over_in_silence_is_not_sent_there(more: dict[str, Any]) -> None:
    def call(**fields: Any) -> Call:
        sent = {**chat("m"), **fields}
        return Call(CHAT, "m", sent, stream=False, wants_usage=False, tokens_in=1, tokens_out=1, bound=None)

    assert able(target("a", kind="openai"), call(**more))
    assert not able(target("a", kind="anthropic"), call(**more))
    assert able(target("a", kind="anthropic"), call(response_format={"type": "text"}, n=1))


def test_addresses_and_keys_are_put_as_each_vendor_wants_them() -> None:
    def call(endpoint: str) -> Call:
        return Call(
            endpoint, "m", {"model": "m"}, stream=False, wants_usage=False, tokens_in=1, tokens_out=1, bound=None
        )

    gemini = Target(Upstream("g", "gemini", "https://x.example/v1beta/openai/"), "m")
    assert url(gemini, CHAT) == "https://x.example/v1beta/openai/chat/completions"
    claude = target("c", kind="anthropic")
    assert headers(claude, call("/v1/messages"), "k")["x-api-key"] == "k"
    assert "Authorization" not in headers(claude, call("/v1/messages"), "k")
    assert headers(claude, call(CHAT), "k")["Authorization"] == "Bearer k"
    assert headers(target("p", kind="gateway"), call("/v1/messages"), "k")["Authorization"] == "Bearer k"
    assert b'"store":false' in body(target("o"), call("/v1/responses"))[0]


def test_one_callers_requests_push_nobody_else_to_the_fallback() -> None:
    now = [0.0]
    routes = Routes(clock=lambda: now[0])
    first, second = target("a"), target("b")
    route = Route("r", (first,), (second,))
    for _ in range(FAILURES * 5):
        routes.failed(first, caller="mallory")
    assert routes.order(route, CHAT, "mallory") == [second, first]
    assert routes.order(route, CHAT, "alice") == [first, second]
    routes.failed(first, caller="alice")  # a second caller's fail too: it is the target
    assert routes.order(route, CHAT, "bob") == [second, first]
    now[0] = COOL_DOWN + 1
    assert routes.order(route, CHAT, "bob") == [first, second]


def test_what_is_the_targets_own_fault_is_known_to_all_at_once() -> None:
    routes, first, second = Routes(clock=lambda: 0.0), target("a"), target("b")
    routes.failed(first, wait=5)
    assert routes.order(Route("r", (first,), (second,)), CHAT, "alice") == [second, first]


async def test_a_request_that_fails_everywhere_blames_nobody(tmp_path: Path) -> None:
    async with two(tmp_path, "status-500", second="status-500") as (gate, home, away, client):
        for _ in range(FAILURES + 2):
            async with client.post(CHAT, json=chat("both")) as reply:
                assert reply.status == 502
        assert (len(home.seen), len(away.seen)) == (FAILURES + 2, FAILURES + 2)
        assert all(gate.gateway.routes.state().values())
        assert gate.gateway.routes._health == {}


async def test_a_request_that_another_target_calls_wrong_blames_nobody(tmp_path: Path) -> None:
    async with two(tmp_path, "status-500", second="status-400") as (gate, home, _, client):
        for _ in range(FAILURES + 2):
            async with client.post(CHAT, json=chat("both")) as reply:
                assert reply.status == 400
        assert len(home.seen) == FAILURES + 2
        assert gate.gateway.routes._health == {}


@pytest.mark.parametrize(("price", "more", "asked"), [(1, {}, 2), (1, {"ask_twice": True}, 3), (0, {}, 3)])
async def test_a_paid_request_goes_out_once_where_the_upstream_closes_without_a_word(
    tmp_path: Path, price: int, more: dict[str, Any], asked: int
) -> None:
    """The first request makes the connection, so that the second may only be late for it."""
    seen = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        while True:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            seen += 1
            if seen == 2:
                break
            said = (
                b'{"choices": [{"message": {"content": "x"}}], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}'
            )
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(said), said))
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as upstream:
        address = f"http://127.0.0.1:{upstream.sockets[0].getsockname()[1]}/v1"
        row = {"upstream": "fake", "model": "m", "price_in": price, "price_out": price}
        home = Home(tmp_path).key(**more).routes(address, routes={"m": {"targets": [row]}})
        async with home.here() as gate, client_of(gate) as client:
            statuses = []
            for _ in range(2):
                async with client.post(CHAT, json=chat("m")) as reply:
                    statuses.append(reply.status)
            assert statuses == [200, 502 if asked == 2 else 200]
            assert seen == asked
