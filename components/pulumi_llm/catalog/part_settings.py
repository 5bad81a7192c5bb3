"""The settings of a part that sees or hears, and what such parts have in common."""

from __future__ import annotations

from collections.abc import Mapping

from pulumi_llm.catalog.shapes.settings import is_size

MOST = 1_000_000
"""More than any width that stands beside a part."""


class UncountedError(Exception):
    """A number is not there, or not meant."""


class Tower:
    """The settings of one part, with its class's defaults."""

    def __init__(
        self, values: Mapping[str, object], defaults: Mapping[str, object], outer: Mapping[str, object]
    ) -> None:
        self.values = {**defaults, **{name: value for name, value in values.items() if value is not None}}
        self.outer = outer

    def size(self, *names: str) -> int:
        """The first of these numbers that is given; a list of one number repeated is that number."""
        for name in names:
            value = self.values.get(name)
            if isinstance(value, list) and value and all(each == value[0] for each in value):
                value = value[0]
            if value is not None:
                if is_size(value):
                    return value
                break
        raise UncountedError

    def outside(self, name: str) -> int:
        """A number that stands beside the part, or is its class's own."""
        value = self.outer.get(name, self.values.get(name))
        if not is_size(value) or value > MOST:
            raise UncountedError
        return value

    def ratio(self, name: str) -> float:
        """A number by which another one is multiplied."""
        value = self.values.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 100:
            raise UncountedError
        return value


def blocks(layers: int, width: int, inner: int, matrices: int) -> int:
    """Parameters of so many layers of attention and a feed-forward part of so many matrices."""
    return layers * (4 * width * width + matrices * width * inner)
