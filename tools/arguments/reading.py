"""What the pydantic models of the spec say: meaning, kind, bounds and default of each key."""

from __future__ import annotations

import ast
import collections.abc
import inspect
import json
import types
import typing
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, Union

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from pulumi_llm.spec import KINDS, VENDORS
from pulumi_llm.spec.fields import Cidr, Day

MISSING = PydanticUndefined
CHINESE = "\n\n    zh: "


@dataclass(frozen=True)
class Kind:
    """A key's kind. ``name``: text, day, cidr, flag, count, number, any, part, list or map.

    ``inner``: of a list's or map's items; ``part``: the model; ``least``/``above``/``most``: bounds of a number.
    """

    name: str
    inner: Kind | None = None
    part: type[BaseModel] | None = None
    choices: tuple[str, ...] = ()
    least: float | None = None
    above: float | None = None
    most: float | None = None
    optional: bool = False


@dataclass(frozen=True)
class Key:
    """One key of a model. ``meaning`` has ``names`` in double backticks; so has ``chinese`` ("": not said there)."""

    name: str
    meaning: str
    chinese: str
    kind: Kind
    default: Any

    @property
    def required(self) -> bool:
        return self.default is MISSING


def keys_of(model: type[BaseModel]) -> list[Key]:
    """The keys of a model, those that it inherits too. Ends where one has no docstring."""
    hints = typing.get_type_hints(model, include_extras=True)
    meanings = {name: text for each in reversed(model.__mro__) for name, text in _docstrings(each).items()}
    found = []
    for name, field in model.model_fields.items():
        if name not in meanings:
            raise SystemExit(f"{model.__name__}.{name} has no docstring, which is where its meaning stands")
        default = field.get_default(call_default_factory=True)  # type: ignore[call-arg]
        found.append(Key(name, *meanings[name], kind_of(hints[name]), default))
    return found


def with_vendors(text: str, comma: str = ", ") -> str:
    """A meaning with the vendors' names in it, where it asks for them: ``{vendors}``, or with all kinds ``{kinds}``."""
    for what, names in (("{vendors}", VENDORS), ("{kinds}", KINDS)):
        text = text.replace(what, comma.join(f"``{each}``" for each in names))
    return text


def number(value: float | None) -> str:
    """A number as people write it: 10000000, and not 1e+07."""
    return "" if value is None else str(int(value)) if value == int(value) else f"{value:g}"


def parts_in(kind: Kind) -> Iterator[type[BaseModel]]:
    """The models that a kind holds."""
    if kind.part is not None:
        yield kind.part
    if kind.inner is not None:
        yield from parts_in(kind.inner)


def default_text(value: Any) -> str:
    """A default as JSON; of parts only what was said."""
    return json.dumps(_plain(value), ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return {name: _plain(getattr(value, name)) for name in sorted(value.model_fields_set)} or _said(value)
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, tuple | list) else value


def _said(part: BaseModel) -> dict[str, Any]:
    """Of a part that is made with nothing but defaults: those that are texts, such as a network's range."""
    return {key.name: key.default for key in keys_of(type(part)) if isinstance(key.default, str)}


def joined(chinese: str) -> str:
    """The lines of a Chinese text as one. Between Chinese words there are no blanks; between one and a code span, a
    number or a word of another writing there is one, and beside a mark none."""
    text = ""
    for line in filter(None, map(str.strip, chinese.splitlines())):
        sides = (text[-1], line[0]) if text else ()
        word = bool(sides) and all(each == "`" or unicodedata.category(each)[0] in "LN" for each in sides)
        text += f" {line}" if word and not all(map(_wide, sides)) else line
    return text


def _wide(letter: str) -> bool:
    return unicodedata.east_asian_width(letter) == "W"


@cache
def _docstrings(cls: type) -> dict[str, tuple[str, str]]:
    """Each field's meaning, and the Chinese that stands beneath it in a paragraph that begins with ``zh:``."""
    if not (issubclass(cls, BaseModel) and cls.__module__.startswith("pulumi_llm.")):
        return {}
    tree = ast.parse(inspect.getsource(cls)).body[0]
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for each, after in zip(tree.body, tree.body[1:], strict=False):
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name) and isinstance(after, ast.Expr):
            english, __, chinese = str(ast.literal_eval(after.value)).partition(CHINESE)
            found[each.target.id] = (" ".join(english.split()), joined(chinese))
    return found


def kind_of(hint: Any) -> Kind:
    """The kind of an annotation of the spec."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return _annotated(inner[0], inner[1:])
    if origin in (Union, types.UnionType):
        (other,) = (each for each in inner if each is not type(None))
        return _with(kind_of(other), optional=True)
    if origin is Literal:
        return Kind("text", choices=tuple(map(str, inner)))
    if origin in (tuple, list):
        return Kind("list", inner=kind_of(inner[0]))
    if origin in (dict, collections.abc.Mapping):
        return Kind("map", inner=kind_of(inner[1]))
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return Kind("part", part=hint)
    names = {str: "text", bool: "flag", int: "count", float: "number"}
    return Kind("any") if hint is Any else Kind(names[hint])


def _annotated(base: Any, metadata: tuple[Any, ...]) -> Kind:
    kind = kind_of(base)
    for name, alias in (("cidr", Cidr), ("day", Day)):
        if typing.get_args(alias)[1] in metadata:
            kind = _with(kind, name=name)
    bounds: dict[str, Any] = {}
    for each in metadata:
        for bound in each.metadata if isinstance(each, FieldInfo) else (each,):
            for ours, theirs in (("least", "ge"), ("above", "gt"), ("most", "le")):
                if getattr(bound, theirs, None) is not None:
                    bounds[ours] = getattr(bound, theirs)
    return _with(kind, **bounds)


def _with(kind: Kind, **changes: Any) -> Kind:
    return Kind(**{**vars(kind), **changes})
