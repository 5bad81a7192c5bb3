"""The values that options take: each function gives a parser of a text that says what would be right."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation
from pathlib import Path

from pulumi_llm._commands import meant
from pulumi_llm._language import tr
from pulumi_llm._texts import Text

MOST = 10**15
"""Tokens a month; all that anybody has."""
STEP = Decimal("0.01")
"""What amounts are rounded to, so that what goes through JSON still says the same."""


def unfit(message: str) -> Exception:
    """What a parser raises."""
    import argparse  # only a wrong call needs it

    return argparse.ArgumentTypeError(message)


def whole(low: int, high: int) -> Callable[[str], int]:
    """A parser of whole numbers from ``low`` to ``high``."""

    def parse(text: str) -> int:
        # More digits than any bound has are not read: Python refuses thousands of them in words of its own.
        if not (text.isascii() and text.isdigit() and len(text) <= 18) or not low <= int(text) <= high:
            raise unfit(tr("{text!r} is not a whole number from {low} to {high}", text=text, low=low, high=high))
        return int(text)

    return parse


def between(low: int, high: int) -> Callable[[str], tuple[int, int]]:
    """A parser of one whole number, or of two with a dash between them: both ends, which may be the same."""
    one = whole(low, high)

    def parse(text: str) -> tuple[int, int]:
        first, dash, second = text.partition("-")
        ends = one(first), one(second if dash else first)
        if ends[0] > ends[1] or not ends[1]:
            raise unfit(tr("{text!r} is no number of 1 or more, or two of them from less to more", text=text))
        return ends

    return parse


def many(text: str) -> int:
    """A number of tokens a month: 50M, 1.5B, 300k, or all its digits."""
    found = re.fullmatch(r"([0-9]{1,15})(?:\.([0-9]{1,9}))?([kKMB]?)", text)
    if found:
        factor = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "B": 10**9}[found[3]]
        value = Decimal(f"{found[1]}.{found[2] or 0}") * factor
        if value == int(value) and value <= MOST:
            return int(value)
    raise unfit(tr("{text!r} is not a number of tokens such as 50M, 1.5B or 300000", text=text))


def number(low: float, high: float) -> Callable[[str], float]:
    """A parser of numbers above ``low`` and up to ``high``."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low < value <= high:
            raise unfit(tr("{text!r} is not a number above {low:g} and up to {high:g}", text=text, low=low, high=high))
        return value

    return parse


def amount(most: int, *, zero: bool = True) -> Callable[[str], Decimal]:
    """A parser of numbers from 0 (or above it) to ``most``, rounded to :data:`STEP` where that leaves anything."""

    def parse(text: str) -> Decimal:
        try:
            value = Decimal(text)
        except InvalidOperation:
            raise unfit(tr("{text!r} is not a number", text=text)) from None
        if not (value.is_finite() and 0 <= value <= most) or (value == 0 and not zero):
            raise unfit(tr("{text} is not between 0 and {most}", text=text, most=most))
        return value.quantize(STEP) if value >= STEP else value

    return parse


def one_of(kind: str, names: Iterable[str] | Callable[[], Iterable[str]]) -> Callable[[str], str]:
    """A parser of names, in any case. Names that a data file has are given by a function, called when one is read."""

    def parse(text: str) -> str:
        known = list(names() if callable(names) else names)
        for name in known:
            if text.casefold() == name.casefold():
                return name
        raise unfit(tr("there is no {kind} {text!r}; {meant}", kind=Text(kind), text=text, meant=meant(text, known)))

    return parse


def places() -> Iterable[str]:
    """A stack's machines that have a gateway."""
    from pulumi_llm._channel import PLACES

    return PLACES


def currency(text: str) -> str:
    """A currency that money is shown in, in any case."""
    from pulumi_llm._review.money import CURRENCIES

    return one_of("currency", CURRENCIES)(text)


def folder(text: str) -> Path:
    """A folder that is there."""
    path = Path(text)
    if not path.is_dir():
        raise unfit(tr("{text} is not a folder", text=text))
    return path
