"""The flags of vLLM that a model's adapters come to: what the fit check counts, and what vLLM is started with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi_llm.preflight import adapters

if TYPE_CHECKING:
    from pulumi_llm.spec import ModelSpec, ServerSpec


def slots(of: ServerSpec | ModelSpec) -> tuple[str, ...]:
    """A slot for each adapter, of the smallest rank that vLLM has slots for and that none of them is above."""
    return flags(len(of.adapters), max((each.rank for each in of.adapters.values()), default=0))


def flags(count: int, rank: int) -> tuple[str, ...]:
    """The same for so many of that rank; none for none."""
    if not count:
        return ()
    size = min(each for each in adapters.limits().ranks if each >= rank)
    return (adapters.FLAG, "--max-loras", str(count), "--max-lora-rank", str(size))
