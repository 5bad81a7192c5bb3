"""The standard library's `dataclass`, with less done when a module is imported.

The standard library compiles six functions for each frozen dataclass, half a millisecond in all, and a plan imports
more than a hundred of ours, most of which it makes few objects of, or none. Here one is compiled, ``__init__``, once
some objects were made; until then, and for the other five, there is a function that serves all classes. What a class is
and does stays the same: its fields are the standard library's own, so ``fields``, ``replace`` and ``asdict`` work. See
docs/decisions/cheap-plans.md.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import MISSING, FrozenInstanceError
from functools import cache
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

_usual = dataclasses.dataclass  # kept: while a plan is made, others find ours under that name
OFTEN = 20
"""Objects of a class after which it takes less time to compile its ``__init__`` than to go on without."""

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(cls=None, /, *, frozen=False, slots=False, kw_only=False, **others):
        """As the standard library's; whatever else is asked of it is left to that."""

        def made(cls: type[Any]) -> type[Any]:
            if others:
                return _usual(cls, frozen=frozen, slots=slots, kw_only=kw_only, **others)
            return _made(cls, frozen, slots, kw_only)

        return made if cls is None else made(cls)


def _made(cls: type[Any], frozen: bool, slots: bool, kw_only: bool) -> type[Any]:
    own = dict(cls.__dict__)  # with slots it becomes another class
    if frozen and own.keys() & {"__setattr__", "__delattr__"}:
        raise TypeError(f"Cannot overwrite attribute __setattr__ or __delattr__ in class {cls.__name__}")
    if own.get("__doc__") is None:
        cls.__doc__ = cls.__name__  # the standard library would look for a signature, at length
    above = [each.__dict__["__dataclass_params__"] for each in cls.__mro__ if "__dataclass_params__" in each.__dict__]
    was = [each.frozen for each in above]
    if any(each != frozen for each in was):
        raise TypeError("cannot inherit frozen dataclass from a non-frozen one, or the other way round")
    try:
        for each in above:
            each.frozen = False
        cls = _usual(init=False, repr=False, eq=False, slots=slots, kw_only=kw_only)(cls)
    finally:
        for each in above:
            each.frozen = frozen
    parameters: Any = cls.__dict__["__dataclass_params__"]
    parameters.init = parameters.repr = parameters.eq = True
    parameters.frozen = frozen
    functions: dict[str, Any] = {"__init__": _late_init(cls, frozen), "__repr__": _repr, "__eq__": _eq}
    if frozen:
        functions |= {"__setattr__": _refused(cls, "assign to"), "__delattr__": _refused(cls, "delete")}
        if slots and "__getstate__" not in own and "__setstate__" not in own:
            functions |= {"__getstate__": _state, "__setstate__": _set_state}
    # A class that has an `__eq__` of its own was given the `__hash__` None by Python.
    if own.get("__hash__") is None:
        functions["__hash__"] = _hash if frozen else None
    for name, function in functions.items():
        if name not in own or name == "__hash__":
            setattr(cls, name, function)
    return cls


def _late_init(cls: type[Any], frozen: bool) -> Callable[..., None]:
    """An ``__init__`` that puts a compiled one in its place once it was called often, or wrongly."""
    plan: _Plan | None = None
    calls = 0

    def __init__(self: Any, /, *args: Any, **values: Any) -> None:  # noqa: N807 - it is one
        nonlocal plan, calls
        calls += 1
        plan = plan or _Plan(cls)
        given = {**dict(zip(plan.positional, args, strict=False)), **values}
        doubled = len(given) < len(args) + len(values)
        if calls > OFTEN or doubled or not given.keys() <= plan.taken or not given.keys() >= plan.required:
            init = _init(cls, frozen)
            cls.__init__ = init
            init(self, *args, **values)
            return
        for name, default in plan.others:
            if name not in given:
                given[name] = default()
        for name, value in given.items():
            _put(self, name, value)
        if plan.goes_on:
            self.__post_init__()

    __init__.__qualname__ = f"{cls.__qualname__}.__init__"
    return __init__


_put = object.__setattr__


class _Plan:
    """What there is to know of a class's fields to make an object of it."""

    def __init__(self, cls: type[Any]) -> None:
        fields = dataclasses.fields(cls)
        self.positional = tuple(each.name for each in fields if each.init and not each.kw_only)
        self.taken = frozenset(each.name for each in fields if each.init)
        self.others = tuple((each.name, made) for each in fields if (made := _default(each)) is not None)
        self.required = self.taken - {name for name, __ in self.others}
        self.goes_on = hasattr(cls, "__post_init__")


def _default(field: dataclasses.Field[Any]) -> Callable[[], Any] | None:
    value = field.default
    if value is not MISSING:
        return lambda: value
    return None if field.default_factory is MISSING else field.default_factory


def _init(cls: type[Any], frozen: bool) -> Callable[..., None]:
    """The ``__init__`` that the standard library would compile."""
    known: dict[str, Any] = {"_absent": MISSING, "_put": object.__setattr__}
    positional = ["self"]
    by_name: list[str] = []
    body: list[str] = []
    for number, each in enumerate(dataclasses.fields(cls)):
        name, default = each.name, ""
        if each.default is not MISSING:
            known[f"_default{number}"] = each.default
            value = default = f"_default{number}"
        elif each.default_factory is not MISSING:
            known[f"_factory{number}"] = each.default_factory
            value = default = f"_factory{number}()"
        if each.init:
            written = name if not default else f"{name}={'_absent' if default.endswith(')') else default}"
            (by_name if each.kw_only else positional).append(written)
            value = f"{default} if {name} is _absent else {name}" if default.endswith(")") else name
        elif not default:
            continue
        body.append(f"_put(self, {name!r}, {value})" if frozen else f"self.{name} = {value}")
    if hasattr(cls, "__post_init__"):
        body.append("self.__post_init__()")
    parameters = ", ".join([*positional, *(("*", *by_name) if by_name else ())])
    lines = "\n    ".join(body or ["pass"])
    exec(f"def __init__({parameters}):\n    {lines}", known)  # noqa: S102 - of the fields' own names, as dataclasses does
    init: Callable[..., None] = known["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    return init


@cache
def _compared(cls: type[Any]) -> Callable[[Any], tuple[Any, ...]]:
    return _reader(each.name for each in dataclasses.fields(cls) if each.compare)


@cache
def _hashed(cls: type[Any]) -> Callable[[Any], tuple[Any, ...]]:
    return _reader(each.name for each in dataclasses.fields(cls) if (each.compare if each.hash is None else each.hash))


def _reader(names: Iterable[str]) -> Callable[[Any], tuple[Any, ...]]:
    wanted = tuple(names)
    if len(wanted) > 1:
        return attrgetter(*wanted)
    return lambda one: tuple(getattr(one, name) for name in wanted)


def _eq(self: Any, other: Any) -> Any:
    cls = self.__class__
    if other.__class__ is not cls:
        return NotImplemented
    read = _compared(cls)
    return read(self) == read(other)


def _hash(self: Any) -> int:
    return hash(_hashed(self.__class__)(self))


@recursive_repr()
def _repr(self: Any) -> str:
    shown = (f"{each.name}={getattr(self, each.name)!r}" for each in dataclasses.fields(self) if each.repr)
    return f"{self.__class__.__qualname__}({', '.join(shown)})"


def _refused(cls: type[Any], what: str) -> Callable[..., None]:
    """A ``__setattr__`` or ``__delattr__`` that keeps the fields as they are."""
    usual = "__setattr__" if what == "assign to" else "__delattr__"

    def refuse(self: Any, name: str, *value: Any) -> None:
        if type(self) is cls or name in cls.__dataclass_fields__:
            raise FrozenInstanceError(f"cannot {what} field {name!r}")
        getattr(super(cls, self), usual)(name, *value)

    return refuse


def _state(self: Any) -> list[Any]:
    return [getattr(self, each.name) for each in dataclasses.fields(self)]


def _set_state(self: Any, state: list[Any]) -> None:
    for each, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, each.name, value)
