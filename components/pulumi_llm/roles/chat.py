"""Open WebUI: its settings, its keys, and its site."""

from __future__ import annotations

import re
from typing import Any

from pulumi_llm.roles import files, registry
from pulumi_llm.roles.base import Role, Row, file_row, secret_row, sites_of
from pulumi_llm.roles.manifest import Listener
from pulumi_llm.roles.requests import NodeRequest, ServiceRole, VllmRole

GATEWAY = "http://127.0.0.1:4000/v1"
"""The gateway itself, behind Caddy: a key that is for this machine alone is good there, and nowhere else."""
KEY = "chat"
"""What the key of a chat page is called at the gateway."""
KEYS_OF_RAG = {"embeddings": "RAG_OPENAI_API_KEY", "reranker": "RAG_EXTERNAL_RERANKER_API_KEY"}
"""Where Open WebUI looks for the key that it asks for vectors, and for an order, with."""
STORES = {"pgvector": "PGPASSWORD", "weaviate": "WEAVIATE_API_KEY"}
"""The stores that it keeps vectors in, and where it looks for the secret of each."""
LONGEST = {"pgvector": 2000, "weaviate": 65535}
"""Numbers of a vector with an index: pgvector's README ("HNSW", type vector), and Weaviate's own limit
(docs.weaviate.io, "Vector index"); both read 2026-11-30."""
SLIM = "pgvector"
"""The one that its slim mode has, and no other (open_webui/retrieval/vector/factory.py of 0.12.4)."""
KEEP_DELETED = ("weaviate",)
"""Those in which it deletes nothing of a document that is deleted, and everybody's vectors where it means its own
(dbs/weaviate.py of 0.12.4)."""

AWAITS = "/opt/llm/open-webui/await.py"
EMPTIES = ("/api/v1/files/all", "/api/v1/retrieval/reset/db")
"""Where it empties its store."""


class OpenWebui(Role):
    """A chat page in front of the gateway. What is asked of it are the settings of its `ServiceRole`."""

    def values(self, node: NodeRequest) -> Row:
        """For its settings and its unit."""
        told = _settings(node, self.name)
        ((port, __),) = self.listeners(node).values()
        store, served = _store(node, self.name), node.of(VllmRole)
        manifest = registry.role(store).manifest if store else None
        return {
            **super().values(node),
            "version": self.manifest.version,
            "gateway": GATEWAY,
            "origin": f"https://{node.domain}{'' if port == 443 else f':{port}'}" if node.domain else None,
            "slim": store in (None, SLIM),
            "awaits": AWAITS,
            "store": store,
            "store_title": manifest.title.partition(" (")[0] if manifest else None,
            "store_health": manifest.health.url if manifest and manifest.health else None,
            "store_at": {name: _at(each) for name, each in manifest.listeners.items()} if manifest else {},
            "admin_email": _quoted(told["admin_email"]),
            "model": _quoted(served.served_name) if served and served.task is None else None,
            "embeddings": _quoted(told.get("embeddings")),
            "reranker": _quoted(told.get("reranker")),
            "dimensions": told.get("dimensions"),
        }

    def files(self, node: NodeRequest) -> list[Row]:
        """Its own, and what waits for a store that has to answer before it starts."""
        rows = super().files(node)
        if _store(node, self.name) not in (None, SLIM):
            rows.append(file_row(AWAITS, self.text("await.py"), str(self.unit)))
        return rows

    def required_secrets(self, node: NodeRequest) -> list[str]:
        """Its own, and the key of the store that keeps its vectors."""
        own = super().required_secrets(node)
        return [*own, *_of_store(node, self.name)]

    def secret_files(self, node: NodeRequest, *, optional: bool = False) -> list[Row]:
        """Its own, the store's key, and the same gateway key once more for each of what documents need."""
        rows = super().secret_files(node, optional=optional)
        if optional:
            return rows
        (own,) = rows
        own["entries"] |= _of_store(node, self.name)
        # In a file of secrets each secret has one name, and here the same key has three.
        for what, variable in KEYS_OF_RAG.items():
            if _settings(node, self.name).get(what):
                entries = {f"gateway_key_{KEY}": variable}
                rows.append(secret_row(f"{self.name}-{what}.env", "root", "env", entries, str(self.unit)))
        return rows

    def sites(self, node: NodeRequest, status_port: int | None) -> list[str]:
        """Its port, for pages of its own origin."""
        empties = EMPTIES if _store(node, self.name) in KEEP_DELETED else ()
        return [
            files.filled(self.text("site.j2"), {"site": site, "each": each, "empties": empties})
            for port, each in self.listeners(node).values()
            for site in sites_of(node, port)
        ]


def _settings(node: NodeRequest, role: str) -> dict[str, Any]:
    asked = node.asked(role)
    return dict(asked.settings) if isinstance(asked, ServiceRole) else {}


def _quoted(value: str | None) -> str | None:
    """A value as systemd's EnvironmentFile= takes it literally (systemd.exec(5)); None stays None."""
    return value and '"' + re.sub(r'(["\\\\`$])', r"\\\1", value) + '"'


def _store(node: NodeRequest, role: str) -> str | None:
    """The store beside it that documents are kept in; None: they are kept in none."""
    if not _settings(node, role).get("embeddings"):
        return None
    return next((each for each in STORES if node.asked(each) is not None), SLIM)


def _of_store(node: NodeRequest, role: str) -> dict[str, str]:
    """The store's secret, and the variable for it, where documents are kept in it."""
    store = _store(node, role)
    if store is None:
        return {}
    return {name: STORES[store] for name, each in registry.role(store).manifest.secrets.items() if each.generate}


def _at(listener: Listener) -> tuple[str, str]:
    """Host and port on this machine, past Caddy: what keeps vectors is asked for its own key there too."""
    host, __, port = (listener.to or f"127.0.0.1:{listener.port}").rpartition(":")
    return host, port


__all__ = ["GATEWAY", "KEEP_DELETED", "KEY", "SLIM", "STORES", "OpenWebui"]
