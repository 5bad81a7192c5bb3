"""Open WebUI: its settings, its keys, and its site."""

from __future__ import annotations

import re
from typing import Any

from pulumi_llm.roles import files, registry
from pulumi_llm.roles.base import Role, Row, secret_row, sites_of
from pulumi_llm.roles.requests import NodeRequest, ServiceRole, VllmRole

GATEWAY = "http://127.0.0.1:4000/v1"
"""The gateway itself, behind Caddy: a key that is for this machine alone is good there, and nowhere else."""
KEY = "chat"
"""What the key of a chat page is called at the gateway."""
KEYS_OF_RAG = {"embeddings": "RAG_OPENAI_API_KEY", "reranker": "RAG_EXTERNAL_RERANKER_API_KEY"}
"""Where Open WebUI looks for the key that it asks for vectors, and for an order, with."""
STORE = "pgvector"
"""The store that the slim Open WebUI keeps vectors in (open_webui/retrieval/vector/factory.py of 0.12.4)."""


class OpenWebui(Role):
    """A chat page in front of the gateway. What is asked of it are the settings of its `ServiceRole`."""

    def values(self, node: NodeRequest) -> Row:
        """For its settings and its unit."""
        told = _settings(node, self.name)
        ((port, __),) = self.listeners(node).values()
        manifest, served = registry.role(STORE).manifest, node.of(VllmRole)
        return {
            **super().values(node),
            "version": self.manifest.version,
            "gateway": GATEWAY,
            "origin": f"https://{node.domain}{'' if port == 443 else f':{port}'}" if node.domain else None,
            "store_port": manifest.listeners["sql"].port,
            "admin_email": _quoted(told["admin_email"]),
            "model": _quoted(served.served_name) if served and served.task is None else None,
            "embeddings": _quoted(told.get("embeddings")),
            "reranker": _quoted(told.get("reranker")),
            "dimensions": told.get("dimensions"),
        }

    def required_secrets(self, node: NodeRequest) -> list[str]:
        """Its own, and the password of PostgreSQL where that keeps its vectors."""
        own = super().required_secrets(node)
        return [*own, *_of_store(node, self.name)]

    def secret_files(self, node: NodeRequest, *, optional: bool = False) -> list[Row]:
        """Its own, PostgreSQL's password, and the same gateway key once more for each of what documents need."""
        rows = super().secret_files(node, optional=optional)
        if optional:
            return rows
        (own,) = rows
        own["entries"] |= dict.fromkeys(_of_store(node, self.name), "PGPASSWORD")
        # In a file of secrets each secret has one name, and here the same key has three.
        for what, variable in KEYS_OF_RAG.items():
            if _settings(node, self.name).get(what):
                entries = {f"gateway_key_{KEY}": variable}
                rows.append(secret_row(f"{self.name}-{what}.env", "root", "env", entries, str(self.unit)))
        return rows

    def sites(self, node: NodeRequest, status_port: int | None) -> list[str]:
        """Its port, for pages of its own origin."""
        return [
            files.filled(self.text("site.j2"), {"site": site, "each": each})
            for port, each in self.listeners(node).values()
            for site in sites_of(node, port)
        ]


def _settings(node: NodeRequest, role: str) -> dict[str, Any]:
    asked = node.asked(role)
    return dict(asked.settings) if isinstance(asked, ServiceRole) else {}


def _quoted(value: str | None) -> str | None:
    """A value as systemd's EnvironmentFile= takes it literally (systemd.exec(5)); None stays None."""
    return value and '"' + re.sub(r'(["\\\\`$])', r"\\\1", value) + '"'


def _of_store(node: NodeRequest, role: str) -> list[str]:
    """The store's secret, where documents are kept in it."""
    if not _settings(node, role).get("embeddings"):
        return []
    return [name for name, each in registry.role(STORE).manifest.secrets.items() if each.generate]


__all__ = ["GATEWAY", "KEY", "STORE", "OpenWebui"]
