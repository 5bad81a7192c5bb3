"""Whatever one caller asks, no target is marked as down for others: each status that an upstream may give."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from llm_gate.routes import FAILURES

from tests.gateway.fake import Fake
from tests.gateway.harness import Home, chat, client_of
from tests.gateway.upstreams import read, upstream, whole

CHAT = "/v1/chat/completions"
ALICE, MALLORY = "sk-of-alice", "sk-of-mallory"
PASSED_ON = (400, 413, 415, 422)
TOO_LARGE = {
    "OpenAI": "Request too large for gpt-6-luna on tokens per min (TPM): Limit 30000, Requested 99000.",
    "Groq": "Request too large for model `x` on tokens per minute (TPM): Limit 6000, Requested 9000",
}
STATUSES = [400, 402, 403, 404, 405, 408, 409, 413, 415, 418, 422, 451, 498, 500, 501, 502, 503, 504, 520, 524, 529]


def says(status: int, message: str = "no") -> Any:
    """Answers so whoever writes ``bad``, and nobody else."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            body = await read(reader)
            if body["messages"][0]["content"] == "bad":
                writer.write(whole({"error": {"message": message, "code": "rate_limit_exceeded"}}, status=status))
            else:
                usage = {"prompt_tokens": 1, "completion_tokens": 2}
                writer.write(whole({"choices": [], "usage": usage}))

    return serve


def home(root: Path, first: str, second: str) -> Home:
    upstreams = {"second": {"kind": "openai", "base_url": second}}
    routes = {
        "m": {
            "targets": [{"upstream": "fake", "model": "own", "price_in": 0, "price_out": 0}],
            "fallback": [{"upstream": "second", "model": "plain", "price_in": 1, "price_out": 1}],
        },
        "alone": {"targets": [{"upstream": "fake", "model": "own"}]},
    }
    made = Home(root).key("alice", ALICE).key("mallory", MALLORY)
    return made.routes(first, kind="vllm", upstreams=upstreams, routes=routes)


def bad(model: str = "m") -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "bad"}]}


@pytest.mark.parametrize("status", STATUSES)
async def test_no_request_of_one_caller_takes_a_target_from_another(tmp_path: Path, status: int) -> None:
    async with Fake() as paid, upstream(says(status)) as url, home(tmp_path, url, paid.url).here() as gate:
        async with client_of(gate, MALLORY) as mallory, client_of(gate, ALICE) as alice:
            for _ in range(FAILURES + 1):
                async with mallory.post(CHAT, json=bad()) as reply:
                    assert reply.status == (status if status in PASSED_ON else 200)
            assert all(gate.gateway.routes.state().values())
            before = len(paid.seen)
            async with alice.post(CHAT, json=chat("m")) as reply:
                assert reply.status == 200
            assert len(paid.seen) == before  # not from the paid one
        assert [row[0] for row in await gate.settled("upstream")][-1] == "fake"


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_what_one_target_does_not_have_another_is_asked_for_whoever_asks(tmp_path: Path, status: int) -> None:
    """Two callers' requests do not take it away either: it may be well for all else that is asked."""
    async with Fake() as paid, upstream(says(status)) as url, home(tmp_path, url, paid.url).here() as gate:
        for key in (ALICE, MALLORY) * FAILURES:
            async with client_of(gate, key) as client:
                async with client.post(CHAT, json=bad()) as reply:
                    assert reply.status == 200
                async with client.post(CHAT, json=bad("alone")) as reply:
                    # Where nobody else is there the caller reads what is wrong.
                    assert (reply.status, (await reply.json())["error"]["message"]) == (status, "no")
        assert gate.gateway.routes._health == {}


@pytest.mark.parametrize("vendor", TOO_LARGE)
async def test_a_request_that_is_too_large_for_an_account_makes_no_target_busy(tmp_path: Path, vendor: str) -> None:
    async with (
        Fake() as paid,
        upstream(says(429, TOO_LARGE[vendor])) as url,
        home(tmp_path, url, paid.url).here() as gate,
        client_of(gate, MALLORY) as client,
    ):
        async with client.post(CHAT, json=bad()) as reply:
            assert reply.status == 200
        async with client.post(CHAT, json=bad("alone")) as reply:
            error = (await reply.json())["error"]
            # No waiting would help, so no client is told to try again.
            assert (reply.status, error["code"]) == (413, "request_too_large")
            assert "retry-after" not in reply.headers
        assert gate.gateway.routes._health == {}


async def test_a_target_that_is_busy_or_refuses_our_key_is_left_alone_by_all(tmp_path: Path) -> None:
    for place, status in enumerate((401, 429)):
        root = tmp_path / str(place)
        async with Fake() as paid, upstream(says(status)) as url, home(root, url, paid.url).here() as gate:
            async with client_of(gate, MALLORY) as client, client.post(CHAT, json=bad()) as reply:
                assert reply.status == 200
            assert not gate.gateway.routes.state()["fake", "own"]
