"""The hours a month that servers run by their own `hours`, and what these make of a bill."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from pydantic_core import PydanticCustomError

from pulumi_llm import spec
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._plan.model import UNKNOWN, Plan, PlannedResource
from pulumi_llm._review.item import Item, Usage
from pulumi_llm._review.money import HOURS_PER_MONTH, Amounts
from pulumi_llm.errors import Refusal
from pulumi_llm.spec.hours import HOURS_PER_WEEK, hours_per_week

SERVER = "llm:index:ModelServer"
"""The component whose machine may have hours."""
STEP = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When the machines of one server stop by themselves, and what that makes of the bill.

    ``hours`` is empty where it has none, ``idle_minutes`` None where nothing stops it when nobody asks; ``keep`` of its
    ``machines`` stay then. ``running`` is what the bill counts a month for each machine, ``saved`` what of the bill
    that takes off against all hours that were asked about: of what is known, and None where a machine's price is not.
    """

    urn: str
    resource: str
    hours: str
    idle_minutes: int | None
    keep: int
    machines: int
    running: Decimal
    saved: Amounts | None

    def to_json(self) -> dict[str, Any]:
        """As ``--json`` prints it."""
        return {
            "resource": self.resource,
            "hours": self.hours or None,
            "idle_minutes": self.idle_minutes,
            "keep": self.keep,
            "machines": self.machines,
            "running": float(self.running),
            "saved_per_month": self.saved.to_json() if self.saved is not None else None,
        }


def of_month(hours: str) -> Decimal:
    """How long a machine with such hours runs in a month; all of it where they are none, or not understood."""
    try:
        own = HOURS_PER_MONTH * Decimal(hours_per_week(hours)) / HOURS_PER_WEEK if hours else None
    except PydanticCustomError:  # of a program that has refused them, or of a state that a later version wrote
        own = None
    return HOURS_PER_MONTH if own is None else own.quantize(STEP)


def written(server: PlannedResource) -> str:
    """The hours of a server; empty: none, or not known yet."""
    hours = server.inputs.get("hours")
    return hours if isinstance(hours, str) and hours != UNKNOWN else ""


def stops_by_itself(server: PlannedResource) -> bool:
    """Whether a server has hours, or stops when nobody asks it."""
    return bool(written(server)) or _idle(server.inputs) is not None


def schedules(
    plan: Plan,
    usage: Usage,
    bought: Iterable[tuple[Item, Amounts | None]],
    always: Iterable[tuple[Item, Amounts | None]],
) -> Iterator[Schedule]:
    """That of each server of the plan which stops by itself, in the plan's order.

    ``bought`` are the plan's things with what they cost a month, ``always`` the same as if no server had hours.
    """
    now, then = list(bought), list(always)
    for each in plan.of_type(SERVER):
        hours, idle = written(each), _idle(each.inputs)
        machines = [(item, cost) for item, cost in now if item.server == each.urn and item.kind == "machine"]
        if not machines or not stops_by_itself(each):
            continue
        saved = None
        if all(cost is not None for __, cost in machines):
            saved = _sum(then, each.urn) - _sum(now, each.urn)
        count = sum(int(item.quantity) for item, __ in machines)
        yield Schedule(
            urn=each.urn,
            resource=each.name,
            hours=hours,
            idle_minutes=idle.minutes if idle else None,
            keep=min(idle.keep, count) if idle else 0,
            machines=count,
            running=min(usage.running, of_month(hours)),
            saved=saved,
        )


def _sum(things: list[tuple[Item, Amounts | None]], server: str) -> Amounts:
    zero = Amounts(Decimal(0), Decimal(0))
    return sum((cost for item, cost in things if item.server == server and cost is not None), zero)


def _idle(inputs: Mapping[str, Any]) -> spec.IdleStopSpec | None:
    given = inputs.get("idle_stop", inputs.get("idleStop"))
    try:
        return spec.parse(spec.IdleStopSpec, given) if isinstance(given, Mapping) else None
    except Refusal:  # the component itself says what is wrong with it
        return None
