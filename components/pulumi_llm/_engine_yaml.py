"""The YAML of Pulumi.yaml and of stack files, read as the engine reads it.

The engine reads with Go's yaml.v3 (``resolve.go`` and ``decode.go`` of v3.0.1), which is YAML 1.2 with some of 1.1:
``yes``, ``on`` and ``22:30`` are texts, ``007`` and ``0o7`` are seven, ``1e3`` is a thousand. Then the engine makes
JSON of what it read (``sdk/go/common/resource/config/object.go`` of pulumi 3.259): a date becomes the text
``2026-01-01 00:00:00 +0000 UTC``, a whole number with a point becomes one without, every key becomes a text. What
neither takes is refused here too: a key twice, a number without end, a value that holds itself, aliases that stand for
more than the document.
"""

from __future__ import annotations

import base64
import binascii
import functools
import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import yaml

_PREFIX = "tag:yaml.org,2002:"
_WORDS: Mapping[str, Any] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **{sign + word: float(sign + "inf") for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")},
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INTEGERS: tuple[tuple[re.Pattern[str], int], ...] = (
    (re.compile(r"[-+]?0[bB][01]+"), 2),
    (re.compile(r"[-+]?0[oO]?[0-7]+"), 8),
    (re.compile(r"[-+]?0[xX][0-9a-fA-F]+"), 16),
    (re.compile(r"[-+]?(0|[1-9][0-9]*)"), 10),
)
_DAY = r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})"
_CLOCK = r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:[.,]([0-9]+))?"
_TIME = re.compile(rf"{_DAY}(?:[Tt]{_CLOCK}(Z|[-+][0-9]{{2}}:[0-9]{{2}})| +{_CLOCK})?")
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_LOW, _HIGH = 400_000, 4_000_000
_ESCAPES = str.maketrans({each: f"\\u{ord(each):04x}" for each in "<>&\u2028\u2029"})


def load(text: str) -> Any:
    """What a text holds: None, booleans, integers, floats, texts, lists, and dicts whose keys are texts.

    Raises:
        yaml.YAMLError: the engine would not take it either, or it is nested too deeply for this reader.
    """
    return _copied(_loaded(text))


@functools.lru_cache(maxsize=8)
def _loaded(text: str) -> Any:
    # A comparison reads the same Pulumi.yaml six times, each in hundreds of thousands of steps.
    try:
        reading = _Reader(text)
        node = reading.get_node() if reading.check_node() else None
        return None if node is None else _Maker().value(node)
    except (ValueError, RecursionError) as wrong:
        why = "it is nested too deeply" if isinstance(wrong, RecursionError) else str(wrong)
        raise yaml.YAMLError(why) from None


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(each) for key, each in value.items()}
    return [_copied(each) for each in value] if isinstance(value, list) else value


def to_text(value: Any) -> str:
    """A value as the text that a program receives: a text as it is, all else as Go's JSON writes it."""
    if value is None:
        return ""
    return value if isinstance(value, str) else _json(value)


def dump(document: Any) -> str:
    """A document as YAML that the engine reads as the same document."""
    return str(yaml.dump(document, Dumper=_Writer, sort_keys=False, allow_unicode=True))


class _Alias(yaml.Node):
    """An alias in the document, which PyYAML would replace by what it stands for."""

    def __init__(self, node: yaml.Node, start: Any, end: Any) -> None:
        super().__init__("", node, start, end)


class _Reader(yaml.SafeLoader):
    """Composes nodes that say what is written: an alias is one, and a scalar's tag is empty where none is given."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: Any = self.peek_event() if self.check_event(yaml.AliasEvent) else None  # type: ignore[no-untyped-call]
        node = super().compose_node(parent, index)
        return node if event is None or node is None else _Alias(node, event.start_mark, event.end_mark)

    def compose_scalar_node(self, anchor: Any) -> yaml.ScalarNode:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        node = super().compose_scalar_node(anchor)
        node.tag = ("" if event.implicit[0] else "str") if event.tag in (None, "!") else event.tag
        return node


class _Maker:
    """Makes values of nodes, and counts as yaml.v3 does what comes from aliases."""

    def __init__(self) -> None:
        self.made = self.by_alias = 0
        self.open: list[int] = []

    def value(self, node: yaml.Node) -> Any:
        self.made += 1
        self.by_alias += bool(self.open)
        if self.by_alias > 100 and self.made > 1000 and self.by_alias / self.made > _allowed(self.made):
            raise _wrong(node, "document contains excessive aliasing")
        if isinstance(node, _Alias):
            return self._aliased(node)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(each) for each in node.value]
        return self._mapping(node) if isinstance(node, yaml.MappingNode) else _scalar(node)

    def _aliased(self, alias: _Alias) -> Any:
        if id(alias.value) in self.open:
            raise _wrong(alias, "an anchor's value contains itself")
        self.open.append(id(alias.value))
        found = self.value(alias.value)
        self.open.pop()
        return found

    def _mapping(self, node: yaml.MappingNode) -> dict[str, Any]:
        seen: set[str] = set()
        found: dict[str, Any] = {}
        merged: list[yaml.Node] = []
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                # By what is written: 1 and "1" are one key, 1 and 0x1 are two, the later of which stays.
                if key.value in seen:
                    raise _wrong(key, f"the key {key.value!r} is there twice")
                seen.add(key.value)
                if key.value == "<<":
                    merged.append(value)
                    continue
            name = self.value(key)
            if isinstance(name, (list, dict)):
                raise _wrong(key, "a list or a mapping cannot be a key")
            found[_key(name)] = self.value(value)
        for each in merged:
            for more in self._to_merge(each):
                found |= {key: value for key, value in more.items() if key not in found}
        return found

    def _to_merge(self, node: yaml.Node) -> list[dict[str, Any]]:
        wanted = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for each in wanted:
            if not isinstance(each.value if isinstance(each, _Alias) else each, yaml.MappingNode):
                raise _wrong(each, "`<<` takes a mapping or a list of mappings")
        return [self.value(each) for each in wanted]


def _allowed(made: int) -> float:
    if made <= _LOW:
        return 0.99
    return 0.10 if made >= _HIGH else 0.99 - 0.89 * (made - _LOW) / (_HIGH - _LOW)


def _scalar(node: yaml.Node) -> Any:
    asked, text = node.tag.removeprefix(_PREFIX), node.value
    if asked == "binary":
        try:
            return base64.b64decode("".join(text.split()), validate=True).decode("utf-8", "replace")
        except binascii.Error:
            raise _wrong(node, "!!binary value contains invalid base64 data") from None
    if asked not in ("", "bool", "int", "float", "null", "timestamp"):
        return text
    kind, value = _resolved(text, asked in ("", "timestamp"))
    if asked == "float" and kind == "int":
        return value
    if asked not in ("", kind):
        raise _wrong(node, f"cannot decode {kind} `{text}` as {asked}")
    # A program gets JSON, in which a whole number has no point; from 2**53 on it is told by its digits (`to_text`).
    return int(value) if kind == "float" and abs(value) < 2**53 and value.is_integer() else value


def _resolved(text: str, dates: bool) -> tuple[str, Any]:
    if text in _WORDS:
        value = _WORDS[text]
        return {bool: "bool", float: "float"}.get(type(value), "null"), value
    plain = text.replace("_", "") if text[0] in "+-.0123456789" else ""
    if not plain:
        return "str", text
    moment = _moment(text) if dates else None
    if moment is not None:
        return "timestamp", moment
    for pattern, base in _INTEGERS if len(plain) < 100 else ():
        if pattern.fullmatch(plain) and -(2**63) <= (number := _integer(plain, base)) < 2**64:
            return "int", number
    if _FLOAT.fullmatch(plain) and abs(real := float(plain)) != float("inf"):
        return "float", real
    return "str", text


def _integer(text: str, base: int) -> int:
    sign = -1 if text[0] == "-" else 1
    digits = text.lstrip("+-")
    return sign * int(digits.lstrip("0").lstrip("bBoOxX") or "0", base) if base != 10 else int(text)


def _moment(text: str) -> str | None:
    """A date or time as Go's `time.Time` prints it, or None where it is not one that yaml.v3 takes."""
    found = _TIME.fullmatch(text)
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


def _key(value: Any) -> str:
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


def _wrong(node: yaml.Node, why: str) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, why, node.start_mark)


class _Writer(yaml.SafeDumper):
    """Puts a text in quotes wherever the engine would take it for something else."""


def _quoted(dumper: _Writer, text: str) -> yaml.Node:
    style = '"' if _resolved(text, dates=True)[0] != "str" or text == "<<" else None
    return dumper.represent_scalar(f"{_PREFIX}str", text, style)


_Writer.add_representer(str, _quoted)
