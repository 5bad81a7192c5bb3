"""The flags of vLLM that a model's adapters come to: what the fit check counts, and what vLLM is started with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi_llm.preflight import adapters

if TYPE_CHECKING:
    from pulumi_llm.spec import ModelSpec, ServerSpec


def slots(of: ServerSpec | ModelSpec) -> tuple[str, ...]:
    """A slot for each adapter, of the smallest rank that vLLM has slots for and that none of them is above."""
    if not of.adapters:
        return ()
    most = max(each.rank for each in of.adapters.values())
    rank = min(each for each in adapters.limits().ranks if each >= most)
    return (adapters.FLAG, "--max-loras", str(len(of.adapters)), "--max-lora-rank", str(rank))
