"""The bill of a plan: every item with its price, in both currencies, and a total that is the sum of its lines.

List prices of the catalogue, each with its source and date. What has no known price is a line of its own that says so;
the total is then a lower bound. Money is decimal and rounded once, where a line is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from datetime import date
from decimal import Decimal

from pulumi_llm._dataclasses import dataclass
from pulumi_llm._plan.model import Plan
from pulumi_llm._review.alternatives import Offered, offered
from pulumi_llm._review.hours import SERVER, Schedule, schedules, stops_by_itself
from pulumi_llm._review.item import Item, Usage
from pulumi_llm._review.items import items
from pulumi_llm._review.money import HOURS_PER_MONTH, PER_HOUR, PER_MONTH, ZERO, Amounts, both, exact, total
from pulumi_llm._texts import _, either, listed
from pulumi_llm.catalog import Catalog, ExchangeRate, ExtraPrice, Price
from pulumi_llm.catalog.rows import STALE_AFTER_DAYS
from pulumi_llm.errors import Finding, nearest

ESTIMATES = ("traffic", "snapshots", "storage")
"""Kinds of things of which a plan does not tell the amount."""
KINDS = {
    "disk": "disk",
    "address": "public-address",
    "traffic": "traffic-out",
    "snapshots": "snapshot",
    "storage": "storage",
}
"""What the rows of prices call each kind of thing."""


@dataclass(frozen=True, slots=True)
class PriceTag:
    """The price that a line was made from: ``amount`` of ``currency`` per ``unit``, and where that is known from.

    ``unit`` is hour, GiB-hour, GiB-month or GiB. ``stale`` marks a source older than the catalogue's limit, ``derived``
    an estimate from another region's price.
    """

    amount: Decimal
    currency: str
    unit: str
    source: str
    source_date: str
    stale: bool
    derived: bool


@dataclass(frozen=True, slots=True)
class Fewest:
    """What a line costs with as few nodes as there may be."""

    per_hour: Amounts
    per_month: Amounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One item and what it costs per hour in which everything runs, and per month; ``unknown`` says why not."""

    urn: str
    type: str
    resource: str
    slot: str
    kind: str
    what: str
    cloud: str | None
    region: str | None
    quantity: Decimal
    hours: Decimal
    estimate: bool
    price: PriceTag | None
    per_hour: Amounts | None
    per_month: Amounts | None
    unknown: str | None
    note: str = ""
    fewest: Fewest | None = None
    """The same with as few nodes as there may be, where a pool has two bounds."""

    @property
    def key(self) -> tuple[str, str]:
        """What names the line in every stack and revision: the URN without stack and project, and the slot."""
        return self.urn.split("::", 2)[-1], self.slot


@dataclass(frozen=True, slots=True)
class Alternative:
    """One of the machines that a server may be made on, and what it would cost: ``line`` is in no total."""

    offered: Offered
    line: Line


@dataclass(slots=True)
class Bill:
    """All lines of a plan. ``as_of`` is the day against which prices were called old."""

    project: str
    stack: str
    as_of: date
    running_hours: Decimal
    traffic_gib: Decimal
    exchange_rate: ExchangeRate
    lines: list[Line] = field(default_factory=list)
    alternatives: list[Alternative] = field(default_factory=list)
    """Of each server that has any: the one that is written first, then these in their order."""
    schedules: list[Schedule] = field(default_factory=list)
    """Of each server that stops by itself."""

    @property
    def per_hour(self) -> Amounts:
        """The sum of what is known, per hour in which everything runs."""
        return total(line.per_hour for line in self.lines if line.per_hour is not None)

    @property
    def per_month(self) -> Amounts:
        """The sum of what is known, per month."""
        return total(line.per_month for line in self.lines if line.per_month is not None)

    @property
    def fewest(self) -> Fewest | None:
        """The sums of what is known with as few nodes as there may be; None where no pool has two bounds."""
        if not any(line.fewest for line in self.lines):
            return None
        known = [line.fewest or line for line in self.lines]
        return Fewest(
            total(each.per_hour for each in known if each.per_hour is not None),
            total(each.per_month for each in known if each.per_month is not None),
        )

    @property
    def unknown(self) -> list[Line]:
        """The lines whose price is not known."""
        return [line for line in self.lines if line.per_month is None]

    @property
    def at_least(self) -> bool:
        """Whether the totals are lower bounds only."""
        return bool(self.unknown)

    @property
    def nothing_known(self) -> bool:
        """Whether something costs, and not one price is known: a sum would say nothing."""
        return bool(self.lines) and len(self.unknown) == len(self.lines)

    def findings(self) -> list[Finding]:
        """What the reader should know: unknown prices, and old ones."""
        found = []
        for line in self.unknown:
            where = f"{line.resource}: {line.what}"
            found.append(Finding("bill.unknown-price", line.unknown or "", severity="warning", where=where))
        old = sorted({line.price.source_date for line in self.lines if line.price and line.price.stale})
        if old:
            found.append(
                Finding(
                    "bill.old-price",
                    _(
                        "prices of {old} are more than {stale_after_days} days old, or undated",
                        old=listed(old),
                        stale_after_days=STALE_AFTER_DAYS,
                    ),
                    _("compare with the cloud's price list"),
                    severity="info",
                )
            )
        return found


def make_bill(
    plan: Plan,
    catalog: Catalog,
    usage: Usage,
    *,
    today: date,
    default_regions: Mapping[str, str] | None = None,
) -> Bill:
    """The bill of ``plan`` at the catalogue's prices, by resource name.

    ``default_regions``: see :func:`pulumi_llm._review.items.items`.
    """
    bill = Bill(plan.project, plan.stack, today, usage.running, usage.traffic_gib, catalog.exchange_rate)
    # Resources register in the order in which their inputs become known, which need not be the same twice.
    found = sorted(items(plan, catalog, usage, default_regions), key=lambda item: (item.resource, item.urn))
    bill.lines = [_line(item, catalog, today) for item in found]
    bill.schedules = _schedules(plan, catalog, usage, list(zip(found, bill.lines, strict=True)), default_regions, today)
    others = sorted(offered(plan, usage), key=lambda each: (each.item.resource, each.item.urn, each.number))
    bill.alternatives = [Alternative(each, _line(each.item, catalog, today)) for each in others]
    return bill


def _schedules(
    plan: Plan,
    catalog: Catalog,
    usage: Usage,
    bought: list[tuple[Item, Line]],
    default_regions: Mapping[str, str] | None,
    today: date,
) -> list[Schedule]:
    if not any(stops_by_itself(each) for each in plan.of_type(SERVER)):
        return []
    now = [(item, line.per_month) for item, line in bought]
    always = items(plan, catalog, replace(usage, own_hours=False), default_regions)
    return list(schedules(plan, usage, now, ((item, _line(item, catalog, today).per_month) for item in always)))


def _line(item: Item, catalog: Catalog, today: date) -> Line:
    row: Price | ExtraPrice | None = None
    unknown = item.unknown
    if unknown is None:
        row = _row(item, catalog)
        unknown = None if row is not None else _why_unpriced(item, catalog)
    tag = fewest = None
    per_hour = per_month = None
    if row is not None:
        unit = row.unit if isinstance(row, ExtraPrice) else "hour"
        derived = isinstance(row, Price) and row.derived
        price = exact(row.amount)
        tag = PriceTag(price, row.currency, unit, row.source, row.source_date, row.stale(today), derived)
        per_hour, per_month = _priced(item, row, unit, catalog)
        if item.fewest is not None:
            fewest = Fewest(*_priced(replace(item, quantity=item.fewest), row, unit, catalog))
    return Line(
        urn=item.urn,
        type=item.type,
        resource=item.resource,
        slot=item.slot,
        kind=item.kind,
        what=item.what,
        cloud=item.cloud,
        region=item.region,
        quantity=item.quantity,
        hours=item.hours,
        estimate=item.kind in ESTIMATES,
        price=tag,
        per_hour=per_hour,
        per_month=per_month,
        unknown=unknown,
        note=item.note,
        fewest=fewest,
    )


def _priced(item: Item, row: Price | ExtraPrice, unit: str, catalog: Catalog) -> tuple[Amounts, Amounts]:
    """Per hour and per month, in both currencies and rounded."""
    hourly, monthly = _amounts(item, exact(row.amount), unit)
    return (
        both(hourly, row.currency, catalog.exchange_rate, PER_HOUR) if item.while_running else ZERO,
        both(monthly, row.currency, catalog.exchange_rate, PER_MONTH),
    )


def _amounts(item: Item, price: Decimal, unit: str) -> tuple[Decimal, Decimal]:
    """Per hour and per month, unrounded."""
    if unit == "GiB":  # traffic: its hourly share falls on the hours in which the machine runs
        return item.quantity * price / item.hours, item.quantity * price
    if unit == "GiB-month":
        share = item.hours / HOURS_PER_MONTH
        return item.quantity * price / HOURS_PER_MONTH, item.quantity * price * share
    hourly = item.quantity * price
    return hourly, hourly * item.hours


def _row(item: Item, catalog: Catalog) -> Price | ExtraPrice | None:
    if item.told is not None:
        return item.told
    if item.cloud is None or item.region is None:
        return None
    if item.kind == "machine":
        return catalog.price(item.cloud, item.name, item.region, spot=item.spot)
    row = catalog.extra_price(item.cloud, KINDS[item.kind], item.name, item.region)
    if row is not None and row.region == "*" and not _ordinary(item.cloud, item.region, catalog):
        return None  # "all regions" are those of the ordinary partition
    return row


def _ordinary(cloud: str, region: str, catalog: Catalog) -> bool:
    """Whether the region is in the partition of the cloud's default region (AWS China is another)."""
    home = catalog.regions.get((cloud, catalog.cloud(cloud).default_region))
    here = catalog.regions.get((cloud, region))
    return home is None or here is None or home.partition == here.partition


def _why_unpriced(item: Item, catalog: Catalog) -> str:
    if item.region is None:
        return _("the plan names no region: neither the resource, nor its provider, nor the stack's configuration")
    place = f"{item.cloud} {item.region}"
    if item.kind != "machine":
        return _("the catalogue has no price of it in {place}", place=place)
    known = [row.instance_type for row in catalog.instances if row.cloud == item.cloud]
    if item.name not in known:
        near = nearest(item.name, known)
        hint = _("; did you mean {names}?", names=either(near)) if near else ""
        return _(
            "the catalogue knows no instance type {item} of {cloud}{hint}", item=item.name, cloud=item.cloud, hint=hint
        )
    if item.spot:
        price = catalog.price(item.cloud or "", item.name, item.region)
        beside = (
            _("; on demand it is {amount:g} {currency} per hour", amount=price.amount, currency=price.currency)
            if price
            else ""
        )
        return _(
            "the catalogue has no spot price of {item} in {place}{beside}", item=item.name, place=place, beside=beside
        )
    guide = [row for row in catalog.guide_prices if (row.cloud, row.instance_type) == (item.cloud, item.name)]
    beside = "".join(
        _(
            "; the guide of {source_date} says {amount:g} {currency} per hour",
            source_date=row.source_date,
            amount=row.amount,
            currency=row.currency,
        )
        for row in guide
    )
    return _("the catalogue has no price of {item} in {place}{beside}", item=item.name, place=place, beside=beside)
