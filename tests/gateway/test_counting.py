"""Tokens are counted whatever the upstream says of them, on every endpoint, streamed or not."""

import asyncio
import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from llm_gate import pictures
from llm_gate.tokens import PER_FIELD, PER_MESSAGE, PER_REQUEST, of_request, of_text

from tests.gateway.fake import ANSWER, Fake
from tests.gateway.harness import PROMPT, Home, chat, client_of, stand

CHAT = "/v1/chat/completions"
BODIES: dict[str, dict[str, Any]] = {
    CHAT: chat(),
    "/v1/completions": {"model": "plain", "prompt": PROMPT},
    "/v1/responses": {"model": "plain", "input": PROMPT},
    "/v1/messages": {"model": "plain", "max_tokens": 50, "messages": [{"role": "user", "content": PROMPT}]},
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", BODIES)
async def test_the_upstreams_own_count_is_taken_on_every_endpoint(tmp_path: Path, path: str, stream: bool) -> None:
    """What BerriAI/litellm#17706 and #41610 ask for."""
    async with stand(tmp_path, kind="gateway", tokens_per_minute=100_000) as (gate, _, client):
        async with client.post(path, json={**BODIES[path], "stream": stream}) as reply:
            assert reply.status == 200
            await reply.read()
        assert await gate.settled() == [(10, 7)]


async def test_embeddings_are_counted(tmp_path: Path) -> None:
    async with stand(tmp_path, tokens_per_minute=100) as (gate, _, client):
        async with client.post("/v1/embeddings", json={"model": "plain", "input": PROMPT}) as reply:
            assert reply.status == 200
        assert await gate.settled() == [(5, 0)]


@pytest.mark.parametrize("stream", [False, True])
async def test_what_an_upstream_does_not_count_the_gateway_does(tmp_path: Path, stream: bool) -> None:
    async with stand(tmp_path, tokens_per_minute=100_000) as (gate, _, client):
        async with client.post(CHAT, json=chat("no-usage", stream=stream)) as reply:
            await reply.read()
        ((tokens_in, tokens_out),) = await gate.settled()
        # What was not counted counts as what it may have at most: a token for each byte.
        assert tokens_in == of_request(BODIES[CHAT])
        assert len(ANSWER) <= tokens_out <= 2 * len(ANSWER)


@pytest.mark.parametrize("path", [CHAT, "/v1/completions"])
async def test_the_upstream_is_always_asked_for_usage_and_the_caller_gets_it_only_if_it_asked(
    tmp_path: Path, path: str
) -> None:
    async with stand(tmp_path) as (_, fake, client):
        async with client.post(path, json={**BODIES[path], "stream": True}) as reply:
            assert '"usage": {' not in (await reply.text()).replace('":{', '": {')
        assert fake.last.body["stream_options"] == {"include_usage": True}
        asked = {"stream": True, "stream_options": {"include_usage": True}}
        async with client.post(path, json={**BODIES[path], **asked}) as reply:
            assert '"total_tokens": 17' in await reply.text()


@pytest.mark.parametrize("limit", ["tokens_per_minute", "daily_tokens", "monthly_tokens"])
async def test_an_answer_without_a_bound_gets_one_where_the_key_counts_tokens(tmp_path: Path, limit: str) -> None:
    async with stand(tmp_path, **{limit: 1000}) as (_, fake, client):
        async with client.post(CHAT, json=chat()):
            pass
        assert fake.last.body["max_completion_tokens"] == 500
    async with stand(tmp_path / "free") as (_, fake, client):
        async with client.post(CHAT, json=chat()):
            pass
        assert not {"max_tokens", "max_completion_tokens"} & fake.last.body.keys()


@pytest.mark.parametrize(
    ("kind", "field"), [("openai", "max_completion_tokens"), ("deepseek", "max_tokens"), ("vllm", "max_tokens")]
)
@pytest.mark.parametrize("asked", ["max_tokens", "max_completion_tokens"])
async def test_the_bound_goes_by_the_name_that_the_vendor_knows(
    tmp_path: Path, kind: str, field: str, asked: str
) -> None:
    async with stand(tmp_path, kind=kind) as (_, fake, client):
        async with client.post(CHAT, json=chat(**{asked: 9})):
            pass
        assert [name for name in ("max_tokens", "max_completion_tokens") if name in fake.last.body] == [field]
        assert fake.last.body[field] == 9


async def test_one_request_cannot_pass_a_limit_that_is_smaller_than_it(tmp_path: Path) -> None:
    """What BerriAI/litellm#4829 asks for."""
    async with stand(tmp_path, tokens_per_minute=500) as (_, fake, client):
        async with client.post(CHAT, json=chat(max_tokens=501)) as reply:
            assert (await reply.json())["error"]["code"] == "request_exceeds_limit"
        assert not fake.seen


@pytest.mark.parametrize("path", BODIES)
async def test_a_prompt_counts_before_the_call_on_every_endpoint(tmp_path: Path, path: str) -> None:
    """4000 bytes may be more than 500 tokens."""
    long = {
        key: json.loads(json.dumps(value).replace(PROMPT, PROMPT * (4000 // len(PROMPT) + 1)))
        for key, value in BODIES[path].items()
    }
    bound = {"/v1/responses": "max_output_tokens"}.get(path, "max_tokens")
    async with stand(tmp_path, kind="gateway", tokens_per_minute=500) as (_, fake, client):
        async with client.post(path, json={**long, bound: 16}) as reply:
            # Each protocol has its own form of an error; the message is the same in all.
            assert reply.status == 400
            assert "it can never be served" in await reply.text()
        assert not fake.seen
        async with client.post(path, json={**BODIES[path], bound: 16}) as reply:
            assert reply.status == 200


TEXT = "blue herons stand in shallow water " * 40


@pytest.mark.parametrize(
    "name", ["messages", "prompt", "input", "instructions", "system", "tools", "functions", "suffix"]
)
@pytest.mark.parametrize("form", ["text", "list", "object"])
def test_every_field_that_a_model_reads_is_counted(name: str, form: str) -> None:
    value: Any = {"text": TEXT, "list": [TEXT], "object": [{"content": TEXT}]}[form]
    counted = of_request({"model": "plain", name: value}) - of_request({"model": "plain"})
    assert len(TEXT) <= counted <= len(TEXT) + 700


@pytest.mark.parametrize("name", ["response_format", "text", "documents"])
def test_a_schema_or_document_is_counted_and_a_word_in_its_place_is_not(name: str) -> None:
    assert of_request({name: {"schema": TEXT}}) >= len(TEXT)
    assert of_request({name: [{"content": TEXT}]}) >= len(TEXT)
    assert of_request({name: "auto"}) == of_request({})


def test_a_prompt_of_token_numbers_counts_as_many_as_it_holds() -> None:
    assert of_request({"prompt": [7] * 1000}) - of_request({}) == 1000
    assert of_request({"prompt": [[7] * 600, [7] * 400]}) - of_request({}) == 1000
    assert of_request({"prompt": []}) == of_request({})


def counted(part: dict[str, Any]) -> int:
    return of_request({"messages": [part]}) - of_request({"messages": [dict.fromkeys(part, "")]})


def test_an_address_of_a_picture_counts_as_the_largest_and_a_text_that_looks_like_one_as_a_text() -> None:
    most = pictures.unseen(pictures.rows([]))
    address = "https://example.com/" + "a" * 29_000
    for picture in ("https://example.com/a.png", "http://example.com/a.png", address):
        assert counted({"url": picture}) == most
    assert counted({"text": address}) == of_text(address) > most
    assert counted({"url": TEXT}) == of_text(TEXT)


def test_what_is_no_text_counts_as_it_is_written() -> None:
    empty = of_request({"tools": [{}]})
    for value, written in ((5, 1), (1.5, 3), (True, 4), (None, 4), (123_456_789, 9)):
        assert of_request({"tools": [{"abc": value}]}) - empty == of_text("abc") + PER_FIELD + written


@pytest.mark.parametrize(
    ("text", "size"),
    [("", 0), ("a", 1), ("abcd", 4), ("你好", 6), ("你好abcd", 10), ("é", 2), ("😀", 4), ("𠮷", 4), ("\ud800", 3)],
)
def test_a_text_has_no_more_tokens_than_bytes(text: str, size: int) -> None:
    assert of_text(text) == size


@pytest.mark.parametrize(
    ("char", "form"), [("\U0001d160", "NFC"), ("\u0958", "NFC"), ("\ufdfa", "NFKC"), ("½", "NFKC")]
)
def test_a_character_that_grows_when_it_is_normalised_counts_as_long_as_it_gets(char: str, form: Any) -> None:
    """Qwen's tokeniser takes NFC first, and SentencePiece's of embedding models NFKC."""
    grown = len(unicodedata.normalize(form, char).encode())
    assert grown > len(char.encode())
    assert of_text(char * 5) == 5 * grown


def test_no_character_grows_beyond_its_bound_and_few_have_to_be_looked_up() -> None:
    from llm_gate import tokens

    def longest(char: str) -> int:
        return max(len(unicodedata.normalize(form, char).encode()) for form in ("NFC", "NFKC"))

    letters = [chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000]
    grown = [each for each in letters if longest(each) > len(each.encode())]
    assert len(grown) > 900
    assert all(of_text(each) == longest(each) for each in grown)
    assert of_text("".join(letters)) == len("".join(letters).encode()) + sum(
        of_text(each) - len(each.encode()) for each in grown
    )
    assert len(tokens._EXTRA) < 100_000


def test_a_request_counts_what_a_template_says_of_its_own_accord() -> None:
    assert of_request({}) == PER_REQUEST
    one = of_request({"messages": [{"role": "user", "content": ""}]})
    assert one >= PER_REQUEST + PER_MESSAGE + len("user")
    assert of_request({"prompt": "abc"}, endpoint="/v1/completions") == 3 + PER_FIELD


async def test_several_answers_at_once_are_reserved_as_several(tmp_path: Path) -> None:
    async with stand(tmp_path, tokens_per_minute=500 + of_request(chat())) as (_, _, client):
        for count, status in ((6, 400), (5, 200)):
            async with client.post(CHAT, json=chat(max_tokens=100, n=count)) as reply:
                assert reply.status == status


RESERVED = of_request(chat()) + 20
"""What `chat(max_tokens=20)` reserves."""


async def test_all_of_a_limit_can_be_used_before_it_bites(tmp_path: Path) -> None:
    """What BerriAI/litellm#24677 asks for."""
    async with stand(tmp_path, tokens_per_minute=170 + RESERVED) as (gate, _, client):
        for _ in range(11):  # each takes 17, and RESERVED while it runs
            async with client.post(CHAT, json=chat(max_tokens=20)) as reply:
                assert reply.status == 200
        async with client.post(CHAT, json=chat(max_tokens=20)) as reply:
            assert reply.status == 429
        assert sum(map(sum, await gate.settled())) == 11 * 17


async def test_parallel_streams_cannot_pass_a_token_limit(tmp_path: Path) -> None:
    limit = 4 * (200 + of_request(chat())) + 50
    async with stand(tmp_path, tokens_per_minute=limit) as (gate, fake, client):
        asked = [
            asyncio.create_task(client.post(CHAT, json=chat("slow", stream=True, max_tokens=200))) for _ in range(40)
        ]
        done, waiting = set(), set(asked)
        while len(done) < 40 - 4:
            done, waiting = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED, timeout=0.05)
        assert sum(1 for each in done if each.result().status == 200) + len(waiting) == 4
        fake.release.set()
        replies = await asyncio.gather(*asked)
        for each in replies:
            await each.read()
        assert sorted(each.status for each in replies) == [200] * 4 + [429] * 36
        assert sum(tokens for _, tokens in await gate.settled()) == 4 * 7


async def test_a_thousand_requests_at_once_against_a_limit_of_n_admit_n(tmp_path: Path) -> None:
    async with stand(tmp_path, requests_per_minute=137) as (gate, fake, client):

        async def one() -> int:
            async with client.post(CHAT, json=chat()) as reply:
                await reply.read()
                return reply.status

        answers = await asyncio.gather(*(one() for _ in range(1000)))
        assert answers.count(200) == 137
        assert answers.count(429) == 863
        assert len(fake.seen) == 137
        assert len(await gate.settled()) == 137


async def test_so_many_run_at_once_and_not_one_more(tmp_path: Path) -> None:
    async with stand(tmp_path, max_concurrency=5) as (_, fake, client):
        asked = [asyncio.create_task(client.post(CHAT, json=chat("hold"))) for _ in range(60)]
        while sum(each.done() for each in asked) < 55 or fake.working < 5:
            await asyncio.sleep(0.01)
        assert len(fake.seen) == 5
        fake.release.set()
        assert sorted(each.status for each in await asyncio.gather(*asked)) == [200] * 5 + [429] * 55


async def test_a_budget_in_money_holds_before_the_call_and_is_settled_after_it(tmp_path: Path) -> None:
    # 17 tokens cost 10 * 1 + 7 * 10 millionths; the reservation is bigger than that.
    from tests.gateway.fake import Fake

    async with Fake() as fake:
        priced = {"targets": [{"upstream": "fake", "model": "plain", "price_in": 1, "price_out": 10}]}
        home = Home(tmp_path).key(daily_budget_usd=0.0008).routes(fake.url, routes={"plain": priced})
        async with home.here() as gate, client_of(gate) as client:
            count = 0
            while True:
                async with client.post(CHAT, json=chat(max_tokens=20)) as reply:
                    if reply.status != 200:
                        assert (await reply.json())["error"]["type"] == "insufficient_quota"
                        break
                count += 1
            rows = await gate.settled("nanos")
            assert rows == [(80_000,)] * count
            # 0.0008 USD is 800,000; one more would have reserved its prompt's bytes, a quarter more as OpenAI may write
            # them to its cache, and 20 x 10.
            reserved = 1_250 * of_request(chat()) + 200_000
            assert count == (800_000 - reserved) // 80_000 + 1 >= 3


@pytest.mark.parametrize("sign", ["SIGKILL", "SIGTERM"])
async def test_no_limit_is_forgotten_by_a_kill_and_a_restart(tmp_path: Path, sign: str) -> None:
    import signal

    from tests.gateway.fake import Fake

    async with Fake() as fake:
        home = Home(tmp_path).key(requests_per_minute=4, tokens_per_minute=10_000, daily_tokens=800).routes(fake.url)
        async with home.running() as gate, client_of(gate) as client:
            async with client.post(CHAT, json=chat(max_tokens=100)) as reply:
                assert reply.status == 200
            cut = asyncio.create_task(client.post(CHAT, json=chat("hold", max_tokens=300)))
            while fake.working < 1:
                await asyncio.sleep(0.01)
            assert gate.process is not None
            gate.process.send_signal(getattr(signal, sign))
            if sign == "SIGTERM":
                fake.release.set()  # an orderly end waits for what is under way
                assert (await cut).status == 200
            await gate.process.wait()
            await asyncio.gather(cut, return_exceptions=True)
        async with home.running() as gate, client_of(gate) as client:
            all_of_it = 800 - of_request(chat())
            async with client.post(CHAT, json=chat(max_tokens=all_of_it)) as reply:
                assert reply.status == 429
                assert reply.headers["x-ratelimit-remaining-requests"] == "2"
                told = (await reply.json())["error"]["message"]
            # The call that was cut short stays counted at all that was reserved; the one that ended, at what it took.
            cut_short = 17 if sign == "SIGTERM" else of_request(chat()) + 300
            assert f"{17 + cut_short} are used or reserved" in told
            for status in (200, 200, 429):
                async with client.post(CHAT, json=chat(max_tokens=1)) as reply:
                    assert reply.status == status


@pytest.mark.parametrize(
    ("path", "field"),
    [("/v1/messages", "max_tokens"), ("/v1/chat/completions", "max_tokens"), ("/v1/responses", "max_output_tokens")],
)
async def test_no_longer_an_answer_is_asked_for_than_the_model_has_room_for(
    tmp_path: Path, path: str, field: str
) -> None:
    """vLLM refuses `max_tokens` above its window, and Claude Code asks for 32,000 whatever the model."""
    said = {"input": PROMPT} if path.endswith("responses") else {"messages": chat()["messages"]}
    async with Fake() as fake:
        small = {"targets": [{"upstream": "fake", "model": "plain", "window": 1000}]}
        home = Home(tmp_path).key(daily_tokens=9_000).routes(fake.url, kind="vllm", routes={"plain": small})
        async with home.here() as gate, client_of(gate) as client:
            for asked, goes in ((32_000, 1000), (1000, 1000), (7, 7), (None, 1000)):
                body = {"model": "plain", **said, **({} if asked is None else {field: asked})}
                async with client.post(path, json=body) as reply:
                    # 32,000 would not fit the key's day either: no more is reserved than can come.
                    assert reply.status == 200
                assert fake.last.body[field] == goes
