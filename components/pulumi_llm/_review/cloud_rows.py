"""A table of the review: its own file, and the rows of each cloud's folder in the file of the same name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pulumi_llm import clouds


def whole(own: Path) -> dict[str, Any]:
    """The table with the clouds' rows: lists one after another, the clouds' first, and mappings as one.

    A cloud's source is named ``<cloud>/<source>``, and so is what a row of its says is its source.
    """
    found: dict[str, Any] = {}
    for name, folder in clouds.folders().items():
        _add(found, _prefixed(folder.read(own.name), name))
    _add(found, json.loads(own.read_text(encoding="utf-8")))
    return found


def _add(found: dict[str, Any], content: dict[str, Any]) -> None:
    for key, value in content.items():
        if isinstance(value, list):
            found[key] = [*found.get(key, ()), *value]
        elif isinstance(value, dict):
            found[key] = {**found.get(key, {}), **value}
        else:
            found[key] = value


def _prefixed(content: dict[str, Any], cloud: str) -> dict[str, Any]:
    def of(row: Any) -> Any:
        return {**row, "source": f"{cloud}/{row['source']}"} if isinstance(row, dict) and "source" in row else row

    changed = {
        key: [of(each) for each in value] if isinstance(value, list) else value for key, value in content.items()
    }
    return {**changed, "sources": {f"{cloud}/{key}": value for key, value in content.get("sources", {}).items()}}
