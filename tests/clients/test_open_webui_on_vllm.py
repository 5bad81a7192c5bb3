"""Open WebUI before the gateway and a real vLLM, with a model that says what is written for it."""

from pathlib import Path
from typing import Any

import pytest

from tests.clients import open_webui
from tests.clients.engine import Kept
from tests.clients.scenarios import MESSAGES, Scenario
from tests.clients.scenarios_on_vllm import ENDLESS, HELLO, SAID
from tests.clients.session import Session, session
from tests.clients.test_clients import check, gone
from tests.clients.test_on_vllm import FOLDER, exchanges, idle
from tests.clients.test_open_webui import until
from tests.gateway.fake import ANSWER

PATIENCE = 400
"""Seconds: its server takes a minute or two to start where others are at work."""
pytestmark = [pytest.mark.clients, pytest.mark.on_vllm, pytest.mark.xdist_group("vllm")]
NAMES = ("chat", "tools", "count", "cancel")


async def test_open_webui_is_served_by_vllm(tmp_path: Path, address: str) -> None:
    if open_webui.CLIENT.argv() is None:
        pytest.skip(f"{open_webui.CLIENT.title} is not installed: make test-clients")
    kept = session(tmp_path, open_webui.CLIENT, "vllm", {}, upstream=lambda: Kept(address))
    async with kept as it, open_webui.started(it, tmp_path) as page:
        told = Told(it)
        told.made = await told.engine.made()
        assert "plain" in await open_webui.models(page)
        assert (await open_webui.answer(page, HELLO)).strip() == ANSWER
        assert '"content":" there"' in (await open_webui.streamed(page, HELLO)).replace('": "', '":"')
        await told.kept("chat", "/v1/models", "/v1/chat/completions")

        chat = await open_webui.begun(page, open_webui.TOOL_CALL, tool_ids=[await open_webui.tool(page)])
        assert ANSWER in await open_webui.written(page, chat)
        assert any("a heron: a bird" in each.body.decode() for each in it.recorder.exchanges)
        await told.kept("tools", "/v1/chat/completions")

        assert await open_webui.counted(page, HELLO) == 28
        await told.kept("count", f"{MESSAGES}/count_tokens")

        await open_webui.left(page, ENDLESS, "plain")
        await until(gone(it, 1))
        chat = await open_webui.begun(page, ENDLESS)
        await until(lambda: told.engine.heard().count(SAID) > 3)
        await open_webui.stopped(page, chat)
        await told.kept("cancel", "/v1/chat/completions")


class Told:
    """What was said and charged since the last time."""

    def __init__(self, it: Session) -> None:
        self.it, self.calls = it, 0
        self.engine: Any = it.it.fake
        self.made: tuple[int, int] = (0, 0)

    async def kept(self, name: str, *asked: str) -> None:
        """Nobody is charged for less than vLLM says that it made; what is told whole is charged to the token."""
        await idle(self.engine)
        found = exchanges(self.it)
        assert {each["answer"]["status"] for each in found} == {200}
        assert set(asked) <= {each["request"]["path"] for each in found}
        calls = (await self.it.it.gate.settled("tokens_in, tokens_out, verdict"))[self.calls :]
        self.calls += len(calls)
        hung_up = [each for each in calls if each[2] == "caller hung up"]
        assert len(hung_up) == (2 if name == "cancel" else 0)
        before, self.made = self.made, await self.engine.made()
        made = [now - then for now, then in zip(self.made, before, strict=True)]
        charged = [sum(each[place] for each in calls) for place in (0, 1)]
        assert charged >= made if hung_up else charged == made, (charged, made)
        rows = sorted(each[:2] for each in calls if each not in hung_up)
        scenario = Scenario("open-webui", name, ())
        check(FOLDER / scenario.client / f"{name}.json", scenario, found, charged=rows)
        self.it.recorder.exchanges.clear()
        self.engine.exchanges.clear()
