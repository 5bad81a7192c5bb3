"""Real clients through real Caddy and the real gateway to a real vLLM, with a model that says what is written for it.

`make test-clients` runs them. What is kept is in tests/golden/on-vllm, with what vLLM answered, and
`test_replayed_on_vllm.py` says both again to the gateway in each run of the tests. UPDATE_GOLDEN=1 keeps it anew.
"""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.clients.engine import Kept
from tests.clients.installed import CLIENTS
from tests.clients.kept import keep, same
from tests.clients.recorder import Exchange
from tests.clients.scenarios import CHAT, MESSAGES, Scenario
from tests.clients.scenarios_on_vllm import SAID, SCENARIOS
from tests.clients.session import Session, session
from tests.clients.test_clients import asks, check, gone, says
from tests.conftest import GOLDEN

pytestmark = [pytest.mark.clients, pytest.mark.on_vllm, pytest.mark.xdist_group("vllm")]
FOLDER = GOLDEN / "on-vllm"
ENDS = re.compile(rb"(data: \[DONE\]|event: message_stop\ndata: .*|event: response.completed\ndata: .*)\n\n$")
"""How a stream that came to its end ends."""


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: f"{each.client}-{each.name}")
async def test_a_client_is_served_by_vllm(tmp_path: Path, address: str, scenario: Scenario) -> None:
    client = CLIENTS[scenario.client]
    if client.argv() is None:
        pytest.skip(f"{client.title} is not installed: make test-clients")
    async with session(tmp_path, client, scenario.kind, scenario.files, upstream=lambda: Kept(address)) as it:
        engine: Any = it.it.fake
        before = await engine.made()
        # Somewhere in the middle of the answer.
        until = (lambda: engine.heard().count(SAID) > 3) if scenario.hangs_up else None
        if scenario.leaves:
            until = gone(it, scenario.leaves)
        said = await it.run(list(scenario.arguments), scenario.environment, until=until)
        says(scenario, it, said)
        await idle(engine)
        kept = exchanges(it)
        asks(scenario, it, said, kept)
        calls = await it.it.gate.settled("tokens_in, tokens_out, verdict")
        hung_up = [each for each in calls if each[2] == "caller hung up"]
        assert bool(hung_up) == (scenario.hangs_up or scenario.name == "hangs_up")
        # Nobody is charged for less than vLLM says that it made; what is told whole is charged to the token.
        made = [now - then for now, then in zip(await engine.made(), before, strict=True)]
        charged = [sum(each[place] for each in calls) for place in (0, 1)]
        assert charged >= made if hung_up else charged == made, (charged, made)
        if not hung_up and scenario.name != "refusals":
            assert {each["answer"]["status"] for each in kept} == {200}
        told = sorted(each[:2] for each in calls if each not in hung_up)
        check(FOLDER / scenario.client / f"{scenario.name}.json", scenario, kept, charged=told)


HELLO = [{"role": "user", "content": "Say hello"}]
COUNTED: dict[str, tuple[str, dict[str, Any]]] = {
    "plain": (CHAT, {}),
    "tools": (CHAT, {"tools": [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]}),
    "documents": (CHAT, {"documents": [{"title": "herons", "text": "blue herons stand in shallow water " * 20}]}),
    "effort": (CHAT, {"reasoning_effort": "high"}),
    "no-effort": (CHAT, {"reasoning_effort": "none"}),
    "template": (CHAT, {"chat_template_kwargs": {"enable_thinking": True}}),
    "messages": (MESSAGES, {"system": "be brief"}),
    "messages-effort": (MESSAGES, {"output_config": {"effort": "high"}}),
    "messages-template": (MESSAGES, {"chat_template_kwargs": {"enable_thinking": True}}),
    "messages-tools": (MESSAGES, {"tools": [{"name": "look", "input_schema": {"type": "object"}}]}),
}


@pytest.mark.parametrize("what", COUNTED)
async def test_a_prompt_has_as_many_tokens_as_vllm_says_beforehand(address: str, what: str) -> None:
    from llm_gate.counting import question
    from llm_gate.requests import Call

    path, more = COUNTED[what]
    body = {"model": "plain", "messages": HELLO, "max_tokens": 50, **more}
    asked = question(Call(path, "plain", body, False, False, 1, 1, None))
    assert asked is not None
    async with aiohttp.ClientSession(address) as client:
        async with client.post(asked[0], json={**asked[1], "model": "plain"}) as reply:
            told = await reply.json()
        async with client.post(path, json=body) as reply:
            usage = (await reply.json())["usage"]
    assert told.get("count", told.get("input_tokens")) == usage.get("prompt_tokens", usage.get("input_tokens"))


async def idle(engine: Kept) -> None:
    """Until vLLM itself says that it is at work on nothing: whoever hangs up leaves no work behind."""
    async with asyncio.timeout(20):
        while engine.working or await engine.running():
            await asyncio.sleep(0.05)


def exchanges(it: Session) -> list[dict[str, Any]]:
    """What was said, each with what vLLM was sent for it and what it answered."""
    engine: Any = it.it.fake
    left: list[tuple[Any, Exchange]] = list(zip(engine.seen, engine.exchanges, strict=True))
    found = []
    for each in it.recorder.exchanges:
        passed, body = each.path.partition("?")[0], json.loads(each.body or b"{}")
        its = (n for n, (seen, _) in enumerate(left) if seen.path == passed and _same_question(seen.body, body))
        place = next(its, None)
        seen, asked = left.pop(place) if place is not None else (None, None)
        # Some close as soon as they have read the last event, before the end of the answer.
        each.hung_up = each.hung_up and ENDS.search(each.answer) is None
        row = keep(each, seen)
        if asked is not None and not each.hung_up:
            kind = next(value for name, value in asked.got if name.lower() == "content-type")
            told, passed_on = same(asked.answer), same(each.answer)
            row["upstream"] |= {"status": asked.status, "content-type": kind, "answer": told.split("\n")}
            row["answer"]["body"] = "as vLLM wrote it" if told == passed_on else passed_on.split("\n")
        elif not each.hung_up:
            row["answer"]["body"] = same(each.answer).split("\n")
        found.append(row)
    return found


def _same_question(sent_on: dict[str, Any], asked: dict[str, Any]) -> bool:
    """Whether a request to vLLM is made of a client's: the gateway sets some fields, and takes others away."""
    own = {"store", "stream_options", "max_tokens", "max_output_tokens", "max_completion_tokens", "tools"}
    return all(asked.get(name) == value for name, value in sent_on.items() if name not in own)
