"""How programs in other languages spell arguments: camelCase at each level of a part, a map's own keys as they are."""

import functools
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pulumi_llm._arguments import choices, kinds_of
from pulumi_llm._component import camel
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal


def to_python(inputs: Mapping[str, Any], declared: type) -> dict[str, Any]:
    """The arguments as Python spells them; a name that nothing declares stays, for the component to refuse.

    Python's own spelling is taken too. Raises :class:`Refusal` where both spellings of one argument are given.
    """
    clashes: list[Finding] = []
    found: dict[str, Any] = _part(inputs, declared, "", clashes)
    if clashes:
        raise Refusal(clashes)
    return found


def schema_path(steps: Sequence[str], declared: type) -> list[str]:
    """The steps to an argument, ``keys.web.requests_per_minute``, as the schema spells them."""
    found: list[str] = []
    here: Any = declared
    for step in steps:
        if typing.is_typeddict(here):
            if step in kinds_of(here):
                found.append(camel(step))
                here = _only(kinds_of(here)[step])
            else:  # no argument of ours, or the rest of a map's key that has a dot in it
                found.append(step)
        else:
            found.append(step)
            here = _inside(here)
    return found


@functools.cache
def schema_names(declared: type) -> Mapping[str, str]:
    """Every name that is declared, at any level, and how the schema spells it."""
    return {name: camel(name) for part in _parts(declared) for name in kinds_of(part)}


def _part(value: Any, kind: Any, where: str, clashes: list[Finding]) -> Any:
    if typing.is_typeddict(kind) and isinstance(value, Mapping):
        kinds = kinds_of(kind)
        python = {camel(name): name for name in kinds}
        mapped = {}
        for name, each in value.items():
            ours = python.get(name, name)
            path = f"{where}{ours}"
            if ours != name and ours in value:
                message = _("{name} is given twice: it is also there as {ours!r}", name=name, ours=ours)
                clashes.append(Finding("spec.unknown-key", message, name, where=path))
            mapped[ours] = _part(each, _only(kinds[str(ours)]), f"{path}.", clashes) if ours in kinds else each
        return mapped
    if isinstance(value, Mapping) and typing.get_origin(kind) is dict:
        return {name: _part(each, _inside(kind), f"{where}{name}.", clashes) for name, each in value.items()}
    if isinstance(value, list) and typing.get_origin(kind) is list:
        return [_part(each, _inside(kind), f"{where}{at}.", clashes) for at, each in enumerate(value)]
    return value


def _only(kind: Any) -> Any:
    return choices(kind)[0]


def _inside(kind: Any) -> Any:
    inner = typing.get_args(kind)
    return _only(inner[-1]) if inner else Any


def _parts(kind: Any) -> Iterator[type]:
    if typing.is_typeddict(kind):
        yield kind
        for each in kinds_of(kind).values():
            yield from _parts(_only(each))
    else:
        for each in typing.get_args(kind):
            yield from _parts(each)
