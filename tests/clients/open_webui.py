"""Open WebUI, started beside the gateway and asked as its page and its own callers ask it."""

import asyncio
import contextlib
import os
import signal
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.clients.installed import CLIENTS
from tests.clients.session import Session
from tests.gateway.front import free_port
from tests.gateway.harness import KEY

CLIENT = CLIENTS["open-webui"]
START_SECONDS = 240
CHATS, TOOL_CALL = "/api/chat/completions", 'Please call the tool look with {"at": "a heron"} now'
TOOL = '''class Tools:
    def look(self, at: str) -> str:
        """
        Look at something.
        :param at: What to look at.
        """
        return at + ": a bird"
'''


@asynccontextmanager
async def started(it: Session, folder: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """Its server, and somebody who is signed in."""
    start, port = CLIENT.argv(), free_port()
    assert start is not None
    settings = {
        "DATA_DIR": "$HOME/data", "WEBUI_AUTH": "False", "WEBUI_SECRET_KEY": "x", "ENABLE_OLLAMA_API": "False",
        "OPENAI_API_BASE_URLS": "$URL/v1", "OPENAI_API_KEYS": KEY, "RAG_EMBEDDING_ENGINE": "openai",
        "OFFLINE_MODE": "True", "HF_HUB_OFFLINE": "1", "ANONYMIZED_TELEMETRY": "False",
    }  # fmt: skip
    log = (folder / "log").open("wb")
    process = await asyncio.create_subprocess_exec(
        *start, "serve", "--host", "127.0.0.1", "--port", str(port), cwd=it.work, env=it.environment(settings),
        stdout=log, stderr=log, start_new_session=True,
    )  # fmt: skip
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as page:
            async with asyncio.timeout(START_SECONDS):
                while not await _answers(page):
                    assert process.returncode is None, (folder / "log").read_text()
                    await asyncio.sleep(0.2)
            async with page.post("/api/v1/auths/signin", json={"email": "", "password": ""}) as reply:
                page.headers["Authorization"] = f"Bearer {(await reply.json())['token']}"
            yield page
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        log.close()


async def _answers(page: aiohttp.ClientSession) -> bool:
    try:
        async with page.get("/health") as reply:
            return reply.status == 200
    except aiohttp.ClientError:
        return False


def question(text: str, model: str = "plain") -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}]}


async def models(page: aiohttp.ClientSession) -> list[str]:
    async with page.get("/api/models") as reply:
        return [each["id"] for each in (await reply.json())["data"]]


async def answer(page: aiohttp.ClientSession, text: str) -> str:
    async with page.post(CHATS, json=question(text)) as reply:
        return str((await reply.json())["choices"][0]["message"]["content"])


async def streamed(page: aiohttp.ClientSession, text: str) -> str:
    async with page.post(CHATS, json={**question(text), "stream": True}) as reply:
        return await reply.text()


async def counted(page: aiohttp.ClientSession, text: str) -> int:
    async with page.post("/api/v1/messages/count_tokens", json=question(text)) as reply:
        return int((await reply.json())["input_tokens"])


async def left(page: aiohttp.ClientSession, text: str, model: str) -> None:
    """A caller of its own who hears the beginning of an answer and closes the connection."""
    async with page.post(CHATS, json={**question(text, model), "stream": True}) as reply:
        while b'"content"' not in await reply.content.readline():
            pass
        reply.close()


async def begun(page: aiohttp.ClientSession, text: str, model: str = "plain", **more: Any) -> dict[str, Any]:
    """A chat as the page has it: the server goes on with it by itself, as a task, and keeps what was said."""
    chat, mine, theirs = (str(uuid.uuid4()) for _ in range(3))
    said = {"id": mine, "parentId": None, "childrenIds": [theirs], "role": "user", "content": text, "models": [model]}
    empty = {"id": theirs, "parentId": mine, "childrenIds": [], "role": "assistant", "content": "", "model": model}
    kept = {"title": "x", "models": [model], "history": {"currentId": theirs, "messages": {mine: said, theirs: empty}}}
    async with page.post("/api/v1/chats/new", json={"chat": kept}) as reply:
        chat = (await reply.json())["id"]
    body = {
        **question(text, model), "stream": True, "chat_id": chat, "id": theirs, "session_id": "s", "user_message": said,
        "background_tasks": {}, **more,
    }  # fmt: skip
    async with page.post(CHATS, json=body) as reply:
        told = await reply.json()
        assert reply.status == 200, told
    return {**told, "chat_id": chat, "message": theirs}


async def written(page: aiohttp.ClientSession, chat: dict[str, Any]) -> str:
    """What its answer is, once there is one."""
    async with asyncio.timeout(60):
        while True:
            async with page.get(f"/api/v1/chats/{chat['chat_id']}") as reply:
                message = (await reply.json())["chat"]["history"]["messages"][chat["message"]]
            if message.get("done"):
                return str(message["content"])
            await asyncio.sleep(0.2)


async def tool(page: aiohttp.ClientSession) -> str:
    """A tool of its own, which its server runs."""
    body = {"id": "birds", "name": "birds", "content": TOOL, "meta": {"description": "birds"}}
    async with page.post("/api/v1/tools/create", json=body) as reply:
        assert reply.status == 200, await reply.text()
    return "birds"


async def stopped(page: aiohttp.ClientSession, chat: dict[str, Any]) -> None:
    """As its page's button does."""
    for each in chat.get("task_ids") or [chat["task_id"]]:
        async with page.post(f"/api/tasks/stop/{each}") as reply:
            assert (await reply.json())["status"] is True
