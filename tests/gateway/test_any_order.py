"""Whatever the order of admissions, settlements, second reservations, kills and hours: no limit is passed, and nothing
that was used is forgotten."""

import contextlib
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from llm_gate.errors import Refused
from llm_gate.meter import Ask, Spent, Ticket, day_at
from llm_gate.policy import Rules
from llm_gate.store import Store

from tests.gateway.test_store import NOON, Clock, ask

LIMITS = {"tokens_per_minute": 60, "daily_tokens": 150, "monthly_tokens": 250}


@dataclass
class Called:
    """A call as it should be counted: what is reserved for it or was used, by when each part of it was reserved."""

    ticket: Ticket
    reserved: int
    parts: list[tuple[float, int]] = field(default_factory=list)
    used: int | None = None
    written: bool = False
    killed: bool = False

    @property
    def counted(self) -> int:
        return self.reserved if self.used is None else self.used


class Ledger(RuleBasedStateMachine):
    """The gateway's ledger, beside what every call of one key may have at least and at most."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = Clock(NOON + 40_000)  # an hour before midnight
        self.store = Store(Path(self.folder.name) / "ledger.sqlite", self.clock)
        self.rules = Rules("app", **LIMITS)
        self.calls: list[Called] = []

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    @rule(tokens=st.integers(1, 40))
    def admit(self, tokens: int) -> None:
        fits = tokens <= self.store.left(self.rules)
        try:
            ticket = self.store.admit(self.rules, ask(tokens))
        except Refused:
            assert not fits
        else:
            assert fits
            # Settlements that were waiting are written along with an admission.
            self.note_written()
            self.calls.append(Called(ticket, tokens, [(self.clock.now, tokens)]))

    @rule(which=st.integers(0, 30), share=st.floats(0, 1))
    def settle(self, which: int, share: float) -> None:
        if under_way := self.under_way:
            call = under_way[which % len(under_way)]
            call.used = int(call.reserved * share)
            self.store.settle(call.ticket, Spent(tokens_in=call.used))

    @rule(which=st.integers(0, 30))
    def ask_another(self, which: int) -> None:
        if under_way := self.under_way:
            call = under_way[which % len(under_way)]
            tokens = call.parts[0][1]
            with contextlib.suppress(Refused):
                self.store.extend(self.rules, call.ticket, Ask("r", "/v1/chat/completions", "m", tokens))
                self.note_written()
                call.reserved += tokens
                call.parts.append((self.clock.now, tokens))

    @rule(seconds=st.sampled_from((1, 20, 30, 61, 4000)))
    def wait(self, seconds: int) -> None:
        self.clock.now += seconds

    @rule()
    def write(self) -> None:
        self.store.write()
        self.note_written()

    @rule()
    def kill(self) -> None:
        """Nobody writes what was not written, nor settles what was under way."""
        self.store.db.close()
        self.store = Store(self.store.path, self.clock)
        for each in self.calls:
            each.killed = True
            if not each.written:
                each.used = None

    def note_written(self) -> None:
        for each in self.calls:
            each.written = each.written or each.used is not None

    @property
    def under_way(self) -> list[Called]:
        return [each for each in self.calls if each.used is None and not each.killed]

    @invariant()
    def counted_as_it_should_be(self) -> None:
        left = self.store.left(self.rules)
        meter = self.store._meter("app", self.clock.now)
        today = day_at(self.clock.now)
        assert meter.today.tokens == sum(each.counted for each in self.calls if each.ticket.day == today)
        assert meter.month.tokens == sum(each.counted for each in self.calls)
        since = self.clock.now - 60
        fresh = [(each, sum(tokens for at, tokens in each.parts if at > since)) for each in self.calls]
        # Nobody can say which part of a call used what: so what was used counts in its last ones, as far as they go.
        assert meter.tokens == sum(min(each.counted, parts) for each, parts in fresh)
        entries = [*meter.recent, *meter.again]
        assert all(entry[1] >= 0 for entry in entries), "a call gave back more than it had of this minute"
        assert meter.tokens == sum(entry[1] for entry in entries)
        assert len(meter.recent) == sum(each.parts[0][0] > since for each in self.calls)
        assert left >= 0


TestAnyOrder = Ledger.TestCase
TestAnyOrder.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@pytest.mark.parametrize(("used", "left"), [(2, 13), (10, 5), (12, 5), (20, 5)])
def test_a_call_that_was_reserved_for_once_more_gives_this_minute_no_more_than_it_took_of_it(
    tmp_path: Path, used: int, left: int
) -> None:
    """Its first upstream was asked more than a minute ago, and says that it has used less than was reserved for it."""
    clock = Clock()
    store = Store(tmp_path / "ledger.sqlite", clock)
    rules = Rules("app", tokens_per_minute=15)
    ticket = store.admit(rules, ask(10))
    clock.now += 120
    store.extend(rules, ticket, ask(10))
    store.settle(ticket, Spent(tokens_in=used))
    assert store.left(rules) == left


@pytest.mark.parametrize("killed", [False, True])
def test_what_was_reserved_once_more_counts_for_a_minute_of_its_own_and_no_longer(tmp_path: Path, killed: bool) -> None:
    clock = Clock()
    store = Store(tmp_path / "ledger.sqlite", clock)
    rules = Rules("app", tokens_per_minute=25, requests_per_minute=2)
    ticket = store.admit(rules, ask(10))
    clock.now += 50
    store.extend(rules, ticket, ask(10))
    if killed:
        store.db.close()
        store = Store(store.path, clock)
    for seconds, left in ((0, 5), (9, 5), (1, 15), (49, 15), (1, 25)):
        clock.now += seconds
        assert store.left(rules) == left
    store.close()


def test_a_ledger_of_before_goes_on_and_a_second_part_is_no_second_request(tmp_path: Path) -> None:
    clock = Clock()
    store = Store(tmp_path / "ledger.sqlite", clock)
    rules = Rules("app", tokens_per_minute=100, requests_per_minute=2)
    store.admit(rules, ask(10))
    store.db.execute("DROP TABLE again")  # it had none
    store.db.close()
    store = Store(store.path, clock)
    assert store.left(rules) == 90
    store.extend(rules, store.admit(rules, ask(20)), ask(20))
    assert store.left(rules) == 50
    assert store.headers(rules)["x-ratelimit-remaining-requests"] == "0"
    store.close()
    assert Store(store.path, clock).headers(rules)["x-ratelimit-remaining-requests"] == "0"
