"""What a stop ends, what goes on all the same, and what a start begins: in money, from the bill's rows."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from pulumi_llm._dataclasses import dataclass
from pulumi_llm._plan.model import Plan
from pulumi_llm._power.machines import Machine
from pulumi_llm._review.bill import Bill, Line, make_bill
from pulumi_llm._review.item import Usage
from pulumi_llm._review.money import HOURS_PER_MONTH, PER_HOUR, Amounts, both, total
from pulumi_llm._review.table import cost_table
from pulumi_llm.catalog import Catalog

HALF = HOURS_PER_MONTH / 2
"""A month in which the machines run and stand still, so that the bill has a row for both."""


@dataclass(frozen=True, slots=True)
class Charge:
    """One row: what it is for, and per hour what it costs (None: not known)."""

    line: Line
    per_hour: Amounts | None


@dataclass(frozen=True, slots=True)
class Charges:
    """The rows of a stack that depend on whether these machines run, and those that do not."""

    running: tuple[Charge, ...]
    """What is paid for only while they run: the machines themselves."""
    always: tuple[Charge, ...]
    """What is paid for while they stand still: disks, addresses, and the machines that are not meant."""

    @staticmethod
    def sum_of(charges: Iterable[Charge]) -> tuple[Amounts, bool]:
        """The sum of what is known per hour, and whether something is not."""
        listed = list(charges)
        known = total(each.per_hour for each in listed if each.per_hour is not None)
        return known, any(each.per_hour is None for each in listed)


def charges_of(
    plan: Plan, machines: Iterable[Machine], catalog: Catalog, regions: dict[str, str], today: date
) -> Charges:
    """What stopping or starting the machines changes. Traffic is left out: who calls nobody pays for nothing."""
    bill = make_bill(plan, catalog, Usage(running=HALF), today=today, default_regions=regions)
    meant = {each.urn for each in machines}
    near = _bound_to(plan, meant)
    running: list[Charge] = []
    always: list[Charge] = []
    for line in bill.lines:
        if line.kind == "traffic":
            continue
        if line.slot == "address-idle" and line.urn not in near and _has_use(bill, line.urn):
            continue  # of a machine that goes on running
        if line.slot == "address" and line.urn in near and _has_idle(bill, line.urn):
            continue  # while its machine stands still it is the idle one that is paid for
        charge = Charge(line, _per_hour(line, catalog))
        (running if line.urn in meant and line.kind == "machine" else always).append(charge)
    return Charges(tuple(running), tuple(always))


def _per_hour(line: Line, catalog: Catalog) -> Amounts | None:
    if line.price is None:
        return None
    hourly = line.quantity * line.price.amount
    if line.price.unit == "GiB-month":
        hourly = hourly / HOURS_PER_MONTH
    return both(Decimal(hourly), line.price.currency, catalog.exchange_rate, PER_HOUR)


def _bound_to(plan: Plan, machines: set[str]) -> set[str]:
    """What is attached to one of the machines: named, with it, by a resource whose work that is."""
    rules = cost_table().rules
    found: set[str] = set()
    for each in plan.resources:
        rule = rules.get(each.type)
        if rule is not None and rule.kind == "attaches" and machines.intersection(each.dependencies):
            found.update(each.dependencies)
    return found


def _has_use(bill: Bill, urn: str) -> bool:
    return any(line.urn == urn and line.slot == "address" for line in bill.lines)


def _has_idle(bill: Bill, urn: str) -> bool:
    return any(line.urn == urn and line.slot == "address-idle" for line in bill.lines)
