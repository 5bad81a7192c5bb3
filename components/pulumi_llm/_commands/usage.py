"""`pulumi-llm usage -s STACK`: what each key of a gateway has used, by key or by day."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from pulumi_llm._commands import DONE, Command, OneOf, option
from pulumi_llm._commands._options import JSON, PROJECT, SIMULATED, STACK
from pulumi_llm._commands._values import one_of, places, whole
from pulumi_llm._language import tr
from pulumi_llm._texts import _

if TYPE_CHECKING:
    from argparse import Namespace

NANO = 1_000_000_000
HEADS = {
    "key": _("key"),
    "day": _("day"),
    "requests": _("requests"),
    "tokens_in": _("tokens in"),
    "tokens_out": _("tokens out"),
    "reserved": _("reserved"),
    "cost_usd": _("cost usd"),
}


def _usage(asked: Namespace) -> int:
    import json

    from pulumi_llm import _channel as channel

    machine = channel.machine_of(asked.project, asked.stack, asked.at, simulated=asked.sim)
    if asked.audit:
        for call in channel.ask(machine, "audit", {"last": asked.audit})["calls"]:
            sys.stdout.write(json.dumps(call) + "\n")
        return DONE
    answer = channel.ask(machine, "usage", {"days": asked.days})
    rows = rows_of(answer["days"], by_day=asked.by_day)
    if asked.json:
        sys.stdout.write(json.dumps({"since": answer["since"], "rows": rows}, indent=2) + "\n")
    elif asked.csv:
        import csv

        table = csv.DictWriter(sys.stdout, list(rows[0]) if rows else ["key"])
        table.writeheader()
        table.writerows(rows)
    else:
        sys.stdout.write(as_table(rows, answer["since"]))
    return DONE


def rows_of(days: list[dict[str, Any]], *, by_day: bool) -> list[dict[str, Any]]:
    """The node's rows, summed by key or left by day. ``cost_usd`` is at the catalogue's prices."""
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for day in days:
        which = (day["key"], day["day"]) if by_day else (day["key"],)
        row = found.setdefault(which, dict(zip(("key", "day"), which, strict=False)))
        for name in ("requests", "tokens_in", "tokens_out", "tokens"):
            row[name] = row.get(name, 0) + day[name]
        row["nanos"] = row.get("nanos", 0) + day["nanos"]
    for row in found.values():
        # Calls under way, and those that a crash cut short, stand with what was reserved for them.
        row["reserved"] = row.pop("tokens") - row["tokens_in"] - row["tokens_out"]
        row["cost_usd"] = round(row.pop("nanos") / NANO, 6)
    return list(found.values())


def as_table(rows: list[dict[str, Any]], since: str) -> str:
    """The rows for people."""
    if not rows:
        return tr("no key has been used since {since}\n", since=since)
    from pulumi_llm._tables import aligned

    names = list(rows[0])
    head = [HEADS[name] for name in names]
    cells = [[f"{row[name]:,}" if isinstance(row[name], int) else str(row[name]) for name in names] for row in rows]
    figures = {at for at, name in enumerate(names) if name not in ("key", "day")}
    lines = aligned([head, *cells], right=figures)
    return "\n".join([tr("since {since} (UTC)", since=since), *lines]) + "\n"


COMMAND = Command(
    name="usage",
    help="what each key of a gateway has used",
    about=__doc__,
    options=(
        STACK,
        SIMULATED,
        option("--at", type=one_of("machine", places), default="server", help="server or proxy"),
        PROJECT,
        option("--days", type=whole(1, 400), default=30, help="how many days back (default: 30)"),
        option("--by-day", action="store_true", help="one row for each key and day"),
        option("--audit", type=whole(1, 100_000), metavar="N", help="the last N calls instead, as JSON lines"),
        OneOf((JSON, option("--csv", action="store_true", help="as CSV"))),
    ),
    body=_usage,
)
