"""Bars in a terminal: each begins at 0, all are on one linear scale, which is told; a day without use is a row too."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from pulumi_llm._language import tr
from pulumi_llm._tables import padded, width
from pulumi_llm._texts import _

MEASURED = {
    "cost_usd": _("USD at the catalogue's prices"),
    "tokens": _("tokens, in and out"),
    "tokens_in": _("tokens in"),
    "tokens_out": _("tokens out"),
    "requests": _("requests"),
}
EIGHTHS = " ▏▎▍▌▋▊▉█"
LEAST_BAR, MOST_BAR = 10, 60
"""Columns of the longest bar."""


def chart(
    rows: Sequence[Mapping[str, Any]], by: Sequence[str], since: str, of: str | None = None, *, columns: int = 0
) -> str:
    """The rows as bars of one measure, by default money where any was spent. ``columns``: the terminal's."""
    if not rows:
        return tr("no key has been used since {since}\n", since=since)
    measure = of or ("cost_usd" if any(row["cost_usd"] for row in rows) else "tokens")
    values = [(_label(row, by), _value(row, measure)) for row in _with_idle_days(rows, by, since)]
    most = max(value for __, value in values)
    shown = [_shown(value, measure) for __, value in values]
    label_width = max(width(label) for label, __ in values)
    number_width = max(map(len, shown))
    room = (columns or shutil.get_terminal_size().columns) - label_width - number_width - 5
    full = max(LEAST_BAR, min(MOST_BAR, room))
    lines = [tr("{measure}, since {since} (UTC)", measure=MEASURED[measure], since=since)]
    for (label, value), number in zip(values, shown, strict=True):
        lines.append(f"{padded(label, label_width)}  {number:>{number_width}}  {bar(value, most, full)}".rstrip())
    lines.append(
        tr("the longest bar is {most}, and every bar begins at 0", most=_shown(most, measure))
        if most
        else tr("nothing of it was used")
    )
    return "\n".join(lines) + "\n"


def bar(value: float, most: float, full: int, *, fine: bool | None = None) -> str:
    """A bar of ``full`` columns for ``most``, cut to eighths of a column, or whole ones where the output has no such
    characters. What is above 0 is seen.
    """
    if value <= 0 or most <= 0:
        return ""
    fine = _fine() if fine is None else fine
    if not fine:
        return "#" * max(1, round(full * value / most))
    eighths = max(1, round(8 * full * value / most))
    whole, rest = divmod(eighths, 8)
    return EIGHTHS[8] * whole + (EIGHTHS[rest] if rest else "")


def _fine() -> bool:
    try:
        EIGHTHS.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _label(row: Mapping[str, Any], by: Sequence[str]) -> str:
    return " ".join(str(row[name]) for name in by)


def _value(row: Mapping[str, Any], measure: str) -> float:
    return float(row["tokens_in"] + row["tokens_out"] if measure == "tokens" else row[measure])


def _shown(value: float, measure: str) -> str:
    if measure != "cost_usd":
        return f"{value:,.0f}"
    return f"{value:,.2f}" if value >= 1 or not value else f"{value:.6f}".rstrip("0")


def _with_idle_days(rows: Sequence[Mapping[str, Any]], by: Sequence[str], since: str) -> list[Mapping[str, Any]]:
    """The rows with one for each day on which nothing was used: without it two far days would stand side by side."""
    if by[-1] != "day":
        return list(rows)
    first, today = date.fromisoformat(since), datetime.now(UTC).date()
    last = max(today, *(date.fromisoformat(row["day"]) for row in rows))
    days = [(first + timedelta(days=each)).isoformat() for each in range((last - first).days + 1)]
    groups = dict.fromkeys(tuple(row[name] for name in by[:-1]) for row in rows)
    known = {(*(row[name] for name in by[:-1]), row["day"]): row for row in rows}
    nothing = {"requests": 0, "tokens_in": 0, "tokens_out": 0, "reserved": 0, "cost_usd": 0.0}
    return [
        known.get((*group, day), {**dict(zip(by, (*group, day), strict=True)), **nothing})
        for group in groups
        for day in days
    ]
