"""Amounts of money in both currencies, in decimal arithmetic."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal

from pulumi_llm._dataclasses import dataclass
from pulumi_llm.catalog.rows import ExchangeRate

HOURS_PER_MONTH = Decimal(730)
"""365 days of 24 hours, divided by 12: the month that the clouds' own calculators use."""
CURRENCIES = ("CNY", "USD")
PER_HOUR = Decimal("0.0001")
PER_MONTH = Decimal("0.01")
"""What a line is rounded to. Totals add up rounded lines, so that they are the sum of what is shown."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """The same amount in CNY and in USD."""

    cny: Decimal
    usd: Decimal

    def __add__(self, other: Amounts) -> Amounts:
        return Amounts(self.cny + other.cny, self.usd + other.usd)

    def __sub__(self, other: Amounts) -> Amounts:
        return Amounts(self.cny - other.cny, self.usd - other.usd)

    def of(self, currency: str) -> Decimal:
        """The amount in ``currency``: ``CNY`` or ``USD``."""
        return self.cny if currency == "CNY" else self.usd

    def to_json(self) -> dict[str, float]:
        """Both amounts as numbers. A rounded amount survives it exactly: it has far fewer than 15 digits."""
        return {"CNY": float(self.cny), "USD": float(self.usd)}


ZERO = Amounts(Decimal(0), Decimal(0))


def exact(number: float | int | str | Decimal) -> Decimal:
    """The number as it is written in the catalogue: ``0.1`` is a tenth, not its binary neighbour."""
    return number if isinstance(number, Decimal) else Decimal(str(number))


def plain(number: Decimal) -> str:
    """The number as one writes it: ``50``, whether it came as 50, 50.00 or 5E+1."""
    return f"{number.normalize():f}"


def both(amount: Decimal, currency: str, rate: ExchangeRate, step: Decimal) -> Amounts:
    """``amount`` of ``currency`` in both currencies, each rounded to ``step``."""
    factor = exact(rate.rate)

    def into(target: str) -> Decimal:
        if target == currency:
            return amount
        return amount * factor if currency == rate.base else amount / factor

    return Amounts(_rounded(into("CNY"), step), _rounded(into("USD"), step))


def total(amounts: Iterable[Amounts]) -> Amounts:
    """The sum."""
    return sum(amounts, ZERO)


def _rounded(amount: Decimal, step: Decimal) -> Decimal:
    return amount.quantize(step, rounding=ROUND_HALF_UP)
