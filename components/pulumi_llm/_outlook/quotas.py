"""Keys that have used up what a day or a month allows them, or will: from what their gateway itself tells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from pulumi_llm._outlook.ends import End
from pulumi_llm._texts import _

NANO = 1_000_000_000
LIMITS = {
    "daily_tokens": ("day", "tokens"),
    "daily_budget_usd": ("day", "nanos"),
    "monthly_tokens": ("month", "tokens"),
    "monthly_budget_usd": ("month", "nanos"),
}
"""A key's limits by UTC's days and months, and what of the ledger counts against each."""
NEAR = 0.8
"""From which share on a limit is called nearly used."""
FULL = 0.95
"""From which share on a day was used up: the gateway refuses what would not fit any more, so that some is left."""
DAYS_BACK = 7
DAYS_ASKED = 31
"""How much of the ledger is read: a month, and the days back."""


def quotas(keys: Iterable[Mapping[str, Any]], used: Iterable[Mapping[str, Any]], today: date, where: str) -> list[End]:
    """What of a gateway's keys is used up, will be, or ends; ``today`` is UTC's.

    ``keys`` and ``used`` are the rows of the gateway's own commands ``list`` and ``usage`` (`llm_gate.admin`).
    """
    days: dict[str, dict[date, Mapping[str, Any]]] = {}
    for each in used:
        days.setdefault(str(each["key"]), {})[date.fromisoformat(each["day"])] = each
    found: list[End] = []
    for key in keys:
        limits, name = key.get("limits") or {}, str(key["name"])
        if key.get("state") != "valid":
            continue
        if key.get("managed") == "cli" and limits.get("expires"):
            found.append(_expires(name, float(limits["expires"]), where))
        for limit, (period, measure) in LIMITS.items():
            most = limits.get(limit)
            if most:
                by_day = {day: row[measure] / (NANO if measure == "nanos" else 1) for day, row in
                          days.get(name, {}).items()}  # fmt: skip
                told = _by_day if period == "day" else _by_month
                found += told(f"{name}.{limit}", float(most), by_day, today, where)
    return found


def _by_day(name: str, most: float, used: Mapping[date, float], today: date, where: str) -> Iterator[End]:
    shares = {day: used.get(day, 0) / most for day in (today - timedelta(days=back) for back in range(DAYS_BACK))}
    full = [day for day, share in shares.items() if share >= FULL]
    if full:
        yield End(
            code="outlook.quota-ends",
            name=name,
            message=_(
                "{name}, {most:,.15g}, was used up on {count} of the last {days} days, {day} the last of them",
                name=name, most=most, count=len(full), days=DAYS_BACK, day=max(full),
            ),
            hint=_("a higher limit, or another key for some of those who share it; `pulumi-llm usage` says for what"),
            where=where,
            fault=True,
        )  # fmt: skip
    elif max(shares.values()) >= NEAR:
        day = max(shares, key=lambda each: shares[each])
        yield _near(name, most, shares[day], _("on {day}", day=day), where)


def _by_month(name: str, most: float, used: Mapping[date, float], today: date, where: str) -> Iterator[End]:
    spent = sum(each for day, each in used.items() if (day.year, day.month) == (today.year, today.month))
    first = today.replace(day=1)
    after = (first + timedelta(days=31)).replace(day=1)
    # What is used on one day says little of a month: at the pace of a week, or where most of it is gone.
    pace = spent / today.day if today.day >= DAYS_BACK or spent >= NEAR * most else 0
    ends = first + timedelta(days=int(most / pace)) if pace * 31 >= most else after
    if spent >= FULL * most or ends < after:
        used_up = spent >= FULL * most
        yield End(
            code="outlook.quota-ends",
            name=name,
            message=(
                _("{name}, {most:,.15g}, is used up until {after}", name=name, most=most, after=after)
                if used_up
                else _(
                    "of {name}, {most:,.15g}, {share:.0%} is used, and at this pace all of it on {day}",
                    name=name, most=most, share=spent / most, day=max(ends, today),
                )
            ),
            hint=_("a higher limit, or another key for some of those who share it; `pulumi-llm usage` says for what"),
            where=where,
            day=today if used_up else max(ends, today),
        )  # fmt: skip
    elif spent >= NEAR * most:
        yield _near(name, most, spent / most, _("this month"), where)


def _near(name: str, most: float, share: float, when: str, where: str) -> End:
    return End(
        code="outlook.quota-near",
        name=name,
        message=_("of {name}, {most:,.15g}, {share:.0%} was used {when}", name=name, most=most, share=share, when=when),
        where=where,
    )


def _expires(name: str, seconds: float, where: str) -> End:
    """A key that the program does not know; those of the program are told from it."""
    day = datetime.fromtimestamp(seconds, UTC).date()
    return End(
        code="outlook.key-expires",
        name=name,
        message=_("the key {name!r} works until {day}", name=name, day=day - timedelta(days=1)),
        hint=_("`pulumi-llm keys add` makes another for those who use it"),
        where=where,
        day=day,
    )


def not_seen(where: str, problem: str, hint: str) -> End:
    """A note for a gateway that did not say."""
    return End(
        code="outlook.quota-not-seen",
        name=where,
        message=_("what the keys have used is not known: {problem}", problem=problem),
        hint=hint,
        where=where,
    )
