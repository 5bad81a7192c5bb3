"""Rules about who can reach a machine."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from pulumi_llm._plan.model import PlannedResource
from pulumi_llm._review.policy_model import Breach, View, at, is_hidden, is_unknown, parts
from pulumi_llm._review.policy_table import Machine, Opening, policy_table
from pulumi_llm._review.table import NotInPlan, cost_table, holds
from pulumi_llm._texts import Text, _
from pulumi_llm.spec.fields import WIDEST_PREFIX

WIDEST_PREFIX_6 = 16
"""An IPv6 range wider than a /16 counts as the world: no registry gives an organisation more than a /19."""

EVERYONE = "0.0.0.0/0"
"""What a word of a cloud's for every address amounts to."""

WITHOUT_PORTS = {"icmp", "icmpv6", "ipv6-icmp", "1", "58"}
"""Protocols that have no ports (IANA: 1 is ICMP, 58 is ICMPv6): a machine that answers to ping has nothing open."""


def open_to_world(view: View) -> Iterator[Breach]:
    """No port is open to the whole internet, over IPv4 or IPv6; a range as good as that counts too."""
    for each in view.plan.resources:
        opening = policy_table().openings.get(each.type)
        if opening is not None:
            yield from _openings(each, opening)


def _openings(resource: PlannedResource, opening: Opening) -> Iterator[Breach]:
    closed: set[int] = set()
    for path, rule in parts(resource.inputs, f"{opening.each}[]") if opening.each else [("", resource.inputs)]:
        if not isinstance(rule, Mapping):
            yield Breach(resource.urn, _("who is let in is known only after `up`"), path=path, undecided=True)
            continue
        ranges = list(_ranges(rule, opening))
        wide = {version for __, text in ranges if (version := _world(text))}
        if not _applies(rule, opening):
            if opening.ordered and _is_everything(rule, opening):
                closed |= wide
            continue
        if str(at(rule, opening.protocol) or "").lower() in WITHOUT_PORTS:
            continue
        for below, text in ranges:
            where = ".".join(filter(None, (path, below)))
            if is_unknown(text) or is_hidden(text):
                if is_unknown(text) and not opening.list:
                    message = _("from where {port} can be reached is known only after `up`", port=_port(rule, opening))
                    yield Breach(resource.urn, message, path=where, undecided=True)
            elif (version := _world(text)) and version not in closed:
                yield Breach(
                    resource.urn, _message(rule, opening, text), _("the ranges that have to get in"), path=where
                )


def _ranges(rule: Mapping[str, Any], opening: Opening) -> Iterator[tuple[str, Any]]:
    found = [each for path in opening.cidrs for each in parts(rule, path)]
    found = [(path, _sized(value, rule, opening)) for path, value in found if value not in (None, "")]
    found = [(path, EVERYONE if value in opening.everyone else value) for path, value in found]
    if not found and opening.default is not None:
        yield opening.cidrs[0].removesuffix("[]") if opening.cidrs else "", opening.default
    yield from found


def _sized(value: Any, rule: Mapping[str, Any], opening: Opening) -> Any:
    """A range of which the rule has the address and the length of its prefix apart."""
    if not opening.size or is_unknown(value) or is_hidden(value):
        return value
    size = at(rule, opening.size)
    return size if is_unknown(size) or is_hidden(size) else f"{value}/{int(size)}"


def _world(text: Any) -> int:
    """4 or 6 where a range is as good as the whole internet of that version, else 0."""
    try:
        network = ipaddress.ip_network(str(text).strip(), strict=False)
    except ValueError:
        return 0
    widest = WIDEST_PREFIX if network.version == 4 else WIDEST_PREFIX_6
    return network.version if network.prefixlen < widest else 0


def _applies(rule: Mapping[str, Any], opening: Opening) -> bool:
    return all(is_unknown(rule.get(key)) or rule.get(key) in values for key, values in opening.when.items())


def _is_everything(rule: Mapping[str, Any], opening: Opening) -> bool:
    named = [rule.get(key) for key in (opening.protocol, *opening.ports)]
    return all(each is None or str(each).upper() == "ALL" for each in named)


def _message(rule: Mapping[str, Any], opening: Opening, text: str) -> str:
    note = _("; {note}", note=Text(opening.note)) if opening.note else ""
    if opening.list:
        return _("the address list holds {text}: a rule that names it is open to the whole internet", text=text)
    world = _("the whole internet") if text.endswith("/0") else _("as good as the whole internet")
    return _("{port} is open to {world} ({text}){note}", port=_port(rule, opening), world=world, text=text, note=note)


def _port(rule: Mapping[str, Any], opening: Opening) -> str:
    """The ports of a rule in words."""
    values = [each for key in opening.ports for __, each in parts(rule, key)]
    if any(is_unknown(each) for each in values):
        return _("a port")
    text = "-".join(dict.fromkeys(str(each) for each in values if each is not None)).replace("/", "-")
    protocol = str(at(rule, opening.protocol) or "").lower()
    if protocol in ("-1", "all") or text.upper() in ("", "*", "ALL", "-1", "-1--1", "0", "0-0", "0-65535", "1-65535"):
        return _("every port")
    first, __, last = text.partition("-")
    return _("port {number}", number=first if last in ("", first) else text)


def no_firewall(view: View) -> Iterator[Breach]:
    """A machine with a public address is in a security group that the program names."""
    attached = _attached(view)
    for each in view.plan.resources:
        machine = policy_table().machines.get(each.type)
        if machine is None or not machine.groups:
            continue
        if _walled(view, each, machine) if machine.walls else any(each.inputs.get(name) for name in machine.groups):
            continue
        if each.urn in attached or _own_address(each):
            yield Breach(
                each.urn,
                _(
                    "the machine has a public address and names no security group: it is in the default "
                    "one of its network"
                ),
                _("{groups}: a group with rules of its own", groups=machine.groups[0]),
            )


def _walled(view: View, resource: PlannedResource, machine: Machine) -> bool:
    """Whether a firewall of the program takes this machine in: by a word that both have, or by its id."""
    if has := machine.walls.get("has"):
        named = (view.by_urn.get(urn) for urn in resource.dependencies)
        return any(each.inputs.get(has) for each in named if each is not None and each.type == machine.walls["type"])
    by = machine.walls["by"]
    words = {each for each in resource.inputs.get(machine.groups[0]) or () if isinstance(each, str)}
    walls = (each for each in view.plan.resources if each.type == machine.walls["type"])
    return any(words & set(map(str, each.inputs.get(by) or ())) or resource.urn in each.dependencies for each in walls)


def _own_address(resource: PlannedResource) -> bool:
    rule = cost_table().rules.get(resource.type)
    if rule is None or rule.public_address is None:
        return False
    if rule.address_from_subnet and rule.subnet and resource.inputs.get(rule.address_from_subnet) is None:
        return resource.inputs.get(rule.subnet) is None  # the default subnets of the default VPC give public addresses
    try:
        return holds(rule.public_address, resource.inputs)
    except NotInPlan:
        return True


def _attached(view: View) -> set[str]:
    """The machines that a public address is attached to."""
    rules, found = cost_table().rules, set()
    for each in view.plan.resources:
        rule = rules.get(each.type)
        if rule is None:
            continue
        if rule.takes_address or rule.kind == "attaches" or any(each.inputs.get(key) for key in rule.held_by):
            kinds = {
                urn: rules[other.type].kind
                for urn in each.dependencies
                if (other := view.by_urn.get(urn)) and other.type in rules
            }
            if rule.takes_address:
                found |= {each.urn} if "address" in kinds.values() else set()
            elif rule.kind == "address" or "address" in kinds.values():
                found |= {urn for urn, kind in kinds.items() if kind == "machine"}
    return found
