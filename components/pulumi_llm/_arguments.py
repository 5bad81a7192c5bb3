"""What a component is given, held against the types that its arguments declare. One rule for all components.

The declaration is a TypedDict. An argument declared as ``pulumi.Input[…]`` may be an Output; every other one decides
what is made, and must be plain. Numbers come as floats from other languages, so ``2.0`` is a whole number too.
"""

import collections.abc
import functools
import inspect
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, NotRequired, Required, Union

import pulumi
from pulumi.output import Unknown

from pulumi_llm._dataclasses import dataclass
from pulumi_llm._secrets import is_secret
from pulumi_llm._texts import _, either, listed
from pulumi_llm.errors import Finding, nearest

_WANTED = {bool: _("true or false"), int: _("a whole number"), float: _("a number"), str: "text"}


@dataclass(frozen=True)
class Arguments:
    """The arguments that have the declared types, and what is wrong with the others."""

    fit: dict[str, Any]
    findings: tuple[Finding, ...]


def checked(args: object, declared: type) -> Arguments:
    """Hold ``args`` against the TypedDict ``declared``, every key and every level of it."""
    if not isinstance(args, Mapping):
        message = _("the arguments must be a mapping, not {named}", named=_named(args))
        return Arguments({}, (Finding("spec.wrong-type", message, _("one dictionary of arguments")),))
    kinds = kinds_of(declared)
    fit: dict[str, Any] = {}
    findings: list[Finding] = []
    for key, value in args.items():
        if key not in kinds:
            near = nearest(str(key), kinds)
            hint = (
                _("did you mean {names}?", names=either(near))
                if near
                else _("known: {names}", names=listed(sorted(kinds)))
            )
            findings.append(
                Finding("spec.unknown-key", _("there is no argument {key!r}", key=key), hint, where=str(key))
            )
        elif value is not None:
            found = list(_misfits(value, kinds[key], key, hidden=is_secret(key)))
            findings += [_with_parts(each, key, value, kinds) for each in found]
            if not found:
                fit[key] = value
    required: frozenset[str] = getattr(declared, "__required_keys__", frozenset())
    findings += [
        Finding("spec.missing-key", _("the argument {key!r} is required", key=key), where=key)
        for key in sorted(required)
        if args.get(key) is None
    ]
    return Arguments(fit, tuple(findings))


@functools.cache
def kinds_of(declared: type) -> Mapping[str, Any]:
    """The arguments of a TypedDict and their types, without ``NotRequired`` and ``Required``."""
    # `pulumi.Input` names Output and its type variable as text.
    return typing.get_type_hints(declared, localns={"Output": pulumi.Output, "T": Any, "T_co": Any})


def may_come_late(kind: Any) -> bool:
    """Whether a type is a ``pulumi.Input``: its value may be known only when something else has been made."""
    return any(typing.get_origin(each) is pulumi.Output or each is pulumi.Output for each in choices(kind))


def is_late(value: object) -> bool:
    """Whether a value may be known only later: an Output, or what another language sends for one."""
    return isinstance(value, pulumi.Output | Unknown) or inspect.isawaitable(value)


def _misfits(value: Any, kind: Any, where: str, *, hidden: bool) -> Iterator[Finding]:
    """What in ``value`` is not of ``kind``: one finding for each place."""
    if is_late(value):
        if not may_come_late(kind):
            yield Finding(
                "spec.output-not-plain",
                _("the argument {where!r} is an Output, and its value is needed to plan", where=where),
                _("a plain value, such as one from pulumi.Config"),
                where=where,
            )
        return
    plain = [each for each in choices(kind) if not _is_late(each)]
    if len(plain) != 1:
        # None of our arguments is a union of several plain types; other languages could not name one either.
        return
    yield from _misfits_plain(value, plain[0], where, hidden=hidden)


def _misfits_plain(value: Any, kind: Any, where: str, *, hidden: bool) -> Iterator[Finding]:
    origin = typing.get_origin(kind) or kind
    inner = typing.get_args(kind)
    if kind is Any:
        # Whatever it is, the spec reads it as plain data.
        parts = value.items() if isinstance(value, Mapping) else enumerate(value) if _is_list(value) else ()
        for step, part in parts:
            yield from _misfits(part, Any, f"{where}.{step}", hidden=hidden)
    elif typing.is_typeddict(kind) and isinstance(value, Mapping):
        # What is in a part is the spec's to judge. Here: none of it may come late, as all of it is planned with.
        yield from _misfits(value, Any, where, hidden=hidden)
    elif origin in (dict, collections.abc.Mapping) or typing.is_typeddict(kind):
        if not isinstance(value, Mapping):
            yield _wrong(value, _("a mapping"), where, hidden=hidden)
            return
        for key, part in value.items():
            if not isinstance(key, str):
                yield _wrong(key, "text", f"{where}.{key}", hidden=hidden)
            else:
                below = inner[1] if inner and not typing.is_typeddict(inner[1]) else Any
                yield from _misfits(part, below, f"{where}.{key}", hidden=hidden)
    elif origin in (list, tuple, collections.abc.Sequence):
        if not _is_list(value):
            yield _wrong(value, _("a list"), where, hidden=hidden)
            return
        for position, part in enumerate(value):
            yield from _misfits(part, inner[0] if inner else Any, f"{where}.{position}", hidden=hidden)
    elif not _is_of(value, kind):
        yield _wrong(value, _WANTED[kind], where, hidden=hidden)


def _is_of(value: Any, kind: Any) -> bool:
    if kind in (int, float):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and (kind is float or isinstance(value, int) or value.is_integer())
    return isinstance(value, kind)


def _wrong(value: Any, wanted: str, where: str, *, hidden: bool) -> Finding:
    """What is there, and what is wanted. A secret is not shown, and of a mapping or list only that it is one."""
    shown = _named(value) if hidden or not isinstance(value, bool | int | float | str) else repr(value)
    if len(shown) > 60:
        shown = f"{shown[:56]}…{shown[0]}"
    hint = ""
    if not hidden and isinstance(value, str):
        if wanted == "true or false" and value.lower() in ("true", "false", "yes", "no", "on", "off"):
            hint = "true" if value.lower() in ("true", "yes", "on") else "false"
        elif wanted in ("a number", "a whole number") and value.isascii() and value.isdecimal() and len(value) < 20:
            hint = str(int(value))
        elif wanted == "a list":
            hint = f"[{value}]" if len(value) <= 60 else ""
    elif not hidden and wanted == "text" and isinstance(value, int | float) and not isinstance(value, bool):
        hint = f'"{value}"'
    return Finding(
        "spec.wrong-type", _("{shown} is given, but it must be {wanted}", shown=shown, wanted=wanted), hint, where=where
    )


def _with_parts(found: Finding, key: str, value: Any, kinds: Mapping[str, Any]) -> Finding:
    """Where a mapping is given for something whose parts are arguments beside it, name those."""
    beside = sorted(each for each in kinds if each.startswith(f"{key}_"))
    if found.code != "spec.wrong-type" or found.where != key or not isinstance(value, Mapping) or not beside:
        return found
    return Finding(found.code, found.message, _("the arguments {beside}", beside=listed(beside)), where=key)


def _named(value: object) -> str:
    """The kind of a value, in the words of a configuration file."""
    for kinds, name in (
        (bool, _("true or false")),
        (int, _("a whole number")),
        (float, _("a number")),
        (str, _("text")),
        (Mapping, _("a mapping")),
        (list | tuple, _("a list")),
        (type(None), _("nothing")),
    ):
        if isinstance(value, kinds):
            return name
    return _("an object ({name})", name=type(value).__name__)


def _is_list(value: object) -> bool:
    return isinstance(value, list | tuple)


def choices(kind: Any) -> tuple[Any, ...]:
    """The members of a union but for None; the type itself where it is none."""
    origin = typing.get_origin(kind)
    if origin in (NotRequired, Required, Annotated):
        return choices(typing.get_args(kind)[0])
    if origin in (Union, types.UnionType):
        members = typing.get_args(kind)
        return tuple(inner for each in members if each is not type(None) for inner in choices(each))
    return (kind,)


def _is_late(kind: Any) -> bool:
    return (typing.get_origin(kind) or kind) in (pulumi.Output, collections.abc.Awaitable)
