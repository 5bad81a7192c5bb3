"""What NetworkPolicies mean, as Kubernetes defines it: kwok enforces none, so stored policies are read here.

By the API's own words (k8s.io/api 0.34.4, networking/v1/types.go): a pod that some policy selects for a direction takes
what any of those policies lists; one that none selects takes everything. An absent or empty list of ends is everybody,
one of ports is each port.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

from tests.fleet.api import Object


@dataclass(frozen=True)
class End:
    """A pod, by its labels and those of its namespace; or an address outside of the cluster."""

    name: str
    space: str = ""
    labels: Object = field(default_factory=dict)
    space_labels: Object = field(default_factory=dict)
    address: str = ""


def may(policies: list[Object], source: End, target: End, port: int) -> bool:
    """Whether a TCP connection is allowed by both its ends."""
    return _side(policies, source, target, port, "Egress") and _side(policies, target, source, port, "Ingress")


def _side(policies: list[Object], pod: End, other: End, port: int, direction: str) -> bool:
    if pod.address:
        return True
    mine = [
        each["spec"]
        for each in policies
        if each["metadata"]["namespace"] == pod.space
        and direction in each["spec"]["policyTypes"]
        and _selects(each["spec"]["podSelector"], pod.labels)
    ]
    rules, ends = ("ingress", "from") if direction == "Ingress" else ("egress", "to")
    return not mine or any(
        (not rule.get(ends) or any(_is(each, pod, other) for each in rule[ends]))
        and (not rule.get("ports") or any(_has(each, port) for each in rule["ports"]))
        for spec in mine
        for rule in spec.get(rules, ())
    )


def _is(peer: Object, pod: End, other: End) -> bool:
    if "ipBlock" in peer:
        block = peer["ipBlock"]
        return bool(other.address) and (
            ipaddress.ip_address(other.address) in ipaddress.ip_network(block["cidr"])
            and not any(ipaddress.ip_address(other.address) in ipaddress.ip_network(e) for e in block.get("except", ()))
        )
    if other.address:
        return False
    space = peer.get("namespaceSelector")
    in_space = other.space == pod.space if space is None else _selects(space, other.space_labels)
    return in_space and _selects(peer.get("podSelector", {}), other.labels)


def _has(row: Object, port: int) -> bool:
    if row.get("protocol", "TCP") != "TCP":
        return False
    assert not isinstance(row.get("port"), str), "a port by name is another one for each pod"
    return "port" not in row or row["port"] <= port <= row.get("endPort", row["port"])


def _selects(selector: Object, labels: Object) -> bool:
    return all(labels.get(name) == value for name, value in selector.get("matchLabels", {}).items()) and all(
        _holds(each, labels) for each in selector.get("matchExpressions", ())
    )


def _holds(row: Object, labels: Object) -> bool:
    name, values = row["key"], row.get("values", ())
    return {
        "In": labels.get(name) in values,
        "NotIn": labels.get(name) not in values,
        "Exists": name in labels,
        "DoesNotExist": name not in labels,
    }[row["operator"]]
