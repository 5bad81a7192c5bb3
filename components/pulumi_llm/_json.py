"""JSON that others wrote: whatever is wrong with it is a ValueError, too large and too deep included."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Mapping
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


LONG = 512
"""Characters from which on a text's JSON is kept: a node's settings are written four times, and most of it is code."""
_PLACE = re.compile(r'"\\u0000(\d+)"')


def dumps(value: Any, **style: Any) -> str:
    """What `json.dumps` writes, in a style of it; long texts, which come again and again, are written once."""
    ascii_only = style.get("ensure_ascii", True)
    texts: list[str] = []
    try:
        short = _shortened(value, texts)
    except ValueError:
        return json.dumps(value, **style)
    parts = _PLACE.split(json.dumps(short, **style))
    parts[1::2] = [_written(texts[int(each)], ascii_only=ascii_only) for each in parts[1::2]]
    return "".join(parts)


def _shortened(value: Any, texts: list[str]) -> Any:
    if isinstance(value, str):
        if len(value) > LONG:
            texts.append(value)
            return f"\0{len(texts) - 1}"
        if "\0" in value:
            raise ValueError  # it could be taken for the place of a long one
        return value
    if isinstance(value, Mapping):
        if any("\0" in str(key) for key in value):
            raise ValueError
        return {key: _shortened(each, texts) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_shortened(each, texts) for each in value]
    return value


@functools.lru_cache(maxsize=512)
def _written(text: str, *, ascii_only: bool) -> str:
    return json.dumps(text, ensure_ascii=ascii_only)


def plain(value: Any) -> Any:
    """What is read of a value that was written as JSON: lists for tuples, and a copy of all that may be changed."""
    kind = type(value)
    if kind is str or kind is int or kind is float or kind is bool or value is None:
        return value
    if kind is dict and all(type(key) is str for key in value):
        return {key: plain(each) for key, each in value.items()}
    if kind is list or kind is tuple:
        return [plain(each) for each in value]
    return json.loads(json.dumps(value))
