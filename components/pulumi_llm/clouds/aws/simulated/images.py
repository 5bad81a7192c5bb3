"""How simulated AMIs are named, and found again by id."""

from __future__ import annotations

import re
from typing import Any

from pulumi_llm._simcloud.images import Image, digest, is_day, of_day


def names(row: dict[str, Any], region: str, day: str, _base: str) -> tuple[str, str]:
    """The id and the name of an image of a day."""
    return _ami(str(row["name"]), region, day), str(row["name"]).format(date=day)


def _ami(name: str, region: str, day: str) -> str:
    """``ami-0`` and 16 digits: 9 of a digest, then 7 that hide the date behind it."""
    digits = digest(f"{name}|{region}|{day}")
    mask = int(digits[:9], 16) & 0xFFFFFFF
    return f"ami-0{digits[:9]}{int(day) ^ mask:07x}"


def of_ami(ami: str, region: str) -> Image | None:
    """The image behind an AMI id in a region, of whatever date; ``None`` where there is none."""
    if not (found := re.fullmatch(r"ami-0([0-9a-f]{9})([0-9a-f]{7})", ami)):
        return None
    day = str(int(found[2], 16) ^ (int(found[1], 16) & 0xFFFFFFF))
    if not is_day(day):
        return None
    return next((each for each in of_day("aws", region, day) if each.id == ami), None)


def snapshot(image: Image) -> str:
    """The snapshot behind an image."""
    return f"snap-0{digest(image.id)[:16]}"
