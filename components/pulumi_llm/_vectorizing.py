"""A vector store on a machine of its own that asks the server's gateway for vectors: what each tells the other.

The store's machine comes first, with nothing on it; then the server, whose firewall and whose key for the store name
that machine's private address; then the store is told where the server is, who signed its certificate, and the key. So
neither waits for the other to be ready before it can be made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

import pulumi

from pulumi_llm._dataclasses import dataclass
from pulumi_llm.preflight import stores
from pulumi_llm.roles.weaviate import AUTHORITY, SECRET

if TYPE_CHECKING:
    from pulumi_llm._resolve import ResolvedServer
    from pulumi_llm.spec import KeySpec

Value = TypeVar("Value")


@dataclass(frozen=True, kw_only=True)
class Way:
    """How the store gets to the gateway, and what it shows there."""

    address: pulumi.Output[str]
    """The server's private one."""
    port: int
    authority: pulumi.Output[str]
    key: pulumi.Output[str]
    applied: pulumi.Resource
    """After this the gateway knows the key."""

    @property
    def url(self) -> pulumi.Output[str]:
        """Without a path."""
        return pulumi.Output.concat("https://", self.address, f":{self.port}")

    @property
    def secrets(self) -> dict[str, pulumi.Input[str]]:
        """By the names that the store's node knows them by."""
        return {SECRET: self.key, AUTHORITY: self.authority}


def keys(server: ResolvedServer, address: str | None) -> Mapping[str, KeySpec]:
    """The gateway's keys, where the store's is good from its machine alone; before that is known, there is none."""
    found = dict(server.keys)
    if server.store is not None:
        key = found.pop(stores.KEY)
        if address is not None:
            found[stores.KEY] = key.model_copy(update={"source_cidrs": (f"{address}/32",)})
    return found


def callers(server: ResolvedServer, address: Value | None) -> dict[int, tuple[pulumi.Output[str], ...]]:
    """Who may call the gateway's port besides: the store's machine."""
    return {} if address is None else {server.port: (pulumi.Output.concat(address, "/32"),)}


__all__ = ["Way", "callers", "keys"]
