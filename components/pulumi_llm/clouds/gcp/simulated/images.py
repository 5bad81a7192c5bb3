"""How simulated images are named, and found again by name: a name carries its date."""

from __future__ import annotations

import re
from typing import Any

from pulumi_llm._simcloud.images import Image, is_day, of_day

from .common import relative


def names(row: dict[str, Any], _region: str, day: str, _base: str) -> tuple[str, str]:
    """The relative name, which is the id, and the name of an image of a day."""
    name = str(row["name"]).format(date=day)
    return f"projects/{row['owner']}/global/images/{name}", name


def of_link(link: str) -> Image | None:
    """The image of a link or a relative name, of whatever date."""
    wanted = relative(link)
    match = re.search(r"v(\d{8})$", wanted)
    if match is None or not is_day(match[1]):
        return None
    return next((each for each in of_day("gcp", "", match[1]) if each.id == wanted), None)
