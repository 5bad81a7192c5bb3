"""Real clients, in their newest releases, through real Caddy and the real gateway process; what they say is kept.

They come from npm and PyPI by `make test-clients`. What is kept is in tests/golden/clients, and `test_replayed.py`
says it again to the gateway in each run of the tests. UPDATE_GOLDEN=1 keeps it anew.
"""

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clients.installed import CLIENTS
from tests.clients.kept import keep
from tests.clients.scenarios import SCENARIOS, Scenario
from tests.clients.session import Session, session
from tests.conftest import GOLDEN
from tests.gateway.fake import WORDS

IN_EACH_RUN = ("openai", "anthropic", "llm")
"""The clients that `make test` installs; those of npm are left to `make test-clients`."""
ROWS = [
    pytest.param(
        each,
        id=f"{each.client}-{each.name}",
        marks=[] if each.client in IN_EACH_RUN else [pytest.mark.clients],
    )
    for each in SCENARIOS
]


def path_of(scenario: Scenario) -> Path:
    return GOLDEN / "clients" / scenario.client / f"{scenario.name}.json"


@pytest.mark.parametrize("scenario", ROWS)
async def test_a_client_is_served(tmp_path: Path, scenario: Scenario) -> None:
    client = CLIENTS[scenario.client]
    if client.argv() is None:
        pytest.skip(f"{client.title} is not installed: make test-clients")
    async with session(tmp_path, client, scenario.kind, scenario.files) as it:
        until = None
        if scenario.hangs_up or scenario.leaves:
            until = heard(it) if scenario.hangs_up else gone(it, scenario.leaves)
        said = await it.run(list(scenario.arguments), scenario.environment, until=until)
        says(scenario, it, said)
        await quiet(it)
        kept = exchanges(it)
        asks(scenario, it, said, kept)
        if scenario.name == "cancel":
            await charged_for_what_came(it, kept)
        elif scenario.name != "errors":
            assert {each["answer"]["status"] for each in kept} == {200}
        check(path_of(scenario), scenario, kept)


def heard(it: Session) -> Callable[[], bool]:
    """Whether the beginning of an answer has reached the client."""
    return lambda: any(WORDS[0].encode() in each.answer for each in it.recorder.exchanges)


def gone(it: Session, streams: int) -> Callable[[], bool]:
    """Whether the upstream has seen so many streams end that nobody listens to any more."""
    return lambda: sum(it.it.fake.hung_up.values()) >= streams


async def charged_for_what_came(it: Session, kept: list[dict[str, Any]]) -> None:
    """Whoever hangs up leaves no work at the upstream, and is charged a token for each byte of the answer that came."""
    left = [each for each in kept if each["answer"].get("hung_up")]
    assert left, "nobody hung up"
    assert sum(it.it.fake.hung_up.values()) >= len(left)
    calls = await it.it.gate.settled("verdict, tokens_out")
    charged = [tokens for verdict, tokens in calls if verdict == "caller hung up"]
    assert len(charged) == len(left)
    # The upstream says no more than this; what had come when the client left is between these two.
    assert all(len(WORDS[0]) <= each <= len("".join(WORDS[:3])) for each in charged), calls


def says(scenario: Scenario, it: Session, said: str) -> None:
    """The client told its user what it should."""
    for each in scenario.says:
        assert each in said, (
            said[-3000:],
            [(one.path, one.status, one.answer[:300]) for one in it.recorder.exchanges],
        )


def asks(scenario: Scenario, it: Session, said: str, kept: list[dict[str, Any]]) -> None:
    """The client asked what it should, and sent what its tools gave it."""
    asked = [each["request"]["path"] for each in kept]
    for path in scenario.asks:
        assert any(each.partition("?")[0] == path or each == path for each in asked), asked
    assert any(scenario.result in each.body.decode() for each in it.recorder.exchanges), said[-3000:]


async def quiet(it: Session) -> None:
    """Until no request is under way."""
    async with asyncio.timeout(20):
        while it.it.fake.working:
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.1)


def exchanges(it: Session) -> list[dict[str, Any]]:
    """What was said, each with what the upstream was sent for it."""
    seen = list(it.it.fake.seen)
    found = []
    for each in it.recorder.exchanges:
        passed, model = each.path.partition("?")[0], json.loads(each.body or b"{}").get("model")
        same = (number for number, one in enumerate(seen) if (one.path, one.body.get("model")) == (passed, model))
        place = next(same, None)
        found.append(keep(each, seen.pop(place) if place is not None else None))
    return found


def check(path: Path, scenario: Scenario, kept: list[dict[str, Any]], **more: Any) -> None:
    """Whatever the client sends is in what is kept: a field or header that is new has to be looked at.

    ``more`` is kept beside it.
    """
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        document = {"client": CLIENTS[scenario.client].packages, "kind": scenario.kind, **more, "exchanges": kept}
        path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    before = json.loads(path.read_text(encoding="utf-8"))["exchanges"]

    def named(rows: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
        return {
            (each["request"]["path"], what, name)
            for each in rows
            for what, names in (
                ("field", each["request"].get("body", {})),
                ("sent on", each.get("upstream", {}).get("fields", ())),
            )
            for name in names
        }

    assert named(kept) <= named(before), "new: UPDATE_GOLDEN=1, and read it"
