"""A bill as JSON, and back.

Format 1, one object. Money is a number, rounded as shown (0.0001 per hour, 0.01 per month), always in both currencies::

    {"format": 1, "project": str, "stack": str, "as_of": "2026-11-24",
     "running_hours": number,                 hours a month in which the machines run, of 730
     "traffic_gib": number,                   GiB a month assumed out of each public address
     "exchange_rate": {"base", "quote", "rate", "source", "source_date"},
     "lines": [{"urn", "type", "resource", "slot", "kind", "what", "note",
                "cloud": str | null, "region": str | null,
                "quantity": number, "hours": number, "estimate": bool,
                "price": {"amount", "currency", "unit", "source", "source_date", "stale", "derived"} | null,
                "per_hour": {"CNY", "USD"} | null, "per_month": {"CNY", "USD"} | null,
                "unknown": str | null,        why there is no price
                "fewest": {"per_hour", "per_month"} | null}],
                                              with as few nodes as a pool may have, where it has two bounds
     "alternatives": [{"resource", "number", "taken": bool, "what", "cloud", "region", "zone", "instance_type",
                "spot": bool, "machines": number, "hours", "price", "per_hour", "per_month", "unknown",
                "fit": {"context", "at_once", "longest"} | null}],
                                              of servers that have any; in no total, and not read back
     "schedules": [{"resource", "hours": str | null, "idle_minutes": number | null, "keep", "machines": number,
                "running": number,            hours a month that each machine of the server is counted with
                "saved_per_month": {"CNY", "USD"} | null}],
                                              of servers that stop by themselves; not read back
     "total": {"per_hour": {"CNY", "USD"}, "per_month": {"CNY", "USD"},
               "at_least": bool,              true: some prices are unknown
               "fewest": {"per_hour", "per_month"} | null},
     "findings": [{"code", "severity", "message", "hint", "where"}]}

``kind`` is machine, disk, address, traffic, snapshots, storage or other. ``per_hour`` is an hour in which everything
runs. The command adds ``against`` and ``difference`` (see :mod:`pulumi_llm._review.difference`) and ``budget``; a
reader ignores keys that it does not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from pulumi_llm import _json
from pulumi_llm._review.bill import Alternative, Bill, Fewest, Line, PriceTag
from pulumi_llm._review.money import Amounts
from pulumi_llm._texts import _
from pulumi_llm.catalog import ExchangeRate
from pulumi_llm.errors import Finding, Refusal

FORMAT = 1
_PLAIN = ("urn", "type", "resource", "slot", "kind", "what", "note")


def to_json(bill: Bill) -> dict[str, Any]:
    """The bill as JSON-ready data, in the format above."""
    rate = bill.exchange_rate
    return {
        "format": FORMAT,
        "project": bill.project,
        "stack": bill.stack,
        "as_of": bill.as_of.isoformat(),
        "running_hours": float(bill.running_hours),
        "traffic_gib": float(bill.traffic_gib),
        "exchange_rate": {key: getattr(rate, key) for key in ("base", "quote", "rate", "source", "source_date")},
        "lines": [_line_to_json(line) for line in bill.lines],
        "alternatives": [_alternative_to_json(each) for each in bill.alternatives],
        "schedules": [each.to_json() for each in bill.schedules],
        "total": {
            "per_hour": bill.per_hour.to_json(),
            "per_month": bill.per_month.to_json(),
            "at_least": bill.at_least,
            "fewest": _fewest_to_json(bill.fewest),
        },
        "findings": [
            {
                "code": each.code,
                "severity": each.severity,
                "message": each.message,
                "hint": each.hint,
                "where": each.where,
            }
            for each in bill.findings()
        ],
    }


def read(path: Path) -> Bill:
    """The bill in a file. Raises :class:`Refusal` (``bill.bad-file``) for anything that is not such a bill."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as wrong:
        reason = getattr(wrong, "strerror", None) or _("it is not UTF-8 text")
        raise _bad(str(path), _("it cannot be read: {reason}", reason=reason)) from None
    return parse(text, str(path))


def parse(text: str, name: str) -> Bill:
    """The bill that ``text`` holds; ``name`` is what a refusal (``bill.bad-file``) calls it."""
    try:
        content = _json.loads(text, parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as wrong:
        raise _bad(name, _("it is not JSON: {problem}", problem=wrong)) from None
    if not isinstance(content, dict) or "format" not in content:
        raise _bad(name, _("it is not an object with `format` and `lines`"))
    if content["format"] != FORMAT:
        raise _bad(
            name,
            _(
                "it has format {format!r}, and this version reads format {format_2}",
                format=content["format"],
                format_2=FORMAT,
            ),
        )
    try:
        bill = _bill(content)
    except KeyError as missing:
        raise _bad(name, _("{args} is missing", args=missing.args[0])) from None
    except (TypeError, ValueError, AttributeError) as wrong:
        raise _bad(name, str(wrong)) from None
    keys = [line.key for line in bill.lines]
    if len(set(keys)) != len(keys):
        raise _bad(name, _("a line is there twice"))
    told = content.get("total", {}) if isinstance(content.get("total"), Mapping) else {}
    for period, summed in (("per_hour", bill.per_hour), ("per_month", bill.per_month)):
        if told.get(period) is None or _amounts(told[period], f"total.{period}") != summed:
            raise _bad(name, _("its total {period} is not the sum of its lines", period=period))
    return bill


def _line_to_json(line: Line) -> dict[str, Any]:
    tag = line.price
    price = None
    if tag is not None:
        price = {"amount": float(tag.amount), "currency": tag.currency, "unit": tag.unit, "source": tag.source}
        price |= {"source_date": tag.source_date, "stale": tag.stale, "derived": tag.derived}
    return {
        **{key: getattr(line, key) for key in _PLAIN},
        "cloud": line.cloud,
        "region": line.region,
        "quantity": float(line.quantity),
        "hours": float(line.hours),
        "estimate": line.estimate,
        "price": price,
        "per_hour": line.per_hour.to_json() if line.per_hour is not None else None,
        "per_month": line.per_month.to_json() if line.per_month is not None else None,
        "unknown": line.unknown,
        "fewest": _fewest_to_json(line.fewest),
    }


def _fewest_to_json(fewest: Fewest | None) -> dict[str, Any] | None:
    if fewest is None:
        return None
    return {"per_hour": fewest.per_hour.to_json(), "per_month": fewest.per_month.to_json()}


def _alternative_to_json(alternative: Alternative) -> dict[str, Any]:
    it, room = alternative.offered, alternative.offered.room
    line = _line_to_json(alternative.line)
    return {
        "resource": line["resource"],
        **{key: getattr(it, key) for key in ("number", "taken", "zone", "instance_type", "spot")},
        "machines": line["quantity"],
        **{key: line[key] for key in ("what", "cloud", "region", "hours", "price", "per_hour", "per_month", "unknown")},
        "fit": None if room is None else {"context": room.context, "at_once": room.at_once, "longest": room.longest},
    }


def _bill(content: Mapping[str, Any]) -> Bill:
    rate = _mapping(content["exchange_rate"], "exchange_rate")
    lines = content["lines"]
    if not isinstance(lines, list):
        raise TypeError("lines is not a list")
    return Bill(
        project=_text(content, "project"),
        stack=_text(content, "stack"),
        as_of=date.fromisoformat(_text(content, "as_of")),
        running_hours=_number(content["running_hours"], "running_hours"),
        traffic_gib=_number(content["traffic_gib"], "traffic_gib"),
        exchange_rate=ExchangeRate(
            base=_currency(rate, "base"),  # type: ignore[arg-type]
            quote=_currency(rate, "quote"),  # type: ignore[arg-type]
            rate=float(_number(rate["rate"], "exchange_rate.rate")),
            source=_text(rate, "source"),
            source_date=_text(rate, "source_date"),
        ),
        lines=[_line(_mapping(each, _("a line")), f"lines[{index}]") for index, each in enumerate(lines)],
    )


def _line(content: Mapping[str, Any], where: str) -> Line:
    price = content["price"]
    tag = None
    if price is not None:
        price = _mapping(price, f"{where}.price")
        tag = PriceTag(
            amount=_number(price["amount"], f"{where}.price.amount"),
            currency=_currency(price, "currency"),
            unit=_text(price, "unit"),
            source=_text(price, "source"),
            source_date=_text(price, "source_date"),
            stale=price["stale"] is True,
            derived=price["derived"] is True,
        )
    hourly, monthly = (
        None if content[key] is None else _amounts(content[key], f"{where}.{key}") for key in ("per_hour", "per_month")
    )
    unknown = content["unknown"]
    if {hourly is None, monthly is None, tag is None, isinstance(unknown, str)} != {unknown is not None}:
        raise ValueError(_("{where} must have either a price with both amounts, or say why it is unknown", where=where))
    return Line(
        **{key: _text(content, key) for key in _PLAIN},
        cloud=_text(content, "cloud") if content["cloud"] is not None else None,
        region=_text(content, "region") if content["region"] is not None else None,
        quantity=_number(content["quantity"], f"{where}.quantity"),
        hours=_number(content["hours"], f"{where}.hours"),
        estimate=content["estimate"] is True,
        price=tag,
        per_hour=hourly,
        per_month=monthly,
        unknown=unknown,
        fewest=_fewest(content.get("fewest"), f"{where}.fewest"),
    )


def _fewest(value: Any, where: str) -> Fewest | None:
    """Bills of before have none."""
    if value is None:
        return None
    content = _mapping(value, where)
    return Fewest(*(_amounts(content[key], f"{where}.{key}") for key in ("per_hour", "per_month")))


def _amounts(value: Any, where: str) -> Amounts:
    pair = _mapping(value, where)
    return Amounts(_number(pair["CNY"], f"{where}.CNY"), _number(pair["USD"], f"{where}.USD"))


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{where} is not an object")
    return value


def _text(content: Mapping[str, Any], key: str) -> str:
    value = content[key]
    if not isinstance(value, str):
        raise TypeError(f"{key} is not text: {value!r}")
    return value


def _currency(content: Mapping[str, Any], key: str) -> str:
    value = content[key]
    if value not in ("CNY", "USD"):
        raise ValueError(_("{key} is {value!r}, not CNY or USD", key=key, value=value))
    return str(value)


def _number(value: Any, where: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise TypeError(f"{where} is not a number: {value!r}")
    number = Decimal(value)
    if not 0 <= number < Decimal(10) ** 12:
        raise ValueError(_("{where} is {number}, which cannot be", where=where, number=number))
    return number


def _refuse_constant(name: str) -> None:
    raise ValueError(_("{name} is not a number", name=name))


def _bad(name: str, reason: str) -> Refusal:
    hint = _("a file that `pulumi-llm bill --json` wrote, unchanged")
    return Refusal(
        [Finding("bill.bad-file", _("{name} cannot be compared with: {reason}", name=name, reason=reason), hint)]
    )
