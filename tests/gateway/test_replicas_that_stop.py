"""Machines with the same model that stop by themselves: calls are gathered, and nobody is sent to one that is off."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given
from llm_gate.routes import Target, Upstream

from tests.gateway.fake import Fake
from tests.gateway.harness import UPSTREAM_KEY, Home, Running, client_of
from tests.gateway.test_replicas import ask, call, counts, nobody, pointing, replicas, several, talk, use

FILL = 4


def stopping(count: int) -> list[Target]:
    return [
        Target(Upstream(f"r{each}", "vllm", f"http://127.0.0.1:{each}/v1", replica=True, fill=FILL), "m")
        for each in range(count)
    ]


@given(st.lists(st.integers(0, 3 * FILL), min_size=2, max_size=8), st.sets(st.integers(0, 7)))
def test_where_machines_stop_by_themselves_the_first_one_with_room_is_asked_and_of_full_ones_the_least_busy(
    active: list[int], ill: set[int]
) -> None:
    choice, targets = replicas(), stopping(len(active))
    choice.active.update({f"r{place}": count for place, count in enumerate(active)})
    order = choice.arranged(targets, call("hello"), lambda each: int(each.upstream.name[1:]) in ill)
    names = [int(each.upstream.name[1:]) for each in order]
    assert sorted(names) == list(range(len(active)))
    well = [each for each in range(len(active)) if each not in ill]
    if well:
        room = [each for each in well if active[each] < FILL]
        assert names[0] == (room[0] if room else min(well, key=lambda each: (active[each], each)))


@given(st.integers(1, FILL), st.integers(2, 8))
def test_machines_that_are_not_needed_get_nothing(at_once: int, count: int) -> None:
    choice, targets = replicas(), stopping(count)
    for number in range(20):
        under_way = [choice.arranged(targets, call(f"{number} {each}"), nobody)[0] for each in range(1)]
        for _ in range(at_once - 1):
            choice.begin(under_way[-1])
            under_way.append(choice.arranged(targets, call(f"{number} {len(under_way)}"), nobody)[0])
        choice.begin(under_way[-1])
        assert {each.upstream.name for each in under_way} == {"r0"}
        for each in under_way:
            choice.end(each)


def test_a_conversation_stays_while_its_machine_is_in_use_and_leaves_it_to_stop_when_it_is_not() -> None:
    choice, targets = replicas(), stopping(2)
    choice.active.update(r0=FILL)
    first = choice.arranged(targets, call("mine"), nobody)[0]
    assert first.upstream.name == "r1"
    choice.active.update(r0=-FILL)
    choice.begin(first)  # somebody else's call
    assert choice.arranged(targets, call("mine"), nobody)[0] is first
    choice.end(first)
    assert choice.arranged(targets, call("mine"), nobody)[0] is targets[0]


@asynccontextmanager
async def behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Running, Home, list[Fake]]]:
    """A gateway, and another machine's that stops by itself. A look each 50 ms; each call is to be sent there first."""
    monkeypatch.setattr("llm_gate.watching.LOOK", 0.05)
    monkeypatch.setattr(Upstream, "here", property(lambda each: each.name == "r0"))
    async with several(tmp_path / "front", 2) as (home, fakes), several(tmp_path / "behind", 1) as (far, engines):
        far.key("front", UPSTREAM_KEY)
        far.write("status.json", {"ready": True})
        async with far.here() as other, home.here() as gate:
            fakes[1].url = f"{other.url}/v1"
            pointing(home, fakes, fill=1)
            gate.gateway._fresh_routes()
            gate.gateway.replicas.active.update(r0=1)  # it is full
            yield gate, far, [fakes[0], engines[0]]


async def is_away(gate: Running, wanted: bool) -> None:
    async with asyncio.timeout(5):
        while bool(gate.gateway.replicas.gone()) is not wanted:
            await asyncio.sleep(0.01)


async def test_a_machine_that_stops_is_taken_out_before_and_in_again_once_it_answers_a_completion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with behind(tmp_path, monkeypatch) as (gate, far, fakes), client_of(gate) as client:
        await is_away(gate, False)
        assert await ask(client, talk("there")) == 200
        assert counts(fakes) == [0, 1]
        far.write("drain.json", {"code": "server_stopping", "retry_after": 60})
        await is_away(gate, True)
        for number in range(5):
            assert await ask(client, talk(f"here {number}")) == 200
        assert counts(fakes) == [5, 1]
        metrics = gate.gateway.metrics.values
        assert not [name for name, __ in metrics if "failures" in name]  # nobody was sent there in vain
        rows = gate.gateway._gauges()
        assert rows["llm_gateway_upstream_up", (("upstream", "r1"), ("model", "plain"))] == 0
        # It was started again: its gateway is there long before its engine.
        (far.root / "drain.json").unlink()
        far.write("status.json", {"ready": False})
        await asyncio.sleep(0.3)
        assert gate.gateway.replicas.gone() == {"r1"}
        far.write("status.json", {"ready": True})
        await is_away(gate, False)
        assert await ask(client, talk("there again")) == 200
        assert counts(fakes) == [5, 2]


async def test_a_call_that_meets_a_machine_which_has_just_begun_to_stop_is_answered_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with behind(tmp_path, monkeypatch) as (gate, far, fakes), client_of(gate) as client:
        await is_away(gate, False)
        monkeypatch.setattr("llm_gate.watching.LOOK", 60)
        await asyncio.sleep(0.2)
        far.write("drain.json", {"code": "server_stopping", "retry_after": 60})
        for number in range(5):
            assert await ask(client, talk(f"said {number}")) == 200
        assert counts(fakes) == [5, 0]
        failures = [n for (name, __), n in gate.gateway.metrics.values.items() if "failures" in name]
        assert failures == [1]


async def test_to_be_looked_at_is_no_use_and_keeps_no_machine_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with behind(tmp_path, monkeypatch) as (gate, far, __):
        await is_away(gate, False)
        async with far.here() as other:
            before = (await use(other))["idle_seconds"]
            async with client_of(other, UPSTREAM_KEY) as client, client.get("/v1/models") as reply:
                assert reply.status == 200
                assert "X-Llm-Serves" not in reply.headers
            assert (await use(other))["idle_seconds"] > before
