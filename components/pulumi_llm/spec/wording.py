"""What pydantic finds wrong with a value, in the words of somebody who writes YAML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pulumi_llm.errors import Finding, nearest

WANTED: Mapping[str, str] = {
    "bool": "true or false",
    "decimal": "a number",
    "dict": "a mapping",
    "dict_key": "a text",
    "float": "a number",
    "int": "a whole number",
    "list": "a list",
    "mapping": "a mapping",
    "model": "a mapping",
    "set": "a list",
    "string": "a text",
    "tuple": "a list",
}
"""What is wanted where an error's type begins with that (https://docs.pydantic.dev/latest/errors/validation_errors/)."""

LIMITS: Mapping[str, tuple[str, str]] = {
    "greater_than_equal": ("ge", "it must be at least {}"),
    "greater_than": ("gt", "it must be more than {}"),
    "less_than_equal": ("le", "it must be at most {}"),
    "less_than": ("lt", "it must be less than {}"),
    "string_too_short": ("min_length", "it must have at least {} characters"),
    "string_too_long": ("max_length", "it must have at most {} characters"),
    "too_short": ("min_length", "it must hold at least {}"),
    "too_long": ("max_length", "it must hold at most {}"),
}
"""Error type to the limit's name in its context, and our words for it."""

_OF_A_TYPE = ("_type", "_parsing", "_parsing_size", "_from_float", "_attributes_type", "_unicode")


def finding(error: Mapping[str, Any], place: str) -> Finding:
    """One of pydantic's errors as ours: ``spec.wrong-type``, ``spec.bad-day`` or ``spec.wrong-value``."""
    kind, given = str(error["type"]), error.get("input")
    shown = repr(given)
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    context = error.get("ctx") or {}
    if kind.startswith("date"):
        return Finding("spec.bad-day", f"{shown} is not a day", "2027-12-31", where=place)
    for ending in _OF_A_TYPE:
        if kind.endswith(ending) and kind.removesuffix(ending) in WANTED:
            wanted = WANTED[kind.removesuffix(ending)]
            hint = f"[{given}]" if wanted == "a list" and isinstance(given, str) and len(given) <= 60 else ""
            return Finding("spec.wrong-type", f"{shown} will not do: {wanted} is wanted", hint, where=place)
    hint = ""
    if kind in LIMITS:
        name, words = LIMITS[kind]
        if kind == "too_long" and isinstance(given, str):  # pydantic counts the characters of a checked text so
            words = LIMITS["string_too_long"][1]
        limit = context[name]
        problem = words.format(f"{limit:g}" if isinstance(limit, float) else limit)
    elif kind in ("literal_error", "enum"):
        problem = f"it must be {context['expected']}"
        values = [each.strip("'") for each in str(context["expected"]).replace(" or ", ", ").split(", ")]
        near = nearest(str(given), values)
        hint = f"did you mean {' or '.join(near)}?" if near else ""
    elif kind == "finite_number":
        problem = "it must be a finite number"
    else:
        problem = "it is not what is wanted here"
    return Finding("spec.wrong-value", f"{shown} will not do: {problem}", hint, where=place)
