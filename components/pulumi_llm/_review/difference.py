"""What changes between two bills, line by line and in total; positive is dearer.

As JSON, ``difference`` is::

    {"lines": [{"change": "added" | "removed" | "changed", "urn", "resource", "slot",
                "before": str | null, "after": str | null,      what is bought
                "per_month": {"CNY", "USD"} | null}],           null: a price is unknown
     "per_month": {"CNY", "USD"},                               the sum of what is known
     "complete": bool,                                          whether that is all
     "same_assumptions": bool}                                  same hours, traffic and exchange rate

Lines that stay as they are are left out.
"""

from __future__ import annotations

from typing import Any, Literal

from pulumi_llm._dataclasses import dataclass
from pulumi_llm._review.bill import Bill, Line
from pulumi_llm._review.money import ZERO, Amounts, total

Change = Literal["added", "removed", "changed"]


@dataclass(frozen=True, slots=True)
class LineChange:
    """One line that is not the same in both bills. ``per_month`` is after minus before; None: a price is unknown."""

    change: Change
    before: Line | None
    after: Line | None
    per_month: Amounts | None

    @property
    def line(self) -> Line:
        """The line to name it by: the newer one where there is one."""
        found = self.after or self.before
        assert found is not None  # noqa: S101 - one of them made the change
        return found


@dataclass(frozen=True, slots=True)
class Difference:
    """All changes between two bills. ``same_assumptions``: both count the same hours, traffic and exchange rate."""

    changes: tuple[LineChange, ...]
    same_assumptions: bool

    @property
    def per_month(self) -> Amounts:
        """The sum of the changes whose prices are known."""
        return total(each.per_month for each in self.changes if each.per_month is not None)

    @property
    def complete(self) -> bool:
        """Whether every change has a known price."""
        return all(each.per_month is not None for each in self.changes)

    def to_json(self) -> dict[str, Any]:
        """The difference as JSON-ready data, in the format above."""
        return {
            "lines": [
                {
                    "change": each.change,
                    "urn": each.line.urn,
                    "resource": each.line.resource,
                    "slot": each.line.slot,
                    "before": each.before.what if each.before else None,
                    "after": each.after.what if each.after else None,
                    "per_month": each.per_month.to_json() if each.per_month is not None else None,
                }
                for each in self.changes
            ],
            "per_month": self.per_month.to_json(),
            "complete": self.complete,
            "same_assumptions": self.same_assumptions,
        }


def compare(before: Bill, after: Bill) -> Difference:
    """What it costs more (positive) or less (negative) to have ``after`` in place of ``before``."""
    old = {line.key: line for line in before.lines}
    new = {line.key: line for line in after.lines}
    changes = []
    for key in [*new, *(key for key in old if key not in new)]:
        found = _change(old.get(key), new.get(key))
        if found is not None:
            changes.append(found)
    same = (before.running_hours, before.traffic_gib, before.exchange_rate.rate) == (
        after.running_hours,
        after.traffic_gib,
        after.exchange_rate.rate,
    )
    return Difference(tuple(changes), same)


def _change(before: Line | None, after: Line | None) -> LineChange | None:
    if before is not None and after is not None:
        known = before.per_month is not None or after.per_month is not None
        same = before.what == after.what if known else _bought(before) == _bought(after)
        if same and before.per_month == after.per_month:
            return None
        change: Change = "changed"
    else:
        change = "added" if before is None else "removed"
    old = ZERO if before is None else before.per_month
    new = ZERO if after is None else after.per_month
    return LineChange(change, before, after, None if old is None or new is None else new - old)


def _bought(line: Line) -> tuple[object, ...]:
    """What is bought, and where: the same thing of unknown price twice makes no difference."""
    return line.what, line.cloud, line.region, line.quantity, line.hours
