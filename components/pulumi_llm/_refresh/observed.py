"""What a cloud answered about an instance type in a region: zones, stock, and prices that can be believed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from datetime import date
from typing import Literal, TypeVar

from pulumi_llm._dataclasses import dataclass
from pulumi_llm._texts import _
from pulumi_llm.catalog import Instance, Price, lies_in
from pulumi_llm.catalog.rows import Currency, Row
from pulumi_llm.errors import Finding

Stock = Literal["available", "sold-out", "offered"]
"""``offered``: the API says that the zone has the type, and nothing about stock."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A price per hour, the operation of the cloud's API that answered it, and the date of the answer."""

    amount: float
    currency: Currency
    api: str
    notes: str = ""
    day: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation(Row):
    """One instance type in one region. Without zones, the region does not offer the type any more."""

    cloud: str
    instance_type: str
    region: str
    zones: Mapping[str, Stock]
    price: Quote | None = None
    spot: Quote | None = None

    def dated(self) -> Observation:
        """The same, with its date on its prices, which may outlive it."""
        quotes = {
            name: None if quote is None else replace(quote, day=quote.day or self.source_date)
            for name, quote in (("price", self.price), ("spot", self.spot))
        }
        return replace(self, price=quotes["price"], spot=quotes["spot"])

    @property
    def key(self) -> tuple[str, str, str]:
        """What the observation is about: cloud, instance type, region."""
        return self.cloud, self.instance_type, self.region


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What one cloud is asked: instance types of the catalogue, in regions of the catalogue."""

    cloud: str
    regions: tuple[str, ...]
    types: tuple[Instance, ...]
    today: date
    spots: Mapping[tuple[str, str], Price] = field(default_factory=dict)
    """The spot prices that the package's data has, by type and region; none where jumps of prices are accepted."""

    def listed(self, region: str) -> set[str]:
        """The types that the catalogue, as it was, has in the region."""
        return {row.instance_type for row in self.types if region in row.regions}

    @property
    def names(self) -> tuple[str, ...]:
        """The types' names."""
        return tuple(row.instance_type for row in self.types)


@dataclass(slots=True)
class Answer:
    """What a cloud answered, and what went wrong while it was asked."""

    observations: list[Observation] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


class BadQuote(ValueError):  # noqa: N818 - it is of an answer, not of ours
    """A price in an answer that is none; the message says what it was."""


def quote(amount: object, currency: object, api: str, notes: str = "") -> Quote:
    """The price. Raises BadQuote for what is no number, not above zero, or in a currency that is not known."""
    try:
        number = float(amount) if isinstance(amount, int | float | str) and not isinstance(amount, bool) else math.nan
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or number <= 0:
        raise BadQuote(_("the price {amount!r}", amount=amount))
    if currency == "CNY" or currency == "USD":
        return Quote(amount=round(number, 6), currency=currency, api=api, notes=notes)
    raise BadQuote(_("the currency {currency!r}", currency=currency))


def observed(
    scope: Scope, region: str, zones: Mapping[str, Mapping[str, Stock]], api: str
) -> tuple[list[Observation], list[Finding]]:
    """Observations without prices, from the zones of each type that a region's answer lists.

    A type that the catalogue has there and the answer has not is observed as gone. An answer that lists none
    of them is taken for a failure and changes nothing.
    """
    asked, known = set(scope.names), scope.listed(region)
    here = {
        name: {zone: stock for zone, stock in each.items() if lies_in(zone, region)} for name, each in zones.items()
    }
    found = {name: each for name, each in here.items() if name in asked and each}
    if known and not found:
        return [], [empty(scope.cloud, region, api, len(known))]
    source, day = (
        _("{cloud} {api} on {isoformat}", cloud=scope.cloud, api=api, isoformat=scope.today.isoformat()),
        scope.today.isoformat(),
    )
    return [
        Observation(
            cloud=scope.cloud,
            instance_type=name,
            region=region,
            zones=dict(sorted(found.get(name, {}).items())),
            source=source,
            source_date=day,
        )
        for name in sorted(set(found) | known)
    ], []


def empty(cloud: str, region: str, api: str, known: int) -> Finding:
    """The finding for a region of which nothing was answered."""
    return Finding(
        "refresh.empty-answer",
        _(
            "{cloud} {region}: {api} listed none of the {names} instance types that the "
            "catalogue has there; nothing was changed for the region",
            cloud=cloud,
            region=region,
            api=api,
            names=known,
        ),
        _("see in the cloud's console whether the account may use the region, and ask again"),
    )


def no_price(cloud: str, region: str, instance_type: str, why: str) -> Finding:
    """The finding for a type that is offered, but of which no price can be told; the old price stays."""
    return Finding(
        "refresh.no-price",
        _(
            "{cloud} {region} {instance_type}: {why}; the price that the catalogue had is kept",
            cloud=cloud,
            region=region,
            instance_type=instance_type,
            why=why,
        ),
        _("look the price up in the cloud's console if it matters"),
        severity="warning",
    )


def held_back(each: Observation, why: str) -> Finding:
    """The finding for a price that is not believed; the old price stays."""
    return Finding(
        "refresh.held-back",
        _(
            "{cloud} {region} {instance_type}: {why}; the price that the catalogue had is kept",
            cloud=each.cloud,
            region=each.region,
            instance_type=each.instance_type,
            why=why,
        ),
        _("if the cloud's console shows the same price, ask again with --accept-jumps"),
        severity="warning",
    )


def chunks(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """The items in pieces of at most ``size``: the APIs limit how many values a filter takes."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def differing(amounts: Iterable[tuple[str, float]], currency: str) -> str:
    """A remark where the zones' prices differ: ``0.21 in a, 0.35 in b``; empty where they do not."""
    by_zone = sorted(amounts)
    if len({amount for __, amount in by_zone}) < 2:
        return ""
    return ", ".join(
        _("{amount:g} {currency} in {zone}", amount=amount, currency=currency, zone=zone) for zone, amount in by_zone
    )
