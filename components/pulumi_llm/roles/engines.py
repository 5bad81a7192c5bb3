"""Proxy engines: servers of others' that stand behind the gateway, between it and the vendors.

The gateway keeps keys, limits, prices and filters; an engine is told where each vendor is, and holds no key: what it
forwards has the vendor's key already.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal, UnknownName
from pulumi_llm.roles import registry
from pulumi_llm.roles.base import Role, Row, told
from pulumi_llm.roles.requests import GatewayRole, NodeRequest

if TYPE_CHECKING:
    from pulumi_llm.roles.requests import Upstream

NONE = "llm-gate"
"""What the key ``engine`` calls the gateway alone, which asks the vendors itself."""
HOSTED = {"agi-proxy": "github.com/agicto/agi-proxy, 2024-08-12"}
"""Engines that run at a hoster alone, with their source and its last change (read 2026-11-28): functions for Vercel,
Netlify and Cloudflare, and no program with a release that a node could be pinned to."""
FACT = "proxy_engine"
HOLED = {"one-api": "CVE-2026-81027"}
"""Engines that are not built, with what is published of their newest release and mended by none (2026-11-28):
docs/decisions/proxy-engines.md."""


def engines() -> dict[str, str]:
    """The engines that are roles, and where the gateway asks each."""
    return {
        name: str(role.manifest.facts[FACT]["address"])
        for name, role in registry.built_in().items()
        if FACT in role.manifest.facts
    }


def check(name: str) -> None:
    """Refuse an engine that there is not.

    Raises:
        Refusal: ``spec.engine-is-hosted``, ``spec.engine-not-built``.
        UnknownName: ``spec.unknown-engine``.
    """
    if name in HOSTED:
        message = _(
            "{name} is a function for Vercel, Netlify or Cloudflare ({source}), and no server that a node could run",
            name=name,
            source=HOSTED[name],
        )
        hint = _("your own deployment of it can be an upstream: {example}", example="{base_url: https://HOST/v1}")
        raise Refusal([Finding("spec.engine-is-hosted", message, hint)])
    if name in HOLED:
        message = _(
            "{name} is not built: it keeps vendors and their keys in a database of its own, where any of its users' "
            "keys may use any vendor's ({hole}, which no release mends)",
            name=name,
            hole=HOLED[name],
        )
        hint = _(
            "leave engine out: the gateway asks the vendors itself; or name your own under `upstreams`: {example}",
            example="{base_url: https://HOST/v1}",
        )
        raise Refusal([Finding("spec.engine-not-built", message, hint)])
    if name != NONE and name not in engines():
        raise UnknownName("spec.unknown-engine", _("proxy engine"), name, (NONE, *engines()))


def behind(upstreams: Iterable[Upstream], engine: str) -> tuple[Upstream, ...]:
    """The same upstreams, asked through an engine. One with a certificate authority of its own is asked directly."""
    if engine == NONE:
        return tuple(upstreams)
    address = engines()[engine]
    return tuple(
        each if each.ca_secret is not None else replace(each, through=f"{address}/{each.name}") for each in upstreams
    )


class Forward(Role):
    """openai-forward: passes on what comes under a vendor's name to the vendor's address, with all of its headers."""

    def values(self, node: NodeRequest) -> Row:
        """For the unit: its routes, as its variable FORWARD_CONFIG has them."""
        gateway = told("gateway", node.of(GatewayRole))
        return {**super().values(node), "routes": _in_a_unit(forward_config(gateway.upstreams))}


def forward_config(upstreams: Iterable[Upstream]) -> list[Mapping[str, str]]:
    """A route for each vendor. Of the type ``general``: the other one leaves out headers that Anthropic needs."""
    return [
        {"base_url": each.base_url, "route": f"/{each.name}", "type": "general"}
        for each in upstreams
        if each.through is not None
    ]


def _in_a_unit(document: object) -> str:
    """JSON between quotes of a unit's ``Environment=``, where systemd reads % and backslashes."""
    plain = json.dumps(document, separators=(",", ":"))
    return plain.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")


__all__ = ["NONE", "behind", "check", "engines"]
