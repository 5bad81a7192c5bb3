"""The roles of a node: with what they need, in the order in which they are looked at, and in which they start."""

from __future__ import annotations

from pulumi_llm._texts import _
from pulumi_llm.errors import Finding
from pulumi_llm.roles import registry
from pulumi_llm.roles.base import Role
from pulumi_llm.roles.manifest import Stage
from pulumi_llm.roles.requests import NodeRequest

ALWAYS = ("node", "caddy")
"""The roles that every node has: somebody has to be able to ask it for its status."""


def listed(node: NodeRequest) -> tuple[Role, ...]:
    """Every role of the node, what one needs before it.

    Raises:
        UnknownName: ``roles.unknown``; what `registry.role` raises.
    """
    found: dict[str, Role] = {}

    def add(name: str) -> None:
        if name not in found and name not in under_way:
            under_way.append(name)
            role = registry.role(name)
            for each in role.manifest.needs.roles:
                add(each)
            found[name] = role

    under_way: list[str] = []
    for name in (*ALWAYS, *(each.role for each in node.roles)):
        add(name)
    return tuple(found.values())


def started(node: NodeRequest) -> tuple[Role, ...]:
    """The same in the order in which their services start: what asks after what it asks."""
    return tuple(sorted(listed(node), key=lambda each: each.manifest.starts))


def services(node: NodeRequest) -> tuple[Role, ...]:
    """Those that run a service on this node, in the order in which they start."""
    return tuple(each for each in started(node) if each.unit and each.runs(node))


def stages(node: NodeRequest) -> tuple[Stage, ...]:
    """The stages of the node's boot, in the order in which they are shown."""
    found = {each.name: each for role in listed(node) for each in role.stages(node)}
    return tuple(sorted(found.values(), key=lambda each: each.order))


def status_port(node: NodeRequest) -> int | None:
    """The port of the node's status document: the first that speaks HTTP, the gateway's where there is one."""
    ports = [port for role in listed(node) for port, each in role.listeners(node).values() if each.protocol == "http"]
    return ports[0] if ports else None


def ports(node: NodeRequest) -> dict[int, str]:
    """The ports that callers need, and what answers there."""
    kinds, status = {"http": "HTTPS", "grpc": "TLS", "tls": "TLS"}, status_port(node)
    return {
        port: f"{each.title}{' and status' * (port == status and role.name != 'gateway')} ({kinds[each.protocol]})"
        for role in listed(node)
        for port, each in role.listeners(node).values()
    }


def check(node: NodeRequest) -> list[Finding]:
    """Everything that would keep this node's roles from starting, at once."""
    found = [each for role in listed(node) for each in role.check(node)]
    taken: dict[int, str] = {}
    for role in listed(node):
        for port in role.manifest.loopback:
            other = taken.setdefault(port, role.name)
            if other != role.name:
                message = _(
                    "the roles {other!r} and {name!r} both want port {port} on loopback",
                    other=other,
                    name=role.name,
                    port=port,
                )
                found.append(Finding("roles.port-taken", message, _("another port in the role.yaml of one of them")))
    return found
