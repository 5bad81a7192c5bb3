"""Prices as gpuhunt has them (dstack's catalogue of machines): its rows as observations.

gpuhunt leaves out machines of which it does not know enough, and says so in its log alone. So a type or region that it
does not list is not called gone: what the catalogue had stays.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib import metadata
from typing import Any

from pulumi_llm._refresh.observed import (
    Answer,
    BadQuote,
    Observation,
    Quote,
    Scope,
    Stock,
    differing,
    held_back,
    no_price,
    observed,
    quote,
)
from pulumi_llm._texts import _
from pulumi_llm.catalog import Instance, load
from pulumi_llm.errors import Finding

Sold = Callable[[Instance], tuple[str, str | None, int]]
"""What gpuhunt calls an instance type: its name, the GPU's, and how many of them."""


def card(instance: Instance) -> str | None:
    """The name that gpuhunt has for the GPU of a type: without its memory, which is a field of its own there."""
    return re.sub(r"-\d+GB$", "", instance.gpu) if instance.gpu else None


@contextmanager
def quiet() -> Iterator[None]:
    """gpuhunt logs each provider that it cannot load, with a traceback."""
    log = logging.getLogger("gpuhunt")
    before, log.disabled = log.level, False
    log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        log.setLevel(before)


def named(what: str) -> str:
    """What an observation gives as its source."""
    return _("gpuhunt {version}, {what}", version=metadata.version("gpuhunt"), what=what)


def observations(scope: Scope, items: Iterable[Any], sold: Sold, api: str) -> Answer:
    """The answer that gpuhunt's rows (`CatalogItem`) are. Their ``location`` is a zone; prices are in USD by the hour.

    Of prices that differ by zone the highest of a list and the lowest of spot machines is taken, and the others are
    in the note. A list price below the spot price is one with a commitment of years, which Google's API mixes in
    (docs/decisions/google-cloud-gpus.md), and is not taken.
    """
    answer = Answer()
    by_sold: dict[tuple[str, str | None, int], dict[str, list[Any]]] = {}
    for each in items:
        more = each.provider_data
        if not (isinstance(more, Mapping) and more.get("is_dws_calendar_mode")):  # bought for a time ahead
            key = (each.instance_name, each.gpu_name or None, each.gpu_count)
            by_sold.setdefault(key, {}).setdefault(each.location, []).append(each)
    rows = {each.instance_type: by_sold.get(sold(each), {}) for each in scope.types}
    for region in scope.regions:
        zones: dict[str, dict[str, Stock]] = {name: dict.fromkeys(found, "offered") for name, found in rows.items()}
        seen, findings = observed(scope, region, zones, api)
        answer.findings += findings
        for each in seen:
            if not each.zones:
                continue
            at = [item for zone in each.zones for item in rows[each.instance_type][zone]]
            prices: dict[bool, Quote | None] = {}
            for spot in (False, True):
                try:
                    prices[spot] = _price([item for item in at if item.spot is spot], api, spot)
                except BadQuote as bad:
                    answer.findings.append(no_price(scope.cloud, region, each.instance_type, bad.args[0]))
            of_years = _below_spot(scope, each, prices.get(False), prices.get(True))
            if of_years is not None:
                answer.findings.append(of_years)
                prices[False] = None
            answer.observations.append(replace(each, price=prices.get(False), spot=prices.get(True)))
    return answer


def _below_spot(scope: Scope, each: Observation, price: Quote | None, spot: Quote | None) -> Finding | None:
    """Why a list price is not one on demand, if it is below its own spot price or the one that the catalogue has."""
    if price is None:
        return None
    shown = f"{price.amount:.6g} {price.currency}"
    why = _("the list price {price} is below the spot price {spot}, as one with a commitment is")
    if spot is not None and price.amount < spot.amount:
        why = why.format(price=shown, spot=f"{spot.amount:.6g} {spot.currency}")
        return no_price(scope.cloud, each.region, each.instance_type, why)
    known = scope.spots.get((each.instance_type, each.region))
    if known is not None:
        of_catalogue = load().exchange_rate.convert(known.amount, known.currency, price.currency)
        if price.amount < of_catalogue:
            amount = f"{known.amount:.6g} {known.currency}"
            return held_back(
                each, why.format(price=shown, spot=_("{amount} of {day}", amount=amount, day=known.source_date))
            )
    return None


def _price(items: Sequence[Any], api: str, spot: bool) -> Quote | None:
    by_zone: Mapping[str, float] = {each.location: each.price for each in items}
    if not by_zone:
        return None
    for each in items:
        if each.provider_data is not None and not isinstance(each.provider_data, Mapping):
            raise BadQuote(_("a price whose `provider_data` is no object"))
        quote(each.price, "USD", api)
    take = min if spot else max
    return quote(take(by_zone.values()), "USD", api, differing(by_zone.items(), "USD"))
