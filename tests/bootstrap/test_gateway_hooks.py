"""What the gateway's hooks decide. LiteLLM itself is a stand-in here: only the names that the module imports."""

import asyncio
import hashlib
import importlib.util
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from pulumi_llm.bootstrap import GatewayKey, GatewayRole, Route, gateway
from pulumi_llm.bootstrap.files import templates

CHAT = "/v1/chat/completions"
ROLE = GatewayRole(
    https_port=443,
    keys=(
        GatewayKey(name="full"),
        GatewayKey(name="mini", models=("mini",), requests_per_minute=3, tokens_per_minute=100, max_concurrency=2),
        GatewayKey(name="chat", endpoints=(CHAT,)),
        GatewayKey(name="poor", daily_budget_usd=0.5),
    ),
    routes=(
        Route(model_name="mini", litellm_model="openai/gpt-4o-mini"),
        Route(model_name="big", litellm_model="openai/gpt-4o"),
    ),
    blocked_words=("ForbiddenWord", "敏感词"),
)


class RefusedError(Exception):
    def __init__(self, message: str, code: int, **_: object) -> None:
        super().__init__(message)
        self.code = code


def stand_in(name: str, **names: Any) -> ModuleType:
    module = ModuleType(name)
    vars(module).update(names)
    return module


async def body_of(request: Any) -> Any:
    return request.body


@pytest.fixture
def hooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "policy.json").write_text(gateway.policy(ROLE))
    hashes = {hashlib.sha256(f"sk-{each.name}".encode()).hexdigest(): each.name for each in ROLE.keys}
    (tmp_path / "hashes.json").write_text(json.dumps(hashes))
    monkeypatch.setenv("LLM_POLICY", str(tmp_path / "policy.json"))
    monkeypatch.setenv("LLM_KEY_HASHES", str(tmp_path / "hashes.json"))
    monkeypatch.setenv("LLM_SPEND", str(tmp_path / "spend.json"))
    modules = {
        "litellm": stand_in("litellm"),
        "litellm.integrations": stand_in("litellm.integrations"),
        "litellm.integrations.custom_logger": stand_in("x", CustomLogger=object),
        "litellm.proxy": stand_in("litellm.proxy"),
        "litellm.proxy._types": stand_in("x", ProxyException=RefusedError, UserAPIKeyAuth=SimpleNamespace),
        "litellm.proxy.common_utils": stand_in("x"),
        "litellm.proxy.common_utils.http_parsing_utils": stand_in("x", _read_request_body=body_of),
        "litellm.types": stand_in("litellm.types"),
        "litellm.types.utils": stand_in("x", all_litellm_params=["mock_response", "num_retries", "metadata"]),
    }
    # Nothing may be left in the templates: they are package data.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    spec = importlib.util.spec_from_file_location("llm_gateway", str(templates() / "gateway" / "llm_gateway.py"))
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def ask(hooks: Any, key: str, model: object = "mini", path: str = CHAT, method: str = "POST", **body: Any) -> Any:
    request = SimpleNamespace(url=SimpleNamespace(path=path), method=method, body={"model": model, **body})
    return asyncio.run(hooks.user_api_key_auth(request, key))


def code(hooks: Any, *args: Any, **kwargs: Any) -> int:
    with pytest.raises(RefusedError) as refused:
        ask(hooks, *args, **kwargs)
    return refused.value.code


def test_a_known_key_passes_with_its_limits(hooks: Any) -> None:
    known = ask(hooks, "Bearer sk-mini")
    assert (known.rpm_limit, known.tpm_limit, known.max_parallel_requests) == (3, 100, 2)
    assert known.models == ["mini"]
    assert "sk-mini" not in str(vars(known))


@pytest.mark.parametrize("key", ["", "Bearer ", "sk-wrong", "sk-mini ; sk-full", "SK-MINI"])
def test_without_a_known_key_nothing_passes(hooks: Any, key: str) -> None:
    assert code(hooks, key) == 401


def test_a_model_that_is_not_the_keys_is_refused(hooks: Any) -> None:
    assert code(hooks, "sk-mini", model="big") == 403


@pytest.mark.parametrize("model", [None, 7, ["mini"], {"a": 1}])
def test_a_body_that_names_no_model_is_refused(hooks: Any, model: object) -> None:
    assert code(hooks, "sk-full", model=model) == 400


def test_an_endpoint_that_is_not_the_keys_is_refused(hooks: Any) -> None:
    assert code(hooks, "sk-chat", path="/v1/embeddings") == 403
    assert code(hooks, "sk-full", path="/v1/responses") == 403


def test_a_caller_cannot_steer_litellm(hooks: Any) -> None:
    assert code(hooks, "sk-full", mock_response="x") == 400
    assert code(hooks, "sk-full", api_base="http://evil.example.com") == 400
    assert ask(hooks, "sk-full", metadata={"a": "b"}, temperature=0.1)


def test_a_key_whose_budget_is_spent_is_refused_until_tomorrow(hooks: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    event = {"litellm_params": {"metadata": {"user_api_key_alias": "poor"}}, "response_cost": 0.3}
    for _ in range(2):
        assert ask(hooks, "sk-poor")
        asyncio.run(hooks.guard.async_log_success_event(event, None, None, None))
    assert code(hooks, "sk-poor") == 429
    assert ask(hooks, "sk-full")
    monkeypatch.setattr(hooks, "today", lambda: "2999-01-01")
    assert ask(hooks, "sk-poor")


def test_a_new_key_is_known_without_a_restart(hooks: Any, tmp_path: Path) -> None:
    assert code(hooks, "sk-new") == 401
    new = tmp_path / "hashes.new"
    new.write_text(json.dumps({hashlib.sha256(b"sk-new").hexdigest(): "full"}))
    new.replace(tmp_path / "hashes.json")
    assert ask(hooks, "sk-new")
    assert code(hooks, "sk-mini") == 401


def test_a_file_that_is_gone_for_a_moment_locks_nobody_out(hooks: Any, tmp_path: Path) -> None:
    assert ask(hooks, "sk-full")
    (tmp_path / "hashes.json").unlink()
    assert ask(hooks, "sk-full")


@pytest.mark.parametrize(
    "text",
    [
        "a forbiddenword here",
        "FORBIDDEN WORD",
        "for\u200bbidden-word",
        "ｆｏｒｂｉｄｄｅｎｗｏｒｄ",
        "敏感词",
        "敏 感。词",
    ],
)
def test_a_blocked_word_is_found_however_it_is_written(hooks: Any, text: str) -> None:
    data = {"messages": [{"role": "user", "content": [{"type": "text", "text": text}]}]}
    with pytest.raises(RefusedError):
        asyncio.run(hooks.guard.async_pre_call_hook(None, None, data, "completion"))


def test_ordinary_text_passes(hooks: Any) -> None:
    data = {"messages": [{"role": "user", "content": "a word that is not forbidden; 词, 感"}], "prompt": None}
    asyncio.run(hooks.guard.async_pre_call_hook(None, None, data, "completion"))


class Piece(SimpleNamespace):
    def model_dump(self) -> dict[str, Any]:
        return {"choices": [{"index": 0, "delta": {"content": self.text, "role": "assistant"}}]}


def test_a_stream_is_cut_at_a_blocked_word_spread_over_its_pieces(hooks: Any) -> None:
    async def upstream() -> AsyncIterator[Piece]:
        for text in ("fine ", "for", "bidden", " wo", "rd", "never"):
            yield Piece(text=text)

    async def received() -> list[str]:
        got: list[str] = []
        try:
            async for piece in hooks.guard.async_post_call_streaming_iterator_hook(None, upstream(), {}):
                got.append(piece.text)
        except RefusedError:
            got.append("cut")
        return got

    assert asyncio.run(received()) == ["fine ", "for", "bidden", " wo", "cut"]


def test_an_answer_that_holds_a_blocked_word_is_refused(hooks: Any) -> None:
    class Answer(SimpleNamespace):
        choices: object = None

        def model_dump(self) -> dict[str, Any]:
            return {"choices": [{"message": {"content": self.text}}]}

    with pytest.raises(RefusedError):
        asyncio.run(hooks.guard.async_post_call_success_hook({}, None, Answer(text="it is forbiddenword")))
    assert asyncio.run(hooks.guard.async_post_call_success_hook({}, None, Answer(text="it is fine")))
