"""A bill, a difference and a budget as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from itertools import groupby

from pulumi_llm import _tables
from pulumi_llm._language import told, tr
from pulumi_llm._review.bill import Bill, Line
from pulumi_llm._review.capacity import Room
from pulumi_llm._review.difference import Difference, LineChange
from pulumi_llm._review.hours import Schedule, of_month
from pulumi_llm._review.money import CURRENCIES, HOURS_PER_MONTH, Amounts, plain
from pulumi_llm._tables import padded
from pulumi_llm._texts import _, listed

WIDTH = 58

CHANGES = {"added": _("added"), "removed": _("removed"), "changed": _("changed")}


def bill_text(bill: Bill, currency: str) -> str:
    """The bill by resource; ``currency`` is the column that comes first."""
    order = (currency, *(each for each in CURRENCIES if each != currency))
    rate = bill.exchange_rate
    lines = [
        tr(
            "{project} / {stack}: list prices; 1 {base} = {rate} {quote} ({source_date})",
            project=bill.project,
            stack=bill.stack,
            base=rate.base,
            rate=rate.rate,
            quote=rate.quote,
            source_date=rate.source_date,
        ),
        _assumptions(bill),
        "",
        f"{' ' * WIDTH}{padded(tr('per hour'), 22, right=True)}{padded(tr('per month'), 26, right=True)}",
        f"{' ' * WIDTH}{order[0]:>11}{order[1]:>11}{order[0]:>13}{order[1]:>13}   {tr('price of')}",
    ]
    for (urn, resource), group in groupby(bill.lines, key=lambda line: (line.urn, line.resource)):
        parts = list(group)
        place = " ".join(each for each in (parts[0].cloud, parts[0].region) if each)
        lines.append(f"{resource}{f'  ({place})' if place else ''}" if urn else resource)
        lines += [_row(line, order) for line in parts]
    if not bill.lines:
        lines.append(tr("nothing that costs"))
    if bill.nothing_known:
        lines += ["", padded(tr("total"), WIDTH) + _no_figures()]
    else:
        word = tr("at least") if bill.at_least else tr("total")
        sums = _figures(bill.per_hour, order, 11, 4) + _figures(bill.per_month, order, 13, 2)
        lines += ["", padded(word, WIDTH) + sums]
        if (fewest := bill.fewest) is not None:
            sums = _figures(fewest.per_hour, order, 11, 4) + _figures(fewest.per_month, order, 13, 2)
            lines.append(padded(tr("with the fewest nodes"), WIDTH) + sums)
    lines += _remarks(bill)
    lines += _hours(bill, order)
    lines += _alternatives(bill, order)
    return "\n".join(lines) + "\n"


def difference_text(difference: Difference, against: str, currency: str) -> str:
    """The changes against another bill, and their sum."""
    order = (currency, *(each for each in CURRENCIES if each != currency))
    if not difference.changes:
        return tr("\nagainst {against}: no difference\n", against=against)
    width = WIDTH + 22
    lines = [
        "",
        f"{padded(tr('against {against}', against=against), width)}{order[0]:>13}{order[1]:>13}   {tr('per month')}",
    ]
    for each in difference.changes:
        if each.per_month is None:
            figures = 2 * padded(tr("unknown"), 13, right=True)
        else:
            figures = _figures(each.per_month, order, 13, 2, sign=True)
        lines.append(
            _fitted(f"  {padded(told(CHANGES[each.change]), 8)} {each.line.resource}: {_step(each)}", width) + figures
        )
    word = tr("difference") if difference.complete else tr("difference, without what is unknown")
    lines.append(f"{padded(word, width)}{_figures(difference.per_month, order, 13, 2, sign=True)}")
    if not difference.same_assumptions:
        lines.append(
            tr("note: the two bills assume other hours, traffic or exchange rates; that is part of the difference")
        )
    return "\n".join(lines) + "\n"


def budget_text(verdict: str, budget: Decimal, currency: str, bill: Bill) -> str:
    """One line: the budget and whether the bill is within it."""
    monthly = bill.per_month.of(currency)
    said = {
        "within": _("within it, {left:,.2f} left", left=budget - monthly),
        "over": _("over it by {excess:,.2f} at least", excess=monthly - budget)
        if bill.at_least
        else _("over it by {excess:,.2f}", excess=monthly - budget),
        "undecided": _("cannot be decided, as some prices are unknown"),
    }[verdict]
    return tr("budget of {budget:,.2f} {currency} a month: {said}\n", budget=budget, currency=currency, said=said)


def _assumptions(bill: Bill) -> str:
    running = plain(bill.running_hours)
    hours = (
        _("machines run all {running} hours of a month", running=running)
        if bill.running_hours == HOURS_PER_MONTH
        else _(
            "machines run {running} of a month's {hours_per_month} hours; disks and addresses are kept",
            running=running,
            hours_per_month=HOURS_PER_MONTH,
        )
    )
    if any(each.kind == "machine" and each.hours < bill.running_hours for each in bill.lines):
        hours = _("{hours}, and no longer than their own hours say", hours=hours)
    return tr(
        "{hours}; {traffic_gib} GiB a month go out of each public address, an assumption (--traffic-gib)",
        hours=hours,
        traffic_gib=plain(bill.traffic_gib),
    )


def _row(line: Line, order: tuple[str, ...]) -> str:
    what = _fitted(f"  {told(line.what)}{f' ({told(line.note)})' if line.note else ''}", WIDTH)
    if line.per_hour is None or line.per_month is None or line.price is None:
        return what + _no_figures()
    undated = line.price.source_date == "undated"
    marks = [tr("undated") if undated else line.price.source_date]
    marks += [tr("old")] if line.price.stale and not undated else []
    marks += [tr("derived")] if line.price.derived else []
    figures = f"{_figures(line.per_hour, order, 11, 4)}{_figures(line.per_month, order, 13, 2)}"
    return f"{what}{figures}   {told(listed(marks))}"


def _no_figures() -> str:
    return "".join(padded(tr("unknown"), columns, right=True) for columns in (11, 11, 13, 13))


def _hours(bill: Bill, order: tuple[str, ...]) -> Iterable[str]:
    """How long the machines that stop by themselves run, and what that makes of the bill."""
    if bill.schedules:
        yield tr("hours a month of servers that stop by themselves:")
    for each in bill.schedules:
        if each.hours:
            yield f"  {each.resource}: {told(_counted(each, bill, order))}"
        if each.idle_minutes is not None:
            yield f"  {each.resource}: {told(_idle(each))}"


def _counted(schedule: Schedule, bill: Bill, order: tuple[str, ...]) -> str:
    running, asked = plain(schedule.running), plain(bill.running_hours)
    if schedule.running == bill.running_hours:
        return _(
            "{running} are counted, as asked for: its hours ({hours}) have {own}",
            running=running,
            hours=schedule.hours,
            own=plain(of_month(schedule.hours)),
        )
    if schedule.saved is None:
        saving = _("what that saves is not known, as the price of the machine is not")
    else:
        first, second = (_("{amount:,.2f} {currency}", amount=schedule.saved.of(each), currency=each) for each in order)
        saving = _("{first} ({second}) a month less than at all {asked}", first=first, second=second, asked=asked)
    return _("{running} of {asked}, by its hours ({hours}): {saving}", running=running, asked=asked,
             hours=schedule.hours, saving=saving)  # fmt: skip


def _idle(schedule: Schedule) -> str:
    stopping, minutes = schedule.machines - schedule.keep, schedule.idle_minutes
    if stopping < schedule.machines:
        return _(
            "{stopping} of its {machines} machines stop after {minutes} minutes without a request: what that takes off "
            "depends on the calls and is not counted",
            stopping=stopping,
            machines=schedule.machines,
            minutes=minutes,
        )
    return _(
        "stops after {minutes} minutes without a request: what that takes off depends on the calls and is not counted; "
        "`--hours` counts as many as you expect, of every machine",
        minutes=minutes,
    )


def _alternatives(bill: Bill, order: tuple[str, ...]) -> Iterable[str]:
    """What `recover` takes where a server's machine is sold out: the machine alone, in no total."""
    for resource, group in groupby(bill.alternatives, key=lambda each: each.line.resource):
        yield ""
        yield tr(
            "alternatives of {resource}, the machine alone, as `pulumi-llm recover` tries them:", resource=resource
        )
        for each in group:
            number = each.offered.number
            what = _("{number}: {words}", number=number, words=each.line.what)
            if each.offered.taken:
                what = _("{words}; taken now", words=what)
            yield _row(replace(each.line, what=what), order)
            yield f"     {told(fit_of(each.offered.room))}"


def fit_of(room: Room | None) -> str:
    """How a model fits, in words."""
    if room is None:
        return _("whether the model fits is not known")
    if room.at_once < 1:
        return _("by the estimate no request of {context:,} tokens fits", context=room.context)
    return _("fits: {at_once:g} requests of {context:,} tokens at once", at_once=room.at_once, context=room.context)


def _remarks(bill: Bill) -> Iterable[str]:
    if bill.unknown:
        yield tr("unknown prices, which are not in the total:")
        yield from (f"  {line.resource}, {told(line.what)}: {told(line.unknown)}" for line in bill.unknown)
    tags = [line.price for line in bill.lines if line.price is not None]
    if any(tag.stale for tag in tags):
        yield tr(
            "old or undated: a price from more than a year ago, or without a date; compare with the cloud's own list"
        )
    if any(tag.derived for tag in tags):
        yield tr("derived: estimated from the price in another region")


def _step(change: LineChange) -> str:
    if change.before is None or change.after is None:
        return told(change.line.what)
    if change.before.what == change.after.what:
        return tr("{what}, other price, hours or place", what=change.after.what)
    return f"{told(change.before.what)} -> {told(change.after.what)}"


def _figures(amounts: Amounts, order: tuple[str, ...], width: int, digits: int, *, sign: bool = False) -> str:
    style = f"{'+' if sign else ''},.{digits}f"
    return "".join(f"{format(amounts.of(currency), style):>{width}}" for currency in order)


def _fitted(text: str, width: int) -> str:
    """``text`` in a column of that width; what is too long has a line of its own."""
    return padded(text, width) if _tables.width(text) < width else f"{text}\n{' ' * width}"
