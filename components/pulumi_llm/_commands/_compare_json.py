"""A comparison as JSON: every line of each bill and each price, with source and date; null is what is not known."""

from __future__ import annotations

from typing import Any

from pulumi_llm._compare.comparison import BreakEven, Comparison
from pulumi_llm._compare.machines import Machine
from pulumi_llm._compare.services import Service
from pulumi_llm._review.bill import Line
from pulumi_llm._review.money import Amounts


def document(found: Comparison) -> dict[str, Any]:
    """The whole comparison."""
    month = found.month
    return {
        "model": found.wanted.model.id,
        "as_of": found.as_of.isoformat(),
        "input_tokens": month.input_tokens,
        "output_tokens": month.output_tokens,
        "hours": float(month.hours),
        "traffic_gib": float(month.traffic_gib),
        "spot": found.wanted.spot,
        "exchange_rate": {
            "cny_per_usd": found.rate.rate,
            "source": found.rate.source,
            "source_date": found.rate.source_date,
        },
        "machines": [_machine(each) for each in found.machines],
        "services": [_service(each) for each in found.services],
        "break_even": [_break_even(each) for each in found.break_even],
        "throughput": {
            "enough": None,
            "why": "the catalogue has no rate of a model on a card",
            "needs_input_tokens_per_second": round(float(month.a_second(month.input_tokens)), 3),
            "needs_output_tokens_per_second": round(float(month.a_second(month.output_tokens)), 3),
        },
    }


def _machine(each: Machine) -> dict[str, Any]:
    row = each.offer.instance if each.offer else None
    return {
        "cloud": each.cloud,
        "region": each.offer.region if each.offer else None,
        "instance_type": row.instance_type if row else None,
        "gpu": row.gpu if row else None,
        "gpu_count": row.gpu_count if row else None,
        "context_length": each.context,
        "per_month": _amounts(each.per_month),
        "at_least": each.at_least,
        "why_unknown": each.why_unknown,
        "lines": [_line(line) for line in each.lines],
        "warnings": [{"code": finding.code, "message": finding.message} for finding in each.warnings],
    }


def _line(line: Line) -> dict[str, Any]:
    return {
        "what": line.what,
        "kind": line.kind,
        "estimate": line.estimate,
        "per_month": _amounts(line.per_month),
        "why_unknown": line.unknown,
        "source": line.price.source if line.price else None,
        "source_date": line.price.source_date if line.price else None,
        "old": line.price.stale if line.price else None,
        "derived": line.price.derived if line.price else None,
    }


def _service(each: Service) -> dict[str, Any]:
    price = each.price
    return {
        "vendor": each.vendor.vendor,
        "title": each.vendor.title,
        "managed": each.vendor.managed,
        "sells": each.vendor.sells,
        "model": each.model,
        "same_name": each.same,
        "chosen": each.chosen,
        "usd_per_million": {"input": price.input, "output": price.output} if price else None,
        "source": price.source if price else None,
        "source_date": price.source_date if price else None,
        "ends": each.ends.ends if each.ends else None,
        "per_month": _amounts(each.per_month),
        "why_unknown": each.why_unknown,
        "differs": list(each.differs),
    }


def _break_even(each: BreakEven) -> dict[str, Any]:
    row = each.machine.offer
    return {
        "vendor": each.service.vendor.vendor,
        "model": each.service.model,
        "cloud": each.machine.cloud,
        "instance_type": row.instance.instance_type if row else None,
        "region": row.region if row else None,
        "tokens": each.tokens,
        "at_least": each.at_least,
    }


def _amounts(amounts: Amounts | None) -> dict[str, float] | None:
    return amounts.to_json() if amounts is not None else None
