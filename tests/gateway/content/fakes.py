"""Stand-ins for the vendors' services, on loopback, after the vendors' documentation."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web

BAD = "坏东西"
DOUBTFUL = "可疑的"


@dataclass
class Vendors:
    """What was asked, and how the services behave (``mode``)."""

    mode: str = "ok"
    url: str = ""
    seen: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)
    tokens: int = 0
    headers: list[dict[str, str]] = field(default_factory=list)


def _level(text: str) -> int:
    return 2 if BAD in text else 1 if DOUBTFUL in text else 0


@asynccontextmanager
async def vendors(mode: str = "ok") -> AsyncIterator[Vendors]:
    state = Vendors(mode)

    async def openai(request: web.Request) -> web.Response:
        body = await request.json()
        state.seen.append(body["input"])
        score = _level(body["input"]) / 2
        row = {"flagged": score == 1, "categories": {"violence": score == 1, "hate": False}}
        row["category_scores"] = {"violence": score, "hate": 0.01}
        return web.json_response({"id": "modr-1", "model": body["model"], "results": [row]})

    async def yidun(request: web.Request) -> web.Response:
        form = {key: str(value) for key, value in (await request.post()).items()}
        state.forms.append(form)
        state.seen.append(form["content"])
        plain = "".join(key + form[key] for key in sorted(form) if key != "signature") + "the-secret-key"
        if hashlib.sha256(plain.encode()).hexdigest() != form["signature"]:
            return web.json_response({"code": 410, "msg": "signature failure"})
        labels = [{"label": 100, "level": 2}] if _level(form["content"]) else []
        antispam = {"suggestion": _level(form["content"]), "labels": labels, "taskId": "t"}
        return web.json_response({"code": 200, "msg": "ok", "result": {"antispam": antispam}})

    async def token(request: web.Request) -> web.Response:
        state.tokens += 1
        if request.query.get("client_secret") != "the-secret-key":
            return web.json_response({"error": "invalid_client"}, status=401)
        return web.json_response({"access_token": f"token-{state.tokens}", "expires_in": 2592000})

    async def baidu(request: web.Request) -> web.Response:
        text = str((await request.post())["text"])
        if request.query.get("access_token") != f"token-{state.tokens}" or (
            state.mode == "expired" and state.tokens == 1
        ):
            return web.json_response({"error_code": 110, "error_msg": "Access token invalid or no longer valid"})
        state.seen.append(text)
        kind = {0: 1, 1: 3, 2: 2}[_level(text)]
        data = [] if kind == 1 else [{"type": 33, "subType": 330000, "msg": f"存在{text}", "hits": [{"words": [text]}]}]
        return web.json_response({"log_id": 1, "conclusion": "", "conclusionType": kind, "data": data})

    async def clouds(request: web.Request) -> web.Response:
        body = (await request.read()).decode()
        state.headers.append(dict(request.headers))
        if request.headers.get("X-TC-Action") == "TextModeration":
            text = base64.b64decode(json.loads(body)["Content"]).decode()
            state.seen.append(text)
            said = ("Pass", "Review", "Block")[_level(text)]
            found = {
                "Suggestion": said,
                "Label": "Porn" if _level(text) else "Normal",
                "SubLabel": "",
                "RequestId": "r",
            }
            return web.json_response({"Response": found})
        form = {key: row[0] for key, row in parse_qs(body).items()}
        state.forms.append(form)
        text = json.loads(form["ServiceParameters"])["content"]
        state.seen.append(text)
        data = {"RiskLevel": ("none", "medium", "high")[_level(text)], "Result": [{"Label": "sexual_content"}]}
        return web.json_response({"Code": 200, "Message": "OK", "Data": data, "RequestId": "r"})

    def behaving(handler: Callable[[web.Request], Awaitable[web.Response]]) -> Callable[[web.Request], Any]:
        async def answer(request: web.Request) -> web.StreamResponse:
            state.paths.append(request.path)
            if state.mode == "stall":
                await asyncio.sleep(60)
            if state.mode == "500":
                return web.json_response({"error": f"could not judge {await request.text()}"}, status=500)
            if state.mode == "nonsense":
                return web.json_response({"results": {}, "unexpected": await request.text()})
            if state.mode == "huge":
                return web.Response(text="[" + "1," * 1_000_000 + "1]")
            if state.mode == "redirect":
                raise web.HTTPTemporaryRedirect("/elsewhere")
            return await handler(request)

        return answer

    app = web.Application()
    for path, handler in {
        "/v1/moderations": openai,
        "/v5/text/check": yidun,
        "/oauth/2.0/token": token,
        "/rest/2.0/solution/v1/text_censor/v2/user_defined": baidu,
        "/": clouds,
    }.items():
        app.router.add_post(path, behaving(handler))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    state.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield state
    finally:
        await runner.cleanup()
