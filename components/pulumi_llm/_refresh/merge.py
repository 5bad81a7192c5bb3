"""Lays observations over the data of the package: what a refreshed catalogue's files hold, and what changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Literal

from pulumi_llm._dataclasses import dataclass
from pulumi_llm._refresh.observed import Observation, Quote, held_back
from pulumi_llm._texts import _, listed
from pulumi_llm.catalog import Catalog, ExchangeRate, Instance, parts
from pulumi_llm.catalog.integrity import CNY_PER_GPU_HOUR, CNY_PER_HOST_HOUR
from pulumi_llm.catalog.rows import source_day
from pulumi_llm.errors import Finding

JUMP = 4.0
"""A list price so many times the one known, or such a part of it, is held back: vendors change prices by tens of
per cent, and a price in the wrong currency is off by about seven."""

Files = dict[str, dict[str, Any]]
PriceKey = tuple[str, str, str, bool]
Kind = Literal["price", "spot", "offered", "withdrawn", "zones"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that is different from the catalogue before.

    ``price`` and ``spot`` are per hour; ``offered`` and ``withdrawn`` are of a type in a region; ``zones`` says
    which zones offer it.
    """

    kind: Kind
    cloud: str
    instance_type: str
    region: str
    before: str
    after: str
    factor: float | None = None


def believed(
    before: Catalog, observations: Iterable[Observation], *, accept_jumps: bool = False
) -> tuple[list[Observation], list[Finding]]:
    """The observations without the prices that cannot be right, and a finding for each of those."""
    found: list[Observation] = []
    findings: list[Finding] = []
    rate = before.exchange_rate
    for each in observations:
        row = before.instance(each.cloud, each.instance_type)
        kept: dict[str, Quote | None] = {"price": each.price, "spot": each.spot}
        for name in ("price", "spot"):
            offer = kept[name]
            why = None if offer is None else _unbelievable(before, each, row, name == "spot", accept_jumps)
            if why is not None:
                findings.append(held_back(each, why))
                kept[name] = None
        if kept["spot"] is not None and _above_list(before, each, kept["spot"], kept["price"], rate):
            findings.append(
                held_back(each, _("the spot price {spot} is above the list price", spot=_shown(kept["spot"])))
            )
            kept["spot"] = None
        found.append(replace(each, price=kept["price"], spot=kept["spot"]))
    return found, findings


def merged(shipped: Catalog, observations: Sequence[Observation]) -> Files:
    """The files of the catalogue that change, with the observations in them, by file name."""
    files = {name: parts.joined(shipped.paths(name)) for name in ("prices.json", "instances.json", "regions.json")}
    _zones(files["instances.json"], files["regions.json"], observations)
    _prices(files["prices.json"], observations)
    return files


def changes(before: Catalog, after: Catalog, observations: Iterable[Observation]) -> list[Change]:
    """What the observations made different, sorted."""
    found: list[Change] = []
    for each in observations:
        prices: tuple[tuple[Kind, bool], ...] = (("price", False), ("spot", True))
        for kind, spot in prices:
            old = before.price(*each.key, spot=spot)
            new = after.price(*each.key, spot=spot)
            if (old and (old.amount, old.currency)) != (new and (new.amount, new.currency)):
                same = old is not None and new is not None and old.currency == new.currency
                factor = new.amount / old.amount if same and old and new else None
                found.append(_change(kind, each, _shown(old), _shown(new), factor))
        was = before.instance(each.cloud, each.instance_type).regions.get(each.region)
        now = after.instance(each.cloud, each.instance_type).regions.get(each.region)
        if was != now:
            shift: Kind = "offered" if was is None else "withdrawn" if now is None else "zones"
            found.append(_change(shift, each, ", ".join(was or ()), ", ".join(now or ())))
    return sorted(found, key=lambda each: (each.cloud, each.region, each.instance_type, each.kind))


def _change(kind: Kind, each: Observation, before: str, after: str, factor: float | None = None) -> Change:
    return Change(
        kind=kind,
        cloud=each.cloud,
        instance_type=each.instance_type,
        region=each.region,
        before=before,
        after=after,
        factor=factor,
    )


def _unbelievable(before: Catalog, each: Observation, row: Instance, spot: bool, accept_jumps: bool) -> str | None:
    quote = each.spot if spot else each.price
    if quote is None:
        return None
    amount = before.exchange_rate.convert(quote.amount, quote.currency, "CNY")
    if row.role == "proxy":
        low, high = CNY_PER_HOST_HOUR
    else:
        low, high = (bound * row.gpu_count for bound in CNY_PER_GPU_HOUR)
    if spot or row.fractional:
        low = 0.0
    if not low < amount <= high:
        return _("{quote} per hour is out of all proportion", quote=_shown(quote))
    known = None if spot or accept_jumps else before.price(*each.key)
    if known is not None:
        factor = amount / before.exchange_rate.convert(known.amount, known.currency, "CNY")
        if not 1 / JUMP <= factor <= JUMP:
            return _(
                "{quote} per hour is {factor:.3g} times the {names} of {source_date}",
                quote=_shown(quote),
                factor=factor,
                names=_shown(known),
                source_date=known.source_date,
            )
    return None


def _above_list(before: Catalog, each: Observation, spot: Quote, price: Quote | None, rate: ExchangeRate) -> bool:
    full = price or before.price(*each.key)
    if full is None:
        return False
    return rate.convert(spot.amount, spot.currency, full.currency) > full.amount * 1.001


def _shown(price: Any) -> str:
    return _("unknown") if price is None else f"{price.amount:.6g} {price.currency}"


def _source(file: dict[str, Any], title: str, day: str) -> str:
    """The name in the file's table of sources, added where it is new."""
    for name, source in file["sources"].items():
        if (source["title"], source["date"]) == (title, day):
            return str(name)
    name = f"refreshed-{sum(key.startswith('refreshed-') for key in file['sources']) + 1}"
    file["sources"][name] = {"title": title, "date": day}
    return name


def _prices(file: dict[str, Any], observations: Iterable[Observation]) -> None:
    shipped = _days(file)
    new: dict[PriceKey, dict[str, Any]] = {}
    for each in observations:
        for quote, spot in ((each.price, False), (each.spot, True)):
            day = None if quote is None else source_day(quote.day or each.source_date)
            if quote is None or day is None or shipped.get((*each.key, spot), day) > day:
                continue  # the package has brought a newer one
            row: dict[str, Any] = {
                "cloud": each.cloud,
                "instance_type": each.instance_type,
                "region": each.region,
                "amount": quote.amount,
                "currency": quote.currency,
            }
            row |= {"spot": True} if spot else {}
            row["source"] = _source(
                file,
                _("{cloud} {api} on {isoformat}", cloud=each.cloud, api=quote.api, isoformat=day.isoformat()),
                day.isoformat(),
            )
            row |= {"notes": quote.notes} if quote.notes else {}
            new[*each.key, spot] = row

    def kept(row: Mapping[str, Any]) -> bool:
        if _key(row) in new:
            return False
        # An old spot price above the new list price is no price any more.
        full = new.get((*_key(row)[:3], False)) if row.get("spot") else None
        return full is None or full["currency"] != row["currency"] or row["amount"] <= full["amount"]

    file["rows"] = [row for row in file["rows"] if kept(row)] + list(new.values())


def _key(row: Mapping[str, Any]) -> PriceKey:
    return row["cloud"], row["instance_type"], row["region"], bool(row.get("spot"))


def _days(file: Mapping[str, Any]) -> dict[PriceKey, date]:
    """The newest day of the prices that are not suspect."""
    days: dict[PriceKey, date] = {}
    for row in file["rows"]:
        day = None if row.get("suspect") else source_day(file["sources"][row["source"]]["date"])
        if day is not None:
            days[_key(row)] = max(day, days.get(_key(row), day))
    return days


def _zones(instances: dict[str, Any], regions: dict[str, Any], observations: Iterable[Observation]) -> None:
    places = {(row["cloud"], row["name"]): row for row in regions["rows"]}
    by_type: dict[tuple[str, str], list[Observation]] = {}
    for each in observations:
        by_type.setdefault((each.cloud, each.instance_type), []).append(each)
    for row in instances["rows"]:
        seen = by_type.get((row["cloud"], row["instance_type"]), [])
        if not seen:
            continue
        for each in seen:
            place = places[each.cloud, each.region]
            # Known zones keep their order: a stack without a zone of its own gets the first one, and a machine
            # must not move because stock did.
            order = [*row["regions"].get(each.region, ()), *place["zones"], *sorted(each.zones)]
            ordered = [zone for zone in dict.fromkeys(order) if zone in each.zones]
            if ordered:
                row["regions"][each.region] = ordered
            else:
                row["regions"].pop(each.region, None)
            fresh = [zone for zone in ordered if zone not in place["zones"]]
            if fresh:
                place["zones"] = [*place["zones"], *fresh]
                title = regions["sources"][place["source"]]
                place["source"] = _source(
                    regions,
                    _("{title}; zones also from {source}", title=title["title"], source=each.source),
                    title["date"],
                )
        row["zones_per_type"] = row["zones_per_type"] or {each.region for each in seen} >= set(row["regions"])
        old = instances["sources"][row["source"]]
        days = listed(sorted({each.source for each in seen}))
        row["source"] = _source(
            instances, _("{title}; zones of some regions: {days}", title=old["title"], days=days), old["date"]
        )
