"""Plain data into frozen dataclasses, with every mistake told at once. Loads nothing: commands start with it."""

from __future__ import annotations

import dataclasses
import re
import types
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from pulumi_llm._dataclasses import dataclass
from pulumi_llm._texts import _, listed
from pulumi_llm.errors import nearest

Kind = TypeVar("Kind")
Tell = Callable[[str, str], None]
"""Takes a place and what is wrong there."""


@dataclass(frozen=True, slots=True)
class Like:
    """A text that a pattern has to match, and what that is called."""

    pattern: str
    called: str


@dataclass(frozen=True, slots=True)
class Between:
    """A whole number within bounds."""

    least: int
    most: int


class _WrongError(Exception):
    """A value that cannot be read; what is wrong with it was told."""


def read(kind: type[Kind], raw: object, tell: Tell) -> Kind | None:
    """``raw`` as a ``kind``, a frozen dataclass; None after ``tell`` was called for each mistake in it."""
    try:
        made = _value(kind, raw, "", tell)
    except _WrongError:
        return None
    assert isinstance(made, kind)  # noqa: S101 - it was made so
    return made


def called(name: str, default: Any) -> Any:
    """A field whose key is another than its name, such as a word that Python keeps for itself."""
    return dataclasses.field(default=default, metadata={"key": name})


@cache
def _fields(kind: type[Any]) -> dict[str, tuple[dataclasses.Field[Any], Any]]:
    hints = get_type_hints(kind, include_extras=True)
    return {each.metadata.get("key", each.name): (each, hints[each.name]) for each in dataclasses.fields(kind)}


@cache
def _shape(kind: Any) -> tuple[Any, tuple[Any, ...]]:
    """What a type is made of: ``typing`` takes its time to say so, and is asked about a few types again and again."""
    return get_origin(kind), get_args(kind)


def _value(kind: Any, raw: object, place: str, tell: Tell) -> Any:
    origin, parts = _shape(kind)
    if origin is Annotated:
        inner, *rules = parts
        value = _value(inner, raw, place, tell)
        for message in (each for rule in rules for each in _broken(rule, value)):
            raise _told(tell, place, message)
        return value
    if origin in (Union, types.UnionType):
        return None if raw is None else _value(next(each for each in parts if each is not type(None)), raw, place, tell)
    if origin is Literal:
        if raw not in parts:
            raise _told(tell, place, _("{raw!r} is none of {get_args}", raw=raw, get_args=listed(map(str, parts))))
        return raw
    if dataclasses.is_dataclass(kind):
        return _row(kind, raw, place, tell)
    if origin is tuple:
        return _list(parts[0], raw, place, tell)
    if origin is dict:
        keys, values = parts
        return _mapping(keys, values, raw, place, tell)
    if kind is not Any and (not isinstance(raw, kind) or (kind is int and isinstance(raw, bool))):
        names = {str: _("a text"), int: _("a whole number"), bool: _("true or false")}
        raise _told(tell, place, _("{raw!r} is not {get}", raw=raw, get=names.get(kind, kind.__name__)))
    return raw


def _row(kind: Any, raw: object, place: str, tell: Tell) -> Any:
    if not isinstance(raw, Mapping):
        raise _told(tell, place, _("{name} is not a mapping of keys to values", name=type(raw).__name__))
    fields, wrong = _fields(kind), False
    for name in raw:
        if name not in fields:
            near = nearest(str(name), fields)
            tell(
                _inside(place, name),
                _("there is no such key{note}", note=_("; did you mean {names}?", names=near[0]) if near else ""),
            )
            wrong = True
    values: dict[str, Any] = {}
    for name, (field, hint) in fields.items():
        if name in raw:
            try:
                values[field.name] = _value(hint, raw[name], _inside(place, name), tell)
            except _WrongError:
                wrong = True
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            tell(_inside(place, name), _("it is missing"))
            wrong = True
    if wrong:
        raise _WrongError
    made = kind(**values)
    for message in getattr(made, "mistakes", tuple)():
        tell(place, message)
        wrong = True
    if wrong:
        raise _WrongError
    return made


def _list(kind: Any, raw: object, place: str, tell: Tell) -> tuple[Any, ...]:
    if not isinstance(raw, list):
        raise _told(tell, place, _("{raw!r} is not a list", raw=raw))
    return tuple(_all(((number, kind, each) for number, each in enumerate(raw)), place, tell).values())


def _mapping(keys: Any, kind: Any, raw: object, place: str, tell: Tell) -> dict[Any, Any]:
    if not isinstance(raw, Mapping):
        raise _told(tell, place, _("{raw!r} is not a mapping of names to values", raw=raw))
    _all(((name, keys, name) for name in raw), place, tell)
    return _all(((name, kind, each) for name, each in raw.items()), place, tell)


def _all(parts: Iterator[tuple[Any, Any, Any]], place: str, tell: Tell) -> dict[Any, Any]:
    found, wrong = {}, False
    for name, kind, raw in parts:
        try:
            found[name] = _value(kind, raw, _inside(place, name), tell)
        except _WrongError:
            wrong = True
    if wrong:
        raise _WrongError
    return found


def _broken(rule: Any, value: Any) -> Iterator[str]:
    if isinstance(rule, Like) and not re.fullmatch(rule.pattern, value):
        yield _("{value!r} is not {called}", value=value, called=rule.called)
    if isinstance(rule, Between) and not rule.least <= value <= rule.most:
        yield _("{value} is not between {least} and {most}", value=value, least=rule.least, most=rule.most)


def _inside(place: str, name: object) -> str:
    return f"{place}.{name}" if place else str(name)


def _told(tell: Tell, place: str, message: str) -> _WrongError:
    tell(place, message)
    return _WrongError()


__all__ = ["Between", "Like", "called", "read"]
