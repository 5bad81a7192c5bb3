"""Open WebUI is a server: it is started beside the gateway, and asked as its page asks it."""

import asyncio
import contextlib
import os
import signal
from pathlib import Path

import aiohttp
import pytest

from tests.clients.installed import CLIENTS
from tests.clients.scenarios import Scenario
from tests.clients.session import session
from tests.clients.test_clients import check, exchanges, path_of, quiet
from tests.gateway.fake import ANSWER
from tests.gateway.front import free_port
from tests.gateway.harness import KEY

pytestmark = pytest.mark.clients
SCENARIO = Scenario("open-webui", "chat", ())
START_SECONDS = 60


async def test_open_webui_lists_the_models_and_chats(tmp_path: Path) -> None:
    client = CLIENTS["open-webui"]
    start = client.argv()
    if start is None:
        pytest.skip(f"{client.title} is not installed: make test-clients")
    port = free_port()
    async with session(tmp_path, client, SCENARIO.kind, {}) as it:
        settings = {
            "DATA_DIR": "$HOME/data", "WEBUI_AUTH": "False", "WEBUI_SECRET_KEY": "x", "ENABLE_OLLAMA_API": "False",
            "OPENAI_API_BASE_URLS": "$URL/v1", "OPENAI_API_KEYS": KEY, "RAG_EMBEDDING_ENGINE": "openai",
            "OFFLINE_MODE": "True", "HF_HUB_OFFLINE": "1", "ANONYMIZED_TELEMETRY": "False",
        }  # fmt: skip
        log = (tmp_path / "log").open("wb")
        process = await asyncio.create_subprocess_exec(
            *start, "serve", "--host", "127.0.0.1", "--port", str(port), cwd=it.work, env=it.environment(settings),
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        try:
            async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as page:
                async with asyncio.timeout(START_SECONDS):
                    while not await _answers(page):
                        assert process.returncode is None, (tmp_path / "log").read_text()
                        await asyncio.sleep(0.2)
                async with page.post("/api/v1/auths/signin", json={"email": "", "password": ""}) as reply:
                    page.headers["Authorization"] = f"Bearer {(await reply.json())['token']}"
                async with page.get("/api/models") as reply:
                    assert "plain" in [each["id"] for each in (await reply.json())["data"]]
                asked = {"model": "plain", "messages": [{"role": "user", "content": "Say hello"}]}
                async with page.post("/api/chat/completions", json=asked) as reply:
                    assert (await reply.json())["choices"][0]["message"]["content"] == ANSWER
                async with page.post("/api/chat/completions", json={**asked, "stream": True}) as reply:
                    assert '"content": " there"' in await reply.text()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            log.close()
        await quiet(it)
        kept = exchanges(it)
        assert {each["answer"]["status"] for each in kept} == {200}
        assert {"/v1/models", "/v1/chat/completions"} <= {each["request"]["path"] for each in kept}
        check(path_of(SCENARIO), SCENARIO, kept)


async def _answers(page: aiohttp.ClientSession) -> bool:
    try:
        async with page.get("/health") as reply:
            return reply.status == 200
    except aiohttp.ClientError:
        return False
