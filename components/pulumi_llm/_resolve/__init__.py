"""What is made, settled before anything is: canonical, placed, priced, fitted. Nobody parses after it."""

from pulumi_llm._resolve.graph import (
    Foreign,
    ResolvedMachine,
    ResolvedModel,
    ResolvedPlatform,
    ResolvedProxy,
    ResolvedServer,
    ResolvedVectors,
    Site,
)
from pulumi_llm._resolve.parts import (
    Shared,
    resolve_proxy,
    resolve_server,
    resolve_vectors,
    stand_of_vectors,
)
from pulumi_llm._resolve.platform import SERVER_KEY, resolve_platform

__all__ = [
    "SERVER_KEY",
    "Foreign",
    "ResolvedMachine",
    "ResolvedModel",
    "ResolvedPlatform",
    "ResolvedProxy",
    "ResolvedServer",
    "ResolvedVectors",
    "Shared",
    "Site",
    "resolve_platform",
    "resolve_proxy",
    "resolve_server",
    "resolve_vectors",
    "stand_of_vectors",
]
