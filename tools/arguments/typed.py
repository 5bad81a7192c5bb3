"""``_args.py``: the TypedDicts that Pulumi's analyzer reads, flat, as it drops what inherited keys mean."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from pydantic import BaseModel
from reading import Key, Kind, default_text, keys_of, number, parts_in, with_vendors

from pulumi_llm.spec.component import COMPONENTS, LATE, Component
from pulumi_llm.spec.vendors import Secret

HEAD = '''"""The components' arguments, as Pulumi's analyzer reads them. Written by tools/generate from spec/.

No ``from __future__ import annotations`` here: the analyzer (pulumi 3.272) reads the annotations as they are.
"""

from typing import Any, NotRequired, Optional, TypedDict

import pulumi
'''

NAMES = {"NetworkSpec": "NetworkChoiceArgs"}
"""Where a part may not have its own name: ``NetworkArgs`` are the component's, and Go has one name space for both."""

PLAIN = {"text": "str", "day": "str", "cidr": "str", "flag": "bool", "count": "int", "number": "float", "any": "Any"}


def module() -> str:
    """The text of ``_args.py``: parts first, each after those that it holds."""
    parts: dict[str, str] = {}
    for component in COMPONENTS.values():
        for _, key, _ in arguments(component):
            for part in parts_in(key.kind):
                _add(part, parts)
    classes = [*parts.values()]
    classes += [_class(f"{name}Args", each.doc, _rows(each)) for name, each in COMPONENTS.items()]
    names = [*(f"{name}Args" for name in COMPONENTS), *parts]
    listed = "".join(f'    "{name}",\n' for name in sorted(names))
    return f"{HEAD}\n__all__ = [\n{listed}]\n" + "".join(f"\n\n{each}" for each in classes)


def arguments(component: Component) -> Iterator[tuple[str, Key, bool]]:
    """Name, key and whether it may be late, of each argument but the secrets; required ones first."""
    found = []
    for taken in component.taken:
        for key in keys_of(taken.part):
            name = key.name if taken.names is None else taken.names.get(key.name, "")
            if name and key.name not in taken.without:
                default = taken.defaults.get(key.name, key.default)
                found.append((name, replace(key, default=default), name in LATE))
    return iter(sorted(found, key=lambda each: not each[1].required))


def name_of(part: type[BaseModel]) -> str:
    """The TypedDict's name of a part."""
    return NAMES.get(part.__name__, f"{part.__name__.removesuffix('Spec')}Args")


def _add(part: type[BaseModel], parts: dict[str, str]) -> None:
    if name_of(part) in parts:
        return
    for key in keys_of(part):
        for inner in parts_in(key.kind):
            _add(inner, parts)
    doc = " ".join((part.__doc__ or "").split())
    parts[name_of(part)] = _class(name_of(part), doc, [(key.name, key, False) for key in keys_of(part)])


def _rows(component: Component) -> list[tuple[str, Key | Secret, bool]]:
    return [*arguments(component), *((each.argument, each, True) for each in component.secrets)]


def _class(name: str, doc: str, rows: list[tuple[str, Key | Secret, bool]]) -> str:
    lines = [f"class {name}(TypedDict):", f'    """{doc}"""', ""]
    for argument, key, late in rows:
        if isinstance(key, Secret):
            lines += [f"    {argument}: NotRequired[pulumi.Input[str]]", f'    """{key.meaning}. Keep it secret."""']
            continue
        # A key with a default that is not None may be switched off by None: `requests_per_minute`.
        hint = python_type(key.kind, late=late)
        if key.kind.optional and not key.required and key.default is not None:
            hint = f"Optional[{hint}]"
        lines += [
            f"    {argument}: {hint if key.required else f'NotRequired[{hint}]'}",
            f'    """{described(argument, key)}"""',
        ]
    return "\n".join(lines) + "\n"


def python_type(kind: Kind, *, late: bool = False) -> str:
    """The annotation. A choice of texts is ``str``: the analyzer takes no Literal, and hands enums over as objects."""
    if kind.name == "part" and kind.part is not None:
        text = name_of(kind.part)
    elif kind.name in ("list", "map") and kind.inner is not None:
        # What comes late in a mapping may come late by itself too: each of several keys is a secret of its own.
        inner = python_type(kind.inner, late=late and kind.name == "map")
        text = f"list[{inner}]" if kind.name == "list" else f"dict[str, {inner}]"
    else:
        text = PLAIN[kind.name]
    return f"pulumi.Input[{text}]" if late else text


def described(argument: str, key: Key) -> str:
    """The meaning, with what a type of the schema cannot say: choices, bounds and the default."""
    text = re.sub(rf"[:;,]? see ``{argument}``", "", with_vendors(key.meaning))
    kind = key.kind.inner if key.kind.name == "list" and key.kind.inner else key.kind
    if kind.choices and not all(f"``{each}``" in text for each in kind.choices):
        listed = ", ".join(f"``{each}``" for each in kind.choices)
        text += f" Of {listed}." if key.kind.name == "list" else f" One of {listed}."
    text += "".join(f" {each}." for each in bounds(kind))
    if not key.required and key.default is not None and default_text(key.default) not in ("[]", "{}"):
        shown = str(key.default) if isinstance(key.default, str) else default_text(key.default)
        text += f" Default: ``{shown}``."
    return text


def bounds(kind: Kind) -> Iterator[str]:
    """The bounds of a number in words."""
    if kind.most is not None:
        least = f"From {number(kind.least)} to" if kind.least is not None else f"Above {number(kind.above)}, at most"
        yield f"{least} {number(kind.most)}"
    elif kind.above is not None:
        yield f"Above {number(kind.above)}"
    elif kind.least is not None:
        yield f"At least {number(kind.least)}"
