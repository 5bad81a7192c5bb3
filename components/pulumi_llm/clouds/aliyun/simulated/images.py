"""How simulated public images are named, and found again by id."""

from __future__ import annotations

import re
from typing import Any

from pulumi_llm._simcloud.images import Image, is_day, of_day


def names(row: dict[str, Any], _region: str, day: str, _base: str) -> tuple[str, str]:
    """The id and the name of an image of a day: they are the same here."""
    id_ = str(row["id"]).format(date=day)
    return id_, id_


def of_id(image_id: str) -> Image | None:
    """The image behind an id, of whatever date."""
    found = re.search(r"_(\d{8})\.vhd$", image_id)
    if not found or not is_day(found[1]):
        return None
    return next((each for each in of_day("alicloud", "", found[1]) if each.id == image_id), None)
