"""The endpoints besides chat: what each is sent, what it costs, who may use it, and what the word filter sees."""

import io
import json
import wave
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.gateway.fake import ANSWER
from tests.gateway.harness import KEY, PROMPT, Home, chat, stand

JSON: dict[str, tuple[dict[str, Any], tuple[int, int]]] = {
    "/v1/embeddings": ({"input": PROMPT}, (5, 0)),
    "/v1/rerank": ({"query": PROMPT, "documents": ["a", "b"]}, (5, 0)),
    "/v1/score": ({"text_1": PROMPT, "text_2": ["a", "b"]}, (5, 0)),
    "/tokenize": ({"prompt": PROMPT}, (0, 0)),
    "/detokenize": ({"tokens": [1, 2]}, (0, 0)),
    "/v1/messages/count_tokens": ({"messages": [{"role": "user", "content": PROMPT}]}, (0, 0)),
}
"""What is asked, and the tokens that it takes from the key: what the tokenizer alone answers takes none."""
CHAT = "/v1/chat/completions"
SPEECH = "/v1/audio/transcriptions"


def sound(seconds: int = 3) -> bytes:
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(b"\0" * 32_000 * seconds)
    return content.getvalue()


def form(content: bytes | None = None, **more: Any) -> aiohttp.FormData:
    found = aiohttp.FormData()
    found.add_field("file", content or sound(), filename="../a talk.wav", content_type="audio/wav")
    for name, value in {"model": "plain", **more}.items():
        found.add_field(name, value)
    return found


@pytest.mark.parametrize("path", JSON)
async def test_an_endpoint_is_served_counted_and_sent_on_as_it_is(tmp_path: Path, path: str) -> None:
    body, tokens = JSON[path]
    async with stand(tmp_path, kind="vllm", daily_tokens=100_000) as (gate, fake, client):
        async with client.post(path, json={"model": "plain", **body}) as reply:
            assert reply.status == 200, await reply.text()
            assert await reply.json()
        assert (fake.last.path, fake.last.body) == (path, {"model": "plain", **body})
        assert await gate.settled() == [tokens]


@pytest.mark.parametrize("path", [*JSON, SPEECH])
async def test_an_endpoint_can_be_shut_to_a_key(tmp_path: Path, path: str) -> None:
    async with stand(tmp_path, kind="vllm", endpoints=["/v1/chat/completions"]) as (_, fake, client):
        async with client.post(path, json={"model": "plain", **JSON.get(path, ({},))[0]}) as reply:
            said = await reply.json()
            assert reply.status == 403
        if path.startswith("/v1/messages"):
            assert said["error"]["type"] == "permission_error"
        else:
            assert said["error"]["code"] == "endpoint_not_allowed"
        assert not fake.seen


@pytest.mark.parametrize("path", JSON)
async def test_an_endpoint_takes_a_request_of_its_keys_limit(tmp_path: Path, path: str) -> None:
    async with stand(tmp_path, kind="vllm", requests_per_minute=2) as (_, _, client):
        statuses = []
        for _ in range(3):
            async with client.post(path, json={"model": "plain", **JSON[path][0]}) as reply:
                statuses.append(reply.status)
        assert statuses == [200, 200, 429]


@pytest.mark.parametrize("path", [path for path in JSON if path != "/detokenize"])
async def test_the_word_filter_reads_what_an_endpoint_is_asked(tmp_path: Path, path: str) -> None:
    content = {"lists": [{"name": "house", "words": ["blue heron"], "action": "block"}]}
    async with stand(tmp_path, kind="vllm", content=content) as (_, fake, client):
        asked = json.loads(json.dumps(JSON[path][0]).replace(PROMPT, "a Blue-Heron"))
        async with client.post(path, json={"model": "plain", **asked}) as reply:
            assert reply.status == 400
        assert not fake.seen


@pytest.mark.parametrize("field", ["documents", "text_2"])
async def test_the_word_filter_reads_both_sides_of_a_comparison(tmp_path: Path, field: str) -> None:
    content = {"lists": [{"name": "house", "words": ["heron"], "action": "block"}]}
    path, other = {"documents": ("/v1/rerank", "query"), "text_2": ("/v1/score", "text_1")}[field]
    async with stand(tmp_path, kind="vllm", content=content) as (_, fake, client):
        async with client.post(path, json={"model": "plain", other: "x", field: ["a", "b heron"]}) as reply:
            assert reply.status == 400
        assert not fake.seen


async def test_what_tokens_say_is_read_before_it_is_told(tmp_path: Path) -> None:
    content = {"lists": [{"name": "house", "words": ["hello there"], "action": "block"}]}
    async with stand(tmp_path, kind="vllm", content=content) as (_, fake, client):
        async with client.post("/detokenize", json={"model": "plain", "tokens": [1, 2]}) as reply:
            assert reply.status == 400
            assert "ello" not in await reply.text()
        assert len(fake.seen) == 1


async def test_a_ranking_is_reserved_for_as_often_as_its_query_is_read(tmp_path: Path) -> None:
    """A cross-encoder reads the query once more with each document."""
    body = {"model": "plain", "query": "x" * 3000, "documents": ["y"] * 50}
    async with stand(tmp_path, kind="vllm", tokens_per_minute=40_000) as (_, fake, client):
        async with client.post("/v1/rerank", json=body) as reply:
            assert (reply.status, (await reply.json())["error"]["code"]) == (400, "request_exceeds_limit")
        assert not fake.seen


PICTURE = {"content": [{"type": "image_url", "image_url": {"url": "http://100.100.100.200/latest/meta-data/ram/"}}]}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/rerank", {"query": "x", "documents": [PICTURE]}),
        ("/v1/rerank", {"query": PICTURE, "documents": ["x"]}),
        ("/v1/score", {"data_1": "x", "data_2": [PICTURE]}),
        ("/v1/score", {"queries": [PICTURE], "items": ["x"]}),
        ("/tokenize", {"messages": [{"role": "user", **PICTURE}]}),
        ("/v1/messages/count_tokens", {"messages": [{"role": "user", "content": [
            {"type": "image", "source": {"type": "url", "url": "http://100.100.100.200/"}}]}]}),
    ],
)  # fmt: skip
async def test_our_own_machine_fetches_no_address_on_any_path(tmp_path: Path, path: str, body: dict[str, Any]) -> None:
    async with stand(tmp_path, kind="vllm") as (_, fake, client):
        async with client.post(path, json={"model": "plain", **body}) as reply:
            assert reply.status == 400
            assert "addresses are not fetched" in (await reply.json())["error"]["message"]
        assert not fake.seen


@pytest.mark.parametrize("path", ["/v1/rerank", "/v1/score", "/tokenize", "/detokenize", "/v1/messages/count_tokens"])
async def test_an_endpoint_that_a_vendor_does_not_have_is_said_to_be_missing(tmp_path: Path, path: str) -> None:
    async with stand(tmp_path, kind="deepseek") as (_, fake, client):
        async with client.post(path, json={"model": "plain", **JSON[path][0]}) as reply:
            assert reply.status == 400
            assert "is not served on" in (await reply.json())["error"]["message"]
        assert not fake.seen


async def test_a_models_own_row_is_told_to_whoever_may_ask_it(tmp_path: Path) -> None:
    async with stand(tmp_path, models=["plain", "own/*"]) as (gate, fake, client):
        home = Home(tmp_path).key(models=["plain", "own/*"])
        home.routes(fake.url, routes={"own/model": {"targets": [{"upstream": "fake", "model": "x"}]}})
        for path, status in (("plain", 200), ("own/model", 200), ("own%2Fmodel", 200), ("stall", 404), ("gone", 404)):
            async with client.get(f"{gate.url}/v1/models/{path}") as reply:
                said = await reply.json()
                assert reply.status == status, path
                assert said["id"] == path.replace("%2F", "/") if status == 200 else said["error"]["param"] == "model"
        async with client.get("/v1/models?limit=1000", headers={"anthropic-version": "2023-06-01"}) as reply:
            said = await reply.json()
        assert (said["object"], said["has_more"], said["first_id"]) == ("list", False, "own/model")
        assert [(each["id"], each["object"], each["type"]) for each in said["data"]] == [
            ("own/model", "model", "model"),
            ("plain", "model", "model"),
        ]


async def test_a_model_that_is_not_there_is_told_in_the_form_of_whoever_asks(tmp_path: Path) -> None:
    async with stand(tmp_path) as (_, _, client):
        async with client.get("/v1/models/gone", headers={"anthropic-version": "2023-06-01"}) as reply:
            assert (reply.status, (await reply.json())["error"]["type"]) == (404, "not_found_error")
        async with client.get("/v1/models/gone") as reply:
            assert (reply.status, (await reply.json())["error"]["code"]) == (404, "model_not_found")


@pytest.mark.parametrize("kind", ["vllm", "openai", "groq"])
async def test_speech_becomes_text_and_counts_by_its_length(tmp_path: Path, kind: str) -> None:
    async with stand(tmp_path, kind=kind, daily_tokens=100_000) as (gate, fake, client):
        asked = form(language="de", temperature="0.5", prompt="Reiher", service_tier="x")
        async with client.post(SPEECH, data=asked) as reply:
            assert (reply.status, (await reply.json())["text"]) == (200, ANSWER), await reply.text()
            assert reply.headers["x-llm-left-out"] == "service_tier"
        sent = fake.last.body
        assert (sent["model"], sent["language"], sent["temperature"], sent["prompt"]) == (
            "plain",
            "de",
            "0.5",
            "Reiher",
        )
        assert (sent["file"]["type"], sent["file"]["content"]) == ("audio/wav", sound())
        assert sent["file"]["name"].endswith("talk.wav")
        assert "/" not in sent["file"]["name"]
        ((tokens_in, tokens_out),) = await gate.settled()
        assert tokens_in == 150
        assert tokens_out > 0


async def test_speech_is_reserved_for_before_it_is_sent_on(tmp_path: Path) -> None:
    async with stand(tmp_path, kind="vllm", tokens_per_minute=1_000) as (_, fake, client):
        for content in (sound(60), b"OggS" + b"\0" * 60_000):
            async with client.post(SPEECH, data=form(content)) as reply:
                assert reply.status == 400, await reply.text()
        async with client.post(SPEECH, data=form(sound(2))) as reply:
            assert reply.status == 200
        assert len(fake.seen) == 1


async def test_the_word_filter_reads_what_was_said_and_what_is_prompted(tmp_path: Path) -> None:
    content = {"lists": [{"name": "house", "words": ["hello there", "heron"], "action": "block"}]}
    async with stand(tmp_path, kind="vllm", content=content) as (_, fake, client):
        async with client.post(SPEECH, data=form(prompt="a heron")) as reply:
            assert reply.status == 400
        assert not fake.seen
        async with client.post(SPEECH, data=form()) as reply:
            assert reply.status == 400
            assert "ello" not in await reply.text()


async def test_a_word_is_masked_in_each_place_where_a_transcript_says_it(tmp_path: Path) -> None:
    content = {"lists": [{"name": "house", "words": ["there"], "action": "mask"}]}
    async with stand(tmp_path, kind="vllm", content=content) as (_, fake, client):
        async with client.post(SPEECH, data=form(response_format="verbose_json")) as reply:
            said = await reply.text()
        assert fake.last.body["response_format"] == "verbose_json"
    assert reply.status == 200
    assert "there" not in said
    assert "Hello" in said


HEAD = b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nplain\r\n'
FILE = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\nRIFF\r\n'


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"--b--", HEAD + b"--b--", FILE + b"--b--", HEAD + FILE,
        HEAD + HEAD + FILE + b"--b--", HEAD + FILE + FILE + b"--b--",
        b"before" + HEAD + FILE + b"--b--", HEAD + FILE + b"--b--after",
        HEAD + FILE.replace(b'name="file"', b'name="other"') + b"--b--",
        HEAD + FILE.replace(b'; filename="a.wav"', b"") + b"--b--",
        HEAD.replace(b"\r\n\r\n", b"\r\nX-Other: y\r\n\r\n") + FILE + b"--b--",
        HEAD.replace(b"plain", b"\xff\xfe") + FILE + b"--b--",
        HEAD + FILE + HEAD.replace(b"model", b"stream").replace(b"plain", b"true") + b"--b--",
        HEAD + FILE + HEAD.replace(b"model", b"response_format").replace(b"plain", b"srt") + b"--b--",
        HEAD + FILE + HEAD.replace(b"model", b"temperature").replace(b"plain", b"warm") + b"--b--",
    ],
)  # fmt: skip
async def test_a_form_that_two_readers_could_read_differently_is_refused(tmp_path: Path, raw: bytes) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    async with stand(tmp_path, kind="vllm") as (_, fake, client):
        async with client.post(SPEECH, data=raw, headers=headers) as reply:
            assert reply.status == 400, await reply.text()
            assert (await reply.json())["error"]["type"] == "invalid_request_error"
        assert not fake.seen


async def test_speech_is_a_form_and_nothing_else_is(tmp_path: Path) -> None:
    async with stand(tmp_path, kind="vllm") as (_, fake, client):
        async with client.post(SPEECH, json={"model": "plain"}) as reply:
            assert reply.status == 415
        async with client.post("/v1/chat/completions", data=form()) as reply:
            assert reply.status == 415
        assert not fake.seen


async def test_openais_own_client_has_a_talk_written_down(tmp_path: Path) -> None:
    import openai

    async with stand(tmp_path, kind="vllm") as (gate, fake, _):
        client = openai.AsyncOpenAI(base_url=f"{gate.url}/v1", api_key=KEY, max_retries=0)
        told = await client.audio.transcriptions.create(
            model="plain", file=("talk.wav", sound()), response_format="verbose_json", timestamp_granularities=["word"]
        )
        assert told.text == ANSWER
        assert fake.last.body["timestamp_granularities[]"] == ["word"]


async def test_a_header_of_nine_kilobytes_is_read(tmp_path: Path) -> None:
    """Agents put what they are doing into one; 8,190 bytes are aiohttp's own limit."""
    async with stand(tmp_path) as (_, fake, client):
        async with client.post(CHAT, json=chat(), headers={"X-Codex-Turn-Metadata": "x" * 9_000}) as reply:
            assert reply.status == 200
        assert "x-codex-turn-metadata" not in fake.last.headers
