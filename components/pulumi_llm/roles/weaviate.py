"""Weaviate: where it asks for vectors, the way from its container to the gateway, and the table that it counts with."""

from __future__ import annotations

import base64

from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.roles import files
from pulumi_llm.roles.base import FRONT, SECRETS, UNITS, Role, Row, file_row, secret_row
from pulumi_llm.roles.requests import GatewayRole, NodeRequest, ServiceRole

NETWORK, GATEWAY = "192.0.2.0/29", "192.0.2.1"
"""Its container's network and the machine's own address there. RFC 5737 keeps that range out of every real network, so
no cloud's and nobody's own is hidden by it."""
PORT = 4000
"""The gateway's, on loopback and there."""
KEY = "vectorizer"
"""What its key is called at the gateway."""
SECRET, VARIABLE = f"gateway_key_{KEY}", "OPENAI_APIKEY"
AUTHORITY, AUTHORITY_FILE = "gateway_authority", "gateway-authority.pem"
"""Who signed the certificate of a gateway on another machine."""
ENDPOINT = "/v1/embeddings"
"""All that it asks of it."""
DOOR = "llm-weaviate-gate"
TABLE = "/opt/llm/weaviate/tokens/9b5ad71b2ce5302211f9c61530b329a4922fc6a4"
"""By the name that the table has in a cache: SHA-1 of the address that tiktoken-go v0.0.3 fetches cl100k_base from."""


def table() -> str:
    """A tokenizer whose tokens are bytes, as tiktoken-go reads one.

    Weaviate counts with it how much it sends at once, and how much of its rate is left. The gateway counts what the
    model really read; so a text has more tokens here than there, and Weaviate keeps to its rate.
    """
    return "".join(f"{base64.b64encode(bytes([each])).decode()} {each}\n" for each in range(256))


class Weaviate(Role):
    """A vector store in a container. With a model that it asks for vectors it gets a way to the gateway, and a key."""

    def check(self, node: NodeRequest) -> list[Finding]:
        """What its files are refused for."""
        try:
            self.files(node)
        except Refusal as refusal:
            return list(refusal.findings)
        return []

    def values(self, node: NodeRequest) -> Row:
        """For its compose file and the units of that way."""
        modules = [
            *(["backup-filesystem"] if node.asked("backup") else []),
            *([self.manifest.vectorizer.module] if self.manifest.vectorizer and _embeds(node) else []),
        ]
        return {
            **super().values(node),
            "embeds": _embeds(node),
            "modules": ",".join(modules),
            "network": NETWORK,
            "gateway": GATEWAY,
            "port_of_gateway": PORT,
        }

    def units(self, node: NodeRequest) -> tuple[str, ...]:
        """Its own, and before it the socket on which its container finds the gateway."""
        return (*((f"{DOOR}.socket",) if _embeds(node) else ()), *super().units(node))

    def files(self, node: NodeRequest) -> list[Row]:
        """Its compose file and its unit; the table and the way, where it asks for vectors."""
        rows = super().files(node)
        if _embeds(node):
            rows.append(file_row(TABLE, table(), str(self.unit)))
            for each in (f"{DOOR}.socket", f"{DOOR}.service"):
                # The service goes with its socket, and starts with the next caller.
                rows.append(file_row(f"{UNITS}/{each}", self.filled(f"{each}.j2", node), f"{DOOR}.socket"))
        return rows

    def required_secrets(self, node: NodeRequest) -> list[str]:
        """Its own, its key of the gateway, and who signed for that where it is on another machine."""
        asked = [SECRET, *([AUTHORITY] if _elsewhere(node) else [])] if _embeds(node) else []
        return [*super().required_secrets(node), *asked]

    def secret_files(self, node: NodeRequest, *, optional: bool = False) -> list[Row]:
        """Its own, and that key."""
        rows = super().secret_files(node, optional=optional)
        if _embeds(node) and not optional:
            rows.append(secret_row(f"{self.name}-gateway.env", "root", "env", {SECRET: VARIABLE}, str(self.unit)))
            if _elsewhere(node):
                rows.append(secret_row(AUTHORITY_FILE, "llm-caddy", "raw", {AUTHORITY: ""}, FRONT))
        return rows

    def sites(self, node: NodeRequest, status_port: int | None) -> list[str]:
        """Its own; where the gateway is on another machine, Caddy stands in its place on loopback, and goes there."""
        sites = super().sites(node, status_port)
        if _elsewhere(node) and (url := _gateway(node)):
            values = {"url": url, "port": PORT, "path": ENDPOINT, "authority": f"{SECRETS}/{AUTHORITY_FILE}"}
            sites.append(files.fill("weaviate/gateway.j2", title=self.manifest.title, **values))
        return sites


def _embeds(node: NodeRequest) -> bool:
    asked = node.asked("weaviate")
    return isinstance(asked, ServiceRole) and bool(asked.settings.get("embeds"))


def _elsewhere(node: NodeRequest) -> bool:
    """Whether the gateway that it asks is on another machine."""
    return _embeds(node) and node.of(GatewayRole) is None


def _gateway(node: NodeRequest) -> str:
    """Where that is; empty: it is not known yet."""
    asked = node.asked("weaviate")
    return str(asked.settings.get("gateway", "")) if isinstance(asked, ServiceRole) else ""


__all__ = ["KEY", "Weaviate"]
