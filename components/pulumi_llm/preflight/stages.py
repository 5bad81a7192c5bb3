"""One model on several machines: what the stage holds that holds most, and what goes over the wire between stages."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from pulumi_llm.catalog.models import GIB

if TYPE_CHECKING:
    from pulumi_llm.catalog.models import Model
    from pulumi_llm.preflight.cache import Footprint

BYTES = 2
"""Of a number that goes from stage to stage, and of one of the embedding."""
TENSORS = 2
"""What goes from stage to stage: hidden states, and the residual beside them (vLLM 0.32.0, models/llama.py and others:
make_empty_intermediate_tensors_factory)."""
GBIT = 1e9 / 8


def layers_of(layers: int, stages: int) -> tuple[int, ...]:
    """How vLLM cuts layers: what does not divide goes to the stages before the last (0.32.0, get_pp_indices)."""
    found = [layers // stages] * stages
    for place in range(2, layers % stages + 2):
        found[-place] += 1
    return tuple(found)


def largest(model: Model, whole_gib: float, cache: Footprint, stages: int) -> tuple[float, Footprint]:
    """Weights (GiB) and cache of the stage that holds most.

    The first has the embedding, and the last the head; where the two are one matrix, each of them has it. Layers of
    different kinds are taken for evenly spread.
    """
    layers = model.layers or 0
    if stages == 1 or layers < stages:
        return whole_gib, cache
    cut = layers_of(layers, stages)
    matrix = min((model.vocab or 0) * (model.hidden or 0) * BYTES / GIB, whole_gib / 2)
    inner = whole_gib - matrix * (1 if model.tied_embeddings else 2)
    ends = (inner * cut[0] / layers + matrix, inner * cut[-1] / layers + matrix)
    weights = max(inner * max(cut) / layers, *ends)
    share = max(cut) / layers
    kept = tuple(dataclasses.replace(each, bytes=each.bytes * share) for each in cache.kept)
    return weights, dataclasses.replace(cache, kept=kept, state_bytes=cache.state_bytes * share)


def bytes_per_token(model: Model) -> int:
    """What one token sends from a stage to the next."""
    return (model.hidden or 0) * BYTES * TENSORS


def seconds(model: Model, tokens: int, gbit: float) -> float:
    """How long so many tokens are on the wire between two stages, at so many Gbit/s; latency is not in it."""
    return bytes_per_token(model) * tokens / (gbit * GBIT)
