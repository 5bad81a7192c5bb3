"""How simulated public images are named, and found again by id."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

from pulumi_llm._simcloud.images import Image, base_date, digest, of_day

FIRST_DAY = date(2020, 1, 1)
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def names(row: dict[str, Any], _region: str, day: str, base: str) -> tuple[str, str]:
    """The id and the name of an image of a day."""
    return str(row["id"]) if day == base else _id(str(row["id"]), day), str(row["name"])


def _id(id_: str, day: str) -> str:
    """``image-`` and 20 characters: 17 of a digest, 3 for the days since 2020."""
    days = (date(int(day[:4]), int(day[4:6]), int(day[6:])) - FIRST_DAY).days
    return "image-" + digest(f"{id_}|{day}")[:17] + _base36(days, 3)


def _base36(number: int, width: int) -> str:
    text = ""
    for _ in range(width):
        number, rest = divmod(number, 36)
        text = DIGITS[rest] + text
    return text


def of_id(image_id: str) -> Image | None:
    """The image behind an id, of whatever date."""
    if not re.fullmatch(r"image-[0-9a-z]{20}", image_id):
        return None
    days = int(image_id[-3:], 36)
    dates = [base_date("volcengine")]
    if days < 30000:
        dates.append((FIRST_DAY + timedelta(days=days)).strftime("%Y%m%d"))
    found = [each for day in dates for each in of_day("volcengine", "", day)]
    return next((each for each in found if each.id == image_id), None)
