"""How much of the machine's memory the models on it may take, and whether one of them calls anybody outside of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pulumi_llm._flags import flags_of
from pulumi_llm.roles import registry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pulumi_llm.roles.requests import NodeRequest

UNKNOWN = 90
"""Per cent of a machine of which nobody says how much memory it has."""
OUTSIDE = frozenset({"--kv-transfer-config", "--ec-transfer-config", "--kv-events-config", "--otlp-traces-endpoint"})
"""Flags of vLLM 0.32.0 by which it speaks to somebody else than the gateway and its own workers."""
ADDRESS = re.compile(r"\b[a-z][a-z0-9+]*://(?!127\.|localhost\b|\[::1\])")


def percent_of_models(node: NodeRequest) -> int:
    """Per cent of the machine's memory for all models together: what the system and its own services do not need.

    What other services may take is not taken off: each has a limit of its own, and rarely reaches it. A model that
    would be stopped for memory that nobody uses is worse than none.
    """
    if node.memory_gib is None:
        return UNKNOWN
    system = registry.role("node").manifest.needs.memory_gib
    return max(1, min(99, int(100 * (node.memory_gib - system) / node.memory_gib)))


def at_most_mib(node: NodeRequest, memory_gib: int) -> int:
    """MiB for a service that wants so many GiB: on a small machine three quarters of what is there."""
    if node.memory_gib is None:
        return 1024 * memory_gib
    return min(1024 * memory_gib, int(768 * node.memory_gib))


def reaches_out(extra_args: Sequence[str]) -> bool:
    """Whether vLLM's own flags name somebody on another machine."""
    return not OUTSIDE.isdisjoint(flags_of(extra_args)) or any(ADDRESS.search(each) for each in extra_args)
