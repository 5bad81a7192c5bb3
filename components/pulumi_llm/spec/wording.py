"""What pydantic finds wrong with a value, in the words of somebody who writes YAML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pulumi_llm._addresses import without_secrets
from pulumi_llm._texts import _, either, listed
from pulumi_llm.errors import Finding, nearest

WANTED: Mapping[str, str] = {
    "bool": _("true or false"),
    "decimal": _("a number"),
    "dict": _("a mapping"),
    "dict_key": _("a text"),
    "float": _("a number"),
    "int": _("a whole number"),
    "list": _("a list"),
    "mapping": _("a mapping"),
    "model": _("a mapping"),
    "set": _("a list"),
    "string": _("a text"),
    "tuple": _("a list"),
}
"""What is wanted where an error's type begins with that (https://docs.pydantic.dev/latest/errors/validation_errors/)."""

LIMITS: Mapping[str, tuple[str, str]] = {
    "greater_than_equal": ("ge", _("it must be at least {limit}")),
    "greater_than": ("gt", _("it must be more than {limit}")),
    "less_than_equal": ("le", _("it must be at most {limit}")),
    "less_than": ("lt", _("it must be less than {limit}")),
    "string_too_short": ("min_length", _("it must have at least {limit} characters")),
    "string_too_long": ("max_length", _("it must have at most {limit} characters")),
    "too_short": ("min_length", _("it must hold at least {limit}")),
    "too_long": ("max_length", _("it must hold at most {limit}")),
}
"""Error type to the limit's name in its context, and our words for it."""

_OF_A_TYPE = ("_type", "_parsing", "_parsing_size", "_from_float", "_attributes_type", "_unicode")


def finding(error: Mapping[str, Any], place: str) -> Finding:
    """One of pydantic's errors as ours: ``spec.wrong-type``, ``spec.bad-day`` or ``spec.wrong-value``."""
    kind, given = str(error["type"]), error.get("input")
    shown = without_secrets(repr(given)) if "://" in repr(given) else repr(given)
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    context = error.get("ctx") or {}
    if kind.startswith("date"):
        return Finding("spec.bad-day", _("{shown} is not a day", shown=shown), "2027-12-31", where=place)
    for ending in _OF_A_TYPE:
        if kind.endswith(ending) and kind.removesuffix(ending) in WANTED:
            wanted = WANTED[kind.removesuffix(ending)]
            hint = f"[{given}]" if wanted == "a list" and isinstance(given, str) and len(given) <= 60 else ""
            return Finding(
                "spec.wrong-type",
                _("{shown} is not valid: it must be {wanted}", shown=shown, wanted=wanted),
                hint,
                where=place,
            )
    hint = ""
    if kind in LIMITS:
        name, words = LIMITS[kind]
        if kind == "too_long" and isinstance(given, str):  # pydantic counts the characters of a checked text so
            words = LIMITS["string_too_long"][1]
        limit = context[name]
        problem = words.format(limit=f"{limit:g}" if isinstance(limit, float) else limit)
    elif kind in ("literal_error", "enum"):
        quoted = str(context["expected"]).replace(" or ", ", ").split(", ")
        values = [each.strip("'") for each in quoted]
        expected = _("{names} or {last}", names=listed(quoted[:-1]), last=quoted[-1]) if quoted[1:] else quoted[0]
        problem = _("it must be {expected}", expected=expected)
        near = nearest(str(given), values)
        hint = _("did you mean {names}?", names=either(near)) if near else ""
    elif kind == "finite_number":
        problem = _("it must be a finite number")
    else:
        problem = _("it is not what is wanted here")
    return Finding(
        "spec.wrong-value", _("{shown} is not valid: {problem}", shown=shown, problem=problem), hint, where=place
    )
