"""How simulated images are numbered, and found again by number."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from pulumi_llm._simcloud.images import Image, base_date, of_day

FIRST_DAY = date(2020, 1, 1)
STEP = 10_000


def names(row: dict[str, Any], _region: str, day: str, base: str) -> tuple[str, str]:
    """The number and the name of an image of a day. A newer image has a higher number."""
    number = int(str(row["id"])) + STEP * (_days(day) - _days(base))
    return str(number), str(row["name"])


def of_id(image_id: str) -> Image | None:
    """The image behind a number, of whatever date."""
    if not image_id.isdigit():
        return None
    base = base_date("digitalocean")
    first = of_day("digitalocean", "", base)
    for each in first:
        apart = int(image_id) - int(each.id)
        if apart % STEP == 0 and abs(apart // STEP) < 40_000:
            day = (FIRST_DAY + timedelta(days=_days(base) + apart // STEP)).strftime("%Y%m%d")
            return next((found for found in of_day("digitalocean", "", day) if found.id == image_id), None)
    return None


def _days(day: str) -> int:
    return (date(int(day[:4]), int(day[4:6]), int(day[6:])) - FIRST_DAY).days
