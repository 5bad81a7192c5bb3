"""How simulated images are named: publisher, offer, SKU and a version that carries the day."""

from __future__ import annotations

from typing import Any

from pulumi_llm._simcloud.images import Image, base_date, is_day, of_day


def names(row: dict[str, Any], _region: str, day: str, _base: str) -> tuple[str, str]:
    """The URN and the name of an image of a day."""
    return f"{row['id']}:24.04.{day}0", str(row["name"])


def of_reference(reference: dict[str, Any], newest: str | None) -> Image | None:
    """The image that a machine names, of whatever day; ``latest`` is that of the ``newest`` day."""
    version = str(reference.get("version") or "")
    day = (newest or base_date("azure-native")) if version == "latest" else version.rpartition(".")[2][:8]
    if not is_day(day):
        return None
    parts = [str(reference.get(key) or "") for key in ("publisher", "offer", "sku")]
    found = of_day("azure-native", "", day)
    return next((each for each in found if each.id.rpartition(":")[0].lower() == ":".join(parts).lower()), None)
