"""The newest price of each thing, among all that were ever noted of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi_llm.catalog import reader
from pulumi_llm.catalog.rows import Price

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PriceKey = tuple[str, str, str, bool]
"""Cloud, instance type, region, and whether it is a spot price."""


def newest(cloud: str, paths: Iterable[Path]) -> dict[PriceKey, reader.RawRow]:
    """A cloud's newest prices that are not suspect, as rows of these files. Refusal ``catalog.broken-file``."""
    best: dict[PriceKey, reader.RawRow] = {}
    for path in paths:
        for row in reader.checked_rows(path, Price):
            if row["cloud"] != cloud or row.get("suspect"):
                continue
            key = (cloud, row["instance_type"], row["region"], bool(row.get("spot")))
            if key not in best or row["source_date"] > best[key]["source_date"]:
                best[key] = row
    return best
