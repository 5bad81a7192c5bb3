"""Caddy: one configuration out of what all roles of a node listen on."""

from __future__ import annotations

from collections import Counter

from pulumi_llm._texts import _
from pulumi_llm.catalog import systems
from pulumi_llm.errors import Finding
from pulumi_llm.roles import files, order, registry
from pulumi_llm.roles.base import PROBE, SECRETS, UNITS, Role, Row, file_row, secret_row
from pulumi_llm.roles.requests import GatewayRole, NodeRequest

CONFIG = "/opt/llm/gateway/Caddyfile"
KEYS_FILE = "gateway-keys.json"
KEYS_OF_OTHERS = f"{UNITS}/llm-caddy.service.d/keys.conf"


class Caddy(Role):
    """The only listener, and the list of who may ask."""

    def check(self, node: NodeRequest) -> list[Finding]:
        """Ports that two want, that are taken, or that are missing: ``bootstrap.bad-port``."""
        ports = [port for role in order.listed(node) for port, __ in role.listeners(node).values()]
        if order.status_port(node) is None:
            ports.append(0)  # nobody could ask it anything
        # By tls-alpn the authority asks the gateway's own port; what is asked by http answers nothing else.
        ports += [port for port in challenge_ports(node) if port not in ports or port == CHALLENGE_PORTS["http"]]
        mine = {role.name: role for role in (*registry.built_in().values(), *order.listed(node))}
        taken = {22, *(port for role in mine.values() for port in role.manifest.loopback)}
        return [
            Finding(
                "bootstrap.bad-port",
                _("the gateway cannot listen on {port}", port=port),
                _("give each listener a free port, such as 443, 18443"),
            )
            for port, times in Counter(ports).items()
            if times > 1 or not 1 <= port <= 65535 or port in taken
        ]

    def watched(self, node: NodeRequest) -> Row:
        """The name that another authority signs for, once it has seen that it leads here."""
        if node.authority is None or node.domain is None:
            return {}
        return {"name": {"name": node.domain, "challenge": node.authority.challenge}}

    def values(self, node: NodeRequest) -> Row:
        """Where its program is, besides."""
        program, libraries = systems.system(node.system).program("caddy")
        return {**super().values(node), "program": program, "libraries": libraries}

    def files(self, node: NodeRequest) -> list[Row]:
        """Its configuration and its unit."""
        rows = [file_row(CONFIG, caddyfile(node), str(self.unit)), *super().files(node)]
        keys = [
            role.manifest.secrets[name].file
            for role in order.listed(node)
            if role.listeners(node)
            for name in role.manifest.in_front
        ]
        if keys:
            lines = "".join(f"EnvironmentFile={SECRETS}/{name}\n" for name in dict.fromkeys(keys))
            about = "# The keys that services behind Caddy do not ask for themselves.\n"
            rows.append(file_row(KEYS_OF_OTHERS, f"{about}[Service]\n{lines}", str(self.unit)))
        return rows

    def secret_files(self, node: NodeRequest, *, optional: bool = False) -> list[Row]:
        """The certificate, and the digests of the keys of whoever may ask this node anything."""
        rows = super().secret_files(node, optional=optional)
        if optional:
            return rows
        gateway = node.of(GatewayRole) is not None
        theirs: dict[str, str] = {}
        for role in order.listed(node):
            theirs |= role.callers(node, gateway=gateway)
        probe = {"probe_key": PROBE}
        return [*rows, secret_row(KEYS_FILE, "llm-gateway", "hashes", theirs | probe if gateway else probe | theirs)]


CHALLENGE_PORTS = {"http": 80, "tls-alpn": 443}
"""Where an authority asks whether a name leads to the node (RFC 8555, section 8.3; RFC 8737, section 3)."""


def challenge_ports(node: NodeRequest) -> list[int]:
    """The ports on which an authority asks for the node's name, from anywhere; only Caddy answers there."""
    return [CHALLENGE_PORTS[node.authority.challenge]] if node.authority is not None else []


def caddyfile(node: NodeRequest) -> str:
    """Caddy's configuration."""
    status = order.status_port(node)
    sites = [site for role in order.listed(node) for site in role.sites(node, status)]
    return files.fill("caddy/Caddyfile.j2", sites=sites, authority=node.authority, callers=node.callers)
