"""Several machines with the same model behind one gateway: who is asked, who is left out, and what stays exact."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import hypothesis.strategies as st
import pytest
from hypothesis import given
from llm_gate.replicas import SLACK, Replicas, conversation
from llm_gate.requests import Call
from llm_gate.routes import Target, Upstream

from pulumi_llm._bootstrap import GatewayRole, Route
from pulumi_llm._bootstrap import Target as HostedTarget
from pulumi_llm._bootstrap import Upstream as HostedUpstream
from pulumi_llm.roles.gateway import routes
from tests.gateway.fake import Fake
from tests.gateway.front import front
from tests.gateway.harness import KEY, UPSTREAM_KEY, Home, Running, chat, client_of

CHAT = "/v1/chat/completions"


def call(*said: str, endpoint: str = CHAT, **more: Any) -> Call:
    """A chat in which the user and the model take turns."""
    messages = [{"role": ("user", "assistant")[place % 2], "content": each} for place, each in enumerate(said)]
    body = {"model": "m", **({"messages": messages} if said else {}), **more}
    return Call(endpoint, "m", body, stream=False, wants_usage=False, tokens_in=1, tokens_out=1, bound=None)


def machines(count: int) -> list[Target]:
    return [
        Target(Upstream(f"r{each}", "vllm", f"http://127.0.0.1:{each}/v1", replica=True), "m") for each in range(count)
    ]


def nobody(target: Target) -> bool:
    return False


def replicas() -> Replicas:
    def none(upstream: Upstream) -> Any:
        raise ValueError("no connection is made here")

    return Replicas(none)


# -- the choice, as rules


loads = st.lists(st.integers(0, 60), min_size=2, max_size=8)


@given(loads, st.sets(st.integers(0, 7)), st.booleans())
def test_each_replica_is_named_once_the_ill_ones_last_and_of_the_others_the_one_with_least_to_do_first(
    active: list[int], ill: set[int], talks: bool
) -> None:
    choice, targets = replicas(), machines(len(active))
    choice.active.update({f"r{place}": count for place, count in enumerate(active)})
    ill &= set(range(len(active)))
    asked = call("hello") if talks else call(endpoint="/v1/embeddings", input="hello")
    order = choice.arranged(targets, asked, lambda each: int(each.upstream.name[1:]) in ill)
    names = [int(each.upstream.name[1:]) for each in order]
    assert sorted(names) == list(range(len(active)))
    assert set(names[len(active) - len(ill) :]) == ill
    well = [each for each in range(len(active)) if each not in ill]
    if well:
        assert active[names[0]] == min(active[each] for each in well)


@given(st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=300), st.integers(2, 8))
def test_whatever_conversations_there_are_no_replica_gets_far_more_than_another(
    events: list[tuple[int, bool]], count: int
) -> None:
    choice, targets = replicas(), machines(count)
    under_way: list[Target] = []
    for number, ends in events:
        if ends and under_way:
            choice.end(under_way.pop(number % len(under_way)))
            continue
        least = min(choice.active[each.upstream.name] for each in targets)
        first = choice.arranged(targets, call(f"conversation {number}"), nobody)[0]
        assert choice.active[first.upstream.name] <= least + SLACK + least // 4
        choice.begin(first)
        under_way.append(first)
    assert sum(choice.active.values()) == len(under_way)


@given(st.lists(st.text(), min_size=1, max_size=6), st.lists(st.text(), max_size=6))
def test_a_conversation_that_has_grown_is_the_same_and_goes_where_it_was(begun: list[str], more: list[str]) -> None:
    before, after = call(*begun), call(*begun, *more)
    assert conversation(before) == conversation(after)
    choice, targets = replicas(), machines(3)
    first = choice.arranged(targets, before, nobody)[0]
    for number in range(7):
        choice.begin(choice.arranged(targets, call(f"another {number}"), nobody)[0])
    if conversation(before) is not None:
        assert choice.arranged(targets, after, nobody)[0] is first


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (call("a"), call("b"), False),
        (call("x" * 5000 + "a"), call("x" * 5000 + "b"), False),
        (call("a" + "x" * 5000), call("b" + "x" * 5000), False),
        (call("a", prompt_cache_key="k"), call("b", prompt_cache_key="k"), True),
        (call("a", prompt_cache_key="k"), call("a", prompt_cache_key="l"), False),
        (call("a", endpoint="/v1/messages", system="s"), call("a", endpoint="/v1/messages", system="t"), True),
        (call(endpoint="/v1/completions", prompt="p" * 300), call(endpoint="/v1/completions", prompt="p" * 400), True),
        (call(endpoint="/v1/completions", prompt="p"), call(endpoint="/v1/completions", prompt="q"), False),
        (call(endpoint="/v1/responses", input="a"), call(endpoint="/v1/responses", input="a"), True),
        (
            call(endpoint="/v1/responses", input=[{"role": "user", "content": [{"type": "input_text", "text": "a"}]}]),
            call(endpoint="/v1/responses", input=[{"role": "user", "content": [{"type": "input_text", "text": "b"}]}]),
            False,
        ),
    ],
)
def test_conversations_are_told_apart_by_what_was_said_first(one: Call, other: Call, same: bool) -> None:
    assert conversation(one) is not None
    assert (conversation(one) == conversation(other)) is same


@pytest.mark.parametrize("endpoint", ["/v1/embeddings", "/v1/rerank", "/tokenize"])
def test_what_is_no_conversation_goes_by_turns_where_all_have_as_much_to_do(endpoint: str) -> None:
    choice, targets = replicas(), machines(3)
    asked = call(endpoint=endpoint, input="a")
    assert conversation(asked) is None
    assert len({choice.arranged(targets, asked, nobody)[0].upstream.name for _ in range(3)}) == 3


def test_targets_that_are_no_replicas_stay_in_their_order() -> None:
    targets = [Target(Upstream(name, "openai", "https://x.invalid/v1"), "m") for name in "ba"]
    assert replicas().arranged(targets, call("a"), nobody) == targets


def test_replicas_of_one_model_stay_before_the_vendor_that_it_falls_back_to() -> None:
    vendor = Target(Upstream("vendor", "openai", "https://x.invalid/v1"), "m")
    choice = replicas()
    choice.active.update(r0=50, r1=40, r2=60)
    names = [each.upstream.name for each in choice.arranged([*machines(3), vendor], call("a"), nobody)]
    assert names[0] == "r1"
    assert names[-1] == "vendor"


# -- a gateway and engines on real sockets


@asynccontextmanager
async def several(root: Path, count: int = 3, **limits: Any) -> AsyncIterator[tuple[Home, list[Fake]]]:
    async with AsyncExitStack() as stack:
        fakes = [await stack.enter_async_context(Fake()) for _ in range(count)]
        yield pointing(Home(root).key(**limits), fakes), fakes


def pointing(home: Home, fakes: list[Fake], **more: Any) -> Home:
    upstreams = {
        f"r{place}": {"kind": "vllm", "base_url": each.url, "secret": "upstream_fake", "replica": True, **more}
        for place, each in enumerate(fakes)
    }
    rows = {
        name: {
            "targets": [
                {"upstream": upstream, "model": name, "price_in": 0, "price_out": 0, "weight": 1 / len(fakes)}
                for upstream in upstreams
            ]
        }
        for name in ("plain", "hold", "slow")
    }
    return home.routes("http://127.0.0.1:9/v1", upstreams=upstreams, routes=rows)


def talk(said: str, model: str = "plain", **more: Any) -> dict[str, Any]:
    return {**chat(model, **more), "messages": [{"role": "user", "content": said}]}


async def ask(client: aiohttp.ClientSession, body: dict[str, Any]) -> int:
    async with client.post(CHAT, json=body) as reply:
        await reply.read()
        return reply.status


def counts(fakes: list[Fake]) -> list[int]:
    return [len(each.seen) for each in fakes]


async def test_a_conversation_stays_with_one_engine_and_many_are_spread(tmp_path: Path) -> None:
    async with several(tmp_path) as (home, fakes), home.here() as gate, client_of(gate) as client:
        for _ in range(5):
            assert await ask(client, talk("the first thing")) == 200
        assert sorted(counts(fakes)) == [0, 0, 5]
        for number in range(30):
            assert await ask(client, talk(f"another {number}")) == 200
        assert min(counts(fakes)) >= 8


async def test_calls_that_come_at_once_are_spread_evenly(tmp_path: Path) -> None:
    async with several(tmp_path) as (home, fakes), home.here() as gate, client_of(gate) as client:
        asked = [asyncio.create_task(ask(client, talk(f"one of many {each}", "hold"))) for each in range(60)]
        while sum(counts(fakes)) < 60:
            await asyncio.sleep(0.01)
        assert counts(fakes) == [20, 20, 20]
        assert gate.gateway.replicas.active == {"r0": 20, "r1": 20, "r2": 20}
        for each in fakes:
            each.release.set()
        assert set(await asyncio.gather(*asked)) == {200}
        assert not +gate.gateway.replicas.active


async def test_an_engine_that_is_gone_is_left_out_and_asked_again_once_it_is_back(tmp_path: Path) -> None:
    async with several(tmp_path) as (home, fakes), home.here() as gate, client_of(gate) as client:
        gone = fakes[1]
        port = gone.runner.addresses[0][1]
        await gone.runner.cleanup()
        for number in range(12):
            assert await ask(client, talk(f"without it {number}")) == 200
        metrics = gate.gateway.metrics.values
        failures = {dict(labels)["kind"]: n for (name, labels), n in metrics.items() if "failures" in name}
        assert failures == {"unreachable": 1}  # nobody else has waited for it
        async with Fake(port=port) as back:
            async with asyncio.timeout(10):
                while gate.gateway.replicas._away:
                    await asyncio.sleep(0.05)
            for number in range(6):
                assert await ask(client, talk(f"with it {number}")) == 200
            assert back.seen


async def test_where_all_are_gone_the_caller_is_told_and_those_that_come_back_are_used(tmp_path: Path) -> None:
    async with several(tmp_path, 2) as (home, fakes), home.here() as gate, client_of(gate) as client:
        port = fakes[0].runner.addresses[0][1]
        for each in fakes:
            await each.runner.cleanup()
        assert await ask(client, talk("nobody is there")) == 502
        async with Fake(port=port):
            assert await ask(client, talk("one is there")) == 200


async def test_an_engine_that_rests_gets_nothing_new_and_ends_what_it_has(tmp_path: Path) -> None:
    async with several(tmp_path) as (home, fakes), home.here() as gate, client_of(gate) as client:
        asked = [asyncio.create_task(ask(client, talk(f"under way {each}", "hold"))) for each in range(3)]
        while counts(fakes) != [1, 1, 1]:
            await asyncio.sleep(0.01)
        home.write("resting.json", {"upstreams": ["r2"]})
        for number in range(10):
            assert await ask(client, talk(f"new {number}")) == 200
        assert counts(fakes)[2] == 1
        assert (await use(gate))["upstreams"]["r2"] == 1
        fakes[2].release.set()
        while (await use(gate))["upstreams"].get("r2"):
            await asyncio.sleep(0.01)
        home.write("resting.json", {})
        for number in range(6):
            assert await ask(client, talk(f"newer {number}")) == 200
        assert counts(fakes)[2] > 1
        for each in fakes:
            each.release.set()
        assert set(await asyncio.gather(*asked)) == {200}


async def use(gate: Running) -> dict[str, Any]:
    async with aiohttp.ClientSession() as client, client.get(f"{gate.metrics}/use") as reply:
        found: dict[str, Any] = await reply.json()
        return found


async def test_where_every_engine_rests_callers_are_told_when_to_try_again(tmp_path: Path) -> None:
    async with several(tmp_path, 2) as (home, _), home.here() as gate, client_of(gate) as client:
        home.write("resting.json", {"upstreams": ["r0", "r1"]})
        async with client.post(CHAT, json=talk("hello")) as reply:
            assert reply.status == 503
            assert reply.headers["Retry-After"] == "10"
            assert (await reply.json())["error"]["code"] == "model_changing"


async def test_a_machine_whose_model_is_changed_says_for_how_long_the_others_are_to_do(tmp_path: Path) -> None:
    """Two gateways, as they are: the one in front asks another machine's, whose only engine rests."""
    async with several(tmp_path / "front", 2) as (home, fakes), several(tmp_path / "behind", 1) as (behind, _):
        behind.key("front", "sk-upstream-PLANTED-0123456789abcdef")
        async with behind.here() as other, home.here() as gate, client_of(gate) as client:
            fakes[1].url = f"{other.url}/v1"
            pointing(home, fakes)
            behind.write("resting.json", {"upstreams": ["r0"]})
            for number in range(8):
                assert await ask(client, talk(f"told {number}")) == 200
            assert counts(fakes) == [8, 0]
            assert (
                gate.gateway.metrics.values[
                    "llm_gateway_upstream_failures_total",
                    (("upstream", "r1"), ("model", "plain"), ("kind", "status-503")),
                ]
                == 1
            )


async def test_the_node_asks_about_its_own_engine_alone(tmp_path: Path) -> None:
    async with several(tmp_path, 2) as (home, fakes):
        home.key("node-probe", "sk-probe")
        far = fakes[1].url.replace("127.0.0.1", "localhost.localdomain")
        fakes[1].url = far
        pointing(home, fakes)
        async with home.here() as gate, client_of(gate, "sk-probe") as client:
            home.write("resting.json", {"upstreams": ["r0"]})
            for number in range(6):
                assert await ask(client, talk(f"probe {number}")) == 200
        assert counts(fakes) == [6, 0]


@pytest.mark.parametrize("limit", ["requests_per_minute", "daily_tokens"])
async def test_a_thousand_calls_at_once_pass_no_limit_while_an_engine_is_killed(tmp_path: Path, limit: str) -> None:
    """The gateway is a process of its own. What is admitted is answered, or was begun by the engine that is gone."""
    answers, taken = 400, 17  # tokens of the fake's answer, prompt included
    most = {"requests_per_minute": answers, "daily_tokens": answers * taken}[limit]
    async with several(tmp_path, max_concurrency=None, **{limit: most}) as (home, fakes):
        async with home.running() as gate, client_of(gate) as client:
            asked = [
                asyncio.create_task(
                    ask(client, talk(f"call {each}", "slow" if each % 2 else "plain", stream=True, max_tokens=10))
                )
                for each in range(1000)
            ]
            while sum(counts(fakes)) < 60:
                await asyncio.sleep(0.005)
            for connection in list(fakes[0].runner.server.connections):  # type: ignore[union-attr]
                with contextlib.suppress(AttributeError):
                    connection.transport.abort()
            await fakes[0].runner.cleanup()
            for each in fakes[1:]:
                each.release.set()
            statuses = await asyncio.gather(*asked)
            rows = await gate.settled("status, upstream, tokens_in + tokens_out")
        whole = [status for status in statuses if status == 200]
        charged = sum(tokens for *__, tokens in rows)
        assert len(statuses) == 1000
        assert set(statuses) <= {200, 429}
        assert {upstream for __, upstream, __ in rows} >= {"r1", "r2"}
        if limit == "requests_per_minute":
            assert len(rows) == len(whole) == most
        else:
            # Reserved is more than taken, and what may have been made for nobody counts: never more than the limit.
            assert len(whole) * taken <= charged <= most


# -- two machines, each with what a node has in front of its engine


async def test_another_machine_answers_under_tls_with_its_own_key_and_without_it_the_rest_go_on(tmp_path: Path) -> None:
    """The node's own Caddy and gateway on the other machine, and the first one's routes as they are rendered."""
    home = Home(tmp_path / "first").key()
    async with Fake() as own, front(tmp_path, kind="vllm") as other:
        role = GatewayRole(
            https_port=443,
            upstreams=(
                HostedUpstream(name="vllm", kind="vllm", base_url=own.url, replica=True),
                HostedUpstream(
                    name="replica.2",
                    kind="vllm",
                    base_url=f"{other.url}/v1",
                    secret="replica_key",
                    ca_secret="replica_2_authority",
                    replica=True,
                ),
            ),
            routes=(
                Route(
                    name="plain",
                    targets=tuple(
                        HostedTarget(upstream=each, model="plain", price_in=0, price_out=0)
                        for each in ("vllm", "replica.2")
                    ),
                ),
            ),
        )
        home.write("settings/routes.json", json.loads(routes(role)))
        secrets = home.root / "secrets"
        # The key and the authority as the node writes them, by the names in the routes.
        (secrets / "upstream.env").write_text(f"REPLICA_KEY={KEY}\n")
        (secrets / "upstream-ca-replica.2.pem").write_text(other.ca.read_text())
        async with home.running() as gate, client_of(gate) as client:
            for number in range(6):
                async with client.post(CHAT, json=talk(f"said {number}", stream=number % 2 == 0)) as reply:
                    assert reply.status == 200
                    assert "Hello" in await reply.text()
            assert counts([own, other.fake]) == [3, 3]
            assert {each.headers["authorization"] for each in other.fake.seen} == {f"Bearer {UPSTREAM_KEY}"}
            other.caddy.kill()
            await other.caddy.wait()
            for number in range(6):
                assert await ask(client, talk(f"and then {number}")) == 200
            assert counts([own, other.fake]) == [9, 3]
            assert {upstream for (upstream,) in await gate.settled("upstream")} == {"vllm", "replica.2"}


async def test_a_machine_that_somebody_else_signs_for_is_not_spoken_to(tmp_path: Path) -> None:
    async with Fake() as own, front(tmp_path, kind="vllm") as other:
        upstreams = {
            "vllm": {"kind": "vllm", "base_url": own.url, "replica": True},
            "replica.2": {
                "kind": "vllm",
                "base_url": f"{other.url}/v1",
                "secret": "upstream_fake",
                "private_ca": True,
                "ca": "upstream-ca-replica.2.pem",
                "replica": True,
            },
        }
        targets = [{"upstream": each, "model": "plain"} for each in upstreams]
        home = Home(tmp_path / "first").key()
        home.routes(own.url, upstreams=upstreams, routes={"plain": {"targets": targets}})
        async with home.here() as gate, client_of(gate) as client:
            for number in range(4):
                assert await ask(client, talk(f"said {number}")) == 200
        assert counts([own, other.fake]) == [4, 0]
