"""`pulumi-llm usage -s STACK`: what each key of a gateway has used, by key or by day."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pulumi_llm import channel
from pulumi_llm._tables import aligned
from pulumi_llm.commands import Parser, guarded, one_of, whole
from pulumi_llm.language import tr
from pulumi_llm.texts import _

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


def run(argv: Sequence[str]) -> int:
    """Print the report. Exit 0; 1 where the machine does not answer; 2 where called wrongly."""
    asked: argparse.Namespace | None = None

    def read() -> int:
        nonlocal asked
        parser = Parser("pulumi-llm usage", __doc__)
        parser.add_argument("-s", "--stack", required=True)
        parser.add_argument("--sim", action="store_true", help="the stack of `pulumi-llm sim`")
        parser.add_argument("--at", type=one_of("machine", channel.PLACES), default="server", help="server or proxy")
        parser.add_argument("--project", type=Path, default=Path(), help="a folder in the project (default: this one)")
        parser.add_argument("--days", type=whole(1, 400), default=30, help="how many days back (default: 30)")
        parser.add_argument("--by-day", action="store_true", help="one row for each key and day")
        parser.add_argument(
            "--audit", type=whole(1, 100_000), metavar="N", help="the last N calls instead, as JSON lines"
        )
        form = parser.add_mutually_exclusive_group()
        form.add_argument("--json", action="store_true")
        form.add_argument("--csv", action="store_true")
        asked = parser.parse(argv)
        return 0

    left = guarded("pulumi-llm usage", read)
    return left if asked is None else _report(asked)


def _report(asked: argparse.Namespace) -> int:
    machine = channel.machine_of(asked.project, asked.stack, asked.at, simulated=asked.sim)
    if asked.audit:
        for call in channel.ask(machine, "audit", {"last": asked.audit})["calls"]:
            sys.stdout.write(json.dumps(call) + "\n")
        return 0
    answer = channel.ask(machine, "usage", {"days": asked.days})
    rows = rows_of(answer["days"], by_day=asked.by_day)
    if asked.json:
        sys.stdout.write(json.dumps({"since": answer["since"], "rows": rows}, indent=2) + "\n")
    elif asked.csv:
        table = csv.DictWriter(sys.stdout, list(rows[0]) if rows else ["key"])
        table.writeheader()
        table.writerows(rows)
    else:
        sys.stdout.write(as_table(rows, answer["since"]))
    return 0


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
    names = list(rows[0])
    cells = [[f"{row[name]:,}" if isinstance(row[name], int) else str(row[name]) for name in names] for row in rows]
    figures = [at for at, name in enumerate(names) if name not in ("key", "day")]
    lines = aligned([[HEADS[name] for name in names], *cells], right=figures)
    return "\n".join([tr("since {since} (UTC)", since=since), *lines]) + "\n"
