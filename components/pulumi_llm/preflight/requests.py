"""How many requests at once a server is told to take, where nobody says it: as many as vLLM starts with."""

from __future__ import annotations

from bisect import bisect
from dataclasses import replace

from pulumi_llm.catalog.models import Model
from pulumi_llm.preflight import memory
from pulumi_llm.preflight.cache import state_blocks

STEPS = (512, 384, 256, 192, 128, 96, 64, 48, 32, 24, 16, 12, 8, 4, 2, 1)
"""What is tried below vLLM's own number, from the largest on."""

SHARE = 0.85
"""Of the blocks that are estimated: the cache of real servers was found up to 14 % smaller (see memory.py)."""


def blocks_of(
    model: Model, load: memory.Load, found: memory.Memory | None = None, parts: memory.Parts | None = None
) -> int | None:
    """Blocks for the state of requests on each GPU, by the estimate; None where nothing is kept, or it is not known.

    ``found``: the estimate, where somebody has made it; ``parts``: likewise of what it is made from.
    """
    if not model.state_layers or load.eager:  # the engine only counts them before it captures graphs
        return None
    found = found or memory.estimate(model, load, parts=parts)
    if found is None:
        return None
    kept = parts[1] if parts is not None and load.stages == 1 and load.draft is None else None
    return state_blocks(model, found.kv_gib, load.gpu_count, fp8=load.fp8_kv_cache, found=kept)


def number_that_starts(model: Model, load: memory.Load, parts: memory.Parts | None = None) -> int:
    """The largest number of requests, up to that of ``load``, with which vLLM starts.

    A model that keeps a state for each request needs a block for it, and vLLM 0.32.0 refuses to start where
    ``max_num_seqs`` is above the number of blocks (config/compilation.py, read 2026-11-28). Fewer requests leave a
    larger cache, so each number is tried. Where not even one fits, the number of ``load``: other rules say why.
    """
    if not model.state_layers:
        return load.max_num_seqs

    def starts(number: int) -> bool:
        asked = load if number == load.max_num_seqs else replace(load, max_num_seqs=number)
        blocks = blocks_of(model, asked, parts=parts)
        return blocks is None or number <= blocks * SHARE

    if starts(load.max_num_seqs):
        return load.max_num_seqs
    # Fewer requests always leave more blocks for each: the first step that starts is found by halving.
    fewer = [step for step in STEPS if step < load.max_num_seqs]
    if not fewer or not starts(fewer[-1]):
        return load.max_num_seqs
    return fewer[bisect(fewer, False, hi=len(fewer) - 1, key=starts)]
