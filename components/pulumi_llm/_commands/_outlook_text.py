"""What ends, as text: a line for each with its level, day and days left, then what to do and where it is known from."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Sequence
from datetime import date

from pulumi_llm._language import told, tr
from pulumi_llm._outlook.ends import LEVELS, Data, End
from pulumi_llm._tables import aligned, padded
from pulumi_llm._texts import _, listed

WORDS = {"now": _("now"), "soon": _("soon"), "later": _("later"), "note": _("note")}
HEAD = 26
"""Columns of level, day and days left."""


def page(asked: Namespace, ends: Sequence[End], data: Sequence[Data], today: date) -> str:
    """All of it, with a line feed at its end."""
    lines = [tr("{stack}: what ends, as of {today}", stack=asked.stack, today=today), ""]
    lines += table(asked, ends, today) or [tr("nothing that is known of")]
    ages = [
        _("{what} as of {day} ({days} days)", what=each.what, day=each.as_of, days=(today - each.as_of).days)
        for each in data
        if each.as_of is not None
    ]
    lines += ["", tr("known: {ages}", ages=listed(ages))]
    if not (asked.deployed or asked.ask):
        lines.append(tr("certificates: not looked at; --deployed reads the stack's state, --ask asks the machines too"))
    if not asked.usage:
        lines.append(tr("quotas of keys by day and month: not looked at; --usage asks the gateways"))
    counts = {level: sum(each.level(today, asked.within) == level for each in ends) for level in LEVELS}
    lines.append(tr("{now} now, {soon} within {days} days, {later} later, {note} to know", days=asked.within, **counts))
    return "\n".join(lines) + "\n"


def table(asked: Namespace, ends: Sequence[End], today: date) -> list[str]:
    """The ends, each with its hint and its source under it."""
    heads = aligned(
        [
            (
                WORDS[each.level(today, asked.within)],
                each.day.isoformat() if each.day else "",
                _days(each.days_left(today)),
            )
            for each in ends
        ],
        right=(2,),
        least=(0, 10, 6),
    )
    lines = []
    for head, each in zip(heads, ends, strict=True):
        place = f"{told(each.where)}: " if each.where else ""
        mark = tr("(accepted) ") if each.accepted(asked.accept) else ""
        lines.append(f"{padded(head, HEAD)}  {mark}[{each.code}] {place}{told(each.message)}")
        lines += [f"{' ' * (HEAD + 2)}{line}" for line in _below(each)]
    return lines


def _days(left: int | None) -> str:
    return "" if left is None else tr("{days} d", days=left)


def _below(end: End) -> Iterator[str]:
    if end.hint:
        yield tr("try: {hint}", hint=end.hint)
    if end.source:
        yield tr("source: {source}, {date}", source=end.source, date=end.source_date)
