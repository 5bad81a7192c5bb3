"""How simulated images are numbered: what is behind a number is renewed, and the number stays."""

from __future__ import annotations

from typing import Any


def names(row: dict[str, Any], _region: str, _day: str, _base: str) -> tuple[str, str]:
    """The number and the name of an image of a day."""
    return str(row["id"]), str(row["name"])
