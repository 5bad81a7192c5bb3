"""What each key has used: exact under concurrency, and not forgotten by a kill.

The minute's limits are sliding windows: what was admitted in the last 60 seconds. Days and months are UTC's. Tokens
and money are reserved when a call is admitted, and settled with what it took; a call counts on the day it began.

One process admits, in one thread, without giving up control between looking and writing down, so N is N however many
ask at once. Each admission is committed to SQLite (WAL) before the call goes out. ``synchronous=NORMAL``: what is
committed survives a kill -9 of the process; a power cut may lose the last moments, as the log is synced only every few
seconds, with each checkpoint (see `tidy`). A call that was cut short by a kill stays counted at all that was reserved
for it.
"""

from __future__ import annotations

import asyncio
import math
import sqlite3
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from llm_gate import limits
from llm_gate.meter import NANO, WINDOW, Ask, Meter, Spent, Sums, Ticket, day_at
from llm_gate.policy import Rules

LONGEST_LOG = 16 * 2**20
"""Bytes of log that stay on the disk once it has been moved into the database."""
LOGGED = 250
"""Calls after which the log is moved at the next second: 1.4 MB of it, or 4.4 where the file has pages of 4 KiB."""
LONG = 64 * 2**10
"""Bytes from which on it costs more to read a request than to serve it."""
PAGE = 1024
"""Bytes of a page of the file: a quarter of SQLite's own default writes a quarter of the log."""
MOST_UNWRITTEN = 10_000
"""Settlements that are kept while the file cannot be written; those beyond it stay counted as they were reserved."""
KEEP_CALLS = 35 * 86400
"""Seconds for which single calls are kept; days' sums are kept for 400 days."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS calls (
  id INTEGER PRIMARY KEY, request TEXT NOT NULL, key TEXT NOT NULL, at REAL NOT NULL, day TEXT NOT NULL,
  endpoint TEXT NOT NULL, model TEXT NOT NULL, upstream TEXT NOT NULL DEFAULT '', state TEXT NOT NULL,
  tokens INTEGER NOT NULL, tokens_in INTEGER NOT NULL DEFAULT 0, tokens_out INTEGER NOT NULL DEFAULT 0,
  nanos INTEGER NOT NULL, status INTEGER NOT NULL DEFAULT 0, verdict TEXT NOT NULL DEFAULT '',
  input_sha256 TEXT NOT NULL DEFAULT '', output_sha256 TEXT NOT NULL DEFAULT '', seconds REAL NOT NULL DEFAULT 0
);
DROP INDEX IF EXISTS calls_by_key;
CREATE INDEX IF NOT EXISTS calls_by_time ON calls (at);
CREATE TABLE IF NOT EXISTS days (
  key TEXT NOT NULL, day TEXT NOT NULL, requests INTEGER NOT NULL, tokens INTEGER NOT NULL, nanos INTEGER NOT NULL,
  tokens_in INTEGER NOT NULL DEFAULT 0, tokens_out INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (key, day)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS again (
  call INTEGER NOT NULL, part INTEGER NOT NULL, at REAL NOT NULL, tokens INTEGER NOT NULL, PRIMARY KEY (call, part)
) WITHOUT ROWID;
"""
"""``again``: what of a call's tokens was reserved later than the call, as it counts in another minute."""
_ADMITTED = (
    "INSERT INTO calls (request, key, at, day, endpoint, model, state, tokens, nanos, input_sha256)"
    " VALUES (?, ?, ?, ?, ?, ?, 'open', ?, ?, ?)"
)
_SETTLED = (
    "UPDATE calls SET state = 'done', tokens = ?, tokens_in = ?, tokens_out = ?, nanos = ?, status = ?, upstream = ?,"
    " verdict = ?, output_sha256 = ?, seconds = ? WHERE id = ?"
)
_COUNTED = (
    "INSERT INTO days (requests, tokens, nanos, tokens_in, tokens_out, key, day) VALUES (?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (key, day) DO UPDATE SET requests = requests + excluded.requests, tokens = tokens + excluded.tokens,"
    " nanos = nanos + excluded.nanos, tokens_in = tokens_in + excluded.tokens_in,"
    " tokens_out = tokens_out + excluded.tokens_out"
)
Statement = tuple[str, tuple[Any, ...]]
Counted = tuple[int, int, int, int, int, str, str]
"""What is added to a day: requests, tokens, billionths of a dollar, tokens of prompts, tokens of answers, key, day."""


class Place:
    """Room for one request while it is read; see `Store.enter`."""

    __slots__ = ("_meter", "_store", "left")

    def __init__(self, store: Store, meter: Meter) -> None:
        self._store, self._meter, self.left = store, meter, False
        meter.reading += 1

    def leave(self, refused: int = 0) -> None:
        """Give it back. ``refused``: bytes of a request that was read and refused. A second time does nothing."""
        if not self.left:
            self.left = True
            self._meter.reading -= 1
            if refused > LONG:
                self._meter.refused.append(self._store.clock())


class Store:
    """The ledger of one gateway. Not for use by several threads, and by one process only."""

    def __init__(self, path: Path | str, clock: Callable[[], float] = time.time) -> None:
        self.path, self.clock = str(path), clock
        self.db = sqlite3.connect(self.path, isolation_level=None, timeout=1)
        # Of a new file only. A call changes a few rows, and each takes its whole page to the log.
        self.db.execute(f"PRAGMA page_size={PAGE}")
        self.db.execute("PRAGMA journal_mode=WAL")
        self.db.execute("PRAGMA synchronous=NORMAL")
        # Checkpoints sync the disk, so none comes in the middle of an admission: `tidy` makes them.
        self.db.execute("PRAGMA wal_autocheckpoint=0")
        self.db.execute(f"PRAGMA journal_size_limit={LONGEST_LOG}")
        self.db.executescript(_SCHEMA)
        # Of the last day before the end: no call lasts longer, and the file may hold millions.
        self.db.execute(
            "UPDATE calls SET state = 'lost' WHERE state = 'open' AND at > (SELECT max(at) FROM calls) - 86400"
        )
        self._meters: dict[str, Meter] = {}
        self._oldest = ""
        """Days before this one have been dropped."""
        self._logged = 0
        """Calls admitted since the log was last moved."""
        self._unwritten: list[tuple[tuple[Any, ...], Counted, list[tuple[int, int, int]]]] = []
        """Settlements that are in force and not yet on the disk, as rows of the three tables."""

    def close(self) -> None:
        """Write what is left, and close the file."""
        try:
            self.write()
        finally:
            self.db.close()

    def admit(self, rules: Rules, ask: Ask) -> Ticket:
        """Count the call in, or raise `errors.Refused` (429 with Retry-After, or 400 where no waiting would help)."""
        now = self.clock()
        meter = self._meter(rules.name, now)
        limits.refuse_what_exceeds(rules, meter, ask, now)
        name, day, tokens, nanos = rules.name, meter.day, ask.tokens, ask.nanos
        call = (ask.request, name, now, day, ask.endpoint, ask.model, tokens, nanos, ask.input_sha256)
        row = self._commit((1, tokens, nanos, 0, 0, name, day), (_ADMITTED, call))
        entry = [now, float(tokens)]
        self._logged += 1
        meter.recent.append(entry)
        meter.tokens += tokens
        meter.active += 1
        meter.book(day, tokens, nanos)
        return Ticket(row, name, now, day, tokens, nanos, entry)

    def extend(self, rules: Rules, ticket: Ticket, ask: Ask) -> None:
        """Reserve as much once more, as one upstream may have worked and another is asked; or raise `errors.Refused`.

        It counts on the call's day, and in the minute that it is now.
        """
        now = self.clock()
        meter = self._meter(ticket.name, now)
        of_its_day = meter
        if ticket.day != meter.day:
            today, month = self._sums(ticket.name, ticket.day), self._sums(ticket.name, ticket.day[:7])
            of_its_day = replace(meter, today=today, month=month)
        limits.refuse_what_is_used_up(rules, of_its_day, ask, now)
        self._commit(
            (0, ask.tokens, ask.nanos, 0, 0, ticket.name, ticket.day),
            (
                "UPDATE calls SET tokens = tokens + ?, nanos = nanos + ? WHERE id = ?",
                (ask.tokens, ask.nanos, ticket.id),
            ),
            ("INSERT INTO again VALUES (?, ?, ?, ?)", (ticket.id, len(ticket.again), now, ask.tokens)),
            ("DELETE FROM again WHERE at < ?", (now - 86400,)),
        )
        ticket.tokens += ask.tokens
        ticket.nanos += ask.nanos
        part = [now, float(ask.tokens)]
        ticket.again.append(part)
        meter.again.append(part)
        meter.tokens += ask.tokens
        meter.book(ticket.day, ask.tokens, ask.nanos)

    def settle(self, ticket: Ticket, spent: Spent) -> None:
        """Put what the call took in the place of what was reserved. A second time does nothing.

        It is in force at once, and written with the next admission or the next `write`. A kill in between leaves the
        call counted at all that was reserved for it.
        """
        if ticket.settled:
            return
        ticket.settled = True
        now = self.clock()
        try:
            meter = self._meter(ticket.name, now)
        except sqlite3.Error:
            # A new day's sums cannot be read now. They will be, with this settlement; the place is free all the same.
            meter = self._meters[ticket.name]
            meter.day = ""
        meter.active -= 1
        used = spent.tokens_in + spent.tokens_out
        tokens, nanos = used - ticket.tokens, spent.nanos - ticket.nanos
        meter.tokens += ticket.take(used)
        meter.book(ticket.day, tokens, nanos)
        call = (
            used,
            spent.tokens_in,
            spent.tokens_out,
            spent.nanos,
            spent.status,
            spent.upstream,
            spent.verdict,
            spent.output_sha256,
            round(max(0.0, now - ticket.at), 4),
            ticket.id,
        )
        if len(self._unwritten) < MOST_UNWRITTEN:
            day = (0, tokens, nanos, spent.tokens_in, spent.tokens_out, ticket.name, ticket.day)
            parts = [(max(0, int(each[1])), ticket.id, part) for part, each in enumerate(ticket.again)]
            self._unwritten.append((call, day, parts))

    @property
    def unwritten(self) -> int:
        """Settlements that are not yet on the disk."""
        return len(self._unwritten)

    def write(self) -> None:
        """Write the settlements that are not yet on the disk. Raises sqlite3.Error, and then they are kept."""
        if self._unwritten:
            self._commit()

    def _commit(self, counted: Counted | None = None, *statements: Statement) -> int:
        """Write down the settlements that wait, what counts and these statements, as a whole or not at all.

        The last row's id. Raises sqlite3.Error, and then the settlements are kept.
        """
        execute, waiting = self.db.execute, self._unwritten
        execute("BEGIN IMMEDIATE")
        try:
            if waiting:
                self.db.executemany(_SETTLED, [call for call, _, _ in waiting])
                if again := [part for _, _, parts in waiting for part in parts]:
                    self.db.executemany("UPDATE again SET tokens = ? WHERE call = ? AND part = ?", again)
            for row in _added([day for _, day, _ in waiting], counted):
                execute(_COUNTED, row)
            last = 0
            for statement, values in statements:
                last = execute(statement, values).lastrowid or 0
            execute("COMMIT")
        except BaseException:
            execute("ROLLBACK")
            raise
        waiting.clear()
        return last

    async def tidy(self, *, now: bool = True) -> None:
        """Move the log into the database, and have it begin anew. ``now``: however short it is.

        A thread moves what is there, and syncs it. Calls go on meanwhile, so when it ends there is more, and a log of
        which anything is left never begins anew: that little is moved here, while nobody writes. It takes a few
        milliseconds, as it is synced too; and so is the beginning of the log with the next call.
        """
        if now or self._logged >= LOGGED:
            self._logged = 0
            await asyncio.to_thread(checkpoint, self.path)
            self.db.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def enter(self, rules: Rules) -> Place:
        """Let a request in whose body is still to be read, or raise `errors.Refused`, as nothing of it can be served.

        It has a place until it is admitted or refused, and those who have one count like those who were admitted: of
        a thousand who come at once no more are read than could be served. So do refused ones of the last minute that
        were long (`LONG`). Nothing is written down.
        """
        now = self.clock()
        meter = self._meter(rules.name, now)
        while meter.refused and meter.refused[0] <= now - WINDOW:
            meter.refused.popleft()
        limits.refuse_what_exceeds(rules, meter, limits.LEAST, now)
        return Place(self, meter)

    def headers(self, rules: Rules) -> dict[str, str]:
        """OpenAI's rate headers, for the limits that the key has."""
        now = self.clock()
        return limits.headers(rules, self._meter(rules.name, now), now)

    def left(self, rules: Rules) -> float:
        """Tokens that a key has left under all its limits, less what is reserved; infinite where it has none."""
        meter = self._meter(rules.name, self.clock())
        return min(
            (
                limit - used
                for limit, used in (
                    (rules.tokens_per_minute, meter.tokens),
                    (rules.daily_tokens, meter.today.tokens),
                    (rules.monthly_tokens, meter.month.tokens),
                )
                if limit is not None
            ),
            default=math.inf,
        )

    def budgets(self, rules: Rules) -> list[tuple[str, str, float, float]]:
        """A key's budgets, each as (unit, period, limit, used or reserved); without those that it does not have."""
        if not rules.has_budget:
            return []
        meter = self._meter(rules.name, self.clock())
        rows = (
            ("tokens", "day", rules.daily_tokens, float(meter.today.tokens)),
            ("tokens", "month", rules.monthly_tokens, float(meter.month.tokens)),
            ("usd", "day", rules.daily_budget_usd, meter.today.nanos / NANO),
            ("usd", "month", rules.monthly_budget_usd, meter.month.nanos / NANO),
        )
        return [(unit, period, float(limit), used) for unit, period, limit, used in rows if limit is not None]

    def active(self) -> dict[str, int]:
        """How many calls of each key are under way."""
        return {name: meter.active for name, meter in self._meters.items()}

    def prune(self, at_most: int = 500) -> int:
        """Drop calls that are too old, a few at a time; how many there were."""
        now = self.clock()
        oldest = day_at(now - 400 * 86400)
        if oldest != self._oldest:
            self.db.execute("DELETE FROM days WHERE day < ?", (oldest,))
            self._oldest = oldest
        return self.db.execute(
            "DELETE FROM calls WHERE id IN (SELECT id FROM calls WHERE at < ? AND state != 'open' LIMIT ?)",
            (now - KEEP_CALLS, at_most),
        ).rowcount

    def _meter(self, name: str, now: float) -> Meter:
        meter = self._meters.get(name)
        day = day_at(now)
        if meter is None:
            since = (name, now - WINDOW)
            calls = self.db.execute(
                "SELECT at, tokens - (SELECT total(tokens) FROM again WHERE call = id) FROM calls"
                " WHERE key = ? AND at > ? ORDER BY at",
                since,
            ).fetchall()
            again = self.db.execute(
                "SELECT again.at, again.tokens FROM again JOIN calls ON id = call WHERE key = ? AND again.at > ?"
                " ORDER BY again.at",
                since,
            ).fetchall()
            meter = self._meters[name] = Meter()
            for parts, rows in ((meter.recent, calls), (meter.again, again)):
                parts.extend([at, float(tokens)] for at, tokens in rows)
                meter.tokens += int(sum(tokens for _, tokens in rows))
        if meter.day != day:
            meter.today, meter.month = self._sums(name, day), self._sums(name, day[:7])
            meter.day = day
        meter.forget(now)
        return meter

    def _sums(self, name: str, prefix: str) -> Sums:
        row = self.db.execute(
            "SELECT sum(tokens), sum(nanos) FROM days WHERE key = ? AND day >= ? AND day < ?",
            (name, prefix, prefix + "~"),
        ).fetchone()
        late = [day for _, day, _ in self._unwritten if day[5] == name and day[6].startswith(prefix)]
        return Sums(int(row[0] or 0) + sum(each[1] for each in late), int(row[1] or 0) + sum(each[2] for each in late))


def _added(days: list[Counted], more: Counted | None) -> list[Counted]:
    """One row for each key and day: of most calls that are written together they are the same."""
    if more is not None:
        days.append(more)
    found: dict[tuple[str, str], Counted] = {}
    for requests, tokens, nanos, tokens_in, tokens_out, key, day in days:
        had = found.get((key, day))
        if had is not None:
            requests, tokens, nanos = requests + had[0], tokens + had[1], nanos + had[2]
            tokens_in, tokens_out = tokens_in + had[3], tokens_out + had[4]
        found[key, day] = (requests, tokens, nanos, tokens_in, tokens_out, key, day)
    return list(found.values())


def checkpoint(path: str) -> None:
    """Move the log into the database and sync it; for a thread of its own, as it waits for the disk."""
    with sqlite3.connect(path, isolation_level=None, timeout=5) as db:
        db.execute("PRAGMA wal_checkpoint(PASSIVE)")
    db.close()
