"""What a command declares of its arguments, and how it says that it was called wrongly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple


class UsageError(Exception):
    """A command was called wrongly; the message says how, and what would be right."""


class Option(NamedTuple):
    """An option, or an argument by its place, in argparse's own words."""

    names: tuple[str, ...]
    settings: dict[str, Any]


class OneOf(NamedTuple):
    """Options that exclude each other."""

    options: tuple[Option, ...]
    required: bool = False


Options = Sequence[Option | OneOf]


def option(*names: str, **settings: Any) -> Option:
    """An option as ``ArgumentParser.add_argument`` takes it."""
    return Option(names, settings)
