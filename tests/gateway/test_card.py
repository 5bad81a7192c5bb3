"""Models that take turns on one card, as rules: a world of vLLMs that sleep, wake, fail, load and die at random."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from llm_gate.card import GRACE, IDLE, MOST_WAITING, Card, Seen, Step, Verdict, Waiter

NAMES = ("a", "b", "c")
LEAST, DRAIN = 30.0, 120.0


@dataclass
class Told:
    """A waiter, and what it was told."""

    waiter: Waiter
    since: float
    verdicts: list[Verdict] = field(default_factory=list)


class World:
    """A card and the vLLMs on it, by a clock of its own."""

    def __init__(self, states: dict[str, Seen]) -> None:
        self.now = 1000.0
        self.states = dict(states)
        self.card = Card(members=tuple(states), least=LEAST, drain=DRAIN, clock=lambda: self.now)
        self.told: list[Told] = []
        self.running = dict.fromkeys(states, 0)
        self.refusing: set[tuple[str, str]] = set()
        """What fails: a kind of step, and the model."""
        self.woken: list[tuple[float, str]] = []

    def ask(self, name: str, *, loads: bool = False, caller: str = "") -> Told | None:
        """A call, or a model that asks for the card; None: it went on at once, or too many wait."""
        if not loads and self.card.open(name):
            self.card.enter(name)
            self.begin(name)
            return None
        told = Told(Waiter(name, lambda verdict: self.tell(told, verdict), loads=loads, caller=caller), self.now)
        if not self.card.wait(told.waiter):
            return None
        self.told.append(told)
        return told

    def tell(self, told: Told, verdict: Verdict) -> None:
        told.verdicts.append(verdict)
        if verdict != "granted":
            return
        if told.waiter.loads:
            others = [name for name in self.states if name != told.waiter.name]
            assert all(self.states[name] in ("asleep", "away") for name in others), self.states
            self.states[told.waiter.name] = "busy"
        else:
            self.begin(told.waiter.name)

    def begin(self, name: str) -> None:
        assert self.card.awake == name
        self.running[name] += 1

    def end(self, name: str) -> None:
        self.running[name] -= 1
        self.card.leave(name)

    def turn(self) -> Step:
        """Do what is next."""
        step = self.card.next()
        if step.kind == "look":
            self.card.saw(self.states)
        elif step.kind == "sleep":
            well = ("sleep", step.name) not in self.refusing and self.states[step.name] == "awake"
            if self.states[step.name] == "awake":
                assert not self.running[step.name], "an answer is under way"
                self.states[step.name] = "asleep" if well else "away"
            self.card.slept(step.name, well=well)
        elif step.kind == "wake":
            others = [name for name in self.states if name != step.name]
            assert all(self.states[name] in ("asleep", "away") for name in others), self.states
            well = ("wake", step.name) not in self.refusing and self.states[step.name] == "asleep"
            self.states[step.name] = "awake" if well else "away"
            self.woken += [(self.now, step.name)] if well else []
            self.card.woke(step.name, well=well)
        return step

    def settle(self, most: int = 200) -> Step:
        """Until there is something to wait for."""
        for _ in range(most):
            step = self.turn()
            if step.kind == "rest":
                return step
        raise AssertionError("it turns in circles")

    def run(self, seconds: float) -> None:
        """Let time pass, as the driver does: it sleeps as long as it is told."""
        until = self.now + seconds
        while self.now < until:
            step = self.settle()
            pause = until - self.now if step.wait is None else max(0.01, step.wait)
            self.now = min(until, self.now + pause)
        self.settle()


def world(**states: Seen) -> World:
    return World(states)


class Turns(RuleBasedStateMachine):
    """Whatever happens, one model at most is awake, no answer is cut off, and who waits is told in the end."""

    @initialize(states=st.tuples(*[st.sampled_from(["awake", "asleep", "away", "busy"])] * 3))
    def begin(self, states: tuple[Seen, Seen, Seen]) -> None:
        # whoever was awake besides the first was woken by hand, and has nothing under way
        self.world = World(dict(zip(NAMES, states, strict=True)))

    @rule(name=st.sampled_from(NAMES))
    def a_call_comes(self, name: str) -> None:
        self.world.ask(name)

    @rule(place=st.integers(0, 20))
    def a_waiting_caller_hangs_up(self, place: int) -> None:
        waiting = [each for each in self.world.told if not each.waiter.over]
        if waiting:
            waiting[place % len(waiting)].waiter.over = True

    @rule(name=st.sampled_from(NAMES))
    def an_answer_ends(self, name: str) -> None:
        if self.world.running[name]:
            self.world.end(name)

    @rule(name=st.sampled_from(NAMES), what=st.sampled_from(["sleep", "wake"]))
    def something_will_fail(self, name: str, what: str) -> None:
        self.world.refusing ^= {(what, name)}

    @rule(name=st.sampled_from(NAMES))
    def a_process_dies(self, name: str) -> None:
        while self.world.running[name]:
            self.world.end(name)
        self.world.states[name] = "away"

    @rule(name=st.sampled_from(NAMES))
    def a_dead_one_asks_for_the_card(self, name: str) -> None:
        if self.world.states[name] == "away":
            self.world.ask(name, loads=True)

    @rule(name=st.sampled_from(NAMES))
    def one_that_loads_is_there(self, name: str) -> None:
        if self.world.states[name] == "busy":
            self.world.states[name] = "awake"

    @rule(seconds=st.sampled_from([0.1, 1.0, 10.0, 31.0, 200.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.run(seconds)

    @invariant()
    def the_numbers_are_the_same(self) -> None:
        if hasattr(self, "world"):
            for name in NAMES:
                assert self.world.card.running[name] == self.world.running[name]

    @precondition(lambda self: hasattr(self, "world"))
    @rule()
    def nobody_waits_for_ever_once_all_is_well(self) -> None:
        one = self.world
        one.refusing.clear()
        for name in NAMES:
            if one.states[name] == "busy":
                one.states[name] = "awake"
        for _ in range(40):
            one.run(20)
            for name in NAMES:
                while one.running[name]:
                    one.end(name)
                if one.states[name] == "busy":
                    one.states[name] = "awake"
        assert not [each for each in one.told if not each.waiter.over], one.card
        assert all(len(each.verdicts) <= 1 for each in one.told)


TestTurns = Turns.TestCase
TestTurns.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)


def test_a_call_for_the_awake_one_goes_on_at_once() -> None:
    one = world(a="awake", b="asleep")
    one.ask("a")
    one.settle()
    assert one.card.open("a")
    assert not one.card.open("b")


def test_one_that_is_busy_stays_awake_for_a_while_and_an_idle_one_makes_room_at_once() -> None:
    one = world(a="awake", b="asleep")
    one.ask("a")
    one.settle()
    one.run(100)
    waiting = one.ask("b")
    assert waiting is not None
    one.run(5)
    assert not waiting.verdicts, "its answer is under way"
    one.end("a")
    one.run(0.1)
    assert waiting.verdicts == ["granted"]
    back = one.ask("a")
    assert back is not None
    one.run(LEAST / 2)
    assert not back.verdicts, "b is busy, and has just woken"
    one.end("b")
    one.run(IDLE - 1)
    assert not back.verdicts, "it may be asked again in a moment"
    one.run(1.1)
    assert back.verdicts == ["granted"]


def test_two_busy_models_do_not_swap_at_each_call() -> None:
    one = world(a="awake", b="asleep")
    one.settle()
    for second in range(600):
        for name in ("a", "b"):
            one.ask(name)
        one.run(1)
        for name in ("a", "b"):
            while one.running[name]:
                one.end(name)
        assert second >= 0
    assert 600 / LEAST - 3 <= len(one.woken) <= 600 / LEAST + 1
    assert {name for _, name in one.woken} == {"a", "b"}


def test_answers_that_take_too_long_are_not_cut_off_and_whoever_waits_is_told() -> None:
    one = world(a="awake", b="asleep")
    one.ask("a")
    one.settle()
    one.run(LEAST)
    waiting, later = one.ask("b"), one.ask("a")
    assert waiting is not None
    assert later is None or not later.verdicts
    one.run(DRAIN + 1)
    assert waiting.verdicts == ["crowded"]
    assert one.states["a"] == "awake"
    assert one.card.open("a")


def test_a_model_that_does_not_wake_is_told_of_and_the_other_goes_on() -> None:
    one = world(a="awake", b="asleep")
    one.refusing.add(("wake", "b"))
    one.settle()
    waiting = one.ask("b")
    one.run(20)
    assert waiting is not None
    assert waiting.verdicts == ["failed"]
    assert one.card.codes == {"b": "wake"}
    back = one.ask("a")
    one.run(10)
    assert back is not None
    assert back.verdicts == ["granted"]


def test_one_that_does_not_come_up_waits_longer_each_time_and_the_other_serves_meanwhile() -> None:
    one = world(a="asleep", b="away")
    granted = []
    for _ in range(900):
        if one.states["b"] == "away" and not any(each.waiter.loads and not each.waiter.over for each in one.told):
            one.ask("b", loads=True)
        one.run(1)
        if one.states["b"] == "busy":
            granted.append(one.now)
            one.states["b"] = "away"  # it died before it was there
        one.ask("a")
        while one.running["a"]:
            one.end("a")
    assert one.card.codes == {"b": "load"}
    pauses = [after - before for before, after in pairwise(granted)]
    assert len(pauses) >= 3
    assert pauses[0] >= LEAST
    assert all(after > before for before, after in pairwise(pauses))
    assert sum(each.waiter.name == "a" and each.verdicts == ["granted"] for each in one.told) > 0


def test_a_model_that_loads_has_the_card_for_itself_until_it_is_there() -> None:
    one = world(a="awake", b="away")
    one.settle()
    asked = one.ask("b", loads=True)
    one.run(1)
    assert asked is not None
    assert asked.verdicts == ["granted"]
    waiting = one.ask("a")
    one.run(1000)
    assert waiting is not None
    assert not waiting.verdicts
    one.states["b"] = "awake"
    one.run(10)
    assert waiting.verdicts == ["granted"]
    assert one.states == {"a": "awake", "b": "asleep"}


def test_the_awake_one_that_died_has_the_card_again_at_once_and_has_failed_nothing() -> None:
    one = world(a="awake", b="asleep")
    one.settle()
    one.states["a"] = "away"
    asked = one.ask("a", loads=True)
    one.settle()
    assert asked is not None
    assert asked.verdicts == ["granted"]
    assert not one.card.codes


def test_a_grant_that_nobody_uses_lapses() -> None:
    one = world(a="asleep", b="away")
    one.settle()
    one.ask("b", loads=True)
    one.run(0.1)
    one.states["b"] = "away"
    waiting = one.ask("a")
    assert waiting is not None
    one.run(GRACE - 3)
    assert not waiting.verdicts, "it starts, and has not taken its lock yet"
    one.run(8)
    assert waiting.verdicts == ["granted"]


def test_no_more_than_a_hundred_wait() -> None:
    one = world(a="awake", b="asleep")
    one.ask("a")
    one.settle()
    assert sum(one.ask("b") is not None for _ in range(MOST_WAITING + 20)) == MOST_WAITING


def test_one_caller_cannot_keep_others_out() -> None:
    one = world(a="awake", b="asleep")
    one.ask("a")
    one.settle()
    flood = [one.ask("b", caller="many") for _ in range(MOST_WAITING)]
    assert one.ask("b", caller="many") is None
    assert one.ask("b", caller="few") is not None
    # The newest of whoever has most makes place, and is told.
    assert [each.verdicts for each in flood if each] == [[]] * (MOST_WAITING - 1) + [["full"]]
    others = [one.ask("b", caller=f"key {number % 4}") for number in range(200)]
    assert all(others[:50])
    places = Counter(each.caller for each in one.card.queue)
    assert len(one.card.queue) == MOST_WAITING
    assert max(places.values()) - min(each for name, each in places.items() if name != "few") <= 1
    assert places["few"] == 1


def test_a_caller_with_as_many_places_as_anybody_gets_none_of_another() -> None:
    one = world(a="awake", b="asleep")
    one.ask("a")
    one.settle()
    for number in range(MOST_WAITING):
        assert one.ask("b", caller=f"key {number % 2}") is not None
    assert one.ask("b", caller="key 0") is None
