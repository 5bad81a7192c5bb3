"""Sizes, where they are sold and what they cost, asked of DigitalOcean's own API (GET /v2/sizes, all regions at once).

One request with the token of the environment needs no SDK. There are no spot machines, and the price is the same in
all regions. ``available`` is said of a size as a whole, and the regions that it can be had in are listed.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from pulumi_llm._refresh.calls import NO_CREDENTIALS, Failure, Kind, patiently
from pulumi_llm._refresh.observed import Answer, BadQuote, Scope, Stock, no_price, observed, quote
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal

TO_SET = "DIGITALOCEAN_TOKEN"
VARIABLES = ("DIGITALOCEAN_TOKEN", "DIGITALOCEAN_ACCESS_TOKEN")
"""Where the provider looks for its token (terraform-provider-digitalocean v2.99.1)."""
API = "https://api.digitalocean.com"
SIZES = "GET /v2/sizes"
SECONDS = 30

Ask = Callable[[], Any]


def has_credentials() -> bool:
    """Whether the environment names a token. No call is made."""
    return any(os.environ.get(name) for name in VARIABLES)


def fetch(
    scope: Scope,
    say: Callable[[str], None],
    ask: Ask | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> Answer:
    """Ask DigitalOcean about the scope. Raises Refusal ``refresh.no-credentials``."""
    ask = ask or asker(API)
    answer = Answer()
    say(_("digitalocean: sizes, regions and prices of {count} types", count=len(scope.types)))
    try:
        sizes = _sizes(patiently(ask, pause))
    except Failure as failure:
        answer.findings.append(failure.finding("digitalocean", _("all regions"), SIZES))
        return answer
    for region in scope.regions:
        rows, findings = observed(scope, region, _stock(sizes, region), SIZES)
        answer.findings += findings
        for row in rows:
            if not row.zones:
                answer.observations.append(row)
                continue
            try:
                price = quote(sizes[row.instance_type].get("price_hourly"), "USD", SIZES)
            except BadQuote as bad:
                price = None
                why = _("{configs} answered {bad} {what}", configs=SIZES, bad=bad, what=_("by the hour"))
                answer.findings.append(no_price("digitalocean", region, row.instance_type, why))
            answer.observations.append(replace(row, price=price))
    return answer


def asker(address: str) -> Ask:
    """What asks the API at an address. Raises Refusal ``refresh.no-credentials`` without a token."""
    token = next(filter(None, map(os.environ.get, VARIABLES)), None)
    if token is None:
        text = _("digitalocean: no credentials: {problem}", problem=_("no token in the environment"))
        raise Refusal([Finding(NO_CREDENTIALS, text, f"set {TO_SET}")])
    request = Request(f"{address}/v2/sizes?per_page=200", headers={"Authorization": f"Bearer {token}"})  # noqa: S310 - a constant

    def ask() -> Any:
        try:
            with urlopen(request, timeout=SECONDS) as answer:  # noqa: S310 - the same
                return json.loads(answer.read())
        except HTTPError as error:
            kinds: dict[int, Kind] = {401: "denied", 403: "denied", 429: "throttled"}
            raise Failure(kinds.get(error.code, "failed"), str(error.code), _words(error)) from None
        except (URLError, HTTPException, OSError) as error:
            raise Failure("unreachable", type(error).__name__, str(getattr(error, "reason", error))) from None
        except ValueError:
            raise Failure("failed", "200", "the answer is no JSON") from None

    return ask


def _words(error: HTTPError) -> str:
    try:
        return str(json.loads(error.read())["message"])
    except (ValueError, KeyError, TypeError, OSError):
        return error.reason


def _sizes(answer: Any) -> Mapping[str, Mapping[str, Any]]:
    """The sizes by their slugs. Raises Failure for an answer of another form."""
    rows = answer.get("sizes") if isinstance(answer, Mapping) else None
    if not isinstance(rows, list):
        raise Failure("failed", "200", "the answer lists no sizes")
    return {each["slug"]: each for each in rows if isinstance(each, Mapping) and isinstance(each.get("slug"), str)}


def _stock(sizes: Mapping[str, Mapping[str, Any]], region: str) -> dict[str, dict[str, Stock]]:
    """The zone of each size that the region has: the region itself."""
    return {
        slug: {region: "available" if size.get("available") else "sold-out"}
        for slug, size in sizes.items()
        if region in (size.get("regions") or ())
    }
