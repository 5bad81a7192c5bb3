"""JSON that others wrote: whatever is wrong with it is a ValueError, too large and too deep included."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pulumi_llm._texts import _

LARGEST = 64 << 20
"""Characters or bytes of a document that are read; the engine's preview of a large stack has some ten million."""
DEEPEST = 100
"""Levels of lists and mappings; nothing that is read here has thirty, and what walks through it calls itself."""


def loads(
    text: str | bytes,
    *,
    largest: int = LARGEST,
    parse_float: Callable[[str], Any] | None = None,
    parse_constant: Callable[[str], Any] | None = None,
) -> Any:
    """What a document holds. Raises ValueError where it is no JSON, larger than ``largest``, or too deep."""
    if len(text) > largest:
        raise ValueError(_("it is longer than {largest:,}", largest=largest))
    try:
        return bounded(json.loads(text, parse_float=parse_float, parse_constant=parse_constant))
    except RecursionError:
        raise ValueError(_("it is nested too deeply")) from None


def bounded(value: Any) -> Any:
    """The value itself. Raises ValueError where it is nested deeper than :data:`DEEPEST`."""
    level, depth = [value], 0
    while level := [each for each in level if type(each) is dict or type(each) is list]:  # the parser makes no other
        depth += 1
        if depth > DEEPEST:
            raise ValueError(_("it is nested too deeply"))
        level = [inner for each in level for inner in (each.values() if type(each) is dict else each)]
    return value
