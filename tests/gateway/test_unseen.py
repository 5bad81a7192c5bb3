"""Ways to show a model, or a caller, a text that the content check does not look at."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.harness import chat, stand

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"


def rule(action: str, *words: str, **more: Any) -> dict[str, Any]:
    return {"lists": [{"name": "house", "words": list(words), "action": action, **more}]}


def message(content: Any, **more: Any) -> dict[str, Any]:
    return {"model": "plain", "max_tokens": 9, "messages": [{"role": "user", "content": content, **more}]}


async def status(client: Any, path: str, body: dict[str, Any]) -> int:
    async with client.post(path, json=body) as reply:
        return int(reply.status)


def tool(parameters: dict[str, Any]) -> dict[str, Any]:
    return chat(tools=[{"type": "function", "function": {"name": "f", "parameters": parameters}}])


HIDDEN: dict[str, tuple[str, dict[str, Any]]] = {
    "a text that begins like a data: address": (CHAT, message("data: blue heron")),
    "the same in a part": (CHAT, message([{"type": "text", "text": "data:,blue heron"}])),
    "the same in a prompt": ("/v1/completions", {"model": "plain", "prompt": "data:text/plain,blue heron"}),
    "a role of one's own": (CHAT, {"model": "plain", "messages": [{"role": "blue heron", "content": "x"}]}),
    "a document in plain text": (
        MESSAGES,
        message([{"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "blue heron"}}]),
    ),
    "a type of one's own": (CHAT, message([{"type": "blue heron", "text": "x"}])),
    "the format of a parameter": (CHAT, tool({"type": "object", "properties": {"x": {"format": "blue heron"}}})),
    "the name of a parameter": (CHAT, tool({"type": "object", "properties": {"blue heron": {"type": "string"}}})),
    "a tool call's id": (
        CHAT,
        {"model": "plain", "messages": [{"role": "tool", "tool_call_id": "blue heron", "content": "x"}]},
    ),
}


@pytest.mark.parametrize("place", HIDDEN)
async def test_what_the_model_reads_is_looked_at_wherever_it_stands(tmp_path: Path, place: str) -> None:
    path, body = HIDDEN[place]
    async with stand(tmp_path, content=rule("block", "blue heron"), kind="gateway") as (_, fake, client):
        async with client.post(path, json=body) as reply:
            assert (reply.status, (await reply.json()).get("type")) in ((400, None), (400, "error"))
            assert "not allowed here" in await reply.text()
        assert not fake.seen


async def test_the_words_of_the_protocol_and_pictures_are_no_text(tmp_path: Path) -> None:
    words = ["user", "function", "text", "low", "iVBORw0KGgo"]
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}}
    body = message([{"type": "text", "text": "what is it"}, picture]) | {
        "tools": [{"type": "function", "function": {"name": "f"}}]
    }
    async with stand(tmp_path, content=rule("block", *words, separators="none")) as (_, fake, client):
        async with client.post(CHAT, json=body) as reply:
            assert reply.status == 200
        assert fake.seen


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/completions", {"model": "plain", "prompt": [9906, 1917]}),
        ("/v1/completions", {"model": "plain", "prompt": [[9906], [1917]]}),
        ("/v1/embeddings", {"model": "plain", "input": [9906, 1917]}),
        ("/v1/embeddings", {"model": "plain", "input": ["x", [1917]]}),
    ],
)
async def test_text_as_token_numbers_is_refused_where_requests_are_checked(
    tmp_path: Path, path: str, body: dict[str, Any]
) -> None:
    async with stand(tmp_path / "a", content=rule("block", "x1y")) as (_, fake, client):
        async with client.post(path, json=body) as reply:
            assert (reply.status, (await reply.json())["error"]["code"]) == (400, "content_unreadable")
        assert not fake.seen
    async with stand(tmp_path / "b", content=rule("block", "x1y", on=["output"])) as (_, _, client):
        assert await status(client, path, body) == 200


@pytest.mark.parametrize(
    ("path", "more"),
    [
        (CHAT, {"logprobs": True}),
        (CHAT, {"logprobs": True, "top_logprobs": 2}),
        ("/v1/completions", {"logprobs": 0}),
        ("/v1/responses", {"include": ["message.output_text.logprobs"]}),
        ("/v1/responses", {"top_logprobs": 1}),
    ],
)
async def test_log_probabilities_which_hold_the_answer_again_are_refused_where_answers_are_checked(
    tmp_path: Path, path: str, more: dict[str, Any]
) -> None:
    body = {"model": "plain", "messages": [{"role": "user", "content": "x"}]} if path == CHAT else {"model": "plain"}
    body |= {"/v1/completions": {"prompt": "x"}, "/v1/responses": {"input": "x"}}.get(path, {}) | more
    async with stand(tmp_path / "a", content=rule("mask", "heron")) as (_, fake, client):
        async with client.post(path, json=body) as reply:
            assert (reply.status, (await reply.json())["error"]["code"]) == (400, "content_unreadable")
        assert not fake.seen
    async with stand(tmp_path / "b", content=rule("mask", "heron", on=["input"])) as (_, _, client):
        assert await status(client, path, body) == 200
    async with stand(tmp_path / "c", content=rule("mask", "heron")) as (_, _, client):
        more = {name: [] if name == "include" else None for name in more}
        assert await status(client, path, body | more) == 200


async def test_a_text_that_begins_like_a_data_address_is_reserved_as_a_text(tmp_path: Path) -> None:
    text = "data:" + "word " * 20_000
    async with stand(tmp_path, tokens_per_minute=10_000) as (_, fake, client):
        for content in (text, [{"type": "text", "text": text}]):
            async with client.post(CHAT, json=message(content)) as reply:
                assert (await reply.json())["error"]["code"] == "request_exceeds_limit"
        source = {"type": "text", "media_type": "text/plain", "data": text}
        async with client.post(MESSAGES, json=message([{"type": "document", "source": source}])) as reply:
            assert reply.status == 400
        assert not fake.seen


async def test_the_first_words_of_a_block_are_looked_at_too(tmp_path: Path) -> None:
    from llm_gate import texts

    start = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "heron"}}
    assert [texts.get(slot) for _, slot in texts.in_event(MESSAGES, start)] == ["heron"]
    assert json.dumps(start)


async def test_what_stands_beside_the_parts_of_a_message_is_masked_too(tmp_path: Path) -> None:
    parts = [{"type": "text", "text": "a heron"}]
    calls = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"bird": "heron"}'}}]
    body = chat(messages=[{"role": "user", "name": "heron", "content": parts, "tool_calls": calls}])
    async with stand(tmp_path, content=rule("mask", "heron")) as (_, fake, client):
        assert await status(client, CHAT, body) == 200
        assert "heron" not in json.dumps(fake.last.body)
        assert json.dumps(fake.last.body).count("*****") == 3


async def test_a_message_that_the_last_event_of_a_stream_says_whole_is_looked_at(tmp_path: Path) -> None:
    from llm_gate import texts

    message = {"role": "assistant", "content": "a heron"}
    last = {"choices": [{"index": 0, "delta": {}, "message": message, "finish_reason": "stop"}]}
    assert [texts.get(slot) for (slot,) in texts.repeated_in_event(CHAT, last)] == ["a heron"]


async def test_a_parameter_that_is_called_input_is_no_input_of_a_tool(tmp_path: Path) -> None:
    parameters = {"type": "object", "properties": {"input": {"type": "string"}}}
    words = rule("block", "string", "type", separators="none")
    async with stand(tmp_path, content=words, kind="gateway") as (_, _, client):
        assert await status(client, CHAT, tool(parameters)) == 200
        used = {"type": "tool_use", "id": "t", "name": "f", "input": {"type": "x"}}
        assert await status(client, MESSAGES, message([used])) == 400
