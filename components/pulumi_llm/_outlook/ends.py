"""Something that ends, or has: what it is, on which day, what to do, and whether that is to be seen to now."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta
from typing import Any, Literal, get_args

from pulumi_llm._dataclasses import dataclass
from pulumi_llm.errors import Finding

Level = Literal["now", "soon", "later", "note"]
"""It has ended or is at fault; it ends within the days that were asked for; it ends later; it is only to be known."""
LEVELS: tuple[Level, ...] = get_args(Level)

WITHIN_DAYS = 90
"""How long before its day an end counts as soon: the time in which a certificate is renewed and a model is warned of.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """What ends. ``day`` is the first day without it; None: it has no day, and ``fault`` says whether it is to be
    seen to at once. ``name`` is what it is accepted by: an advisory's name, a model, a key.
    """

    code: str
    name: str
    message: str
    hint: str = ""
    where: str = ""
    day: date | None = None
    fault: bool = False
    source: str = ""
    source_date: str = ""

    def days_left(self, today: date) -> int | None:
        """Days until it ends; below 0 where it has; None where it has no day."""
        return None if self.day is None else (self.day - today).days

    def level(self, today: date, within: int = WITHIN_DAYS) -> Level:
        """When it is to be seen to. ``within`` is in days."""
        left = self.days_left(today)
        if left is None:
            return "now" if self.fault else "note"
        if left <= 0:
            return "now"
        return "soon" if left <= within else "later"

    def accepted(self, names: Collection[str]) -> bool:
        """Whether somebody said that it is known: by its name, or by its code, which stands for all of its kind."""
        return self.name in names or self.code in names

    def finding(self) -> Finding:
        """The same as a review tells it: a warning, as nothing is refused for it."""
        severity: Literal["warning", "info"] = "warning" if self.fault or self.day is not None else "info"
        return Finding(self.code, self.message, self.hint, severity=severity, where=self.where)

    def to_json(self, today: date, within: int) -> dict[str, Any]:
        """As ``--json`` prints it."""
        return {
            "code": self.code,
            "level": self.level(today, within),
            "name": self.name,
            "where": self.where,
            "message": self.message,
            "hint": self.hint,
            "day": self.day.isoformat() if self.day else None,
            "days_left": self.days_left(today),
            "source": self.source,
            "source_date": self.source_date,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """What ends are told from: what it is about, and as of when."""

    what: str
    as_of: date | None

    def to_json(self, today: date) -> dict[str, Any]:
        """As ``--json`` prints it, with its age in days."""
        day = self.as_of
        return {
            "what": self.what,
            "as_of": day.isoformat() if day else None,
            "days": (today - day).days if day else None,
        }


def after(day: date) -> date:
    """The first day without what lasts until the end of ``day``."""
    return day + timedelta(days=1)


def order(end: End, today: date, within: int) -> tuple[int, date, str, str]:
    """What is to be seen to first comes first."""
    return LEVELS.index(end.level(today, within)), end.day or date.min, end.code, end.where + end.name
