"""What classes of models take beside their weights and their cache, as ``data/beside.json`` has it with its sources."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data" / "beside.json"


@cache
def _data() -> dict[str, Any]:
    rows: dict[str, Any] = json.loads(DATA.read_text(encoding="utf-8"))
    return rows


def rows(name: str) -> Any:
    """One of its tables. Raises KeyError for one that is not there."""
    return _data()[name]
