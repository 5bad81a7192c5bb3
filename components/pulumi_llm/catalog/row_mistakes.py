"""What is wrong with a row of a data file, for somebody who edits one. Only bad rows and a user's own pay for it."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from pulumi_llm._texts import _, either
from pulumi_llm.errors import nearest

WANTED: Mapping[Any, str] = {
    str: _("a text"),
    bool: _("true or false"),
    int: _("a whole number"),
    float: _("a number"),
    dict: _("an object"),
    list: _("a list"),
}


def of_row(kind: type[Any], raw: Mapping[str, Any]) -> Iterator[str]:
    """Every mistake in a row as JSON has it: keys that there are not, keys that lack, values of the wrong kind."""
    return _of_object(kind, raw, "")


def of_keys(kind: type[Any], made: Iterable[str]) -> Iterator[str]:
    """The keys of a row that its ``kind`` does not have, and those that it lacks."""
    return _keys(kind, {*made}, "")


def _keys(kind: type[Any], given: set[str], place: str) -> Iterator[str]:
    fields = {each.name: each for each in dataclasses.fields(kind)}
    for name in sorted(given - {*fields}):
        near = nearest(name, fields)
        key = f"{place}{name}"
        if near:
            yield _("there is no key {key!r}; did you mean {names}?", key=key, names=either(near))
        else:
            yield _("there is no key {key!r}", key=key)
    for name, each in fields.items():
        if name not in given and each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING:
            yield _("the key {key!r} is missing", key=f"{place}{name}")


def _of_object(kind: type[Any], raw: Mapping[str, Any], place: str) -> Iterator[str]:
    yield from _keys(kind, {*raw}, place)
    hints = get_type_hints(kind)
    for name in (each.name for each in dataclasses.fields(kind) if each.name in raw):
        yield from _of_value(hints[name], raw[name], f"{place}{name}")


def _of_value(hint: Any, value: object, place: str) -> Iterator[str]:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        if value is not None:
            yield from _of_value(next(each for each in get_args(hint) if each is not type(None)), value, place)
    elif dataclasses.is_dataclass(hint):
        if isinstance(value, Mapping):
            yield from _of_object(hint if isinstance(hint, type) else type(hint), value, f"{place}.")
        else:
            yield _wrong(place, dict, value)
    elif origin is tuple:
        if isinstance(value, list):
            for number, each in enumerate(value, start=1):
                yield from _of_value(get_args(hint)[0], each, f"{place}[{number}]")
        else:
            yield _wrong(place, list, value)
    elif origin is Literal:
        if value not in get_args(hint):
            yield _("{key} must be {names}, not {value!r}", key=place, names=either(get_args(hint)), value=value)
    elif hint in (str, bool, int, float) and not _is(hint, value):
        yield _wrong(place, hint, value)


def _is(hint: type[Any], value: object) -> bool:
    if hint in (int, float):
        # A number of JSON that is whole may be written 4.0, and one that is none is written NaN.
        number = not isinstance(value, bool) and isinstance(value, int | float) and value - value == 0
        return number and (hint is float or value == int(value))  # type: ignore[call-overload]
    return isinstance(value, hint)


def _wrong(place: str, hint: Any, value: object) -> str:
    return _("{key} must be {wanted}, not {value!r}", key=place, wanted=WANTED[hint], value=value)
