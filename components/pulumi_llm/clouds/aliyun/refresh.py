"""Stock, list prices and spot prices of Aliyun, asked with alibabacloud-ecs20140526.

Calls DescribeAvailableResource once in each region, then DescribePrice and DescribeSpotPriceHistory for each type that
it lists. The currency is the account's: CNY on the Chinese site, USD on the international one; the answers name it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from pulumi_llm._refresh.calls import NO_CREDENTIALS, NO_SDK, Failure, patiently
from pulumi_llm._refresh.observed import (
    Answer,
    BadQuote,
    Observation,
    Quote,
    Scope,
    Stock,
    differing,
    no_price,
    observed,
    quote,
)
from pulumi_llm._texts import _
from pulumi_llm.clouds.aliyun import account
from pulumi_llm.clouds.aliyun.account import TO_SET as TO_SET
from pulumi_llm.clouds.aliyun.account import Connect
from pulumi_llm.clouds.aliyun.account import has_credentials as has_credentials
from pulumi_llm.errors import Finding

STOCK, PRICES, SPOT = "DescribeAvailableResource", "DescribePrice", "DescribeSpotPriceHistory"

DISKS = ("cloud_essd", "cloud_efficiency", "cloud_ssd")
"""System disks to ask a price with: a type takes some of them only. The disk's own price is not counted."""

OF_THE_TYPE = re.compile(r"PriceNotFound|InvalidInstanceType|InstanceType\.Offline|NotSupported|Mismatch")
"""Codes that speak of one type; the next one may well be answered."""


def fetch(
    scope: Scope,
    say: Callable[[str], None],
    connect: Connect | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> Answer:
    """Ask Aliyun about the scope. Raises Refusal ``refresh.no-sdk`` or ``refresh.no-credentials``."""
    connect = connect or _connector()
    answer = Answer()
    for region in scope.regions:
        say(f"aliyun {region}: stock")
        client = connect(region)
        try:
            stock = patiently(lambda: stock_by_type(_stock(client, region)), pause)  # noqa: B023 - called at once
        except Failure as failure:
            answer.findings.append(failure.finding("aliyun", region, STOCK))
            continue
        rows, findings = observed(scope, region, stock, STOCK)
        answer.findings += findings
        say(_("aliyun {region}: prices of {rows} types", region=region, rows=sum(bool(row.zones) for row in rows)))
        answer.observations += _priced(client, region, rows, answer.findings, pause)
    return answer


def _priced(
    client: Any, region: str, rows: list[Observation], findings: list[Finding], pause: Callable[[float], None]
) -> list[Observation]:
    """The observations with prices, as far as they are answered."""
    asking = {PRICES: True, SPOT: True}
    found: list[Observation] = []
    for row in rows:
        quotes: dict[str, Quote | None] = {PRICES: None, SPOT: None}
        for operation, ask in ((PRICES, _list_price), (SPOT, _spot_price)):
            if not row.zones or not asking[operation]:
                continue
            try:
                quotes[operation] = patiently(lambda: ask(client, region, row.instance_type), pause)  # noqa: B023
            except BadQuote as bad:
                findings.append(
                    no_price(
                        "aliyun",
                        region,
                        row.instance_type,
                        _("{operation} answered {bad}", operation=operation, bad=bad),
                    )
                )
            except Failure as failure:
                if OF_THE_TYPE.search(failure.code):
                    why = _("{operation} answered {code}", operation=operation, code=failure.code)
                    findings.append(no_price("aliyun", region, row.instance_type, why))
                else:  # the next type would fail in the same way
                    findings.append(failure.finding("aliyun", region, operation))
                    asking[operation] = False
        found.append(replace(row, price=quotes[PRICES], spot=quotes[SPOT]))
    return found


# -- answers to rows


def stock_by_type(body: Any) -> dict[str, dict[str, Stock]]:
    """The zones of each type, with stock, from a DescribeAvailableResourceResponseBody."""
    found: dict[str, dict[str, Stock]] = {}
    for zone in _list(body, "available_zones", "available_zone"):
        for kind in _list(zone, "available_resources", "available_resource"):
            if kind.type != "InstanceType":
                continue
            for each in _list(kind, "supported_resources", "supported_resource"):
                sells = each.status == "Available" and zone.status == "Available"
                found.setdefault(each.value, {})[zone.zone_id] = "available" if sells else "sold-out"
    return found


def list_price(body: Any) -> Quote:
    """The list price per hour of the machine alone, from a DescribePriceResponseBody.

    The sum in the answer includes a system disk, and ``trade_price`` the account's discount: the original
    price of the part ``instanceType`` is meant. Raises BadQuote.
    """
    price = getattr(getattr(body, "price_info", None), "price", None)
    parts = [each for each in _list(price, "detail_infos", "detail_info") if each.resource == "instanceType"]
    if len(parts) != 1:
        raise BadQuote(_("{count} prices of the instance type itself", count=len(parts)))
    return quote(parts[0].original_price, price.currency if price is not None else None, PRICES)


def spot_price(bodies: Iterable[Any]) -> Quote | None:
    """The newest spot price in the cheapest zone, from DescribeSpotPriceHistoryResponseBody pages; None without one.

    Raises BadQuote.
    """
    newest: dict[str, tuple[str, Quote]] = {}
    for body in bodies:
        for each in _list(body, "spot_prices", "spot_price_type"):
            if each.zone_id not in newest or each.timestamp > newest[each.zone_id][0]:
                newest[each.zone_id] = each.timestamp, quote(each.spot_price, body.currency, SPOT)
    if not newest:
        return None
    zone = min(newest, key=lambda name: (newest[name][1].amount, name))
    cheapest = newest[zone][1]
    others = differing(((name, price.amount) for name, (__, price) in newest.items()), cheapest.currency)
    return replace(
        cheapest, notes=_("lowest value among the zones of the region{note}", note=f": {others}" if others else "")
    )


def _list(holder: Any, *path: str) -> list[Any]:
    """The list at the end of ``path``; empty where a part of the answer is not there."""
    for name in path:
        holder = getattr(holder, name, None)
    return list(holder or [])


# -- calls


def _connector() -> Connect:
    return account.connector(NO_SDK, NO_CREDENTIALS)


def _stock(client: Any, region: str) -> Any:
    from alibabacloud_ecs20140526 import models

    request = models.DescribeAvailableResourceRequest(
        region_id=region,
        destination_resource="InstanceType",
        instance_charge_type="PostPaid",
        network_category="vpc",
        io_optimized="optimized",
    )
    return account.call(lambda runtime: client.describe_available_resource_with_options(request, runtime)).body


def _list_price(client: Any, region: str, name: str) -> Quote:
    from alibabacloud_ecs20140526 import models

    for last, disk in enumerate(DISKS, start=1):
        request = models.DescribePriceRequest(
            region_id=region,
            resource_type="instance",
            instance_type=name,
            price_unit="Hour",
            period=1,
            amount=1,
            system_disk=models.DescribePriceRequestSystemDisk(category=disk, size=40),
        )
        try:
            answered = account.call(lambda runtime: client.describe_price_with_options(request, runtime))  # noqa: B023
        except Failure as failure:
            if "Disk" in failure.code and last < len(DISKS):
                continue
            raise
        return list_price(answered.body)
    raise AssertionError("the last disk returns or raises")


def _spot_price(client: Any, region: str, name: str) -> Quote | None:
    from alibabacloud_ecs20140526 import models

    bodies: list[Any] = []
    offset = 0
    while True:
        request = models.DescribeSpotPriceHistoryRequest(
            region_id=region, instance_type=name, network_type="vpc", ostype="linux", offset=offset
        )
        body = account.call(lambda runtime: client.describe_spot_price_history_with_options(request, runtime)).body  # noqa: B023
        bodies.append(body)
        if not body.next_offset or body.next_offset <= offset:
            return spot_price(bodies)
        offset = body.next_offset
