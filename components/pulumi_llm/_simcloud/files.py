"""The simulation's own data files: what is no cloud's."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

from pulumi_llm import _json


@cache
def data(name: str) -> Any:
    """A data file of this package, parsed once."""
    return _json.loads(resources.files(__package__).joinpath("data", name).read_text(encoding="utf-8"))
