"""What was used, asked for, summed and told: the body of `pulumi-llm usage`."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pulumi_llm import _channel as channel
from pulumi_llm._commands import DONE, UsageError
from pulumi_llm._commands import _usage_chart as charts
from pulumi_llm._commands.usage import BY
from pulumi_llm._language import tr
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal

NANO = 1_000_000_000
HEADS = {
    "key": _("key"),
    "model": _("model"),
    "day": _("day"),
    "requests": _("requests"),
    "tokens_in": _("tokens in"),
    "tokens_out": _("tokens out"),
    "reserved": _("reserved"),
    "cost_usd": _("cost usd"),
}


def run(asked: Namespace) -> int:
    """Print what was used. Gives the exit code."""
    if asked.of and not asked.chart:
        raise UsageError(_("--of says what the bars of --chart measure: add --chart"))
    machine = channel.machine_of(asked.project, asked.stack, asked.at, simulated=asked.sim)
    if asked.audit:
        for call in channel.ask(machine, "audit", {"last": asked.audit})["calls"]:
            sys.stdout.write(json.dumps(call) + "\n")
        return DONE
    wanted = {*(asked.by or ["key"]), *(("key", "day") if asked.by_day else ())}
    by = [each for each in BY if each in wanted]
    models = "model" in by
    answer = channel.ask(machine, "usage", {"days": asked.days, "models": models})
    days, since = answer["days"], answer["since"]
    if models and any("model" not in each for each in days):
        hint = _("`pulumi up -s {stack}` brings it this version's gateway", stack=asked.stack)
        raise Refusal([Finding("usage.no-models", _("the gateway on this machine does not tell models apart"), hint)])
    rows = rows_of(days, by)
    if asked.json:
        sys.stdout.write(json.dumps({"since": since, "by": by, "rows": rows}, indent=2, ensure_ascii=False) + "\n")
    elif asked.csv:
        import csv

        table = csv.DictWriter(sys.stdout, [*by, *list(HEADS)[len(BY) :]])
        table.writeheader()
        table.writerows(rows)
    elif asked.chart:
        sys.stdout.write(charts.chart(rows, by, since, asked.of))
    else:
        sys.stdout.write(as_table(rows, by, since))
    return DONE


def rows_of(days: Iterable[Mapping[str, Any]], by: Sequence[str]) -> list[dict[str, Any]]:
    """The node's rows, summed by what is told apart. ``cost_usd`` is at the catalogue's prices."""
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for day in days:
        which = tuple(str(day[name]) for name in by)
        row = found.setdefault(which, dict(zip(by, which, strict=True)))
        for name in ("requests", "tokens_in", "tokens_out", "tokens"):
            row[name] = row.get(name, 0) + day[name]
        row["nanos"] = row.get("nanos", 0) + day["nanos"]
    for row in found.values():
        # Calls under way, and those that a crash cut short, stand with what was reserved for them.
        row["reserved"] = row.pop("tokens") - row["tokens_in"] - row["tokens_out"]
        row["cost_usd"] = round(row.pop("nanos") / NANO, 6)
    return [found[which] for which in sorted(found)]


def as_table(rows: Sequence[Mapping[str, Any]], by: Sequence[str], since: str) -> str:
    """The rows for people, and their sum."""
    if not rows:
        return tr("no key has been used since {since}\n", since=since)
    from pulumi_llm._tables import aligned

    measured = list(HEADS)[len(BY) :]
    sums = {name: sum(row[name] for row in rows) for name in measured}
    total = [tr("all"), *[""] * (len(by) - 1), *(_cell(sums[name]) for name in measured)]
    cells = [[*(str(row[name]) for name in by), *(_cell(row[name]) for name in measured)] for row in rows]
    head = [HEADS[name] for name in (*by, *measured)]
    lines = aligned([head, *cells, *([total] if len(rows) > 1 else [])], right=range(len(by), len(by) + len(measured)))
    return "\n".join([tr("since {since} (UTC)", since=since), *lines]) + "\n"


def _cell(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{round(value, 6)}"
