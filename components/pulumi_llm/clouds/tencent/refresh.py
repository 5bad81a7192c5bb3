"""Stock, list prices and spot prices of Tencent Cloud, asked with tencentcloud-sdk-python-cvm.

Calls DescribeZoneInstanceConfigInfos in each region, for machines paid by the hour and for spot machines. Its prices
come without a currency: it is the site's on which the account was opened, so the site has to be told.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from pulumi_llm._refresh.calls import NO_CREDENTIALS, NO_SDK, Failure, patiently
from pulumi_llm._refresh.observed import (
    Answer,
    BadQuote,
    Quote,
    Scope,
    Stock,
    chunks,
    differing,
    no_price,
    observed,
    quote,
)
from pulumi_llm._texts import _
from pulumi_llm.catalog.rows import Currency
from pulumi_llm.clouds.tencent import account
from pulumi_llm.clouds.tencent.account import TO_SET as TO_SET
from pulumi_llm.clouds.tencent.account import Connect
from pulumi_llm.clouds.tencent.account import has_credentials as has_credentials
from pulumi_llm.errors import Finding, Refusal

CONFIGS = "DescribeZoneInstanceConfigInfos"
BY_THE_HOUR, ON_SPOT = "POSTPAID_BY_HOUR", "SPOTPAID"

SITES: dict[str, Currency] = {"china": "CNY", "international": "USD"}
"""The sites by the currency that their prices are in."""


def fetch(
    scope: Scope,
    say: Callable[[str], None],
    site: str | None,
    connect: Connect | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> Answer:
    """Ask Tencent Cloud about the scope.

    Raises Refusal ``refresh.site-needed`` without a site, ``refresh.no-sdk`` or ``refresh.no-credentials``.
    """
    if site not in SITES:
        raise Refusal(
            [
                Finding(
                    "refresh.site-needed",
                    _("tencent: {configs} answers prices without a currency, and no site was given", configs=CONFIGS),
                    _("--tencent-site china (prices in CNY) or --tencent-site international (USD)"),
                )
            ]
        )
    connect = connect or _connector()
    answer = Answer()
    for region in scope.regions:
        say(_("tencent {region}: stock and prices of {count} types", region=region, count=len(scope.types)))
        client = connect(region)
        try:
            items = [
                each
                for names in chunks(scope.names, 100)
                for each in patiently(lambda: _items(client, names), pause)  # noqa: B023 - called at once
            ]
        except Failure as failure:
            answer.findings.append(failure.finding("tencent", region, CONFIGS))
            continue
        rows, findings = observed(scope, region, stock_by_type(items), CONFIGS)
        answer.findings += findings
        for row in rows:
            mine = [each for each in items if each.InstanceType == row.instance_type]
            quotes: list[Quote | None] = []
            for what, read in ((_("by the hour"), list_price), (_("on spot"), spot_price)):
                why = _("{configs} answered no price {what}", configs=CONFIGS, what=what)
                try:
                    quotes.append(read(mine, SITES[site]))
                except BadQuote as bad:
                    quotes.append(None)
                    why = _("{configs} answered {bad} {what}", configs=CONFIGS, bad=bad, what=what)
                # Many types are not sold on spot at all, so that a spot price that is not there is no news.
                if row.zones and quotes[-1] is None and (read is list_price or "no price" not in why):
                    answer.findings.append(no_price("tencent", region, row.instance_type, why))
            answer.observations.append(replace(row, price=quotes[0], spot=quotes[1]))
    return answer


# -- answers to rows


def stock_by_type(items: Iterable[Any]) -> dict[str, dict[str, Stock]]:
    """The zones of each type that can be paid by the hour, with stock, from InstanceTypeQuotaItem objects."""
    found: dict[str, dict[str, Stock]] = {}
    for each in items:
        if each.InstanceChargeType == BY_THE_HOUR:
            found.setdefault(each.InstanceType, {})[each.Zone] = "available" if each.Status == "SELL" else "sold-out"
    return found


def list_price(items: Iterable[Any], currency: Currency) -> Quote | None:
    """The list price per hour; where the zones differ, the highest, so that no bill is too low. Raises BadQuote.

    ``UnitPrice`` is the price before the account's discount. Some types get cheaper after 96 hours: then it is
    that of the first 96.
    """
    quotes: dict[str, Quote] = {}
    tiered = False
    for each in items:
        price = each.Price
        if each.InstanceChargeType != BY_THE_HOUR or price is None or price.UnitPrice is None:
            continue
        if price.ChargeUnit != "HOUR":
            raise BadQuote(_("a price per {chargeunit}", chargeunit=price.ChargeUnit))
        quotes[each.Zone] = quote(price.UnitPrice, currency, CONFIGS)
        tiered = tiered or bool(price.UnitPriceSecondStep)
    if not quotes:
        return None
    others = differing(((zone, each.amount) for zone, each in quotes.items()), currency)
    notes = [_("highest value among the zones of the region: {others}", others=others)] if others else []
    notes += [_("of the first 96 hours")] if tiered else []
    return replace(max(quotes.values(), key=lambda each: each.amount), notes="; ".join(notes))


def spot_price(items: Iterable[Any], currency: Currency) -> Quote | None:
    """The spot price per hour in the cheapest zone; None without one. Raises BadQuote.

    Of a spot machine ``UnitPrice`` is the price on demand, and ``UnitPriceDiscount`` what is charged.
    """
    quotes: dict[str, Quote] = {}
    for each in items:
        price = each.Price
        if each.InstanceChargeType != ON_SPOT or price is None or price.UnitPriceDiscount is None:
            continue
        if price.ChargeUnit != "HOUR":
            raise BadQuote(_("a spot price per {chargeunit}", chargeunit=price.ChargeUnit))
        quotes[each.Zone] = quote(price.UnitPriceDiscount, currency, CONFIGS)
    if not quotes:
        return None
    others = differing(((zone, each.amount) for zone, each in quotes.items()), currency)
    notes = _("lowest value among the zones of the region{note}", note=f": {others}" if others else "")
    return replace(min(quotes.values(), key=lambda each: each.amount), notes=notes)


# -- calls


def _connector() -> Connect:
    return account.connector(NO_SDK, NO_CREDENTIALS)


def _items(client: Any, names: Iterable[str]) -> list[Any]:
    from tencentcloud.cvm.v20170312 import models

    request = models.DescribeZoneInstanceConfigInfosRequest()
    request.Filters = []
    for field, values in (("instance-type", list(names)), ("instance-charge-type", [BY_THE_HOUR, ON_SPOT])):
        each = models.Filter()
        each.Name, each.Values = field, values
        request.Filters.append(each)
    answer = account.call(lambda: client.DescribeZoneInstanceConfigInfos(request))
    return list(answer.InstanceTypeQuotaSet or [])
