"""Real clients, in their newest releases, through real Caddy and the real gateway process; what they say is kept.

They come from npm and PyPI by `make test-clients`. What is kept is in tests/golden/clients, and `test_replayed.py`
says it again to the gateway in each run of the tests. UPDATE_GOLDEN=1 keeps it anew.
"""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.clients.installed import CLIENTS
from tests.clients.kept import keep
from tests.clients.scenarios import SCENARIOS, Scenario
from tests.clients.session import Session, session
from tests.conftest import GOLDEN

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
        until = (lambda: bool(it.it.fake.working)) if scenario.hangs_up else None
        said = await it.run(list(scenario.arguments), scenario.environment, until=until)
        says(scenario, it, said)
        await quiet(it)
        kept = exchanges(it)
        asks(scenario, it, said, kept)
        if scenario.name == "cancel":
            assert sum(it.it.fake.hung_up.values()) >= 1
            assert ("caller hung up",) in await it.it.gate.settled("verdict")
        elif scenario.name != "errors":
            assert {each["answer"]["status"] for each in kept} == {200}
        check(path_of(scenario), scenario, kept)


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
