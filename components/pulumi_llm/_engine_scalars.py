"""Scalars as the engine reads them, and values as the text that it gives to a program: see :mod:`_engine_yaml`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

_WORDS: Mapping[str, Any] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **{sign + word: float(sign + "inf") for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")},
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
# Compiled when one is first needed: most stacks hold no number but plain ones.
_FLOAT = r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
_INTEGERS = (
    (r"[-+]?0[bB][01]+", 2),
    (r"[-+]?0[oO]?[0-7]+", 8),
    (r"[-+]?0[xX][0-9a-fA-F]+", 16),
    (r"[-+]?(0|[1-9][0-9]*)", 10),
)
_DAY = r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})"
_CLOCK = r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:[.,]([0-9]+))?"
_TIME = rf"{_DAY}(?:[Tt]{_CLOCK}(Z|[-+][0-9]{{2}}:[0-9]{{2}})| +{_CLOCK})?"
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_ESCAPES = str.maketrans({each: f"\\u{ord(each):04x}" for each in "<>&\u2028\u2029"})


def to_text(value: Any) -> str:
    """A value as the text that a program receives: a text as it is, all else as Go's JSON writes it."""
    if value is None:
        return ""
    return value if isinstance(value, str) else _json(value)


def resolved(text: str, dates: bool) -> tuple[str, Any]:
    """The kind and the value of a text that is in no quotes: ``dates`` says whether it may be one."""
    if text in _WORDS:
        value = _WORDS[text]
        return {bool: "bool", float: "float"}.get(type(value), "null"), value
    if text[0] not in "+-.0123456789":
        return "str", text
    if text.isascii() and text.isdigit() and text[0] != "0" and len(text) < 19:
        return "int", int(text)
    plain = text.replace("_", "")
    moment = _moment(text) if dates else None
    if moment is not None:
        return "timestamp", moment
    for pattern, base in _INTEGERS if len(plain) < 100 else ():
        if re.fullmatch(pattern, plain) and -(2**63) <= (number := _integer(plain, base)) < 2**64:
            return "int", number
    if re.fullmatch(_FLOAT, plain) and abs(real := float(plain)) != float("inf"):
        return "float", real
    return "str", text


def _integer(text: str, base: int) -> int:
    sign = -1 if text[0] == "-" else 1
    digits = text.lstrip("+-")
    return sign * int(digits.lstrip("0").lstrip("bBoOxX") or "0", base) if base != 10 else int(text)


def _moment(text: str) -> str | None:
    """A date or time as Go's `time.Time` prints it, or None where it is not one that yaml.v3 takes."""
    found = re.fullmatch(_TIME, text) if text[4:5] == "-" else None
    if found is None:
        return None
    year, month, day = (int(each) for each in found.groups()[:3])
    first, zone, second = found.groups()[3:7], found[8], found.groups()[8:]
    hour, minute, seconds, rest = first if first[0] else second if second[0] else ("0", "0", "0", None)
    leap = month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if not (1 <= month <= 12 and 1 <= day <= _DAYS[month - 1] + leap):
        return None
    if int(hour) > 23 or int(minute) > 59 or int(seconds) > 59:
        return None
    fraction = (rest or "")[:9].rstrip("0")
    place = "+0000 UTC"
    if zone not in (None, "Z", "+00:00", "-00:00"):
        if int(zone[1:3]) > 24 or int(zone[4:]) > 59:
            return None
        place = " ".join([zone.replace(":", "")] * 2)
    clock = f"{int(hour):02}:{int(minute):02}:{int(seconds):02}{'.' if fraction else ''}{fraction}"
    return f"{year:04}-{month:02}-{day:02} {clock} {place}"


def shortened(kind: str, value: Any) -> Any:
    """A number as a program gets it: JSON has no point in a whole one; from 2**53 on it is told by its digits."""
    return int(value) if kind == "float" and abs(value) < 2**53 and value.is_integer() else value


def key_text(value: Any) -> str:
    """A key as Go's `%v` prints it."""
    if value is None:
        return "<nil>"
    if isinstance(value, float) and value:
        number = Decimal(repr(value)).normalize()
        digits, _, exponent = f"{number:e}".partition("e")
        return f"{number:f}" if -4 <= number.adjusted() < 21 else f"{digits}e{int(exponent):+03}"
    if isinstance(value, float):
        return "0"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _json(value: Any, top: bool = True) -> str:
    if isinstance(value, Mapping):
        rows = sorted((str(key), each) for key, each in value.items())
        return "{" + ",".join(f"{_json(key, False)}:{_json(each, False)}" for key, each in rows) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(_json(each, False) for each in value) + "]"
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, int) and not top and not -(2**63) <= value < 2**63:
        return _number(float(value))
    return json.dumps(value, ensure_ascii=False).translate(_ESCAPES)


def _number(value: float) -> str:
    """As Go's JSON writes it: the shortest digits, with an exponent only below 1e-6 and from 1e21 on."""
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError("a number without end cannot be a value")
    if value == 0:
        return "0"
    if 1e-6 <= abs(value) < 1e21:
        return f"{Decimal(repr(value)).normalize():f}"
    digits, _, exponent = f"{Decimal(repr(value)).normalize():e}".partition("e")
    return f"{digits}e{exponent}"
