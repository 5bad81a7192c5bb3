"""What a change does to the machines: what the providers' facts say of types and inputs, each with its source.

Whether a change replaces a resource is not said here: the step says so, by the provider's own rules or the engine's
preview. Here stands what that means (a disk's data is gone, a machine's GPU may be sold out), and what a change in
place does to whoever uses the machine.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field
from functools import cache
from pathlib import Path
from typing import Any

from pulumi_llm import _provider_facts as provider_facts
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._plan.comparison import Step
from pulumi_llm._plan.model import PlannedResource
from pulumi_llm._provider_facts import table

DATA = Path(__file__).parent / "data" / "impact.json"

_DEFAULTS = {"create": "creates", "replace": "replaces", "delete": "deletes", "update": "in-place", "same": "recorded"}


@dataclass(frozen=True, slots=True)
class Impact:
    """One of the table's impacts, a remark about it (a key of the words), and where that is known from."""

    code: str
    note: str = ""
    source: str = ""

    @property
    def rank(self) -> int:
        """0 is the worst."""
        return impact_table().order.index(self.code)


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeRow:
    """What a resource type is to a machine, and what it means that one is made, changed, replaced or deleted."""

    type: str
    role: str
    source: str
    created: str | None = None
    updated: str | None = None
    replaced: str | None = None
    deleted: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PropertyRow:
    """What an in-place change of an input does; ``smaller``: where a number goes down; ``unless`` inputs: ``else_``."""

    type: str
    property: str
    impact: str
    source: str
    smaller: str | None = None
    unless: Mapping[str, Any] = field(default_factory=dict)
    else_: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class ImpactTable:
    """All of the table; ``order`` has every impact, the worst first."""

    order: tuple[str, ...]
    sources: Mapping[str, Mapping[str, str]]
    types: Mapping[str, TypeRow]
    properties: Mapping[tuple[str, str], PropertyRow]

    def cite(self, source: str) -> str:
        """A source with its date."""
        row = self.sources.get(source)
        return f"{row['title']} ({row['date']})" if row else source


@cache
def impact_table() -> ImpactTable:
    """All of it, from the facts about every package that is known."""
    content = json.loads(DATA.read_text(encoding="utf-8"))
    sources = dict(content["sources"])
    types: dict[str, TypeRow] = {}
    properties: dict[tuple[str, str], PropertyRow] = {}
    for package in (*provider_facts.packages(), *provider_facts.TOLD):
        rows = provider_facts.rows(package)
        sources |= {f"{package}/{key}": value for key, value in rows.get("sources", {}).items()}
        for type_, row in rows.get("roles", {}).items():
            types[type_] = TypeRow(**{**row, "type": type_, "source": f"{package}/{row['source']}"})
        for facts in table.of_package(package).values():
            for path, fact in facts.by_path.items():
                if fact.impact:
                    row = {("else_" if key == "else" else key): value for key, value in fact.impact.items()}
                    row |= {"type": facts.token, "property": path, "source": f"{package}/{row['source']}"}
                    properties[facts.token, path] = PropertyRow(**row)
    return ImpactTable(order=tuple(content["order"]), sources=sources, types=types, properties=properties)


def role_of(resource: PlannedResource) -> str:
    """What the resource is: machine, disk, address, attachment, key-pair, command, secret, …; "" for the rest."""
    row = impact_table().types.get(resource.type)
    return row.role if row else ""


def of_step(step: Step) -> Impact:
    """What it means that this resource is made, replaced or deleted (or changed, where no property says more)."""
    row = impact_table().types.get(step.resource.type)
    if not step.resource.custom or step.operation == "same":
        return Impact("recorded", source="engine")
    # The engine asks the state: protection that comes with the change comes too late, and one that goes still holds.
    if step.before is not None and step.before.protect and step.operation in ("replace", "delete"):
        return Impact("refused", "protected", "engine")
    named = {"create": "created", "update": "updated", "replace": "replaced", "delete": "deleted"}[step.operation]
    code = getattr(row, named) if row else None
    if step.operation == "delete" and step.resource.retain_on_delete:
        return Impact("recorded", "retained", "engine")
    note = row.note if row and step.operation == "replace" else ""
    if code == "applied-over-ssh" and step.operation != "update":
        note = "told-all"
    return Impact(code or _DEFAULTS[step.operation], note, row.source if row else "engine")


def of_property(step: Step, path: str, before: Any, after: Any, *, attached: bool = False) -> Impact:
    """What an in-place change of the input at ``path`` does. ``attached``: an address of its own is on the machine."""
    resource = step.resource
    row = _row(resource.type, path)
    if row is None:
        known = resource.type in impact_table().types or _known(resource)
        whole = of_step(step)
        return whole if known else Impact("not-established")
    numbers = [each for each in (before, after) if isinstance(each, (int, float)) and not isinstance(each, bool)]
    if row.smaller and len(numbers) == 2 and numbers[1] < numbers[0]:
        return Impact(row.smaller, "smaller", row.source)
    code, note = row.impact, row.note
    if row.unless and all(resource.inputs.get(key) == value for key, value in row.unless.items()):
        code = row.else_
    if note.endswith("address-unless-attached") or note == "not-run-again-address":
        again = "not-run-again" if note.startswith("not-run") else "stock"
        note = again if attached else f"{again}-new-address"
    return Impact(code, note, row.source)


def without_gpu(note: str) -> str:
    """The remark as it is about a machine that has no GPU, which is sold almost everywhere."""
    return {
        "replaces-machine": "plain-machine",
        "deletes-machine": "plain-machine-gone",
        "moved": "moved-plain",
        "stock": "",
        "stock-new-address": "changes-address",
    }.get(note, note)


def cannot_shrink(type_: str) -> tuple[str, ...]:
    """The inputs of a type that hold the size of a disk, which no cloud makes smaller."""
    rows = impact_table().properties.values()
    return tuple(row.property for row in rows if row.type == type_ and row.smaller == "refused")


def of_ignored(resource: PlannedResource) -> Impact:
    """A change that the program tells the engine to ignore: nothing happens until the resource is made anew."""
    return Impact("on-recreate", "ignored", "engine")


def _row(type_: str, path: str) -> PropertyRow | None:
    known = impact_table().properties
    plain = path.replace("[", ".[").split(".")
    for length in range(len(plain), 0, -1):
        found = known.get((type_, ".".join(plain[:length])))
        if found:
            return found
    return None


def _known(resource: PlannedResource) -> bool:
    """Whether the providers' facts, which say what replaces it, have the type."""
    return table.find(resource.type) is not None or resource.type.startswith("pulumi:")
