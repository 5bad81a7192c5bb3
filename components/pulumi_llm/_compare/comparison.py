"""All that is compared, and from how many tokens a month on a machine costs less than what is paid by the token."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property

from pulumi_llm import catalog
from pulumi_llm._compare.machines import Machine, Wanted, machines
from pulumi_llm._compare.month import MILLION, Month
from pulumi_llm._compare.services import Service, services
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._review.money import exact
from pulumi_llm.catalog import ExchangeRate


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakEven:
    """So many ``tokens`` a month, in the month's own proportion, cost at a service what a machine costs.

    ``at_least``: some of the machine's price is not known, so that it may be more tokens.
    """

    machine: Machine
    service: Service
    tokens: int
    at_least: bool


@dataclass(frozen=True)
class Comparison:
    """A model, a month of use, and what that costs in each way."""

    wanted: Wanted
    month: Month
    rate: ExchangeRate
    as_of: date
    machines: tuple[Machine, ...]
    services: tuple[Service, ...]

    @cached_property
    def cheapest(self) -> Machine | None:
        """The machine of the lowest price that is known."""
        priced = [(each.per_month.usd, each.name, each) for each in self.machines if each.per_month is not None]
        return min(priced, key=lambda row: row[:2])[2] if priced else None

    @cached_property
    def break_even(self) -> tuple[BreakEven, ...]:
        """For each service and each machine that have a price, the cheapest machine's first for each service."""
        return tuple(self._break_even())

    def _break_even(self) -> Iterator[BreakEven]:
        priced = [each for each in self.machines if each.per_month is not None]
        for service in self.services:
            if service.per_month is None or service.price is None:
                continue
            usd = self.month.price(exact(service.price.input), exact(service.price.output))
            if not usd:  # what costs nothing never costs as much
                continue
            found = [
                BreakEven(
                    machine=each,
                    service=service,
                    tokens=_whole(each.per_month.usd / usd * self.month.tokens) if each.per_month else 0,
                    at_least=each.at_least,
                )
                for each in priced
            ]
            yield from sorted(found, key=lambda row: (row.tokens, row.machine.name))


def compare(wanted: Wanted, month: Month, chosen: Iterable[tuple[str, str]] = ()) -> Comparison:
    """Everything side by side, as of today. Raises UnknownName for a cloud or a region that is not known."""
    today = datetime.now(UTC).date()
    return Comparison(
        wanted=wanted,
        month=month,
        rate=catalog.load().exchange_rate,
        as_of=today,
        machines=tuple(machines(wanted, month, today)),
        services=tuple(services(wanted.model, month, chosen, today)),
    )


def short(tokens: int) -> str:
    """A number of tokens as one says it: ``50M``, ``1.5B``, ``300k``; three digits are told."""
    for factor, unit in ((MILLION * 1000, "B"), (MILLION, "M"), (Decimal(1000), "k")):
        if tokens >= factor:
            return f"{float(f'{tokens / factor:.3g}'):g}{unit}"
    return str(tokens)


def _whole(number: Decimal) -> int:
    return int(number.quantize(Decimal(1), rounding=ROUND_HALF_UP))
