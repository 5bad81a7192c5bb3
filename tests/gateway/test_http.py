"""What callers see: their answers, their errors in the form their library reads, and nothing that is not theirs."""

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.fake import ANSWER
from tests.gateway.harness import KEY, MODELS, PROMPT, UPSTREAM_KEY, chat, client_of, stand

CHAT = "/v1/chat/completions"


async def test_an_answer_comes_back_whole(tmp_path: Path) -> None:
    async with stand(tmp_path) as (_, _, client), client.post(CHAT, json=chat()) as reply:
        assert reply.status == 200
        assert (await reply.json())["choices"][0]["message"]["content"] == ANSWER


async def test_a_streamed_piece_arrives_before_the_next_is_made(tmp_path: Path) -> None:
    async with stand(tmp_path) as (_, fake, client), client.post(CHAT, json=chat("slow", stream=True)) as reply:
        # The upstream waits after its third event until it is told to go on.
        seen = b""
        while seen.count(b"data:") < 2:
            seen += await reply.content.readany()
        assert b"Hello" in seen
        fake.release.set()
        rest = await reply.content.read()
        assert rest.rstrip().endswith(b"data: [DONE]")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer sk-other"},
        {"Authorization": KEY},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": "Bearer "},
        {"Authorization": f"Bearer {KEY} {KEY}"},
        {"Authorization": f"Bearer {KEY}x"},
        {"Authorization": f"Bearer {KEY}", "x-api-key": "sk-other"},
        {"x-api-key": hashlib.sha256(KEY.encode()).hexdigest()},
        {"api-key": KEY},
        {"Cookie": f"key={KEY}"},
    ],
)
@pytest.mark.parametrize("path", [CHAT, "/v1/models", "/metrics", "/anything"])
async def test_without_a_valid_key_everything_is_401_and_nothing_goes_out(
    tmp_path: Path, headers: dict[str, str], path: str
) -> None:
    async with stand(tmp_path) as (gate, fake, _):
        import aiohttp

        async with (
            aiohttp.ClientSession(gate.url) as stranger,
            stranger.post(path, data=b"{", headers=headers) as reply,
        ):
            assert reply.status == 401
            assert (await reply.json())["error"]["code"] == "invalid_api_key"
        assert not fake.seen


async def test_two_authorization_headers_are_nobodys(tmp_path: Path) -> None:
    async with stand(tmp_path) as (gate, _, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(gate.url.rsplit(":", 1)[1]))
        lines = ["GET /v1/models HTTP/1.1", "Host: x", "Authorization: Bearer sk-a", f"Authorization: Bearer {KEY}"]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        assert b" 401 " in await reader.readline()
        writer.close()


async def test_nothing_of_the_callers_headers_goes_on(tmp_path: Path) -> None:
    given = {
        "X-Forwarded-For": "1.2.3.4", "OpenAI-Organization": "org-theirs", "OpenAI-Project": "p", "Cookie": "a=b",
        "anthropic-beta": "files-api-2025-04-14", "X-Api-Base": "http://elsewhere", "User-Agent": "theirs",
        "Forwarded": "for=1.2.3.4", "X-Custom": "1", "Accept-Language": "zh", "Connection": "X-Custom",
    }  # fmt: skip
    async with stand(tmp_path) as (_, fake, client), client.post(CHAT, json=chat(), headers=given):
        assert set(fake.last.headers) == {
            "host", "content-type", "accept", "accept-encoding", "user-agent", "authorization", "content-length"
        }  # fmt: skip
        assert fake.last.headers["authorization"] == f"Bearer {UPSTREAM_KEY}"
        assert KEY not in json.dumps(fake.last.headers)


@pytest.mark.parametrize("model", [each for each in MODELS if each not in ("stall", "stall-early", "slow", "hold")])
@pytest.mark.parametrize("stream", [False, True])
async def test_the_upstreams_key_never_comes_back(tmp_path: Path, model: str, stream: bool) -> None:
    async with stand(tmp_path) as (_, _, client), client.post(CHAT, json=chat(model, stream=stream)) as reply:
        told = await reply.text() + str(reply.headers)
        assert UPSTREAM_KEY not in told
        assert UPSTREAM_KEY[:12] not in told
        if model == "echo":
            assert "[removed]" in told


async def test_only_our_own_headers_come_back(tmp_path: Path) -> None:
    async with stand(tmp_path, requests_per_minute=5) as (_, _, client), client.post(CHAT, json=chat()) as reply:
        assert "X-Key" not in reply.headers
        assert "fake" not in reply.headers["Server"]
        assert reply.headers["x-ratelimit-remaining-requests"] == "4"
        assert reply.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize(
    ("model", "status", "code"),
    [
        ("status-500", 502, "upstream_unavailable"),
        ("status-401", 502, "upstream_unavailable"),
        ("status-429", 429, "upstream_rate_limited"),
        ("status-400", 400, "y"),
        ("redirect", 502, "upstream_unavailable"),
        ("html", 502, "upstream_unavailable"),
        ("reset", 502, "upstream_unavailable"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_an_upstreams_failure_is_told_as_an_error_of_openais_form(
    tmp_path: Path, model: str, status: int, code: str, stream: bool
) -> None:
    async with stand(tmp_path) as (_, _, client), client.post(CHAT, json=chat(model, stream=stream)) as reply:
        assert reply.status == status
        error = (await reply.json())["error"]
        assert error["code"] == code
        assert set(error) == {"message", "type", "param", "code"}
        assert reply.headers.get("Retry-After") == ("7" if status == 429 else None)


async def test_a_redirect_takes_no_key_anywhere(tmp_path: Path) -> None:
    async with stand(tmp_path) as (_, fake, client), client.post(CHAT, json=chat("redirect")):
        assert [each.path for each in fake.seen] == [CHAT]


async def test_a_stream_that_breaks_off_ends_with_an_error_and_without_done(tmp_path: Path) -> None:
    async with stand(tmp_path) as (_, _, client), client.post(CHAT, json=chat("cut", stream=True)) as reply:
        told = await reply.text()
        assert "Hello" in told
        assert "upstream_cut" in told.split("data:")[-1]
        assert "[DONE]" not in told


async def test_a_stream_that_stalls_ends_with_an_error(tmp_path: Path) -> None:
    patience = {"between": 0.2}
    async with stand(tmp_path, patience=patience) as (gate, fake, client):
        async with client.post(CHAT, json=chat("stall", stream=True)) as reply:
            assert "upstream_stalled" in (await reply.text()).split("data:")[-1]
        await gate.settled()
        while fake.working:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(("model", "stream"), [("hold", False), ("hold", True), ("stall-early", True)])
async def test_an_upstream_that_never_begins_is_given_up(tmp_path: Path, model: str, stream: bool) -> None:
    patience = {"first_byte": 0.2}
    async with (
        stand(tmp_path, patience=patience) as (_, _, client),
        client.post(CHAT, json=chat(model, stream=stream)) as reply,
    ):
        assert reply.status == 504


@pytest.mark.parametrize(
    ("kind", "model", "stream", "tokens_out"),
    [
        ("vllm", "hold", False, 50),
        ("vllm", "stall", True, len("Hello there")),
        # Nothing has come of it yet, or what has come need not be all that was made: it counts in full.
        ("vllm", "stall-early", True, 50),
        ("custom", "stall", True, 50),
    ],
)
async def test_a_caller_that_hangs_up_ends_the_upstreams_work_and_is_settled(
    tmp_path: Path, kind: str, model: str, stream: bool, tokens_out: int
) -> None:
    """A stream at what was seen of it, an answer of which nothing is known at all that was reserved for it."""
    async with stand(tmp_path, kind=kind, max_concurrency=1, tokens_per_minute=100_000) as (gate, fake, client):
        asking = asyncio.create_task(client.post(CHAT, json=chat(model, stream=stream, max_tokens=50)))
        while not fake.working:
            await asyncio.sleep(0.01)
        if model == "stall":
            reply = await asking
            await reply.content.readany()
            reply.close()
        else:
            asking.cancel()
        while fake.working:
            await asyncio.sleep(0.01)
        assert await gate.settled("verdict, tokens_out") == [("caller hung up", tokens_out)]
        assert gate.calls("tokens_in")[0][0] > 0
        async with client.post(CHAT, json=chat()) as again:
            assert again.status == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", CHAT), ("PUT", CHAT), ("DELETE", "/v1/files/x"), ("POST", "/v1/models"), ("HEAD", "/v1/models"),
        ("OPTIONS", CHAT), ("POST", "/invocations"), ("POST", "/openai/v1/chat/completions"), ("GET", "/openai/models"),
        ("POST", "/V1/chat/completions"), ("POST", "/v1/Chat/Completions"), ("POST", "//v1/chat/completions"),
        ("POST", "/v1//chat/completions"), ("POST", "/v1/chat/completions/"), ("POST", "/v1/./chat/completions"),
        ("POST", "/v1/chat/../chat/completions"), ("POST", "/v1/chat%2fcompletions"),
        ("POST", "/v1/%63hat/completions"), ("POST", "/v1/chat/completions;x"), ("POST", "/v1/images/generations"),
        ("POST", "/v1/audio/speech"), ("POST", "/tokenizer_info"), ("GET", "/docs"), ("GET", "/openapi.json"),
        ("GET", "/metrics"), ("GET", "/health"), ("POST", "/key/generate"), ("GET", "/v1/realtime"),
        ("POST", "/scale_elastic_ep"), ("POST", "/v1/fine_tuning/jobs"), ("POST", "/inference/v1/generate"),
    ],
)  # fmt: skip
async def test_no_other_path_method_or_spelling_is_served(tmp_path: Path, method: str, path: str) -> None:
    from yarl import URL

    async with stand(tmp_path) as (gate, fake, client):
        address = URL(gate.url + path, encoded=True)
        import aiohttp

        async with (
            aiohttp.ClientSession(headers=client.headers) as plain,
            plain.request(method, address, json=chat()) as reply,
        ):
            assert reply.status in (404, 405)
        assert not fake.seen


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"{", b"[]", b'"x"', b"null", b"\xff\xfe{}", b'{"model": NaN}', b'{"a":' * 5000, b"{" + b'"a":1,' * 3,
        b'{"model":"plain","messages":[],"model":"hold"}', b'{"model":1,"messages":[]}', b'{"messages":[]}',
        b'{"model":"","messages":[]}', b'{"model":["plain"]}', b'{"model":"plain","messages":[],"n":Infinity}',
    ],
)  # fmt: skip
async def test_a_body_that_two_readers_could_read_differently_is_refused(tmp_path: Path, raw: bytes) -> None:
    async with stand(tmp_path) as (_, fake, client):
        async with client.post(CHAT, data=raw, headers={"Content-Type": "application/json"}) as reply:
            assert reply.status == 400
            assert "error" in await reply.json()
        assert not fake.seen


@pytest.mark.parametrize(
    "more",
    [
        {"store": True}, {"previous_response_id": "resp_1"}, {"conversation": "conv_1"}, {"web_search_options": {}},
        {"tools": [{"type": "web_search"}]}, {"tools": [{"type": "mcp", "server_url": "http://elsewhere"}]},
        {"n": 0.5}, {"max_tokens": -1}, {"n": 1000}, {"max_tokens": True}, {"max_tokens": 10**12}, {"stream": "yes"},
        {"kv_transfer_params": {}}, {"chat_template": "{{ x }}"}, {"vllm_xargs": {}}, {"background": True},
        {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-of-another"}}]}]},
        {"prompt_embeds": "AA=="}, {"guided_json": {}}, {"guided_choice": ["a"]}, {"audio": {"voice": "x"}},
        {"moderation": {"model": "x"}}, {"structured_outputs": {"json": {}}},
    ],
)  # fmt: skip
async def test_fields_that_would_steer_an_upstream_are_refused(tmp_path: Path, more: dict[str, Any]) -> None:
    async with stand(tmp_path) as (_, fake, client):
        async with client.post(CHAT, json={**chat(), **more}) as reply:
            assert reply.status == 400
        assert not fake.seen


@pytest.mark.parametrize("kind", ["openai", "vllm", "gateway", "custom"])
@pytest.mark.parametrize(
    "more",
    [
        {"api_base": "http://elsewhere"}, {"base_url": "http://elsewhere"}, {"api_key": "sk-x"}, {"mock_response": "x"},
        {"extra_headers": {"a": "b"}}, {"fallbacks": ["x"]}, {"service_tier": "priority"}, {"priority": -9},
        {"client_metadata": {"a": "b"}}, {"request_id": "x"}, {"return_token_ids": True}, {"prompt_logprobs": 3},
        {"media_io_kwargs": {}, "what it will be called next year": 1},
    ],
)  # fmt: skip
async def test_a_field_that_nobody_takes_is_left_out_and_named(tmp_path: Path, more: dict[str, Any], kind: str) -> None:
    async with stand(tmp_path, kind=kind) as (_, fake, client):
        async with client.post(CHAT, json={**chat(), **more}) as reply:
            assert reply.status == 200
            named = reply.headers["x-llm-left-out"].split(", ")
        assert [each.replace("?", " ") for each in named] == list(more)
        assert not set(more) & set(fake.last.body)


async def test_what_a_field_does_not_ask_for_is_no_reason_to_refuse(tmp_path: Path) -> None:
    nothing = {"store": False, "background": None, "previous_response_id": None, "conversation": None, "prompt": None}
    async with stand(tmp_path) as (_, fake, client):
        async with client.post("/v1/responses", json={"model": "plain", "input": "x", **nothing}) as reply:
            assert (reply.status, reply.headers.get("x-llm-left-out")) == (200, None)
        assert set(fake.last.body) == {"model", "input", "store"}
        assert fake.last.body["store"] is False


@pytest.mark.parametrize("name", ["guided_json", "guided_regex", "guided_choice", "guided_grammar"])
async def test_a_constraint_that_vllm_passes_over_is_refused_with_the_name_that_works(
    tmp_path: Path, name: str
) -> None:
    """vLLM 0.32 answers 200 without it (entrypoints/serve/engine/protocol.py, _REMOVED_GUIDED_FIELDS)."""
    async with stand(tmp_path, kind="vllm") as (_, fake, client):
        async with client.post(CHAT, json=chat(**{name: "x"})) as reply:
            error = (await reply.json())["error"]
        assert (error["code"], error["param"]) == ("field_refused", name)
        assert f'structured_outputs: {{"{name.removeprefix("guided_")}"' in error["message"]
        async with client.post(CHAT, json=chat(structured_outputs={"choice": ["a"]})) as reply:
            assert reply.status == 200
        assert fake.last.body["structured_outputs"] == {"choice": ["a"]}


async def test_our_own_machine_fetches_no_address_for_a_caller(tmp_path: Path) -> None:
    picture = {"type": "image_url", "image_url": {"url": "http://100.100.100.200/latest/meta-data/ram/"}}
    content = [{"role": "user", "content": [picture]}]
    async with stand(tmp_path, kind="vllm") as (_, fake, client):
        async with client.post(CHAT, json={"model": "plain", "messages": content}) as reply:
            assert (await reply.json())["error"]["code"] == "url_refused"
        assert not fake.seen


async def test_vllms_own_fields_reach_vllm_and_nobody_else(tmp_path: Path) -> None:
    more = {"top_k": 5, "chat_template_kwargs": {"enable_thinking": False}}
    async with stand(tmp_path / "a", kind="vllm") as (_, fake, client):
        async with client.post(CHAT, json=chat(**more)) as reply:
            assert reply.status == 200
        assert fake.last.body["top_k"] == 5
    async with stand(tmp_path / "b") as (_, fake, client):
        async with client.post(CHAT, json=chat(**more)) as reply:
            assert (reply.status, reply.headers["x-llm-left-out"]) == (200, "top_k, chat_template_kwargs")
        assert not set(more) & set(fake.last.body)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Encoding": "gzip"}, 415),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "multipart/form-data"}, 415),
    ],
)
async def test_only_plain_json_is_read(tmp_path: Path, headers: dict[str, str], status: int) -> None:
    async with stand(tmp_path) as (_, _, client):
        sent = {"Content-Type": "application/json"} | headers
        async with client.post(CHAT, data=json.dumps(chat()).encode(), headers=sent) as reply:
            assert reply.status == status


async def test_a_body_that_is_too_long_is_refused(tmp_path: Path) -> None:
    async with stand(tmp_path) as (_, fake, client):
        async with client.post(CHAT, json=chat(user="x" * 9_000_000)) as reply:
            assert reply.status == 413
        assert not fake.seen


async def test_a_key_may_ask_its_models_only(tmp_path: Path) -> None:
    async with stand(tmp_path, models=["pl*n", "no-usage"]) as (_, fake, client):
        for model, status in (("plain", 200), ("no-usage", 200), ("hold", 403), ("nowhere", 403), ("PLAIN", 403)):
            async with client.post(CHAT, json=chat(model)) as reply:
                assert reply.status == status, model
        async with client.get("/v1/models") as reply:
            assert [each["id"] for each in (await reply.json())["data"]] == ["no-usage", "plain"]
        assert len(fake.seen) == 2


@pytest.mark.parametrize("endpoint", ["/v1/completions", "/v1/embeddings", "/v1/responses"])
async def test_a_keys_models_hold_on_every_endpoint(tmp_path: Path, endpoint: str) -> None:
    async with stand(tmp_path, models=["plain"]) as (_, fake, client):
        async with client.post(endpoint, json={"model": "hold", "prompt": "x"}) as reply:
            assert reply.status == 403
        assert not fake.seen


async def test_a_model_that_is_not_there_is_404(tmp_path: Path) -> None:
    async with stand(tmp_path) as (_, _, client), client.post(CHAT, json=chat("nowhere")) as reply:
        assert (reply.status, (await reply.json())["error"]["code"]) == (404, "model_not_found")


async def test_a_key_may_use_its_endpoints_only(tmp_path: Path) -> None:
    async with stand(tmp_path, endpoints=[CHAT]) as (_, _, client):
        for path, status in ((CHAT, 200), ("/v1/completions", 403), ("/v1/models", None)):
            async with client.post(path, json=chat()) as reply:
                assert reply.status == (status or 404)
        async with client.get("/v1/models") as reply:
            assert reply.status == 403


@pytest.mark.parametrize(
    ("address", "status"),
    [("203.0.113.7", 200), ("203.0.114.7", 403), ("", 403), ("garbage", 403), ("2001:db8::1", 200), ("::ffff:1", 403)],
)
async def test_a_key_works_from_its_addresses_only(tmp_path: Path, address: str, status: int) -> None:
    cidrs = ["203.0.113.0/24", "2001:db8::/32"]
    sent = {"X-Llm-Client": address}
    async with (
        stand(tmp_path, source_cidrs=cidrs) as (_, _, client),
        client.post(CHAT, json=chat(), headers=sent) as reply,
    ):
        assert reply.status == status


async def test_a_key_ends_when_it_is_said_to(tmp_path: Path) -> None:
    async with stand(tmp_path, expires=1.0) as (_, _, client), client.get("/v1/models") as reply:
        assert reply.status == 401


async def test_too_many_requests_are_429_with_what_clients_need_to_wait_right(tmp_path: Path) -> None:
    async with stand(tmp_path, requests_per_minute=1) as (_, fake, client):
        async with client.post(CHAT, json=chat()):
            pass
        async with client.post(CHAT, json=chat()) as reply:
            assert reply.status == 429
            assert 55 <= int(reply.headers["Retry-After"]) <= 60
            assert reply.headers["x-ratelimit-remaining-requests"] == "0"
            assert (await reply.json())["error"]["code"] == "rate_limit_exceeded"
        assert len(fake.seen) == 1


async def test_errors_on_anthropics_endpoint_have_anthropics_form(tmp_path: Path) -> None:
    body = {"model": "nowhere", "max_tokens": 1, "messages": []}
    async with (
        stand(tmp_path, kind="anthropic") as (_, _, client),
        client.post("/v1/messages", json=body) as reply,
    ):
        told = await reply.json()
        assert (told["type"], told["error"]["type"]) == ("error", "not_found_error")


async def test_a_changed_file_is_in_force_with_the_next_request(tmp_path: Path) -> None:
    from tests.gateway.harness import Home

    async with stand(tmp_path) as (gate, _, _), client_of(gate, "sk-new") as new:
        async with new.get("/v1/models") as reply:
            assert reply.status == 401
        Home(tmp_path).key().key("second", "sk-new", models=["plain"])
        async with new.get("/v1/models") as reply:
            assert [each["id"] for each in (await reply.json())["data"]] == ["plain"]


async def test_no_prompt_answer_or_key_is_in_the_ledger_or_the_metrics(tmp_path: Path) -> None:
    import aiohttp

    async with stand(tmp_path) as (gate, _, client):
        for model in ("plain", "echo", "status-400", "status-500"):
            async with client.post(CHAT, json=chat(model)):
                pass
        await gate.settled()
        async with aiohttp.ClientSession() as plain, plain.get(gate.metrics + "/metrics") as reply:
            kept = await reply.text()
        for file in (tmp_path / "state").iterdir():
            kept += file.read_bytes().decode("latin-1")
        for planted in (KEY, UPSTREAM_KEY, PROMPT, ANSWER):
            assert planted not in kept
        digest = gate.calls("input_sha256")[0][0]
        assert len(digest) == 64


@pytest.mark.parametrize(("wait", "again"), [("7", None), ("60", None), ("61", "false"), ("86400", "false")])
async def test_an_upstreams_long_wait_is_passed_on_as_no_reason_to_sleep(
    tmp_path: Path, wait: str, again: str | None
) -> None:
    """anthropic 2.14 sleeps however long Retry-After says, openai 3.57 up to 120 s; both heed x-should-retry."""
    import anthropic

    async with stand(tmp_path, kind="anthropic") as (gate, fake, client):
        fake.wait = wait
        async with client.post(CHAT, json=chat("status-429")) as reply:
            assert reply.status == 429
            assert int(reply.headers["Retry-After"]) == min(300, int(wait))
            assert reply.headers.get("x-should-retry") == again
        if again:
            asked = anthropic.AsyncAnthropic(base_url=gate.url, api_key=KEY, max_retries=2)
            with pytest.raises(anthropic.RateLimitError):
                await asyncio.wait_for(
                    asked.messages.create(
                        model="status-429", max_tokens=5, messages=[{"role": "user", "content": PROMPT}]
                    ),
                    5,
                )
        # The one target is asked all the same: nobody else is there.
        assert len(fake.seen) == (2 if again else 1)


TOO_LONG = (
    "This model's maximum context length is 8 tokens. However, your prompt contains at least 9 input tokens.",
    "The decoder prompt (length 9) is longer than the maximum model length of 8. Make sure that",
    "Input length (9) exceeds model's maximum context length (8).",
    "prompt is too long: 9 tokens > 8 maximum",
    "Range of input length should be [1, 8]",
    "Your input exceeds the context window of this model.",
)
"""vLLM 0.32 (renderers/params.py, v1/engine/input_processor.py, entrypoints), Anthropic, Bailian, OpenAI."""


@pytest.mark.parametrize("said", TOO_LONG)
def test_a_prompt_that_does_not_fit_is_told_in_the_words_that_clients_look_for(said: str) -> None:
    from llm_gate import errors

    body = {"error": {"message": said, "type": "BadRequestError", "param": "input_tokens", "code": 400}}
    refused = errors.passed_on(400, body, CHAT, {})
    assert errors.document(refused, CHAT)["error"] == {
        "message": said,
        "type": "invalid_request_error",
        "param": "input_tokens",
        "code": "context_length_exceeded",
    }
    told = errors.document(errors.passed_on(400, body, "/v1/messages", {}), "/v1/messages")["error"]
    assert told["type"] == "invalid_request_error"
    assert told["message"].startswith("prompt is too long")


def test_another_refusal_of_an_upstreams_keeps_its_own_code() -> None:
    from llm_gate import errors

    for code, want in (("invalid_image", "invalid_image"), (400, "upstream_refused"), (None, "upstream_refused")):
        refused = errors.passed_on(400, {"error": {"message": "no", "code": code}}, CHAT, {})
        assert refused.code == want
    assert errors.passed_on(404, {"detail": "No such file"}, CHAT, {}).message == "No such file"


def test_a_path_that_the_models_own_server_does_not_have_is_told_as_one_that_no_target_has() -> None:
    from llm_gate import errors

    refused = errors.passed_on(404, {"detail": "Not Found"}, "/v1/embeddings", {"X-Request-ID": "x"})
    assert (refused.status, refused.code, refused.headers) == (400, "endpoint_not_served", {"X-Request-ID": "x"})
    assert "/v1/embeddings" in refused.message


def test_tools_that_a_model_is_served_without_are_told_as_tools_that_are_not_served() -> None:
    from llm_gate import errors

    # vLLM 0.32 without --tool-call-parser, asked by Claude Code, opencode, qwen-code and llm.
    words = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
    said = {"error": {"message": words, "type": "BadRequestError", "param": None, "code": 400}}
    refused = errors.passed_on(400, said, CHAT, {})
    assert (refused.status, refused.code, refused.param) == (400, "tool_not_served", "tools")
    assert refused.message == f"this model calls no tools here ({words})"


def test_a_model_that_vllm_does_not_have_is_told_in_the_word_that_clients_look_for() -> None:
    from llm_gate import errors

    # vLLM 0.32, entrypoints/serve/engine: the code is the status.
    said = {
        "error": {"message": "The model `a` does not exist.", "type": "NotFoundError", "param": "model", "code": 404}
    }
    refused = errors.passed_on(404, said, CHAT, {})
    assert (refused.status, refused.code, refused.param) == (404, "model_not_found", "model")
