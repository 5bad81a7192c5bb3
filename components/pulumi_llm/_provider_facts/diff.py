"""Diff: what a change of inputs does, by the table. Preview and update both ask this, so they agree."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Any, Literal

from pulumi_llm._dataclasses import dataclass

from . import schema, table
from .check import DEFAULTS
from .values import Props, is_unknown, normal, reveal

Kind = Literal["add", "delete", "update"]


@dataclass(frozen=True)
class Change:
    """One property that differs, and whether that replaces the resource."""

    kind: Kind
    replace: bool


@dataclass
class Difference:
    """What an update would do. ``changes`` maps property paths (``rootBlockDevice.encrypted``) to what happens."""

    changes: dict[str, Change] = field(default_factory=dict)
    delete_before_replace: bool = False

    @property
    def replaces(self) -> list[str]:
        """The top-level inputs whose change replaces the resource."""
        return sorted({top(path) for path, change in self.changes.items() if change.replace})

    @property
    def changed(self) -> list[str]:
        """The top-level inputs that differ."""
        return sorted({top(path) for path in self.changes})


def top(path: str) -> str:
    """The top-level property of a path."""
    return re.split(r"[.\[]", path, maxsplit=1)[0]


@dataclass(frozen=True)
class Context:
    """What a decision about replacement may depend on: both input sets, the old state, the provider's settings."""

    token: str
    old: Props
    new: Props
    state: Props
    region: str
    features: Mapping[str, Any]
    architecture: Callable[[str], str | None]


def diff(
    token: str,
    state: Props,
    old_inputs: Props,
    new_inputs: Props,
    *,
    ignore: list[str] | None = None,
    region: str = "",
    features: Mapping[str, Any] | None = None,
    architecture: Callable[[str], str | None] = lambda _: None,
) -> Difference:
    """What it would do to go from ``old_inputs`` (with outputs ``state``) to ``new_inputs``.

    ``ignore`` are ignoreChanges paths; ``features`` the provider's feature flags;
    ``architecture`` tells the CPU architecture of an instance type, ``None`` where it is unknown.
    """
    facts, described = table.find(token), schema.describe(token)
    if facts is None or described is None:
        return Difference()
    old, new = normal(reveal(old_inputs)), normal(reveal(new_inputs))
    given = new_inputs.get(DEFAULTS) or ()
    old.pop(DEFAULTS, None)
    new.pop(DEFAULTS, None)
    context = Context(token, old, new, normal(reveal(state)), region, features or {}, architecture)
    found = Difference()
    walk = _Walk(facts, context, found.changes)
    for key in sorted({*old, *new}):
        if not key.startswith("__"):
            walk.compare(key, key, old.get(key), new.get(key), context.state.get(key), described["inputs"].get(key))
    _region(facts, context, found.changes)
    for path in [each for each in found.changes if ignored(each, ignore or [])]:
        del found.changes[path]
    named = [f.path for f in facts.inputs.values() if f.auto_name and f.path in new and f.path not in given]
    found.delete_before_replace = bool(found.replaces and named)
    return found


def _region(facts: table.TypeFacts, context: Context, changes: dict[str, Change]) -> None:
    """AWS resources live in a region of their own: replaced when the effective one changes."""
    if facts.at("region").replace != "region-changes" or "region" in changes:
        return
    before = context.state.get("region")
    after = context.new.get("region") or context.region
    if before and after and before != after:
        changes["region"] = Change("update", replace=True)


def ignored(path: str, ignore: Sequence[str]) -> bool:
    """Whether a change at ``path`` is one that the program tells the engine to ignore."""
    plain = re.sub(r"\[(\d+|\*)\]", "[]", path)
    for each in ignore:
        wanted = re.sub(r'\["([^"]+)"\]', r".\1", each)
        wanted = re.sub(r"\[(\d+|\*)\]", "[]", wanted)
        if plain == wanted or plain.startswith((wanted + ".", wanted + "[")):
            return True
    return False


def _is_zero(value: Any) -> bool:
    return value is None or value is False or value in ("", 0) or value in ([], {})


class _Walk:
    def __init__(self, facts: table.TypeFacts, context: Context, changes: dict[str, Change]) -> None:
        self.facts, self.context, self.changes = facts, context, changes

    def compare(self, path: str, row: str, old: Any, new: Any, state: Any, node: Any) -> None:
        fact = self.facts.at(row)
        if fact.output_only:
            return
        if fact.reads_back is not None and new not in (None, fact.reads_back):
            # The provider holds the input against what the cloud answers, which never becomes what was asked.
            self.changes[path] = Change("update", replace=False)
            return
        if old == new:
            return
        if _overlooked(fact.overlooked, self.context, old, new):
            return
        if not fact.computed and _is_zero(old) and _is_zero(new):
            return
        if new is None:
            if not fact.computed:  # dropping an optional and computed input changes nothing
                self.note(path, row, "delete", old)
            return
        if old is None:
            if not (fact.computed and new == state):
                self.note(path, row, "add", new)
            return
        if isinstance(old, dict) and isinstance(new, dict):
            self.objects(path, row, old, new, state, node)
        elif isinstance(old, list) and isinstance(new, list):
            self.lists(path, row, old, new, state, node)
        else:
            self.changes[path] = Change("update", self.replaces(row, old, new))

    def objects(self, path: str, row: str, old: Props, new: Props, state: Any, node: Any) -> None:
        is_map = isinstance(node, dict) and "map" in node
        for key in sorted({*old, *new}):
            below = state.get(key) if isinstance(state, dict) else None
            where = f"{path}.{key}" if re.fullmatch(r"[A-Za-z_]\w*", key) else f'{path}["{key}"]'
            if is_map or node == "any":
                if old.get(key) != new.get(key):
                    kind: Kind = "add" if key not in old else "delete" if key not in new else "update"
                    self.changes[where] = Change(kind, self.replaces(row, old, new))
            else:
                inner = node.get("object", {}).get(key, "any") if isinstance(node, dict) else "any"
                self.compare(where, f"{row}.{key}", old.get(key), new.get(key), below, inner)

    def lists(self, path: str, row: str, old: list[Any], new: list[Any], state: Any, node: Any) -> None:
        fact = self.facts.at(row)
        blocks = any(isinstance(each, dict) for each in [*old, *new])
        removed, added = list(enumerate(old)), list(enumerate(new))
        if fact.type == "set":  # order means nothing
            rest = list(old)
            added = [(at, each) for at, each in added if not _take(rest, each)]
            left = list(new)
            removed = [(at, each) for at, each in removed if not _take(left, each)]
        inner = node.get("list", "any") if isinstance(node, dict) else "any"
        counted = bool(fact.replace) and len(old) != len(new)
        for position in range(max(len(removed), len(added))):
            before = removed[position] if position < len(removed) else None
            after = added[position] if position < len(added) else None
            at = (after or before or (0, None))[0]
            where = f"{path}[{at}]"
            if before and after and blocks and isinstance(before[1], dict) and isinstance(after[1], dict):
                below = state[at] if isinstance(state, list) and at < len(state) else None
                self.objects(where, row, before[1], after[1], below, inner)
            elif before and after:
                if before[1] != after[1]:
                    self.changes[where] = Change("update", self.replaces(row, before[1], after[1]))
            elif after:
                self.note(where, row, "add", after[1], force=counted)
            elif before:
                self.note(where, row, "delete", before[1], force=counted)

    def note(self, path: str, row: str, kind: Kind, value: Any, *, force: bool = False) -> None:
        """A property or a whole block appears or goes: replaced if it or any input given inside says so."""
        old, new = (None, value) if kind == "add" else (value, None)
        replace = force or self.replaces(row, old, new) or self.inside(row, value)
        self.changes[path] = Change(kind, replace)

    def inside(self, row: str, value: Any) -> bool:
        if isinstance(value, list):
            return any(self.inside(row, each) for each in value)
        if not isinstance(value, dict):
            return False
        return any(
            bool(self.facts.at(f"{row}.{key}").replace) or self.inside(f"{row}.{key}", each)
            for key, each in value.items()
        )

    def replaces(self, row: str, old: Any, new: Any) -> bool:
        rule = self.facts.at(row).replace
        if rule in (None, False):
            return False
        if rule is True or rule == "not-established":  # where nobody knows, expect the worse
            return True
        return _conditional(rule, self.context, old, new)


def _take(rest: list[Any], value: Any) -> bool:
    for index, each in enumerate(rest):
        if each == value:
            del rest[index]
            return True
    return False


SOURCES = ("cidrIpv4", "cidrIpv6", "prefixListId", "referencedSecurityGroupId")


def _conditional(rule: str, context: Context, old: Any, new: Any) -> bool:
    name, _, argument = rule.partition(":")
    if name == "if":
        return bool(context.new.get(argument))
    if name == "if-old":
        return bool(context.old.get(argument))
    if name == "unless":
        return not context.new.get(argument)
    if name == "feature":
        found: Any = context.features
        for part in argument.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        return bool(found) and not is_unknown(new)
    if name == "region-changes":
        before = context.state.get("region") or old or context.region
        return bool((new or context.region) != before)
    if name == "architecture-changes":
        before, after = (context.architecture(str(each)) for each in (old, new))
        return before is not None and after is not None and before != after
    if name == "source-kind-changes":
        return [key for key in SOURCES if context.old.get(key)] != [key for key in SOURCES if context.new.get(key)]
    if name == "entries-change":
        return _entries(old) != _entries(new)
    rules: dict[str, bool] = {
        "turned-off": old is True and not new,
        "smaller": isinstance(old, int) and isinstance(new, int) and new < old,
        "unless-dedicated-to-default": not bool(old == "dedicated" and new == "default"),
        "advanced-to-standard": bool(old == "Advanced" and new == "Standard"),
    }
    return rules[name]


def _entries(value: Any) -> Props:
    return {key: each for key, each in (value or {}).items() if each is not None}


def _overlooked(rule: str | None, context: Context, old: Any, new: Any) -> bool:
    """Whether the provider itself overlooks this difference (its DiffSuppressFunc).

    ``without:INPUT``: where that input is not given. ``when:INPUT=A|B`` and ``unless:INPUT=A|B``: where the input has,
    or has not, one of the values, of which the empty one stands for an input that is not given.
    ``unless-changes:INPUT``: where that input stays as it was. ``once-made``: of whatever is there already.
    """
    if rule is None:
        return False
    name, _, argument = rule.partition(":")
    wanted, _, values = argument.partition("=")
    given = context.new.get(wanted)
    if name == "without":
        return not given
    if name == "unless-changes":
        return bool(context.old.get(wanted) == given)
    if name in ("when", "unless"):
        return (str(given or "") in values.split("|")) == (name == "when")
    rules: dict[str, Callable[[], bool]] = {
        "once-made": lambda: True,
        "both-empty": lambda: _is_zero(old) and _is_zero(new),
        "same-protocol": lambda: _protocol(old) == _protocol(new),
        # All ports is what the provider makes of no port, and of any protocol without ports.
        "port-range": lambda: bool((new == "-1/-1") == (context.new.get("ipProtocol") in ("tcp", "udp"))),
    }
    return rules[name]()


def _protocol(value: Any) -> str:
    return {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6", "all": "-1"}.get(str(value), str(value))
