"""Offers, list prices and spot prices of AWS, asked with boto3.

Calls ec2:DescribeInstanceTypeOfferings and ec2:DescribeSpotPriceHistory in each region, and pricing:GetProducts in
us-east-1. They say which zones offer a type, and nothing about stock. Zone letters are those of the account.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pulumi_llm._refresh.calls import NO_CREDENTIALS, NO_SDK, Failure
from pulumi_llm._refresh.observed import (
    Answer,
    BadQuote,
    Observation,
    Quote,
    Scope,
    Stock,
    chunks,
    differing,
    no_price,
    observed,
    quote,
)
from pulumi_llm._texts import _, listed
from pulumi_llm.clouds.aws import account
from pulumi_llm.clouds.aws.account import TO_SET as TO_SET
from pulumi_llm.clouds.aws.account import has_credentials as has_credentials
from pulumi_llm.errors import Finding

OFFERS, PRICES, SPOT = "DescribeInstanceTypeOfferings", "GetProducts", "DescribeSpotPriceHistory"
PRICING_REGION = "us-east-1"
"""The price list of all regions of the partition is answered there."""


def fetch(scope: Scope, say: Callable[[str], None], session: Any = None) -> Answer:
    """Ask AWS about the scope. Raises Refusal ``refresh.no-sdk`` or ``refresh.no-credentials``."""
    session = session or _session()
    answer = Answer()
    offered: list[Observation] = []
    for region in scope.regions:
        say(_("aws {region}: offers and spot prices of {count} types", region=region, count=len(scope.types)))
        ec2 = account.client(session, "ec2", region)
        try:
            rows, findings = observed(scope, region, zones_by_type(_offerings(ec2, scope.names), region), OFFERS)
        except Failure as failure:
            answer.findings.append(failure.finding("aws", region, OFFERS))
            continue
        answer.findings += findings
        names = [row.instance_type for row in rows if row.zones]
        spot: Mapping[str, Quote] = {}
        try:
            history = _spot_history(ec2, names, datetime.now(UTC)) if names else []
            spot, bad = spot_prices(history, region)
            answer.findings += bad
        except Failure as failure:
            answer.findings.append(failure.finding("aws", region, SPOT))
        offered += [replace(row, spot=spot.get(row.instance_type)) for row in rows]
    prices = _all_prices(session, scope, offered, answer.findings, say)
    for row in offered:
        found = prices.get((row.instance_type, row.region))
        if isinstance(found, str):
            answer.findings.append(no_price("aws", row.region, row.instance_type, found))
        answer.observations.append(replace(row, price=found if isinstance(found, Quote) else None))
    return answer


def _all_prices(
    session: Any, scope: Scope, offered: Iterable[Observation], findings: list[Finding], say: Callable[[str], None]
) -> dict[tuple[str, str], Quote | str]:
    """The list prices by type and region; a text says why there is none, nothing where it was not answered."""
    wanted: dict[str, list[str]] = {}
    for row in offered:
        if row.zones:
            wanted.setdefault(row.instance_type, []).append(row.region)
    prices: dict[tuple[str, str], Quote | str] = {}
    if not wanted:
        return prices
    say(_("aws: list prices of {count} types", count=len(wanted)))
    pricing = account.client(session, "pricing", PRICING_REGION)
    for name, regions in wanted.items():
        try:
            found = list_prices(_products(pricing, name, regions), name)
        except Failure as failure:
            findings.append(failure.finding("aws", name, PRICES))
            return prices  # the next type would fail in the same way
        for region in regions:
            prices[name, region] = found.get(region, f"{PRICES} has no price on demand for it")
    return prices


# -- answers to rows


def zones_by_type(offerings: Iterable[Mapping[str, Any]], region: str) -> dict[str, dict[str, Stock]]:
    """The zones of each type. Local and Wavelength zones (``us-west-2-lax-1a``) are left out: they need an opt-in
    and have prices of their own."""
    zones: dict[str, dict[str, Stock]] = {}
    for each in offerings:
        if re.fullmatch(re.escape(region) + "[a-z]", each["Location"]):
            zones.setdefault(each["InstanceType"], {})[each["Location"]] = "offered"
    return zones


def list_prices(products: Iterable[str], instance_type: str) -> dict[str, Quote | str]:
    """The price on demand by region; a text where the answer holds none that can be believed.

    ``products`` are GetProducts' JSON texts. Only shared Linux machines without other software count;
    capacity blocks are listed among them at a price of zero, under another market option.
    """
    seen: dict[str, set[tuple[object, object]]] = {}
    for text in products:
        product = json.loads(text)
        what = product["product"]["attributes"]
        if (
            what.get("instanceType") != instance_type
            or what.get("operatingSystem") != "Linux"
            or what.get("tenancy") != "Shared"
            or what.get("preInstalledSw") != "NA"
            or what.get("capacitystatus") != "Used"
            or what.get("marketoption", "OnDemand") != "OnDemand"
        ):
            continue
        for term in product.get("terms", {}).get("OnDemand", {}).values():
            for dimension in term["priceDimensions"].values():
                if dimension.get("unit") == "Hrs":
                    for currency, amount in dimension["pricePerUnit"].items():
                        seen.setdefault(what.get("regionCode", ""), set()).add((currency, amount))
    return {region: _one_price(amounts) for region, amounts in seen.items()}


def _one_price(amounts: set[tuple[object, object]]) -> Quote | str:
    if len(amounts) > 1:
        shown = listed(sorted(f"{amount} {currency}" for currency, amount in amounts))
        return _("{prices} has {count} prices for it ({shown})", prices=PRICES, count=len(amounts), shown=shown)
    ((currency, amount),) = amounts
    try:
        return quote(amount, currency, PRICES)
    except BadQuote as bad:
        return _("{prices} answered {bad}", prices=PRICES, bad=bad)


def spot_prices(history: Iterable[Mapping[str, Any]], region: str) -> tuple[dict[str, Quote], list[Finding]]:
    """The newest spot price of each type, in the cheapest zone of the region."""
    newest: dict[tuple[str, str], Mapping[str, Any]] = {}
    for each in history:
        if not re.fullmatch(re.escape(region) + "[a-z]", each["AvailabilityZone"]):
            continue
        key = each["InstanceType"], each["AvailabilityZone"]
        if key not in newest or each["Timestamp"] > newest[key]["Timestamp"]:
            newest[key] = each
    by_type: dict[str, dict[str, Quote]] = {}
    findings: list[Finding] = []
    for (name, zone), each in newest.items():
        try:
            by_type.setdefault(name, {})[zone] = quote(each["SpotPrice"], "USD", SPOT)
        except BadQuote as bad:
            findings.append(
                no_price("aws", region, f"{name} (spot, {zone})", _("{spot} answered {bad}", spot=SPOT, bad=bad))
            )
    found: dict[str, Quote] = {}
    for name, zones in by_type.items():
        if zones:
            zone = min(zones, key=lambda each: (zones[each].amount, each))
            others = differing(((each, price.amount) for each, price in zones.items()), "USD")
            notes = _("lowest value among the zones of the region{note}", note=f": {others}" if others else "")
            found[name] = replace(zones[zone], notes=notes)
    return found, findings


# -- calls


def _session() -> Any:
    return account.session(NO_SDK, NO_CREDENTIALS)


def _offerings(ec2: Any, names: tuple[str, ...]) -> Iterator[Mapping[str, Any]]:
    for some in chunks(names, 100):
        yield from _pages(
            ec2,
            "describe_instance_type_offerings",
            "InstanceTypeOfferings",
            LocationType="availability-zone",
            Filters=[{"Name": "instance-type", "Values": list(some)}],
        )


def _spot_history(ec2: Any, names: list[str], now: datetime) -> Iterator[Mapping[str, Any]]:
    for some in chunks(names, 100):
        # A start at the present moment answers the price that holds now, one a zone.
        yield from _pages(
            ec2,
            "describe_spot_price_history",
            "SpotPriceHistory",
            InstanceTypes=list(some),
            ProductDescriptions=["Linux/UNIX"],
            StartTime=now,
        )


def _products(pricing: Any, name: str, regions: list[str]) -> Iterator[str]:
    asked = {
        "instanceType": name,
        "operatingSystem": "Linux",
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
    }
    if len(regions) == 1:
        asked["regionCode"] = regions[0]
    filters = [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in asked.items()]
    yield from _pages(pricing, "get_products", "PriceList", ServiceCode="AmazonEC2", Filters=filters)


def _pages(client: Any, operation: str, member: str, **arguments: Any) -> Iterator[Any]:
    with account.calls():
        for page in client.get_paginator(operation).paginate(**arguments):
            yield from page.get(member, [])
