"""A budget in USD holds what is paid, and what has no price is not served to a key that has one."""

from pathlib import Path
from typing import Any

import pytest
from llm_gate.money import dearer
from llm_gate.requests import Call
from llm_gate.routes import Target, Upstream

from tests.gateway.fake import Fake
from tests.gateway.harness import Home, chat, client_of
from tests.gateway.upstreams import read, upstream, whole

CHAT = "/v1/chat/completions"
ENDPOINTS: dict[str, dict[str, Any]] = {
    CHAT: chat("m"),
    "/v1/completions": {"model": "m", "prompt": "x"},
    "/v1/responses": {"model": "m", "input": "x"},
    "/v1/messages": {"model": "m", "max_tokens": 5, "messages": []},
}
NUMBERS: dict[str, dict[str, Any]] = {
    "/v1/embeddings": {"model": "m", "input": "x"},
    "/v1/rerank": {"model": "m", "query": "x", "documents": ["y"]},
    "/v1/score": {"model": "m", "text_1": "x", "text_2": "y"},
}
SOUND = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
HEARD = [{"role": "user", "content": [{"type": "text", "text": "what is it?"}, SOUND]}]


def priced(root: Path, url: str, *, kind: str = "vllm", limits: dict[str, Any] | None = None, **prices: Any) -> Home:
    row = {"upstream": "fake", "model": "plain", **prices}
    limits = {"daily_budget_usd": 5} if limits is None else limits
    return Home(root).key(**limits).routes(url, kind=kind, routes={"m": {"targets": [row]}})


async def answer(home: Home, path: str, body: dict[str, Any]) -> tuple[int, str]:
    async with home.here() as gate, client_of(gate) as client, client.post(path, json=body) as reply:
        error = (await reply.json()).get("error") or {}
        return reply.status, str(error.get("code") or error.get("type") or "")


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_a_model_whose_answers_have_no_price_is_not_served_to_a_budget(tmp_path: Path, path: str) -> None:
    async with Fake() as fake:
        status, code = await answer(priced(tmp_path, fake.url, price_in=1), path, ENDPOINTS[path])
        assert (status, code) in ((403, "price_unknown"), (403, "permission_error"))
        assert not fake.seen
        assert (await answer(priced(tmp_path, fake.url, price_in=1, price_out=0), path, ENDPOINTS[path]))[0] == 200
        assert (await answer(priced(tmp_path, fake.url, price_in=1, limits={}), path, ENDPOINTS[path]))[0] == 200


@pytest.mark.parametrize("path", NUMBERS)
async def test_an_endpoint_that_answers_with_numbers_needs_no_price_of_answers(tmp_path: Path, path: str) -> None:
    async with Fake() as fake:
        assert (await answer(priced(tmp_path, fake.url, price_in=1), path, NUMBERS[path]))[0] == 200


@pytest.mark.parametrize("more", [{"messages": HEARD}, {"modalities": ["text", "audio"]}, {"modalities": ["image"]}])
async def test_what_is_no_text_has_no_price_and_is_not_served_to_a_budget(tmp_path: Path, more: dict[str, Any]) -> None:
    async with Fake() as fake:
        body = {**chat("m"), **more}
        for prices, limits, status in (
            ({"price_in": 1, "price_out": 1}, None, 403),
            ({"price_in": 1, "price_out": 1}, {"daily_tokens": 10_000}, 200),
            ({"price_in": 0, "price_out": 0}, None, 200),  # one's own model costs nothing either way
        ):
            home = priced(tmp_path, fake.url, kind="gemini", limits=limits, **prices)
            assert (await answer(home, CHAT, body))[0] == status


FAR = {"type": "ephemeral", "ttl": "1h"}
REPORTS: list[tuple[str, dict[str, Any], float]] = [
    ("anthropic", {"input_tokens": 10, "cache_creation_input_tokens": 100}, 25),
    (
        "anthropic",
        {"input_tokens": 10, "cache_creation_input_tokens": 100, "cache_creation": {"ephemeral_1h_input_tokens": 60}},
        60 + 10,
    ),
    ("openai", {"prompt_tokens": 200, "prompt_tokens_details": {"cache_write_tokens": 100}}, 25),
    ("openai", {"input_tokens": 200, "input_tokens_details": {"cache_write_tokens": 100}}, 25),
    ("qwen", {"prompt_tokens": 200, "prompt_tokens_details": {"cache_creation_input_tokens": 100}}, 34),
    ("openai", {"prompt_tokens": 200, "prompt_tokens_details": {"cached_tokens": 100}}, 0),
    ("openai", {"prompt_tokens": 200, "prompt_tokens_details": {"cache_write_tokens": "100"}}, 0),
]


@pytest.mark.parametrize(("kind", "usage", "more"), REPORTS)
def test_what_goes_into_a_cache_costs_more_than_a_prompt(kind: str, usage: dict[str, Any], more: float) -> None:
    assert dearer(usage, kind) == pytest.approx(more)


def test_the_price_of_a_cache_is_no_less_than_the_vendors() -> None:
    """What the table of prices has for each kind: cache_creation_input_token_cost, by USD per million tokens."""
    for kind, base, written in (("anthropic", 5.0, 6.25), ("openai", 5.0, 6.25), ("qwen", 0.15, 0.2)):
        target = Target(Upstream("u", kind, "http://127.0.0.1"), "m", price_in=base, price_out=0)
        more = dearer({"cache_creation_input_tokens": 1_000_000}, kind)
        assert target.nanos(1_000_000, 0, more) >= 1e9 * written


MARKED = [{"role": "user", "content": [{"type": "text", "text": "x" * 400, "cache_control": {"type": "ephemeral"}}]}]
FOR_AN_HOUR = [{"role": "user", "content": [{"type": "text", "text": "x" * 400, "cache_control": FAR}]}]


@pytest.mark.parametrize(
    ("kind", "messages", "share"),
    [
        ("anthropic", MARKED, 0.25),
        ("anthropic", FOR_AN_HOUR, 1.0),
        ("anthropic", [{"role": "user", "content": "x"}], 0),
        ("qwen", MARKED, 0.34),
        ("openai", [{"role": "user", "content": "x"}], 0.25),
        ("gateway", [{"role": "user", "content": "x"}], 0.34),
        ("custom", MARKED, 0.25),
        ("deepseek", [{"role": "user", "content": "x"}], 0),
    ],
)
async def test_what_a_cache_may_cost_is_reserved_and_what_it_costs_is_charged(
    tmp_path: Path, kind: str, messages: list[Any], share: float
) -> None:
    reserved: list[tuple[int, int]] = []
    written = {"cache_write_tokens": 40}
    usage: dict[str, Any] = {"prompt_tokens": 100, "completion_tokens": 1, "prompt_tokens_details": written}
    if kind == "anthropic":
        usage = {"input_tokens": 60, "output_tokens": 1, "cache_creation_input_tokens": 40}

    async def says(reader: Any, writer: Any) -> None:
        await read(reader)
        reserved.extend(gate.calls("tokens, nanos"))
        writer.write(whole({"choices": [], "content": [], "usage": usage}))

    async with upstream(says) as url:
        home = priced(tmp_path, url, kind=kind, price_in=10.0, price_out=0)
        async with home.here() as gate, client_of(gate) as client:
            path = "/v1/messages" if kind == "anthropic" else CHAT
            async with client.post(path, json={"model": "m", "max_tokens": 1, "messages": messages}) as reply:
                assert reply.status == 200, await reply.text()
            ((tokens_in, nanos),) = await gate.settled("tokens_in, nanos")
    ((tokens, money),) = reserved
    assert money == round(10_000 * (tokens - 1) * (1 + share))
    assert (tokens_in, nanos) == (100, round(10_000 * (100 + 40 * (0.34 if kind == "qwen" else 0.25))))


def test_a_call_to_a_model_of_ones_own_is_not_looked_through() -> None:
    from llm_gate.money import dearer_at_most

    call = Call(CHAT, "m", {"messages": MARKED}, False, False, 100, 1, None)
    assert dearer_at_most(call, Target(Upstream("u", "vllm", "http://127.0.0.1"), "m", price_in=0, price_out=0)) == 0
