"""A request's tokens, counted by the model's own tokeniser where the bound of its text would take much of a limit.

vLLM counts for us: `/tokenize` puts a request into the model's own template, with its tools and pictures, and so does
`/v1/messages/count_tokens` with Anthropic's form. Neither asks the GPU. Nobody else is asked: the other vendors have no
such thing, or take as long to count as to begin to answer.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import Any

from llm_gate import sse, tokens
from llm_gate.asking import Unreachable
from llm_gate.replies import Broken
from llm_gate.requests import Call
from llm_gate.routes import Target, Upstream
from llm_gate.upstream import Pools, Secrets, request

SHARE = 8
"""A prompt whose bound takes more than this part of what a key has left is counted exactly."""
PATIENCE = 5.0
"""Seconds for an answer: 100,000 tokens take some 0.2 s. After that the bound has to do."""
LONGEST_COUNT = 16 * 2**20
"""Bytes of an answer: vLLM gives the tokens with their number."""

_CHAT = ("messages", "tools", "chat_template_kwargs", "add_generation_prompt", "continue_final_message",
         "add_special_tokens")  # fmt: skip
_MESSAGES = ("messages", "system", "tools", "tool_choice", "thinking", "output_config", "chat_template_kwargs")


Post = Callable[[Upstream, str, dict[str, str], bytes], Awaitable[tuple[int, bytes]]]
"""Sends a body to an address of an upstream, with headers; gives the answer's status and content."""


def posting(pools: Pools) -> Post:
    """The way to ask over these connections. What it gives raises OSError where there is no answer."""

    async def post(upstream: Upstream, address: str, headers: dict[str, str], content: bytes) -> tuple[int, bytes]:
        try:
            pool = pools.of(upstream)
            reply = await pool.ask(request(pool, address, headers, content), PATIENCE)
        except (Unreachable, Broken, ValueError) as error:
            raise OSError(type(error).__name__) from None
        said = bytearray()
        try:
            while piece := await reply.read():
                said += piece
                if len(said) > LONGEST_COUNT:
                    raise OSError("too long")
            return reply.status, bytes(said)
        except Broken as error:
            raise OSError(type(error).__name__) from None
        finally:
            # Read to its end, the connection is kept; else it is closed.
            if reply.ended:
                reply.release()
            else:
                reply.close()

    return post


class Counting:
    """What counts requests before they are admitted."""

    def __init__(self, post: Post, secrets: Secrets) -> None:
        self._post, self._secrets = post, secrets
        self._asking: dict[str, asyncio.Lock] = {}

    def bounded(self, call: Call, targets: Iterable[Target]) -> Call:
        """The call with bounds that hold for these targets: of its pictures, and of thinking that comes on top."""
        tokens_in, tokens_out = call.tokens_in, call.tokens_out
        if _shows_something(call.body):
            asked = [(each.upstream.kind, each.model) for each in targets]
            tokens_in = tokens.of_request(call.body, asked, endpoint=call.endpoint)
        budget = call.body.get("thinking_budget")
        if tokens_out and isinstance(budget, int) and not isinstance(budget, bool) and budget > 0:
            # Qwen's own; its max_tokens bounds the answer alone (help.aliyun.com/zh/model-studio/deep-thinking).
            tokens_out += budget * max(1, call.body.get("n") or 1)
        if (tokens_in, tokens_out) == (call.tokens_in, call.tokens_out):
            return call
        return replace(call, tokens_in=tokens_in, tokens_out=tokens_out)

    async def exact(self, call: Call, targets: list[Target], key: str, left: float) -> Call:
        """The call with its prompt counted, where that is worth a question.

        ``left``: tokens that the key has left under all its limits; infinite where it has none.
        """
        asked = question(call)
        if asked is None or call.tokens_in * SHARE <= left - call.tokens_out or call.tokens_out > left:
            return call
        if any(each.upstream.kind != "vllm" for each in targets):
            return call
        lock = self._asking.setdefault(key, asyncio.Lock())
        try:
            async with asyncio.timeout(PATIENCE), lock:
                # One at a time for each key: to count is work for the model's server too.
                counts = [await self._count(each, *asked) for each in _servers(targets)]
        except TimeoutError:
            return call
        if not counts or None in counts:
            return call
        most = max(each for each in counts if each is not None)
        # What a model's own renderer adds to its template (Harmony, for a level of reasoning) is not in the count.
        return replace(call, tokens_in=min(call.tokens_in, most + tokens.PER_REQUEST))

    async def _count(self, target: Target, path: str, body: dict[str, Any]) -> int | None:
        address = target.upstream.base_url.rstrip("/").removesuffix("/v1") + path
        name = target.upstream.secret
        key = self._secrets.get(name) if name else None
        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        try:
            content = json.dumps({**body, "model": target.model}, separators=(",", ":")).encode()
            status, said = await self._post(target.upstream, address, headers, content)
        except OSError:
            return None
        document = sse.document_of(said.strip()) if status == 200 else None
        found = (document or {}).get("count" if path == "/tokenize" else "input_tokens")
        return found if isinstance(found, int) and not isinstance(found, bool) and found > 0 else None


def question(call: Call) -> tuple[str, dict[str, Any]] | None:
    """What to ask vLLM to have a call's prompt counted: path and body; None where it cannot say."""
    body = call.body
    if call.endpoint == "/v1/chat/completions":
        asked = {name: body[name] for name in _CHAT if body.get(name) is not None}
        return "/tokenize", asked | ({"chat_template_kwargs": more} if (more := _told_the_template(body)) else {})
    if call.endpoint in ("/v1/completions", "/v1/embeddings"):
        text = body.get("prompt", body.get("input"))
        if isinstance(text, str):
            special = body.get("add_special_tokens")
            return "/tokenize", {"prompt": text} | ({} if special is None else {"add_special_tokens": special})
    if call.endpoint == "/v1/messages":
        return "/v1/messages/count_tokens", {name: body[name] for name in _MESSAGES if body.get(name) is not None}
    return None


def _told_the_template(body: dict[str, Any]) -> dict[str, Any]:
    """What vLLM 0.32 tells the template of a chat (chat_completion/protocol.py, `build_chat_params`).

    `/tokenize` has no fields of its own for all of it, and a document may be longer than all messages.
    """
    told = body.get("chat_template_kwargs")
    found = dict(told) if isinstance(told, dict) else {}
    effort = body.get("reasoning_effort")
    if effort is not None:
        found.setdefault("enable_thinking", effort != "none")
    return found | {name: body[name] for name in ("documents", "reasoning_effort") if body.get(name) is not None}


def _shows_something(body: dict[str, Any]) -> bool:
    """Whether there may be pictures or files among a request's messages."""
    rows = [*_rows(body.get("messages")), *_rows(body.get("input"))]
    contents = [*[each.get("content") for each in rows], body.get("system"), rows]
    # Most are one text, and have no parts.
    kinds = [part.get("type", "text") for content in contents if isinstance(content, list) for part in _rows(content)]
    return any(kind not in _TEXT for kind in kinds)


_TEXT = ("text", "input_text", "output_text", "message")


def _rows(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _servers(targets: list[Target]) -> list[Target]:
    """One target of each server and model; of replicas, which have the same model, the one that is tried first."""
    names = [("" if each.upstream.replica else each.upstream.name, each.model) for each in targets]
    return list(dict(reversed([*zip(names, targets, strict=True)])).values())[::-1]
