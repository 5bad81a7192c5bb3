"""Which resource types cost what: rows of ``costs.json`` in the clouds' folders, and how they look into inputs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pulumi_llm._dataclasses import dataclass
from pulumi_llm._plan.model import UNKNOWN, is_secret
from pulumi_llm._review.cloud_rows import whole
from pulumi_llm.clouds import cards

DATA = Path(__file__).parent / "data" / "costs.json"

Kind = Literal["machine", "disk", "nodes", "address", "attaches", "subnet", "snapshots", "subscription", "free"]
Condition = Mapping[str, Any]
"""``{}`` always holds; ``{"at": path, "is": [values]}`` and ``{"at": path, "above": number}`` look at an input."""


class NotInPlan(Exception):  # noqa: N818 - not an error: a value that only `up` or a secret's owner knows
    """An input that decides about a price is not in the plan. The text says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskRule:
    """Where a resource's inputs describe a disk: one object ``at`` a path, or ``each`` of a list."""

    slot: str
    name: str
    size: str
    type: str = ""
    """Empty: the cloud sells one kind alone, ``default_type``."""
    at: str = ""
    each: str | None = None
    default_size: int | None = None
    default_type: str | None = None
    level: str | None = None
    leveled: tuple[str, ...] = ()
    default_level: str | None = None
    surcharges: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CostRule:
    """What a resource type costs, and the inputs that say how much of it. ``source`` says where that is known from."""

    type: str
    kind: Kind
    source: str
    source_date: str
    instance_type: str = ""
    cards: Mapping[str, Any] | None = None
    """Where a machine names its GPUs beside its type: ``at`` a list, each with ``type`` and ``count``. With the types
    that match ``beside`` they are sold as one: see `sold_as`."""
    zone: str | None = None
    subnet: str | None = None
    only: tuple[Condition, ...] = ()
    spot: Condition | None = None
    stop_mode: str | None = None
    """What a stop has to ask for, where a stopped machine is otherwise charged like a running one."""
    disks: tuple[DiskRule, ...] = ()
    count: tuple[str, ...] = ()
    """Where a pool says how many nodes it has at most: the first of these that does."""
    least: str = ""
    """Where it says how many at least."""
    template: str = ""
    """The type of what the pool names for the rest of what a node is, its disks among it."""
    held_by: tuple[str, ...] = ()
    takes_address: bool = False
    """Whether a machine names its address itself, and nothing attaches it."""
    by_traffic: Condition = field(default_factory=dict)
    public_address: Condition | None = None
    address_from_subnet: str | None = None
    gives_addresses: Condition | None = None
    surcharges: tuple[Condition, ...] = ()
    monthly_usd: float | None = None
    """What a month of a subscription costs, whatever is used of it."""
    what: str = ""
    note: str = ""
    """What is to be said of such a price; empty: it is paid once for the whole account."""


@dataclass(frozen=True, slots=True)
class CostTable:
    """The rules by resource type, and the packages in which nothing costs anything."""

    rules: Mapping[str, CostRule]
    free_packages: frozenset[str]


@cache
def cost_table() -> CostTable:
    """The package's own table."""
    content = whole(DATA)
    rules = {}
    for row in content["rows"]:
        source = content["sources"][row["source"]]
        disks = tuple(DiskRule(**_tuples(disk)) for disk in row.get("disks", ()))
        dated = {"source": source["title"], "source_date": source["date"]}
        rules[row["type"]] = CostRule(**{**_tuples(row), **dated, "disks": disks})
    return CostTable(rules, frozenset(content["free_packages"]))


def _tuples(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}


def look(inputs: Mapping[str, Any], path: str) -> Any:
    """The input at a dotted ``path``; None where there is none. Raises :class:`NotInPlan` for a secret or unknown."""
    found: Any = inputs
    for part in path.split(".") if path else ():
        if not isinstance(found, Mapping):
            return None
        found = found.get(part)
        if found == UNKNOWN:
            raise NotInPlan(f"{path} is known only after `up`")
        if is_secret(found):
            raise NotInPlan(f"{path} is a secret")
    return found


def holds(condition: Condition, inputs: Mapping[str, Any]) -> bool:
    """Whether the condition holds. Raises :class:`NotInPlan` where the plan cannot tell."""
    if not condition:
        return True
    value = look(inputs, condition["at"])
    if "above" in condition:
        return isinstance(value, (int, float)) and value > condition["above"]
    return value in condition["is"]


def sold_as(rule: CostRule, inputs: Mapping[str, Any]) -> Any:
    """What the catalogue calls the machine: its type, and the cards beside it where a cloud sells them apart.

    ``n1-standard-16+nvidia-tesla-t4x2``. Raises :class:`NotInPlan` where the plan cannot tell.
    """
    name = look(inputs, rule.instance_type)
    if rule.cards is None or not re.match(rule.cards["beside"], str(name or "")):
        return name
    listed = [each for each in look(inputs, rule.cards["at"]) or () if isinstance(each, Mapping)]
    return cards.joined(str(name), ((str(look(each, "type")), int(look(each, "count") or 1)) for each in listed))
