"""Which day it is. What a day settles (whether a cloud still sells a version) asks here; a test has one of its own."""

from __future__ import annotations

from datetime import UTC, date, datetime


def today() -> date:
    """Today, in UTC."""
    return datetime.now(UTC).date()
