"""What real clients said to the gateway, said to it again: the same status, answer, and fields sent on."""

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.clients import test_open_webui
from tests.clients.kept import asked_again, holds_nothing_of_its_own, told
from tests.clients.scenarios import SCENARIOS
from tests.clients.upstream import Upstream
from tests.conftest import GOLDEN
from tests.gateway.harness import Home

KEPT = sorted((GOLDEN / "clients").glob("*/*.json"))


def test_every_scenario_is_kept() -> None:
    kept = {f"{each.parent.name}/{each.stem}" for each in KEPT}
    rows = [*SCENARIOS, *test_open_webui.SCENARIOS.values()]
    assert {f"{each.client}/{each.name}" for each in rows} == kept


def test_what_is_kept_holds_no_secret_and_nothing_of_the_machine() -> None:
    for each in KEPT:
        holds_nothing_of_its_own(each)


@pytest.mark.parametrize("path", KEPT, ids=lambda each: f"{each.parent.name}-{each.stem}")
async def test_a_kept_exchange_goes_as_it_went(tmp_path: Path, path: Path) -> None:
    document = json.loads(path.read_text(encoding="utf-8"))
    async with Upstream() as fake:
        home = Home(tmp_path).key().routes(fake.url, kind=document["kind"])
        async with home.here() as gate, aiohttp.ClientSession() as client:
            for each in document["exchanges"]:
                if not each["answer"].get("hung_up"):
                    await replay(client, gate.url, fake, each)


async def replay(client: aiohttp.ClientSession, url: str, fake: Upstream, kept: dict[str, Any]) -> None:
    request, answer = kept["request"], kept["answer"]
    before = len(fake.seen)
    async with asked_again(client, url, request) as reply:
        content = await reply.read()
        assert (reply.status, told(content)) == (answer["status"], answer["body"])
        assert reply.headers.get("x-llm-left-out") == answer["headers"].get("x-llm-left-out")
    if "upstream" in kept:
        (seen,) = fake.seen[before:]
        sent = kept["upstream"]
        assert (seen.path, sorted(seen.body)) == (sent["path"], sent["fields"])
        assert len(seen.body.get("tools") or ()) == sent.get("tools", 0)
        assert seen.headers.get("anthropic-beta") == sent.get("anthropic-beta")
