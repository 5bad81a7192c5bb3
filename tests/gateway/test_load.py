"""Models whose engines follow the load: how many calls there are, and what callers hear while there is none."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import hypothesis.strategies as st
import pytest
from aiohttp import web
from hypothesis import example, given
from llm_gate.load import WINDOW, Load

from tests.gateway.fake import Fake
from tests.gateway.harness import Home, Running, chat, client_of

CHAT = "/v1/chat/completions"
STARTS_IN = 443


class Router(Fake):
    """As the production-stack's router 0.1.12 says that it has no engine of a model (services/request_service)."""

    async def _answer(self, request: web.BaseRequest, body: dict[str, Any], model: str) -> web.StreamResponse:
        if model == "gone":
            return web.json_response({"error": f"Model '{model}' is temporarily unavailable."}, status=503)
        if model == "never":
            return web.json_response({"error": f"Model '{model}' not found."}, status=404)
        if model == "no-endpoint":  # and so vLLM, of a path that this model does not have
            return web.json_response({"detail": "Not Found"}, status=404)
        return await super()._answer(request, body, model)


def home(root: Path, url: str, wakes: int) -> Home:
    def to(model: str, **more: Any) -> dict[str, Any]:
        return {"targets": [{"upstream": "fake", "model": model, "wakes": wakes}], **more}

    rows = {each: to(each) for each in ("hold", "gone", "never", "no-endpoint")}
    rows["with-another"] = to("gone", fallback=[{"upstream": "fake", "model": "plain"}])
    return Home(root).key().routes(url, kind="vllm", routes=rows)


async def load(gate: Running) -> dict[str, int]:
    async with aiohttp.ClientSession() as session, session.get(f"{gate.metrics}/load") as answer:
        assert answer.status == 200
        document = await answer.json()
    assert list(document) == ["models"]
    return dict(document["models"])


async def test_calls_under_way_are_counted_by_the_model_that_engines_know(tmp_path: Path) -> None:
    async with Router() as fake, home(tmp_path, fake.url, 0).here() as gate, client_of(gate) as client:
        assert await load(gate) == {"hold": 0, "gone": 0, "never": 0, "no-endpoint": 0}
        calls = [asyncio.create_task(client.post(CHAT, json=chat("hold"))) for _ in range(5)]
        while fake.working < 5:
            await asyncio.sleep(0.01)
        assert (await load(gate))["hold"] == 5
        fake.release.set()
        assert {(await each).status for each in calls} == {200}
        # An autoscaler asks four times a minute: what is over is still told.
        assert (await load(gate))["hold"] == 5
        # A model whose engines always stay is none of its business.
        assert (await client.post(CHAT, json=chat("plain"))).status == 200
        assert "plain" not in await load(gate)


@pytest.mark.parametrize("stream", [False, True])
async def test_who_hangs_up_is_not_counted_for_ever(tmp_path: Path, stream: bool) -> None:
    async with Router() as fake, home(tmp_path, fake.url, 0).here() as gate, client_of(gate) as client:
        calls = [asyncio.create_task(client.post(CHAT, json=chat("hold", stream=stream))) for _ in range(3)]
        while fake.working < 3:
            await asyncio.sleep(0.01)
        counted = gate.gateway.replicas.load
        assert counted._active["hold"] == 3
        for each in calls:
            each.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        async with asyncio.timeout(10):
            while counted._active["hold"]:
                await asyncio.sleep(0.01)


async def test_a_call_that_finds_no_engine_wakes_one_and_says_when_to_come_again(tmp_path: Path) -> None:
    async with Router() as fake, home(tmp_path, fake.url, STARTS_IN).here() as gate, client_of(gate) as client:
        for model in ("gone", "never"):
            for _ in range(4):  # more than it takes for an upstream that fails to be left alone
                async with client.post(CHAT, json=chat(model)) as answer:
                    told = (await answer.json())["error"]
                    assert (answer.status, told["code"]) == (503, "model_asleep")
                    assert told["message"] == (
                        f"no engine of {model!r} answers at the moment; one is started, about 8 minutes"
                    )
                    # The SDKs of OpenAI and Anthropic keep to it up to 60 s.
                    assert 0 < int(answer.headers["Retry-After"]) <= 60
            assert (await load(gate))[model] == 1
        assert all(gate.gateway.routes.state().values()), "no engine is no fault"


async def test_another_model_answers_in_the_meantime_where_the_route_has_one(tmp_path: Path) -> None:
    async with Router() as fake, home(tmp_path, fake.url, STARTS_IN).here() as gate, client_of(gate) as client:
        async with client.post(CHAT, json=chat("with-another")) as answer:
            assert answer.status == 200
        assert fake.last.body["model"] == "plain"
        assert (await load(gate))["gone"] == 1


async def test_an_endpoint_that_an_engine_does_not_have_is_no_sleep(tmp_path: Path) -> None:
    async with (
        Router() as fake,
        home(tmp_path, fake.url, STARTS_IN).here() as gate,
        client_of(gate) as client,
        client.post(CHAT, json=chat("no-endpoint")) as answer,
    ):
        told = (await answer.json())["error"]
        assert (answer.status, "minutes" in told["message"]) == (400, False)


async def test_where_some_engine_always_stays_none_is_a_failure_as_ever(tmp_path: Path) -> None:
    async with (
        Router() as fake,
        home(tmp_path, fake.url, 0).here() as gate,
        client_of(gate) as client,
        client.post(CHAT, json=chat("gone")) as answer,
    ):
        assert (answer.status, (await answer.json())["error"]["code"]) == (503, "upstream_unavailable")


def test_calls_that_outlast_two_windows_in_which_nobody_asked_are_told_after_their_end() -> None:
    now = [0.0]
    told = Load(lambda: now[0])
    for _ in range(5):
        told.begin("m")
    now[0] = 2 * WINDOW + 5
    for _ in range(5):
        told.end("m")
    now[0] += 1
    assert told.document(["m"]) == {"models": {"m": 5}}
    now[0] += 2 * WINDOW
    assert told.document(["m"]) == {"models": {"m": 0}}


steps = st.lists(st.tuples(st.sampled_from(["begin", "end", "wait"]), st.floats(0, 3 * WINDOW)), max_size=60)


@given(steps)
@example([("begin", 0.0), ("end", 0.0), ("wait", WINDOW + 2), ("wait", WINDOW - 1)])
def test_what_is_told_is_never_less_than_is_under_way_and_soon_no_more(events: list[tuple[str, float]]) -> None:
    now, active = [0.0], 0
    told = Load(lambda: now[0])
    lately: list[tuple[float, int]] = [(0.0, 0)]
    for what, seconds in events:
        if what == "wait":
            now[0] += seconds
        elif what == "begin":
            told.begin("m")
            active += 1
        elif active:
            told.end("m")
            active -= 1
        lately.append((now[0], active))
        found = told.document(["m"])["models"]["m"]
        assert found >= active
        # The most that was under way within the last two windows, at any moment of them.
        before = [count for when, count in lately if when < now[0] - 2 * WINDOW][-1:]
        assert found <= max([*before, *(count for when, count in lately if when >= now[0] - 2 * WINDOW)])
        within = [count for when, count in lately if when > now[0] - WINDOW]
        assert found >= max(within, default=active)
