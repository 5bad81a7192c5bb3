"""Open WebUI is a server: it is started beside the gateway, and asked as its page asks it."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients import open_webui
from tests.clients.scenarios import MESSAGES, Scenario
from tests.clients.session import Session, session
from tests.clients.test_clients import charged_for_what_came, check, exchanges, gone, path_of, quiet
from tests.gateway.fake import ANSWER, WORDS

PATIENCE = 400
"""Seconds: its server takes a minute or two to start where others are at work."""
pytestmark = pytest.mark.clients
SCENARIOS = {name: Scenario("open-webui", name, ()) for name in ("chat", "tools", "count", "cancel")}


async def test_open_webui_lists_the_models_and_chats_calls_tools_counts_and_stops(tmp_path: Path) -> None:
    client = open_webui.CLIENT
    if client.argv() is None:
        pytest.skip(f"{client.title} is not installed: make test-clients")
    async with session(tmp_path, client, "vllm", {}) as it, open_webui.started(it, tmp_path) as page:
        assert "plain" in await open_webui.models(page)
        assert await open_webui.answer(page, "Say hello") == ANSWER
        assert '"content": " there"' in await open_webui.streamed(page, "Say hello")
        await kept(it, "chat", "/v1/models", "/v1/chat/completions")

        chat = await open_webui.begun(page, open_webui.TOOL_CALL, tool_ids=[await open_webui.tool(page)])
        assert ANSWER in await open_webui.written(page, chat)
        assert any("a heron: a bird" in each.body.decode() for each in it.recorder.exchanges)
        await kept(it, "tools", "/v1/chat/completions")

        assert await open_webui.counted(page, "Say hello") == 10
        await kept(it, "count", f"{MESSAGES}/count_tokens")

        await open_webui.left(page, "Say hello", "stall")
        await until(gone(it, 1))
        chat = await open_webui.begun(page, "Say hello", "stall")
        await until(lambda: len([each for each in it.recorder.exchanges if WORDS[0].encode() in each.answer]) == 2)
        await open_webui.stopped(page, chat)
        await until(gone(it, 2))
        await kept(it, "cancel", "/v1/chat/completions")


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.05)


async def kept(it: Session, name: str, *asked: str) -> None:
    """What was said since the last time."""
    await quiet(it)
    found = exchanges(it)
    assert {each["answer"]["status"] for each in found} == {200}
    assert set(asked) <= {each["request"]["path"] for each in found}
    if name == "cancel":
        await charged_for_what_came(it, found)
    check(path_of(SCENARIOS[name]), SCENARIOS[name], found)
    it.recorder.exchanges.clear()
    it.it.fake.seen.clear()
