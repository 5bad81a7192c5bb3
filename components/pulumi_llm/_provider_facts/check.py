"""Check: what a provider does with a resource's inputs before anything else.

Unknown, missing and wrongly typed properties (nested ones too) by the SDK's schema; allowed values, conflicts and
defaults by the table. Every problem is reported, not the first only.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pulumi_llm._dataclasses import dataclass
from pulumi_llm.errors import nearest

from . import allowed, schema, table
from .values import Props, is_asset, is_secret, is_unknown, normal, reveal

DEFAULTS = "__defaults"
"""Names of the inputs that the provider filled in (the Terraform bridge keeps the same list in the state)."""


@dataclass(frozen=True)
class Failure:
    """One input that cannot be accepted: the path of the property, and why."""

    path: str
    reason: str


def check(token: str, urn: str, olds: Props, news: Props, seed: bytes = b"") -> tuple[Props, list[Failure]]:
    """The inputs with defaults filled in, and what is wrong with them.

    ``seed`` is the engine's: it makes an automatic name the same in preview and in update.
    Raises :class:`schema.MissingSdk`.
    """
    described, facts = schema.describe(token), table.find(token)
    if described is None or facts is None:
        return news, [Failure("", _unknown_type(token, in_sdk=described is not None))]
    inputs: Props = _without_nulls(news)
    failures: list[Failure] = []
    inputs.pop(DEFAULTS, None)
    node = {"object": described["inputs"], "required": described["required"]}
    check_type(inputs, node, "", failures)
    if failures:
        return inputs, failures
    wrong = [*_check_values(facts, inputs)]  # of what was given: a provider does not judge its own defaults
    filled = _fill(facts, urn, olds, inputs, seed)
    given = {each.path for each in wrong}
    named = [each for each in _check_values(facts, inputs) if each.path not in given and facts.at(each.path).auto_name]
    failures += wrong + named
    failures += _check_groups(facts, inputs)
    inputs[DEFAULTS] = sorted(filled)
    return inputs, failures


def _unknown_type(token: str, *, in_sdk: bool) -> str:
    package = schema.package_of(token)
    known = table.of_package(package)
    near = nearest(token, known)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(sorted(known))}"
    if in_sdk:
        return f"the simulated {package} cloud has no facts about {token}, so it cannot say what would happen; {hint}"
    return f"unrecognized resource type (Check): {token}; {hint}"


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_without_nulls(each) for each in value]
    return normal(value)


_FITS: Mapping[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "bool": lambda value: isinstance(value, bool),
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "asset": is_asset,
    "list": lambda value: isinstance(value, list),
    "map": lambda value: isinstance(value, dict) and not is_asset(value),
    "object": lambda value: isinstance(value, dict) and not is_asset(value),
}


def check_type(value: Any, node: Any, path: str, failures: list[Failure]) -> None:
    """Add to ``failures`` where ``value`` does not have the type ``node`` (see :mod:`schema`)."""
    if is_secret(value):
        value = value["value"]
    if value is None or is_unknown(value) or node == "any":
        return
    wanted = node if isinstance(node, str) else next(iter(node))
    if not _FITS[wanted](value):
        failures.append(Failure(path, f"wrong type: expected {_name(wanted)}, got {_got(value)}"))
    elif wanted == "list":
        for index, each in enumerate(value):
            check_type(each, node["list"], f"{path}[{index}]", failures)
    elif wanted == "map":
        for key, each in value.items():
            check_type(each, node["map"], _join(path, key), failures)
    elif wanted == "object":
        _check_object(value, node, path, failures)


def _check_object(value: Props, node: Any, path: str, failures: list[Failure]) -> None:
    known = node["object"]
    for key, each in value.items():
        if key.startswith("__"):
            continue
        if key not in known:
            near = nearest(key, known)
            hint = f"did you mean {' or '.join(repr(name) for name in near)}?" if near else ""
            failures.append(Failure(_join(path, key), f"Invalid or unknown key {key!r}. {hint}".strip()))
        else:
            check_type(each, known[key], _join(path, key), failures)
    for key in node["required"]:
        if value.get(key) is None:
            reason = f'Missing required argument. The argument "{snake(key)}" is required, but no definition was found.'
            failures.append(Failure(_join(path, key), reason))


def snake(name: str) -> str:
    """``vpcId`` as the providers' messages spell it: ``vpc_id``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _name(wanted: str) -> str:
    return {"int": "a whole number", "number": "a number", "asset": "an asset or archive", "object": "an object"}.get(
        wanted, f"a {wanted}"
    )


def _got(value: Any) -> str:
    kind = {str: "the string", bool: "the bool", int: "the number", float: "the number"}.get(type(value))
    if kind is None:
        return "a list" if isinstance(value, list) else "an object"
    text = repr(value)
    return f"{kind} {text if len(text) < 50 else text[:47] + '...'}"


def places(inputs: Any, path: str, where: str = "") -> Iterator[tuple[str, Props]]:
    """Every object that holds the inputs of block ``path``: (its concrete path, the object)."""
    if is_secret(inputs):
        inputs = inputs["value"]
    if isinstance(inputs, list):
        for index, each in enumerate(inputs):
            yield from places(each, path, f"{where}[{index}]")
    elif isinstance(inputs, dict):
        head, _, rest = path.partition(".")
        if not head:
            yield where, inputs
        elif head in inputs:
            yield from places(inputs[head], rest, _join(where, head))


def _fill(facts: table.TypeFacts, urn: str, olds: Props, inputs: Props, seed: bytes) -> set[str]:
    """Write defaults and the automatic name into ``inputs``; the names of the top-level ones."""
    filled: set[str] = set()
    terraform_defaults = facts.token.split(":", 1)[0] not in ("random", "tls", "command")
    for fact in facts.saying("default", "auto_name"):
        key = fact.name.removesuffix("[]")
        if fact.default is not None and terraform_defaults:
            for _, holder in places(inputs, fact.parent):
                rivals = [*(fact.conflicts or ()), *(fact.exactly_one or ())]
                if key not in holder and not any(_given(inputs, each) for each in rivals if each != fact.path):
                    holder[key] = fact.default
                    if not fact.parent:
                        filled.add(key)
        if fact.auto_name and not fact.parent and key not in inputs:
            if any(_given(inputs, each) for each in fact.conflicts or ()):
                continue
            before = reveal(olds.get(key)) if key in olds.get(DEFAULTS, ()) else None
            inputs[key] = before or automatic_name(urn, seed, fact.auto_name)
            filled.add(key)
    return filled


def automatic_name(urn: str, seed: bytes, rule: dict[str, Any]) -> str:
    """``<resource name>-<random hex>``, as the bridge names what the program did not name."""
    name, digits = urn.rsplit("::", 1)[-1], rule["rand"]
    suffix = hashlib.sha256(seed + urn.encode()).hexdigest()[:digits]
    return f"{name[: rule['max_len'] - digits - 1]}{rule['sep']}{suffix}"


def _given(inputs: Props, path: str) -> bool:
    holder, _, key = path.replace("[]", "").rpartition(".")
    return any(each.get(key) not in (None, "", []) for _, each in places(inputs, holder))


def _check_values(facts: table.TypeFacts, inputs: Props) -> Iterator[Failure]:
    for fact in facts.saying("max_items", "allowed"):
        key = fact.name.removesuffix("[]")
        for where, holder in places(inputs, fact.parent):
            value = reveal(holder.get(key))
            if value is None or is_unknown(value):
                continue
            path = _join(where, key)
            if isinstance(value, list) and fact.max_items and len(value) > fact.max_items:
                limit = f'No more than {fact.max_items} "{snake(key)}" blocks are allowed'
                yield Failure(path, f"Too many {snake(key)} blocks. {limit}")
            if fact.allowed:
                options = {"ignore_case": bool(fact.ignore_case)}
                for reason in allowed.problems(value, fact.allowed, snake(key), **options):
                    yield Failure(path, reason)


def _check_groups(facts: table.TypeFacts, inputs: Props) -> Iterator[Failure]:
    seen: set[tuple[str, ...]] = set()
    for fact in facts.saying("conflicts", "needs", "exactly_one", "at_least_one"):
        key = fact.name.removesuffix("[]")
        for where, holder in places(inputs, fact.parent):
            if holder.get(key) in (None, "", []):
                continue
            path = _join(where, key)
            for rival in fact.conflicts or ():
                if _given(inputs, rival) and tuple(sorted((fact.path, rival))) not in seen:
                    seen.add(tuple(sorted((fact.path, rival))))
                    yield Failure(
                        path, f'Conflicting configuration arguments. "{snake(path)}": conflicts with {snake(rival)}'
                    )
            for needed in fact.needs or ():
                if not _given(inputs, needed):
                    reason = f'Missing required argument. "{snake(path)}": all of `{snake(needed)}` must be specified'
                    yield Failure(path, reason)
        for kind in ("exactly_one", "at_least_one"):
            group = tuple(fact.facts.get(kind, ()))
            if group and (kind, *group) not in seen and any(places(inputs, fact.parent)):
                seen.add((kind, *group))
                given = [each for each in group if _given(inputs, each)]
                names = ",".join(snake(each) for each in group)
                if not given:
                    one = "one of" if kind == "exactly_one" else "at least one of"
                    reason = f'Missing required argument. "{snake(group[0])}": {one} `{names}` must be specified'
                    yield Failure(group[0], reason)
                elif kind == "exactly_one" and len(given) > 1:
                    shown = ",".join(snake(each) for each in given)
                    reason = f"Invalid combination of arguments. only one of `{names}` can be specified, not `{shown}`."
                    yield Failure(given[0], reason)
