"""Real clients through the real Caddy and the real gateway process: who may ask what, and what is counted."""

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

import aiohttp
import anthropic
import openai
import pytest
from llm_gate import tokens

from tests.gateway.fake import ANSWER
from tests.gateway.front import Front, front, nodes_caddy
from tests.gateway.harness import KEY, PROMPT, UPSTREAM_KEY, Home, chat

pytestmark = pytest.mark.artefact
CHAT = "/v1/chat/completions"


def client_of(it: Front, key: str = KEY, **more: Any) -> openai.AsyncOpenAI:
    http = openai.DefaultAsyncHttpxClient(verify=it.tls)
    return openai.AsyncOpenAI(base_url=it.url + "/v1", api_key=key, http_client=http, max_retries=0, **more)


def plain(it: Front, key: str | None = KEY) -> aiohttp.ClientSession:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return aiohttp.ClientSession(it.url, headers=headers, connector=aiohttp.TCPConnector(ssl=it.tls))


@pytest.fixture(params=["the newest", "the node's"])
def caddy(request: pytest.FixtureRequest, tmp_path: Path) -> str | None:
    """Caddy as the tools fetch it, and as nodes have it."""
    return nodes_caddy(tmp_path) if request.param == "the node's" else None


MESSAGES: Any = [{"role": "user", "content": PROMPT}]


async def test_openais_client_gets_its_answer_its_stream_and_its_errors(tmp_path: Path) -> None:
    async with front(tmp_path, requests_per_minute=7) as it:
        client = client_of(it)
        whole = await client.chat.completions.create(model="plain", messages=MESSAGES)
        assert whole.choices[0].message.content == ANSWER
        stream = await client.chat.completions.create(
            model="plain", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
        )
        said, usage = "", None
        async for each in stream:
            said += "".join(choice.delta.content or "" for choice in each.choices)
            usage = each.usage or usage
        assert said == ANSWER
        assert usage is not None
        assert usage.total_tokens == 17
        old = await client.completions.create(model="plain", prompt=PROMPT)
        assert old.choices[0].text == ANSWER
        vectors = await client.embeddings.create(model="plain", input=PROMPT, encoding_format="float")
        assert vectors.data[0].embedding == [0.25, 0.5]
        response = await client.responses.create(model="plain", input=PROMPT)
        assert response.output_text == ANSWER
        assert it.fake.last.body["store"] is False
        assert "plain" in [each.id for each in (await client.models.list()).data]
        with pytest.raises(openai.APIError, match="broke off"):
            async for _ in await client.chat.completions.create(model="cut", messages=MESSAGES, stream=True):
                pass
        with pytest.raises(openai.BadRequestError):
            await client.chat.completions.create(model="plain", messages=MESSAGES, extra_body={"background": True})
        with pytest.raises(openai.InternalServerError):
            await client.chat.completions.create(model="status-500", messages=MESSAGES)
        with pytest.raises(openai.RateLimitError) as refused:
            await client.chat.completions.create(model="plain", messages=MESSAGES)
        assert 1 <= int(refused.value.response.headers["retry-after"]) <= 60
        with pytest.raises(openai.AuthenticationError):
            await client_of(it, "sk-other").models.list()


async def test_anthropics_client_gets_its_answer_its_stream_and_its_errors(tmp_path: Path) -> None:
    async with front(tmp_path, kind="anthropic", models=["plain"]) as it:
        http = anthropic.DefaultAsyncHttpxClient(verify=it.tls)
        client = anthropic.AsyncAnthropic(base_url=it.url, api_key=KEY, http_client=http, max_retries=0)
        whole = await client.messages.create(model="plain", max_tokens=50, messages=MESSAGES)
        assert whole.content[0].text == ANSWER  # type: ignore[union-attr]
        assert it.fake.last.headers["x-api-key"] == UPSTREAM_KEY
        assert it.fake.last.headers["anthropic-version"] == "2023-06-01"
        async with client.messages.stream(model="plain", max_tokens=50, messages=MESSAGES) as stream:
            said = "".join([text async for text in stream.text_stream])
            usage = (await stream.get_final_message()).usage
        assert (said, usage.output_tokens) == (ANSWER, 7)
        with pytest.raises(anthropic.PermissionDeniedError):
            await client.messages.create(model="hold", max_tokens=5, messages=MESSAGES)
        stranger = anthropic.AsyncAnthropic(base_url=it.url, api_key="sk-other", http_client=http, max_retries=0)
        with pytest.raises(anthropic.AuthenticationError):
            await stranger.messages.create(model="plain", max_tokens=5, messages=MESSAGES)
        assert await it.gate.settled() == [(10, 7), (10, 7)]


RESERVED = tokens.of_request({"messages": MESSAGES}, endpoint=CHAT)
"""Tokens that are reserved for the prompt until the upstream says how many it had."""


async def test_openais_own_retry_obeys_what_it_is_told(tmp_path: Path) -> None:
    async with front(tmp_path, daily_tokens=17 + RESERVED + 5) as it:
        client = openai.AsyncOpenAI(
            base_url=it.url + "/v1", api_key=KEY, max_retries=5,
            http_client=openai.DefaultAsyncHttpxClient(verify=it.tls),
        )  # fmt: skip
        for _ in range(2):
            await client.chat.completions.create(model="plain", messages=MESSAGES, max_tokens=5)
        with pytest.raises(openai.RateLimitError):
            await client.chat.completions.create(model="plain", messages=MESSAGES, max_tokens=5)
        assert len(it.fake.seen) == 2


async def test_events_come_through_caddy_one_by_one(tmp_path: Path) -> None:
    async with front(tmp_path) as it:
        stream = await client_of(it).chat.completions.create(model="slow", messages=MESSAGES, stream=True)
        first = await anext(stream.__aiter__())
        assert first.choices[0].delta.content == "Hello"
        it.fake.release.set()


async def test_hanging_up_at_caddy_ends_the_upstreams_work(tmp_path: Path, caddy: str | None) -> None:
    async with front(tmp_path, caddy=caddy, max_concurrency=1) as it:
        stream = await client_of(it).chat.completions.create(model="stall", messages=MESSAGES, stream=True)
        await anext(stream.__aiter__())
        await stream.close()
        while it.fake.working:
            await asyncio.sleep(0.01)
        assert await it.gate.settled("verdict") == [("caller hung up",)]


ELSEWHERE = (
    ("POST", "/openai/v1/chat/completions"), ("POST", "/openai/deployments/x/chat"),
    ("POST", "/invocations"), ("POST", "/tokenizer_info"),
    ("POST", "/inference/v1/generate"),  # vLLM: docs/usage/security.md
    ("POST", "/pooling"), ("POST", "/scale_elastic_ep"), ("GET", "/docs"), ("GET", "/openapi.json"),
    ("GET", "/metrics"), ("GET", "/health"), ("GET", "/healthz"), ("GET", "/load"), ("GET", "/version"),
    ("DELETE", "/v1/files/x"), ("GET", "/v1/files"), ("POST", "/v1/images/generations"),
    ("POST", "/v1/audio/speech"),
    ("POST", "/v1/fine_tuning/jobs"), ("GET", "/v1/realtime"), ("GET", "/v1/responses/resp_1"), ("GET", CHAT),
    ("PUT", CHAT), ("OPTIONS", CHAT), ("POST", "/key/generate"), ("GET", "/key/info"), ("GET", "/v1/model/info"),
    ("POST", "/V1/Chat/Completions"), ("POST", "//v1/chat/completions"), ("POST", "/v1//chat/completions"),
    ("POST", "/v1/chat/completions/"), ("POST", "/v1/chat/completions/../images/generations"),
    ("POST", "/v1/./chat/completions"), ("POST", "/v1/images/../chat/completions"),
    ("POST", "/v1/chat%2fcompletions"),
    ("POST", "/v1/chat/completions%00"), ("POST", "/v1/%63hat/completions"),
    ("POST", "/v1/chat/completions%3Fa=b"), ("POST", "/v1/models/x"), ("GET", "/v1/modelsx"),
    ("POST", "/v1/chat/completions;x=y"), ("POST", "/v1\\chat\\completions"),
    ("POST", "/v1/chat/completions#x"), ("POST", "*"), ("CONNECT", CHAT), ("TRACE", CHAT),
)  # fmt: skip


async def test_nothing_else_is_reached_however_it_is_spelt(tmp_path: Path) -> None:
    body = json.dumps(chat()).encode()
    async with front(tmp_path) as it:
        reached = {}
        for method, path in ELSEWHERE:
            head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nConnection: close\r\n"
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            told = await it.raw(head.encode() + body)
            if told.split(b" ", 2)[1] not in (b"400", b"404", b"405", b"501"):
                reached[method, path] = told
        assert not reached
        assert not it.fake.seen


SMUGGLED = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n\r\n"


def shapes() -> dict[str, bytes]:
    """Requests of two lengths. The body holds a second request, which nobody may answer."""
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    head += b"Authorization: Bearer " + KEY.encode() + b"\r\n"
    size = str(len(SMUGGLED) + 5).encode()
    return {
        "length and chunks": head
        + b"Content-Length: "
        + size
        + b"\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        + SMUGGLED,
        "chunks and length": head + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + SMUGGLED,
        "two lengths": head + b"Content-Length: 2\r\nContent-Length: " + size + b"\r\n\r\n{}" + SMUGGLED,
        "lengths in a list": head + b"Content-Length: 2, 2\r\n\r\n{}" + SMUGGLED,
        "a signed length": head + b"Content-Length: +2\r\n\r\n{}" + SMUGGLED,
        "a length in hex": head + b"Content-Length: 0x2\r\n\r\n{}" + SMUGGLED,
        "an odd coding": head + b"Transfer-Encoding: xchunked\r\nContent-Length: 2\r\n\r\n{}" + SMUGGLED,
        "a coding twice": head + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
        "a coding with a blank": head + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
        "a coding with a tab": head
        + b"Transfer-Encoding:\tchunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"
        + SMUGGLED,
        "a folded header": head + b"X: y\r\n Content-Length: 2\r\n\r\n{}" + SMUGGLED,
        "a bare line feed": head + b"X: y\nContent-Length: 2\r\n\r\n{}" + SMUGGLED,
        "a null": head + b"X: \x00\r\nContent-Length: 2\r\n\r\n{}" + SMUGGLED,
        "a chunk of a negative size": head + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n0\r\n\r\n" + SMUGGLED,
        "a chunk with a bare line feed": head + b"Transfer-Encoding: chunked\r\n\r\n2\n{}\r\n0\r\n\r\n" + SMUGGLED,
        "no host": head.replace(b"Host: x\r\n", b"") + b"Content-Length: 2\r\n\r\n{}" + SMUGGLED,
        "two hosts": head + b"Host: y\r\nContent-Length: 2\r\n\r\n{}" + SMUGGLED,
    }


async def test_a_request_of_two_lengths_hides_no_second_one(tmp_path: Path) -> None:
    """A second request within the first would come without a key of its own, so a 200 or a call upstream is a leak."""
    async with front(tmp_path) as it:
        leaks = {}
        for shape, request in shapes().items():
            told = await it.raw(request + b"GET /v1/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            statuses = {line.split(b" ")[1] for line in told.split(b"\r\n") if line.startswith(b"HTTP/1.1")}
            if not statuses <= {b"400", b"401", b"404", b"501", b"502"} or it.fake.seen:
                leaks[shape] = told
        assert not leaks


@pytest.mark.parametrize("path", ["/v1/realtime", "/v1/models", CHAT])
async def test_a_connection_is_never_upgraded(tmp_path: Path, path: str) -> None:
    """What is no HTTP request any more is seen by no check (the kind of thing that BerriAI/litellm#39841 mended)."""
    async with front(tmp_path) as it:
        told = await it.raw(
            f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nConnection: Upgrade, close\r\n"
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZQ==\r\n\r\n".encode()
        )
        assert told.split(b" ", 2)[1] in (b"400", b"404")
        assert not it.fake.seen


@pytest.mark.parametrize("key", [None, "", "sk-own-key-of-the-caller"])
async def test_nobody_is_let_in_without_a_key_of_this_gateway(tmp_path: Path, key: str | None) -> None:
    async with front(tmp_path) as it, plain(it, key) as stranger:
        async with stranger.post(CHAT, json=chat()) as reply:
            assert reply.status == 401
        assert not it.fake.seen


async def test_a_keys_models_hold_on_every_path(tmp_path: Path) -> None:
    async with front(tmp_path, models=["plain"]) as it, plain(it) as client:
        for path in (CHAT, "/v1/responses", "/v1/embeddings"):
            async with client.post(path, json={**chat("hold"), "input": "x"}) as reply:
                assert reply.status in (400, 403), path
        assert not it.fake.seen


async def test_a_limit_is_the_keys_however_its_header_is_written(tmp_path: Path) -> None:
    async with front(tmp_path, requests_per_minute=3) as it, plain(it) as client:
        statuses = []
        for scheme in ("Bearer", "bearer", "BEARER", "Bearer ", "bearer"):
            async with client.post(CHAT, json=chat(), headers={"Authorization": f"{scheme} {KEY}"}) as reply:
                statuses.append(reply.status)
        assert statuses == [200, 200, 200, 429, 429]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_limit_counts_every_endpoint_streamed_or_not_and_bites_at_its_number(
    tmp_path: Path, stream: bool
) -> None:
    """What BerriAI/litellm#41610, #24677, #17706 and #4829 ask for, through Caddy."""
    async with front(tmp_path, tokens_per_minute=17 * 4 + RESERVED + 20) as it, plain(it) as client:
        async with client.post(CHAT, json=chat(max_tokens=500)) as reply:
            assert reply.status == 400
        statuses = []
        for path in (CHAT, "/v1/responses", CHAT, "/v1/responses", CHAT, CHAT):
            body = (
                {"model": "plain", "input": PROMPT, "max_output_tokens": 20} if "resp" in path else chat(max_tokens=20)
            )
            async with client.post(path, json={**body, "stream": stream}) as reply:
                await reply.read()
                statuses.append(reply.status)
        assert statuses == [200] * 5 + [429]
        assert await it.gate.settled() == [(10, 7)] * 5


async def test_a_caller_cannot_say_where_it_is(tmp_path: Path) -> None:
    async with front(tmp_path, source_cidrs=["203.0.113.0/24"]) as it, plain(it) as client:
        for name in ("X-Llm-Client", "X-Forwarded-For", "X-Real-IP", "Forwarded"):
            async with client.get("/v1/models", headers={name: "203.0.113.7"}) as reply:
                assert reply.status == 403


async def test_a_caller_at_the_right_address_is_known_by_it(tmp_path: Path) -> None:
    cidrs = ["127.0.0.0/8"]
    async with front(tmp_path, source_cidrs=cidrs) as it, plain(it) as client, client.get("/v1/models") as reply:
        assert reply.status == 200


async def test_a_body_over_the_limit_is_refused_by_whoever_sees_it_first(tmp_path: Path) -> None:
    async with front(tmp_path) as it, plain(it) as client:
        async with client.post(CHAT, data=b"x" * 9_000_000, headers={"Content-Type": "application/json"}) as reply:
            assert reply.status == 413
        assert not it.fake.seen


async def test_a_body_of_eight_mebibytes_passes_and_one_byte_more_is_told_in_each_apis_form(tmp_path: Path) -> None:
    largest = 8 * 2**20
    async with front(tmp_path, kind="gateway") as it, plain(it) as client:
        frame = len(json.dumps(chat(user="")).encode())
        async with client.post(CHAT, json=chat(user="x" * (largest - frame))) as reply:
            assert reply.status == 200
        whole = {"data": b"x" * (largest + 1), "headers": {"Content-Type": "application/json"}}
        for path, want in (
            (CHAT, {"type": "invalid_request_error", "code": "request_too_large", "param": None}),
            ("/v1/messages", {"type": "request_too_large"}),
        ):
            async with client.post(path, **whole) as reply:
                said = await reply.json()
            assert reply.status == 413
            assert said["error"] == {**want, "message": "a request may have 8388608 bytes (8 MiB)"}
            assert said.get("type") == ("error" if path == "/v1/messages" else None)
        assert len(it.fake.seen) == 1


async def test_a_header_of_nine_kilobytes_is_read(tmp_path: Path) -> None:
    async with front(tmp_path) as it, plain(it) as client:
        async with client.post(CHAT, json=chat(), headers={"X-Turn": "x" * 9_000}) as reply:
            assert reply.status == 200
        assert "x-turn" not in it.fake.last.headers


@pytest.mark.parametrize("path", ["/v1/messages/batches", "/v1/messages/x"])
async def test_what_is_not_there_is_told_to_anthropics_clients_in_their_form(tmp_path: Path, path: str) -> None:
    async with front(tmp_path) as it, plain(it) as client, client.post(path, json={}) as reply:
        assert reply.status == 404
        assert await reply.json() == {
            "type": "error",
            "error": {"type": "not_found_error", "message": "there is no such endpoint here"},
        }


PAGE = "https://chat.example.com"
ASKING = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}


async def test_a_page_of_a_named_origin_may_ask_and_no_other(tmp_path: Path, caddy: str | None) -> None:
    origins = (PAGE, "http://localhost:3000")
    async with front(tmp_path, origins=origins, caddy=caddy) as it, plain(it, None) as page:
        for origin, allowed in ((PAGE, True), ("http://localhost:3000", True), ("https://evil.example", False),
                                (f"{PAGE}.evil.example", False), ("null", False)):  # fmt: skip
            async with page.options(CHAT, headers={"Origin": origin, **ASKING}) as reply:
                assert reply.status == (204 if allowed else 404), origin
                assert reply.headers.get("Access-Control-Allow-Origin") == (origin if allowed else None)
                if allowed:
                    assert reply.headers["Access-Control-Allow-Headers"] == ASKING["Access-Control-Request-Headers"]
                    assert "Access-Control-Allow-Credentials" not in reply.headers
            headers = {"Origin": origin, "Authorization": f"Bearer {KEY}"}
            async with page.post(CHAT, json=chat(), headers=headers) as reply:
                assert reply.status == 200
                assert reply.headers.get("Access-Control-Allow-Origin") == (origin if allowed else None)
                assert reply.headers["Vary"] == "Origin"
            async with page.post(CHAT, json=chat(), headers={"Origin": origin}) as reply:
                # A page has to be able to read why it was refused.
                assert reply.status == 401
                assert reply.headers.get("Access-Control-Allow-Origin") == (origin if allowed else None)
            async with page.post(CHAT, json=chat(stream=True), headers=headers) as reply:
                assert reply.headers.getall("Access-Control-Allow-Origin", []) == ([origin] if allowed else [])
                assert (await reply.text()).endswith("data: [DONE]\n\n")
        async with page.options("/v1/files", headers={"Origin": PAGE, **ASKING}) as reply:
            assert reply.status == 404
        headers = {"Origin": PAGE, "Authorization": f"Bearer {KEY}"}
        async with page.post(CHAT, data=b"x" * 9_000_000, headers=headers) as reply:
            assert (reply.status, reply.headers.get("Access-Control-Allow-Origin")) == (413, PAGE)


async def test_a_page_is_told_when_to_come_back(tmp_path: Path, caddy: str | None) -> None:
    async with front(tmp_path, origins=(PAGE,), caddy=caddy, requests_per_minute=1) as it, plain(it) as page:
        for status in (200, 429):
            async with page.post(CHAT, json=chat(), headers={"Origin": PAGE}) as reply:
                assert reply.status == status
                assert reply.headers["Access-Control-Allow-Origin"] == PAGE
        shown = {each.strip().lower() for each in reply.headers["Access-Control-Expose-Headers"].split(",")}
        ours = {"retry-after", "x-should-retry", "x-request-id"}
        ours |= {name.lower() for name in reply.headers if name.lower().startswith(("x-", "retry-"))}
        assert ours <= shown


async def test_no_page_may_ask_where_no_origin_is_named(tmp_path: Path, caddy: str | None) -> None:
    async with front(tmp_path, caddy=caddy) as it, plain(it) as page:
        async with page.options(CHAT, headers={"Origin": PAGE, **ASKING}) as reply:
            assert reply.status == 404
        async with page.post(CHAT, json=chat(), headers={"Origin": PAGE}) as reply:
            assert not [name for name in reply.headers if name.lower().startswith("access-control")]


async def test_a_key_that_the_node_replaces_drops_no_request(tmp_path: Path) -> None:
    """The node keeps the old key's hash beside the new one's for its time, under the same name."""
    async with front(tmp_path) as it:
        home = Home(tmp_path / "gate")
        async with plain(it) as old, plain(it, "sk-new-key") as new:
            digests = [hashlib.sha256(key.encode()).hexdigest() for key in (KEY, "sk-new-key")]
            home.write("secrets/gateway-keys.json", dict.fromkeys(digests, "app"))
            for client in (old, new):
                async with client.get("/v1/models") as reply:
                    assert reply.status == 200
            home.write("secrets/gateway-keys.json", {digests[1]: "app"})
            for client, status in ((old, 401), (new, 200)):
                async with client.get("/v1/models") as reply:
                    assert reply.status == status


async def test_no_key_and_no_prompt_is_in_any_log(tmp_path: Path) -> None:
    """Not even when the gateway is away and Caddy says so, nor when an upstream fails with the key in its mouth."""
    async with front(tmp_path, kind="gateway", talkative=True) as it:
        async with plain(it) as client:
            for model in (
                "plain",
                "echo",
                "cut",
                "cut-early",
                "status-400",
                "status-401",
                "status-500",
                "reset",
                "html",
            ):
                for stream in (False, True):
                    async with client.post(CHAT, json=chat(model, stream=stream)) as reply:
                        await reply.read()
        assert it.gate.process is not None
        said = await it.gate.logged()
        async with aiohttp.ClientSession(it.url, connector=aiohttp.TCPConnector(ssl=it.tls)) as client:
            headers = {"x-api-key": KEY, "Authorization": f"Bearer {KEY}"}
            async with client.post(CHAT, json=chat(), headers=headers) as reply:
                assert reply.status in (502, 503)
                told = await reply.text()
        said += told + await it.logged()
        # Caddy did say what it could.
        assert "connection refused" in said
        assert "upstream roundtrip" in said
        for planted in (KEY, UPSTREAM_KEY, PROMPT):
            assert planted not in said
