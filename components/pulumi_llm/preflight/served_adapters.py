"""The flags of vLLM that a server's adapters come to: what the fit check counts, and what vLLM is started with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi_llm.preflight import adapters

if TYPE_CHECKING:
    from pulumi_llm.spec import ServerSpec


def slots(server: ServerSpec) -> tuple[str, ...]:
    """A slot for each adapter, of the smallest rank that vLLM has slots for and that none of them is above."""
    if not server.adapters:
        return ()
    most = max(each.rank for each in server.adapters.values())
    rank = min(each for each in adapters.limits().ranks if each >= most)
    return ("--enable-lora", "--max-loras", str(len(server.adapters)), "--max-lora-rank", str(rank))
