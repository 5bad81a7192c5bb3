"""What real clients said to the gateway before a real vLLM, and what vLLM answered, said to it again."""

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.clients.kept import asked_again, holds_nothing_of_its_own
from tests.clients.scenarios_on_vllm import SCENARIOS
from tests.clients.test_open_webui_on_vllm import NAMES
from tests.conftest import GOLDEN
from tests.gateway.harness import Home

KEPT = sorted((GOLDEN / "on-vllm").glob("*/*.json"))


class Told:
    """An upstream that answers as vLLM did, in pieces of a few bytes, as a network may cut them."""

    def __init__(self) -> None:
        self.next: dict[str, Any] = {}
        self.seen: list[tuple[str, dict[str, Any]]] = []

    async def __aenter__(self) -> "Told":
        self.runner = web.ServerRunner(web.Server(self._answer, access_log=None))
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self.runner.addresses[0][1]}/v1"
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.seen.append((request.path, json.loads(await request.read())))
        headers = {"Content-Type": self.next["content-type"]}
        out = web.StreamResponse(status=self.next["status"], headers=headers)
        await out.prepare(request)
        answer = "\n".join(self.next["answer"]).encode()
        size = 97
        for place in range(0, len(answer), size):
            await out.write(answer[place : place + size])
        await out.write_eof()
        return out


def test_every_scenario_is_kept() -> None:
    rows = {f"{each.client}/{each.name}" for each in SCENARIOS} | {f"open-webui/{each}" for each in NAMES}
    assert rows == {f"{e.parent.name}/{e.stem}" for e in KEPT}


def test_what_is_kept_holds_no_secret_and_nothing_of_the_machine() -> None:
    for each in KEPT:
        holds_nothing_of_its_own(each)


@pytest.mark.parametrize("path", KEPT, ids=lambda each: f"{each.parent.name}-{each.stem}")
async def test_what_vllm_answered_reaches_the_client_as_it_did(tmp_path: Path, path: Path) -> None:
    document = json.loads(path.read_text(encoding="utf-8"))
    async with Told() as vllm:
        home = Home(tmp_path).key().routes(vllm.url, kind="vllm")
        async with home.here() as gate, aiohttp.ClientSession() as client:
            for each in document["exchanges"]:
                if not each["answer"].get("hung_up"):
                    await replay(client, gate.url, vllm, each)
            # What vLLM says of itself is what is charged.
            assert sorted(await gate.settled()) == [tuple(row) for row in document["charged"]]


async def replay(client: aiohttp.ClientSession, url: str, vllm: Told, kept: dict[str, Any]) -> None:
    request, answer = kept["request"], kept["answer"]
    upstream = kept.get("upstream", {})
    vllm.next, before = upstream, len(vllm.seen)
    async with asked_again(client, url, request) as reply:
        content = (await reply.read()).decode()
        want = upstream["answer"] if answer["body"] == "as vLLM wrote it" else answer["body"]
        assert (reply.status, content.split("\n")) == (answer["status"], want)
        assert reply.headers.get("x-llm-left-out") == answer["headers"].get("x-llm-left-out")
    if upstream:
        ((path, body),) = vllm.seen[before:]
        assert (path, sorted(body)) == (upstream["path"], upstream["fields"])
        assert len(body.get("tools") or ()) == upstream.get("tools", 0)
