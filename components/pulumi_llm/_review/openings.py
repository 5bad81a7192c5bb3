"""Which ports a plan opens, to whom, on which node: the firewall rules of all clouds in one form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pulumi_llm._dataclasses import dataclass
from pulumi_llm._plan.forecast import labelled
from pulumi_llm._plan.model import SHOWN_UNKNOWN, UNKNOWN, Plan, PlannedResource, is_secret
from pulumi_llm._review.changes import Change
from pulumi_llm._review.nodes import Nodes
from pulumi_llm._review.policy_model import parts
from pulumi_llm._review.policy_table import Opening, policy_table


@dataclass(frozen=True, slots=True, order=True)
class Open:
    """A port (or range of ports) of a node that a range of addresses can reach."""

    node: str
    port: str
    source: str


def openings_of(plan: Plan, nodes: Nodes, stand_ins: Mapping[str, str]) -> dict[Open, str]:
    """Every opening with the URN of the resource that makes it."""
    found: dict[Open, str] = {}
    for each in plan.resources:
        rule = policy_table().openings.get(each.type)
        if rule is None or rule.list:
            continue
        for port, source in _ranges(each, rule):
            found.setdefault(Open(nodes.of(each), port, labelled(source, stand_ins)), each.urn)
    return found


def is_rule(resource: PlannedResource) -> bool:
    """Whether the resource lets somebody in, and nothing else: what a rule lets out is no opening."""
    rule = policy_table().openings.get(resource.type)
    return rule is not None and not rule.list and rule.each is None and _holds(resource.inputs, rule)


def lists_rules(row: Change) -> bool:
    """Whether a change is of an input that is a list of rules."""
    rule = policy_table().openings.get(row.type)
    return rule is not None and bool(rule.each) and row.operation == "update" and row.what.startswith(str(rule.each))


def _holds(row: Mapping[str, Any], rule: Opening) -> bool:
    return all(row.get(key) in values for key, values in rule.when.items())


def _ranges(resource: PlannedResource, rule: Opening) -> Iterator[tuple[str, str]]:
    rows = parts(resource.inputs, f"{rule.each}[]") if rule.each else [("", resource.inputs)]
    for _, row in rows:
        if not isinstance(row, Mapping) or is_secret(row):
            continue
        if not _holds(row, rule):
            continue
        sources = [value for path in rule.cidrs for _, value in parts(row, path) if value not in (None, "")]
        for each in sources or ([rule.default] if rule.default else []):
            for port in _ports(row, rule):
                yield port, SHOWN_UNKNOWN if each == UNKNOWN or not isinstance(each, str) else each


def _ports(row: Mapping[str, Any], rule: Opening) -> list[str]:
    """The ports of a rule: one, or a range, or each that a list of it names."""
    if not any("[]" in path for path in rule.ports):
        return [_port(row, rule)]
    protocols = {str(value) for _, value in parts(row, rule.protocol)}
    found = [str(value) for path in rule.ports for _, value in parts(row, path) if value not in (None, "")]
    return ["*"] if not found or "all" in protocols else [each.split("-")[0] if _one(each) else each for each in found]


def _one(port: str) -> bool:
    return len(set(port.split("-"))) == 1


def _port(row: Mapping[str, Any], rule: Opening) -> str:
    ends = [row.get(key) for key in rule.ports]
    numbers = [str(int(each)) if isinstance(each, float) else str(each) for each in ends if each is not None]
    numbers = [part for each in numbers for part in ([each] if "," in each else each.replace("-", "/").split("/"))]
    numbers = [each for each in numbers if each]
    if not numbers or "ALL" in numbers or str(row.get(rule.protocol)) in ("-1", "all", "ALL"):
        return "*"
    return numbers[0] if len(set(numbers)) == 1 else "-".join(dict.fromkeys(numbers))
