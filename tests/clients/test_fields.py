"""What passes to a vendor is what its own client library knows, and what an agent declares is taken as it means it."""

import importlib
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from tests.gateway.harness import chat, stand

OPENAI = {
    "/v1/chat/completions": "openai.types.chat.completion_create_params:CompletionCreateParamsBase",
    "/v1/completions": "openai.types.completion_create_params:CompletionCreateParamsBase",
    "/v1/embeddings": "openai.types.embedding_create_params:EmbeddingCreateParams",
    "/v1/responses": "openai.types.responses.response_create_params:ResponseCreateParamsBase",
    "/v1/audio/transcriptions": "openai.types.audio.transcription_create_params:TranscriptionCreateParamsBase",
}
ANTHROPIC = {
    "/v1/messages": "anthropic.types.beta.message_create_params:MessageCreateParamsBase",
    "/v1/messages/count_tokens": "anthropic.types.beta.message_count_tokens_params:MessageCountTokensParams",
}
OLDER = {"temperature", "top_p", "top_k", "output_format"}
"""Gone from anthropic's types, and still taken by its older models."""


def known(where: str) -> set[str]:
    module, _, name = where.partition(":")
    return {*get_type_hints(getattr(importlib.import_module(module), name))} | {"stream"}


@pytest.mark.parametrize("path", OPENAI)
def test_openai_is_sent_only_what_its_client_knows(path: str) -> None:
    from llm_gate.passing import fields

    assert fields(path, "openai") <= known(OPENAI[path])


@pytest.mark.parametrize("path", ANTHROPIC)
def test_anthropic_is_sent_only_what_its_client_knows(path: str) -> None:
    from llm_gate.passing import fields

    assert fields(path, "anthropic") <= known(ANTHROPIC[path]) | OLDER


def test_another_gateway_is_sent_what_any_of_its_upstreams_may_take() -> None:
    from llm_gate.passing import fields
    from llm_gate.routes import KINDS

    for path in KINDS["gateway"]:
        for kind in ("openai", "anthropic", "vllm", "custom"):
            assert fields(path, kind) <= fields(path, "gateway")


def test_no_field_both_passes_and_is_refused() -> None:
    from llm_gate.passing import _FIELDS, fields

    for path in _FIELDS["endpoints"]:
        refused = {**_FIELDS["refused"]["*"], **_FIELDS["refused"].get(path, {})}
        # What a caller says of `store` is looked at, and the gateway itself says false.
        assert not fields(path, "gateway") & set(refused) - {"store"}


FUNCTION = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}
CUSTOM = {
    "type": "custom",
    "name": "patch",
    "format": {"type": "grammar", "syntax": "lark", "definition": "start: /a/"},
}
NAMESPACE = {"type": "namespace", "name": "agents", "description": "x", "tools": [FUNCTION]}
SEARCH = {"type": "web_search", "external_web_access": False}


@pytest.mark.parametrize("kind", ["openai", "vllm", "gateway"])
async def test_tools_that_the_caller_runs_reach_the_model_as_they_are(tmp_path: Path, kind: str) -> None:
    own = [FUNCTION, CUSTOM, NAMESPACE, {"type": "local_shell"}, {"type": "tool_search", "execution": "client"}]
    async with stand(tmp_path, kind=kind) as (_, fake, client):
        async with client.post("/v1/responses", json={"model": "plain", "input": "x", "tools": own}) as reply:
            assert (reply.status, reply.headers.get("x-llm-left-out")) == (200, None)
        assert fake.last.body["tools"] == own


@pytest.mark.parametrize("choice", [None, "auto", "none", {"type": "auto"}])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/v1/messages"])
async def test_a_list_of_no_tools_is_no_list(tmp_path: Path, path: str, choice: Any) -> None:
    """vLLM 0.32 refuses it where its model calls no tools: `"auto" tool choice requires …`."""
    said = {"input": "x"} if path == "/v1/responses" else {"messages": [{"role": "user", "content": "x"}]}
    body = {
        "model": "plain",
        "max_tokens": 9,
        **said,
        "tools": [],
        **({} if choice is None else {"tool_choice": choice}),
    }
    if path == "/v1/responses":
        del body["max_tokens"]
    async with stand(tmp_path, kind="vllm") as (_, fake, client):
        async with client.post(path, json=body) as reply:
            assert (reply.status, reply.headers.get("x-llm-left-out")) == (200, None)
        assert not {"tools", "tool_choice"} & fake.last.body.keys()


@pytest.mark.parametrize("search", [SEARCH, {"type": "web_search_preview"}, {"type": "image_generation"}])
async def test_a_vendors_tool_beside_the_callers_own_is_left_out(tmp_path: Path, search: dict[str, Any]) -> None:
    body = {"model": "plain", "input": "x", "tools": [FUNCTION, search], "tool_choice": "auto"}
    async with stand(tmp_path) as (_, fake, client):
        async with client.post("/v1/responses", json=body) as reply:
            assert (reply.status, reply.headers["x-llm-left-out"]) == (200, search["type"])
        assert fake.last.body["tools"] == [FUNCTION]


@pytest.mark.parametrize(
    "more",
    [
        {"tools": [SEARCH]},
        {"tools": [FUNCTION, SEARCH], "tool_choice": {"type": "web_search"}},
        {"tools": [FUNCTION, {"type": "mcp", "server_url": "https://elsewhere"}]},
        {"tools": [FUNCTION, {"type": "code_interpreter", "container": {"type": "auto"}}]},
        {"tools": [{"type": "namespace", "name": "n", "tools": [FUNCTION, SEARCH]}]},
        {"tools": [{"type": "tool_search"}]},
        {"tools": [{"type": ["function"]}]},
    ],
)
async def test_a_vendors_tool_that_the_request_needs_is_refused(tmp_path: Path, more: dict[str, Any]) -> None:
    async with stand(tmp_path) as (_, fake, client):
        async with client.post("/v1/responses", json={"model": "plain", "input": "x", **more}) as reply:
            assert (reply.status, (await reply.json())["error"]["code"]) == (400, "tool_not_served")
        assert not fake.seen


async def test_anthropics_search_forced_by_its_name_is_refused(tmp_path: Path) -> None:
    search = {"type": "web_search_20250305", "name": "web_search"}
    body = {"model": "plain", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}],
            "tools": [{"name": "f", "input_schema": {"type": "object"}}, search]}  # fmt: skip
    async with stand(tmp_path, kind="anthropic") as (_, fake, client):
        forced = {**body, "tool_choice": {"type": "tool", "name": "web_search"}}
        async with client.post("/v1/messages", json=forced) as reply:
            assert reply.status == 400
            assert (await reply.json())["error"]["type"] == "invalid_request_error"
        async with client.post("/v1/messages", json=body) as reply:
            assert (reply.status, reply.headers["x-llm-left-out"]) == (200, "web_search_20250305")
        assert [each["name"] for each in fake.last.body["tools"]] == ["f"]


async def test_of_anthropics_betas_only_known_ones_go_on_and_only_to_anthropic(tmp_path: Path) -> None:
    asked = {"anthropic-beta": "context-management-2025-06-27,mcp-client-2025-11-20, context-1m-2025-08-07"}
    body = {"model": "plain", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}],
            "context_management": {"edits": []}, "cache_control": {"type": "ephemeral"}}  # fmt: skip
    for kind, betas in (("anthropic", "context-management-2025-06-27"), ("vllm", None)):
        async with stand(tmp_path / kind, kind=kind) as (_, fake, client):
            async with client.post("/v1/messages?beta=true", json=body, headers=asked) as reply:
                assert reply.status == 200
                left_out = reply.headers.get("x-llm-left-out")
            assert fake.last.headers.get("anthropic-beta") == betas
            assert ("cache_control" in fake.last.body) == (kind == "anthropic")
            assert left_out == (None if kind == "anthropic" else "context_management, cache_control")


@pytest.mark.parametrize("query", ["?beta=true", "?", "?a=b&c=%2F", "?api-version=2026-01-01"])
async def test_a_query_says_nothing(tmp_path: Path, query: str) -> None:
    from yarl import URL

    async with stand(tmp_path) as (gate, fake, client):
        address = URL(f"{gate.url}/v1/chat/completions{query}", encoded=True)
        import aiohttp

        async with (
            aiohttp.ClientSession(headers=client.headers) as plain,
            plain.post(address, json=chat()) as reply,
        ):
            assert reply.status == 200
        assert fake.last.path == "/v1/chat/completions"
