"""The tool that writes arguments, schema and tables: it stands in tools/ and is no part of the package."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tools" / "arguments"))

from schema import breaking  # noqa: E402

__all__ = ["ROOT", "breaking"]
