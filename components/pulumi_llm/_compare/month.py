"""A month of use: the tokens that are asked and answered, and the hours in which a machine runs."""

from __future__ import annotations

from decimal import Decimal

from pulumi_llm._dataclasses import dataclass
from pulumi_llm._review.item import Usage

MILLION = Decimal(1_000_000)
"""Prices are per so many tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """Tokens of prompts and of answers in a month, hours in which a machine runs, GiB out of its address."""

    input_tokens: int
    output_tokens: int
    hours: Decimal
    traffic_gib: Decimal

    @property
    def tokens(self) -> int:
        """Both together."""
        return self.input_tokens + self.output_tokens

    @property
    def usage(self) -> Usage:
        """The same as a bill is told it."""
        return Usage(running=self.hours, traffic_gib=self.traffic_gib)

    def price(self, per_million_in: Decimal, per_million_out: Decimal) -> Decimal:
        """What its tokens cost, unrounded, at prices for a million of each."""
        return (self.input_tokens * per_million_in + self.output_tokens * per_million_out) / MILLION

    def a_second(self, tokens: int) -> Decimal:
        """Tokens for each second of the hours, on average."""
        return tokens / (self.hours * 3600)
