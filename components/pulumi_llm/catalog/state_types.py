"""In what vLLM keeps the state of a request, by class: ``data/states.json``."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data" / "states.json"


@cache
def kept_in() -> dict[str, Any]:
    """The file, read once."""
    found: dict[str, Any] = json.loads(DATA.read_text(encoding="utf-8"))
    return found
