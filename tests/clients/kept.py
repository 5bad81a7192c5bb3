"""An exchange as it is kept: who the client is and what it asks; no secret, no machine, no prose of its makers."""

import json
import re
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from tests.clients.recorder import Exchange
from tests.clients.upstream import ASKED
from tests.gateway.fake import Seen
from tests.gateway.harness import KEY, UPSTREAM_KEY

LONGEST = 100
"""Characters of a text that is kept; an agent's instructions are its makers', and say nothing about the protocol."""
TOLD = ("accept", "anthropic-beta", "anthropic-version", "authorization", "content-type", "x-api-key")
ANSWERED = ("content-type", "retry-after", "x-llm-left-out", "x-should-retry")
OURS = frozenset(
    {"host", "content-length", "x-llm-client", "via", "connection", "transfer-encoding", "accept-encoding"}
)
_SAME = (
    (
        re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
        "00000000-0000-4000-8000-000000000000",
    ),
    (re.compile(r"\b[0-9a-f]{32,64}\b"), "0" * 32),
    (re.compile(r"\b(ses|msg|prt|req|user|session)_[0-9A-Za-z]{16,}"), r"\1_0"),
    (re.compile(r"https://127\.0\.0\.1:\d+"), "https://gateway"),
    (re.compile(r"/tmp/[^\s\"']*/(home|work)"), r"/\1"),
    (re.compile(r"\d{4}-\d\d-\d\d(T[\d:.]+Z?)?"), "2026-01-01"),
)


def holds_nothing_of_its_own(path: Path) -> None:
    """What is kept holds no secret and nothing of the machine."""
    text = path.read_text(encoding="utf-8")
    for told_of in ("PLANTED", "/tmp", "/root", "127.0.0.1", "x86_64", "Linux"):
        assert told_of not in text, (path, told_of)


def asked_again(
    client: aiohttp.ClientSession, url: str, request: dict[str, Any]
) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
    """A kept request, said again to the gateway at ``url``."""
    headers = {name: value.replace("$KEY", KEY) for name, value in request["headers"].items()}
    headers |= dict.fromkeys(request.get("other_headers", ()), "x")
    data = json.dumps(request["body"]).encode() if "body" in request else None
    address = URL(url + request["path"], encoded=True)
    return client.request(request["method"], address, data=data, headers=headers)


def tidy(text: str, *, dates: bool = True) -> str:
    """A text without what differs from run to run and machine to machine; long ones are only counted."""
    text = text.replace(KEY, "$KEY").replace(UPSTREAM_KEY, "$UPSTREAM_KEY")
    for pattern, same in _SAME if dates else _SAME[:-1]:
        text = pattern.sub(same, text)
    if not dates:
        return text
    asked = ASKED.search(text)
    if asked and len(text) > LONGEST:
        return f"… {asked[0]} …"
    return text if len(text) <= LONGEST else f"({len(text) // 1000 or '<1'} thousand characters)"


def thin(value: Any, name: str = "") -> Any:
    """A body whose texts are tidy and whose tools are only named."""
    if isinstance(value, dict):
        if name in ("parameters", "input_schema", "inputSchema", "schema"):
            return {"type": "object"}
        return {key: thin(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [thin(each, name) for each in value]
    if isinstance(value, str):
        if name in ("description", "instructions", "definition", "signature"):
            return "…"
        if name in ("arguments", "input", "partial_json") and value.startswith("{"):
            return tidy(value)
        if value.startswith("{"):
            return "{}"
        return tidy(value)
    return value


def _without_prose(line: str) -> str:
    name, brace, rest = line.partition("{")
    if '"tools":[{' not in rest:
        return line
    document = json.loads(brace + rest)
    holder = document.get("response", document)
    holder["tools"] = thin(holder["tools"])
    return name + json.dumps(document, ensure_ascii=False, separators=(",", ":"))


_MADE_UP = (
    (re.compile(r"\b(chatcmpl-tool|chatcmpl|cmpl|resp|msg|rs|fc|ctc|call|tool)([-_])[0-9a-f]{16,32}\b"), r"\1\g<2>0"),
    (re.compile(r'"(created|created_at|completed_at)":\d+'), r'"\1":0'),
    (re.compile(r'("system_fingerprint":"vllm-[\d.]+)-[0-9a-f]+'), r"\1"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "0" * 32),
)


def same(answer: bytes) -> str:
    """An answer of vLLM's without what it makes up each time and without the prose of the tools that it echoes."""
    text = "\n".join(_without_prose(each) for each in answer.decode().split("\n"))
    for pattern, one in _MADE_UP:
        text = pattern.sub(one, text)
    return text


def _headers(rows: list[tuple[str, str]], names: tuple[str, ...]) -> dict[str, str]:
    return {key.lower(): tidy(value, dates=False) for key, value in rows if key.lower() in names}


def _agent(rows: list[tuple[str, str]]) -> str:
    """The product's name and no version: the machine's and the run-time's stand behind it."""
    text = next((value for key, value in rows if key.lower() == "user-agent"), "")
    return re.split(r"[\s/]", text)[0]


def keep(exchange: Exchange, seen: Seen | None) -> dict[str, Any]:
    """One exchange, and what the upstream was sent for it."""
    request: dict[str, Any] = {"method": exchange.method, "path": exchange.path}
    request["headers"] = {"user-agent": _agent(exchange.sent), **_headers(exchange.sent, TOLD)}
    others = {key.lower() for key, _ in exchange.sent} - {*TOLD, *OURS, "user-agent"}
    if others:
        request["other_headers"] = sorted(others)
    if exchange.body:
        request["body"] = thin(json.loads(exchange.body))
    answer: dict[str, Any] = {"status": exchange.status, "headers": _headers(exchange.got, ANSWERED)}
    if exchange.hung_up:
        answer["hung_up"] = True
    else:
        answer["body"] = told(exchange.answer)
    found: dict[str, Any] = {"request": request, "answer": answer}
    if seen is not None:
        found["upstream"] = {"path": seen.path, "fields": sorted(seen.body)}
        if seen.body.get("tools"):
            found["upstream"]["tools"] = len(seen.body["tools"])
        if beta := seen.headers.get("anthropic-beta"):
            found["upstream"]["anthropic-beta"] = beta
    return found


def told(answer: bytes) -> Any:
    """An answer: an object, or the lines of a stream, in the same words for the same upstream."""
    text = answer.decode()
    if text.startswith("{"):
        return thin(json.loads(text))
    return [tidy(line) for line in text.splitlines() if line]
