"""Limits are exact: nothing more passes, nothing less, and nothing is forgotten."""

import asyncio
import sqlite3
import threading
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llm_gate.errors import Refused
from llm_gate.meter import NANO, Ask, Spent
from llm_gate.policy import Rules
from llm_gate.store import LOGGED, LONG, LONGEST_LOG, Store, checkpoint

NOON = 1_795_608_000.0  # 2026-11-25 12:00:00 UTC


class Clock:
    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def ask(tokens: int = 10, nanos: int = 0) -> Ask:
    return Ask(request="r", endpoint="/v1/chat/completions", model="m", tokens=tokens, nanos=nanos)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Store:
    return Store(tmp_path / "ledger.sqlite", clock)


def refusal(store: Store, rules: Rules, wanted: Ask | None = None) -> Refused:
    with pytest.raises(Refused) as refused:
        store.admit(rules, wanted or ask())
    return refused.value


def admitted(store: Store, rules: Rules, tries: int, wanted: Ask | None = None) -> int:
    count = 0
    for _ in range(tries):
        try:
            store.admit(rules, wanted or ask())
            count += 1
        except Refused:
            pass
    return count


def test_n_requests_pass_in_a_minute_and_not_one_more(store: Store) -> None:
    assert admitted(store, Rules("a", requests_per_minute=7), 1000) == 7


def test_the_minute_slides_and_gives_back_each_request_after_sixty_seconds(store: Store, clock: Clock) -> None:
    rules = Rules("a", requests_per_minute=2)
    store.admit(rules, ask())
    clock.now += 30
    store.admit(rules, ask())
    clock.now += 29.9
    assert refusal(store, rules).headers["Retry-After"] == "1"
    clock.now += 0.1
    store.admit(rules, ask())
    # A fixed window would give the second one back here as well.
    assert refusal(store, rules).headers["Retry-After"] == "30"


def test_two_bursts_at_a_minutes_turn_do_not_pass_twice_the_limit(store: Store, clock: Clock) -> None:
    rules = Rules("a", requests_per_minute=10)
    clock.now = NOON + 59.9
    assert admitted(store, rules, 20) == 10
    clock.now = NOON + 60.1
    assert admitted(store, rules, 20) == 0


def test_retry_after_is_true(store: Store, clock: Clock) -> None:
    rules = Rules("a", requests_per_minute=3, tokens_per_minute=100)
    for wait in (0, 7, 11):
        clock.now += wait
        store.admit(rules, ask(30))
    clock.now += int(refusal(store, rules).headers["Retry-After"])
    store.admit(rules, ask(30))


def test_keys_do_not_share_their_limits(store: Store) -> None:
    assert admitted(store, Rules("a", requests_per_minute=2), 9) == 2
    assert admitted(store, Rules("b", requests_per_minute=3), 9) == 3


def test_what_is_reserved_counts_before_it_is_used(store: Store) -> None:
    assert admitted(store, Rules("a", tokens_per_minute=100), 50, ask(30)) == 3


def test_what_was_not_used_is_given_back(store: Store) -> None:
    rules = Rules("a", tokens_per_minute=100)
    ticket = store.admit(rules, ask(90))
    assert refusal(store, rules, ask(20)).status == 429
    store.settle(ticket, Spent(tokens_in=5, tokens_out=5))
    store.admit(rules, ask(90))


def test_a_file_that_an_older_gateway_wrote_keeps_its_calls_and_no_index_that_nothing_asks(tmp_path: Path) -> None:
    path, clock = tmp_path / "ledger.sqlite", Clock()
    rules = Rules("a", requests_per_minute=2)
    older = Store(path, clock)
    older.admit(rules, ask(30))
    older.db.execute("CREATE INDEX calls_by_key ON calls (key, at)")
    older.close()
    store = Store(path, clock)
    assert admitted(store, rules, 5) == 1
    names = {name for (name,) in store.db.execute("SELECT name FROM sqlite_master WHERE type = 'index' AND sql != ''")}
    assert names == {"calls_by_time"}
    plan = store.db.execute("EXPLAIN QUERY PLAN SELECT at FROM calls WHERE key = 'a' AND at > 1 ORDER BY at")
    assert "calls_by_time" in str(plan.fetchall()), "the last minute is found without reading the month"
    store.close()


@pytest.mark.parametrize("span", ["daily", "monthly"])
@pytest.mark.parametrize("unit", ["tokens", "budget_usd"])
@pytest.mark.parametrize("restart", [False, True])
def test_what_was_not_used_goes_back_to_the_budget(
    store: Store, clock: Clock, span: str, unit: str, restart: bool
) -> None:
    limits: dict[str, float] = {f"{span}_{unit}": 100 if unit == "tokens" else 100 / NANO}
    rules = Rules("a", **limits)  # type: ignore[arg-type]
    ticket = store.admit(rules, ask(90, nanos=90))
    assert refusal(store, rules, ask(20, nanos=20)).code == "budget_exceeded"
    store.settle(ticket, Spent(tokens_in=5, tokens_out=5, nanos=10))
    if restart:
        store.close()
        store = Store(store.path, clock)
    assert admitted(store, rules, 1, ask(91, nanos=91)) == 0
    assert admitted(store, rules, 1, ask(90, nanos=90)) == 1


def test_what_was_reserved_yesterday_goes_back_to_the_months_budget_and_not_to_todays(
    store: Store, clock: Clock
) -> None:
    rules = Rules("a", monthly_tokens=100, daily_tokens=95)
    clock.now = NOON + 12 * 3600 - 1
    ticket = store.admit(rules, ask(90))
    clock.now += 2
    store.settle(ticket, Spent(tokens_in=10))
    store.admit(rules, ask(90))
    assert refusal(store, rules, ask(1)).code == "budget_exceeded"


def test_what_was_reserved_last_month_gives_nothing_to_this_months_budget(store: Store, clock: Clock) -> None:
    rules = Rules("a", monthly_tokens=100)
    clock.now = NOON + 5.5 * 86400 - 1  # the last second of November
    ticket = store.admit(rules, ask(90))
    clock.now += 2
    store.admit(rules, ask(90))
    store.settle(ticket, Spent(tokens_in=10))
    assert admitted(store, rules, 20, ask(1)) == 10


def test_more_than_was_reserved_is_counted_too(store: Store) -> None:
    rules = Rules("a", tokens_per_minute=100)
    store.settle(store.admit(rules, ask(10)), Spent(tokens_in=50, tokens_out=45))
    assert refusal(store, rules, ask(10)).status == 429
    store.admit(rules, ask(5))


def test_a_request_that_could_never_pass_is_told_so_and_not_to_wait(store: Store) -> None:
    refused = refusal(store, Rules("a", tokens_per_minute=100), ask(101))
    assert (refused.status, refused.code) == (400, "request_exceeds_limit")
    assert "Retry-After" not in refused.headers


def test_settling_twice_settles_once(store: Store) -> None:
    rules = Rules("a", max_concurrency=1, tokens_per_minute=100)
    first, second = store.admit(rules, ask()), Spent(tokens_in=40)
    store.settle(first, second)
    store.settle(first, second)
    store.admit(rules, ask())
    assert refusal(store, rules).code == "concurrency_limit_exceeded"


def test_so_many_run_at_once_and_the_next_may_start_when_one_ends(store: Store) -> None:
    rules = Rules("a", max_concurrency=2)
    first = store.admit(rules, ask())
    store.admit(rules, ask())
    assert refusal(store, rules).code == "concurrency_limit_exceeded"
    store.settle(first, Spent())
    store.admit(rules, ask())


def test_a_days_budget_in_money_is_kept_to_the_last_billionth(store: Store) -> None:
    rules = Rules("a", daily_budget_usd=0.01)
    assert admitted(store, rules, 50, ask(1, nanos=NANO // 1000)) == 10
    assert admitted(store, rules, 1, ask(1, nanos=1)) == 0


@pytest.mark.parametrize("limit", ["daily_tokens", "monthly_tokens"])
def test_a_budget_in_tokens_is_exact(store: Store, limit: str) -> None:
    assert admitted(store, Rules("a", **{limit: 95}), 50, ask(10)) == 9  # type: ignore[arg-type]


def test_a_day_begins_anew_at_midnight_utc_and_a_month_on_its_first(store: Store, clock: Clock) -> None:
    rules = Rules("a", daily_tokens=10, monthly_tokens=25)
    store.admit(rules, ask(10))
    refused = refusal(store, rules, ask(1))
    assert (refused.code, refused.headers["Retry-After"]) == ("budget_exceeded", str(12 * 3600))
    clock.now += 12 * 3600
    store.admit(rules, ask(10))
    clock.now += 24 * 3600
    assert admitted(store, rules, 9, ask(5)) == 1
    left = refusal(store, rules, ask(5)).headers["Retry-After"]
    assert left == str(86400 * 4)  # from the 27th to the end of November
    clock.now += int(left)
    store.admit(rules, ask(10))


def test_a_budget_that_is_used_up_tells_clients_not_to_try_again_at_once(store: Store) -> None:
    rules = Rules("a", daily_tokens=10)
    store.admit(rules, ask(10))
    refused = refusal(store, rules, ask(1))
    assert refused.kind == "insufficient_quota"
    assert refused.headers["x-should-retry"] == "false"


def test_a_call_counts_on_the_day_it_began(store: Store, clock: Clock) -> None:
    rules = Rules("a", daily_tokens=100)
    clock.now = NOON + 12 * 3600 - 1
    ticket = store.admit(rules, ask(90))
    clock.now += 2
    store.settle(ticket, Spent(tokens_in=80))
    store.admit(rules, ask(100))


def test_what_is_refused_leaves_no_trace_in_the_limits(store: Store) -> None:
    rules = Rules("a", requests_per_minute=1, tokens_per_minute=100)
    store.admit(rules, ask(10))
    for _ in range(5):
        refusal(store, rules, ask(50))
    assert store.headers(rules)["x-ratelimit-remaining-tokens"] == "90"


def test_headers_say_what_is_left_of_the_limits_that_there_are(store: Store, clock: Clock) -> None:
    rules = Rules("a", requests_per_minute=5)
    store.admit(rules, ask())
    clock.now += 20
    assert store.headers(rules) == {
        "x-ratelimit-limit-requests": "5",
        "x-ratelimit-remaining-requests": "4",
        "x-ratelimit-reset-requests": "40.000s",
    }


@pytest.mark.parametrize(
    "rules",
    [
        Rules("a", requests_per_minute=3),
        Rules("a", tokens_per_minute=30),
        Rules("a", daily_tokens=30),
        Rules("a", monthly_tokens=30),
        Rules("a", daily_budget_usd=30 / NANO),
        Rules("a", monthly_budget_usd=30 / NANO),
    ],
    ids=lambda rules: next(each.name for each in fields(rules) if each.name != "name" and getattr(rules, each.name)),
)
def test_a_restart_forgets_no_limit_not_even_of_calls_that_it_cut_short(
    store: Store, clock: Clock, rules: Rules
) -> None:
    assert admitted(store, rules, 2, ask(10, nanos=10)) == 2
    store.settle(store.admit(Rules("a"), ask(0)), Spent(tokens_in=10, nanos=10))
    store.write()
    store.db.close()  # nothing is tidied up, as after kill -9
    again = Store(store.path, clock)
    assert admitted(again, rules, 5, ask(10, nanos=10)) == 0
    assert again.db.execute("SELECT count(*) FROM calls WHERE state = 'lost'").fetchone() == (2,)


def test_calls_that_a_kill_cut_short_do_not_hold_their_places(store: Store, clock: Clock) -> None:
    rules = Rules("a", max_concurrency=1)
    store.admit(rules, ask())
    store.db.close()
    Store(store.path, clock).admit(rules, ask())


def test_each_admission_is_on_the_disk_before_the_call_goes_out(store: Store) -> None:
    store.admit(Rules("a"), ask(33))
    other = sqlite3.connect(store.path)
    assert other.execute("SELECT tokens, state FROM calls").fetchall() == [(33, "open")]


def test_nothing_is_admitted_that_cannot_be_written_down(store: Store) -> None:
    store.db.execute("DROP TABLE days")
    with pytest.raises(sqlite3.OperationalError):
        store.admit(Rules("a", max_concurrency=1), ask())
    assert store.active().get("a", 0) == 0


def test_what_cannot_be_written_down_leaves_nothing_half_written_and_the_next_call_goes_on(store: Store) -> None:
    rules = Rules("a")
    ticket = store.admit(rules, ask(10))
    store.db.execute("ALTER TABLE days RENAME TO elsewhere")
    store.settle(ticket, Spent(tokens_in=3))
    for fails in (lambda: store.admit(rules, ask()), store.write):
        with pytest.raises(sqlite3.OperationalError):
            fails()
        assert not store.db.in_transaction
        assert store.db.execute("SELECT count(*), max(state), max(tokens) FROM calls").fetchone() == (1, "open", 10)
    store.db.execute("ALTER TABLE elsewhere RENAME TO days")
    store.settle(store.admit(rules, ask()), Spent())
    # What could not be written is written as soon as it can be.
    assert store.db.execute("SELECT state, tokens FROM calls ORDER BY id LIMIT 1").fetchone() == ("done", 3)


def test_a_key_of_no_requests_is_refused_and_not_a_fault(store: Store) -> None:
    for ask_in in (store.enter, lambda rules: store.admit(rules, ask())):
        with pytest.raises(Refused) as refused:
            ask_in(Rules("a", requests_per_minute=0))
        assert (refused.value.status, refused.value.headers["Retry-After"]) == (429, "60")


def test_a_settlement_is_written_with_the_next_admission(store: Store) -> None:
    """Two changes, one transaction; and what is in force does not wait for it."""
    rules = Rules("a", daily_tokens=50)
    store.settle(store.admit(rules, ask(50)), Spent(tokens_in=3))
    assert store.unwritten == 1
    store.admit(rules, ask(47))
    assert store.unwritten == 0
    assert store.db.execute("SELECT state, tokens FROM calls ORDER BY id").fetchall() == [("done", 3), ("open", 47)]


def test_a_day_that_begins_counts_what_is_not_yet_written(store: Store, clock: Clock) -> None:
    rules = Rules("a", monthly_tokens=100)
    store.settle(store.admit(rules, ask(90)), Spent(tokens_in=10))
    clock.now += 86400
    store.admit(rules, ask(90))


def test_those_whose_requests_are_being_read_count_at_the_door(store: Store) -> None:
    rules = Rules("a", max_concurrency=3)
    places = [store.enter(rules) for _ in range(3)]
    with pytest.raises(Refused) as refused:
        store.enter(rules)
    assert (refused.value.status, refused.value.headers["Retry-After"]) == (429, "1")
    tickets = [store.admit(rules, ask()) for _ in places]
    for each in places:
        each.leave()
        each.leave()
    with pytest.raises(Refused):
        store.enter(rules)
    store.settle(tickets[0], Spent())
    store.enter(rules)


def test_a_minute_of_requests_is_full_at_the_door_with_those_who_are_inside(store: Store, clock: Clock) -> None:
    rules = Rules("a", requests_per_minute=2)
    first, second = store.enter(rules), store.enter(rules)
    with pytest.raises(Refused):
        store.enter(rules)
    first.leave(refused=100)  # short and wrong: it counts for nothing
    third = store.enter(rules)
    second.leave(refused=LONG + 1)
    with pytest.raises(Refused):
        store.enter(rules)
    third.leave()
    # But it takes no place from those who are admitted: the limit is what it says.
    assert admitted(store, rules, 5) == 2
    clock.now += 61
    store.enter(rules).leave()


@pytest.mark.parametrize("limit", ["tokens_per_minute", "daily_tokens", "monthly_tokens"])
def test_whose_tokens_are_used_up_is_refused_at_the_door(store: Store, limit: str) -> None:
    rules = Rules("a", **{limit: 20})
    store.admit(rules, ask(19))
    store.enter(rules).leave()
    store.admit(rules, ask(1))
    with pytest.raises(Refused, match="20 are used or reserved, and any request takes more"):
        store.enter(rules)


def test_a_checkpoint_in_another_thread_disturbs_nobody(store: Store) -> None:
    threads = [threading.Thread(target=checkpoint, args=(store.path,)) for _ in range(4)]
    for each in threads:
        each.start()
    assert admitted(store, Rules("a", requests_per_minute=100), 150) == 100
    for each in threads:
        each.join()


async def test_the_log_stays_short_however_many_calls_are_written(store: Store) -> None:
    """One checkpoint in another thread never finds the log at its end while calls go on."""
    log, rules, longest = Path(store.path + "-wal"), Rules("a"), 0

    async def chores() -> None:
        while True:
            await asyncio.sleep(0.1)
            await store.tidy()

    tidying = asyncio.create_task(chores())
    written = 0
    while written < 8_000:
        for _ in range(20):
            store.settle(store.admit(rules, ask()), Spent(tokens_in=3))
        written += 20
        longest = max(longest, log.stat().st_size)
        await asyncio.sleep(0.001)
    tidying.cancel()
    await asyncio.gather(tidying, return_exceptions=True)
    assert longest < 40 * 2**20  # of some 150 MiB in all
    await store.tidy()
    store.settle(store.admit(rules, ask()), Spent())
    assert log.stat().st_size <= LONGEST_LOG


async def test_a_short_log_is_left_alone_until_it_is_time(store: Store) -> None:
    log = Path(store.path + "-wal")
    for calls in (LOGGED - 1, 1):
        admitted(store, Rules("a"), calls)
        before = log.stat().st_size
        await store.tidy(now=False)
    admitted(store, Rules("a"), 1)
    assert log.stat().st_size == before  # it began anew, within what it had


def test_a_place_may_be_free_in_a_second(store: Store) -> None:
    rules = Rules("a", max_concurrency=1)
    store.admit(rules, ask())
    assert refusal(store, rules).headers["Retry-After"] == "1"


def test_a_days_sums_go_after_four_hundred_days(store: Store, clock: Clock) -> None:
    store.settle(store.admit(Rules("a"), ask(10)), Spent(tokens_in=10))
    for days, left in ((400, 1), (401, 0)):
        clock.now = NOON + days * 86400
        store.prune()
        assert store.db.execute("SELECT count(*) FROM days").fetchone() == (left,), days


def test_old_calls_go_and_the_days_sums_stay(store: Store, clock: Clock) -> None:
    rules = Rules("a", monthly_tokens=1000)
    store.settle(store.admit(rules, ask(10)), Spent(tokens_in=10))
    store.write()
    clock.now += 40 * 86400
    assert store.prune() == 1
    assert store.db.execute("SELECT sum(tokens) FROM days").fetchone() == (10,)


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.integers(0, 40), st.integers(1, 60), st.one_of(st.none(), st.integers(0, 80))), max_size=30
    ),
    restart=st.integers(0, 30),
    written=st.booleans(),
)
def test_however_calls_come_and_end_the_window_never_holds_more_than_was_reserved(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int, int | None]], restart: int, written: bool
) -> None:
    """Against a ledger of our own: every admission fits, every refusal would not have. What a kill keeps from being
    written counts as it was reserved."""
    clock = Clock()
    store = Store(tmp_path_factory.mktemp("ledger") / "l.sqlite", clock)
    rules = Rules("a", requests_per_minute=6, tokens_per_minute=150)
    ledger: list[list[float]] = []
    unwritten: int | None = None
    for place, (wait, tokens, used) in enumerate(steps):
        if place == restart:
            if written:
                store.write()
            elif unwritten is not None:
                ledger[-1][1] = unwritten
            store.db.close()
            store = Store(store.path, clock)
        clock.now += wait
        recent = [row for row in ledger if row[0] > clock.now - 60]
        fits = len(recent) < 6 and sum(row[1] for row in recent) + tokens <= 150
        try:
            ticket = store.admit(rules, ask(tokens))
        except Refused:
            assert not fits
            continue
        assert fits
        ledger.append([clock.now, tokens])
        unwritten = None
        if used is not None:
            store.settle(ticket, Spent(tokens_in=used))
            ledger[-1][1], unwritten = used, tokens


def test_a_clock_that_is_set_back_locks_nobody_out_and_lets_nobody_past(store: Store, clock: Clock) -> None:
    rules = Rules("a", requests_per_minute=3, tokens_per_minute=30)
    assert admitted(store, rules, 5, ask(10)) == 3
    clock.now -= 3600
    assert admitted(store, rules, 5, ask(10)) == 0
    assert int(refusal(store, rules, ask(10)).headers["Retry-After"]) <= 60
    clock.now += 60
    assert admitted(store, rules, 5, ask(10)) == 3


def test_a_clock_that_is_set_back_before_a_restart_locks_nobody_out(tmp_path: Path, clock: Clock) -> None:
    rules = Rules("a", requests_per_minute=3)
    first = Store(tmp_path / "ledger", clock)
    assert admitted(first, rules, 5) == 3
    first.close()
    clock.now -= 3600
    second = Store(tmp_path / "ledger", clock)
    assert admitted(second, rules, 5) == 0
    clock.now += 60
    assert admitted(second, rules, 5) == 3
    second.close()


def test_a_stream_over_midnight_is_settled_on_the_day_it_began_however_the_clock_is_set(
    store: Store, clock: Clock
) -> None:
    rules = Rules("a", daily_tokens=100)
    clock.now = 86400 * 365 - 1
    ticket = store.admit(rules, ask(90))
    clock.now += 2
    store.admit(rules, ask(90))
    clock.now -= 2
    store.settle(ticket, Spent(5, 5))
    assert admitted(store, rules, 20, ask(10)) == 9
    clock.now += 2
    assert admitted(store, rules, 20, ask(10)) == 1


class Broken:
    """A connection to a file that cannot be read."""

    def execute(self, *_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")


def test_a_settlement_frees_its_place_also_where_the_new_day_cannot_be_read(store: Store, clock: Clock) -> None:
    rules = Rules("a", daily_tokens=100)
    ticket = store.admit(rules, ask(tokens=60))
    clock.now += 86_400
    whole, store.db = store.db, Broken()  # type: ignore[assignment]
    store.settle(ticket, Spent(tokens_in=10))
    store.db = whole
    assert store.active() == {"a": 0}
    clock.now -= 86_400
    with pytest.raises(Refused):
        store.admit(rules, ask(tokens=91))
    store.admit(rules, ask(tokens=90))


def test_a_key_whose_last_minute_cannot_be_read_is_not_taken_for_a_new_one(store: Store) -> None:
    rules = Rules("a", requests_per_minute=1)
    store.admit(rules, ask())
    again = Store(store.path, store.clock)
    whole, again.db = again.db, Broken()  # type: ignore[assignment]
    with pytest.raises(sqlite3.Error):
        again.enter(rules)
    again.db = whole
    with pytest.raises(Refused):
        again.enter(rules)
    again.close()


@pytest.mark.parametrize("limit", ["tokens_per_minute", "daily_tokens", "monthly_tokens"])
def test_what_is_reserved_once_more_is_reserved_within_the_limit(store: Store, limit: str) -> None:
    rules = Rules("a", **{limit: 25})
    ticket = store.admit(rules, ask(10))
    store.extend(rules, ticket, ask(10))
    with pytest.raises(Refused):
        store.extend(rules, ticket, ask(10))
    assert store.left(rules) == 5
    assert store.db.execute("SELECT tokens FROM calls").fetchall() == [(20,)]
    assert store.db.execute("SELECT requests, tokens FROM days").fetchall() == [(1, 20)]
    store.settle(ticket, Spent(tokens_in=10, tokens_out=3))
    assert store.left(rules) == 12


def test_what_is_reserved_once_more_survives_a_kill(store: Store, clock: Clock) -> None:
    rules = Rules("a", daily_tokens=25, daily_budget_usd=1.0)
    store.extend(rules, store.admit(rules, ask(10, nanos=3)), ask(10, nanos=3))
    again = Store(store.path, clock)
    assert again.left(rules) == 5
    assert again.db.execute("SELECT nanos FROM days").fetchall() == [(6,)]


def test_what_is_reserved_once_more_counts_on_the_day_of_its_call_and_in_the_minute_that_it_is(
    store: Store, clock: Clock
) -> None:
    rules = Rules("a", tokens_per_minute=15, daily_tokens=25)
    clock.now = NOON + 43_199
    ticket = store.admit(rules, ask(10))
    clock.now += 120
    store.extend(rules, ticket, ask(10))
    with pytest.raises(Refused, match="per minute"):
        store.admit(rules, ask(10))
    clock.now += 61
    with pytest.raises(Refused, match="per day"):
        store.extend(rules, ticket, ask(10))
    store.settle(ticket, Spent(tokens_in=10, tokens_out=2))
    assert store.left(rules) == 15
    assert store.db.execute("SELECT day, tokens FROM days").fetchall() == [("2026-11-25", 20)]
    store.write()
    assert store.db.execute("SELECT day, tokens FROM days").fetchall() == [("2026-11-25", 12)]
