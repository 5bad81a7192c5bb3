"""What slots for LoRA adapters take: vLLM makes them when it starts, whether adapters are there or not.

vllm 0.32.0, lora/layers: two matrices of the largest rank beside each linear layer, for as many adapters as may be
there at once, in the model's 16 bit; columns are shared out over GPUs as the layer's own are. Held against the slots
that its own LoRAModelManager makes (read and run 2026-11-28).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from pulumi_llm._dataclasses import dataclass
from pulumi_llm.catalog.models import GIB, Model
from pulumi_llm.preflight import extras

FLAG = "--enable-lora"
"""What makes slots: a user's own flag, or one that follows from the ``adapters`` of a spec."""
DEFAULT_SLOTS, DEFAULT_RANK = 1, 16
"""What vLLM takes without ``--max-loras`` and ``--max-lora-rank`` (config/lora.py)."""


@dataclass(frozen=True, slots=True)
class Adapters:
    """Slots for so many adapters of up to that rank; ``sharded``: the smaller matrices are cut too."""

    slots: int
    rank: int
    sharded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What vLLM takes: the largest ranks that there are slots for, a vocabulary, and classes that it has none for."""

    ranks: tuple[int, ...]
    vocab: int
    without: frozenset[str]


@cache
def limits() -> Limits:
    """Those of the release that nodes install."""
    row = extras.rows("adapters")
    return Limits(ranks=tuple(row["ranks"]), vocab=row["vocab"], without=frozenset(row["without"]))


@cache
def _with_words() -> frozenset[str]:
    return frozenset(extras.rows("adapters_for_words"))


def has_words(model: Model) -> bool:
    """Whether a model's embeddings and output head have slots too."""
    return model.architecture in _with_words()


def asked(flags: Mapping[str, str]) -> Adapters | None:
    """The slots that a command line asks for; None where it asks for none."""
    if FLAG not in flags:
        return None
    slots, rank = (
        int(text) if text.isascii() and text.isdigit() and 0 < int(text) < 10**6 else otherwise
        for text, otherwise in (
            (flags.get("--max-loras", ""), DEFAULT_SLOTS),
            (flags.get("--max-lora-rank", ""), DEFAULT_RANK),
        )
    )
    return Adapters(slots, rank, "--fully-sharded-loras" in flags)


def slots_gib(model: Model, adapters: Adapters, gpus: int) -> float | None:
    """GiB of the slots on each of so many GPUs; None where the numbers are not known, or layers keep a state."""
    layers, hidden, vocab = model.layers, model.hidden, model.vocab
    attention = _attention(model, adapters, gpus)
    if layers is None or hidden is None or vocab is None or model.state_layers or attention is None:
        return None
    moe, rows = model.moe, layers * attention
    dense_layers = layers if moe is None else min(moe.dense_layers, layers)
    rows += dense_layers * _feed_forward(hidden, model.intermediate or 0, adapters, gpus)
    if moe is not None:
        one = _feed_forward(hidden, moe.intermediate, adapters, gpus)
        router = hidden + moe.experts
        rows += (layers - dense_layers) * ((moe.experts + moe.shared_experts) * one + router)
    if has_words(model):
        rows += 2 * (vocab + hidden)
    return adapters.slots * adapters.rank * rows * 2 / GIB


def _feed_forward(hidden: int, width: int, adapters: Adapters, gpus: int) -> float:
    """Numbers per rank beside gate, up and down: of the one its columns are cut, of the other its rows."""
    cut = gpus if adapters.sharded else 1
    return 3 * hidden / cut + 3 * width / gpus


def _attention(model: Model, adapters: Adapters, gpus: int) -> float | None:
    """Numbers per rank beside the matrices of one layer of attention."""
    hidden, heads, cut = model.hidden or 0, model.heads, gpus if adapters.sharded else 1
    if heads is None:
        return None
    mla = model.mla
    if mla is not None:
        if mla.nope_dim is None or mla.v_dim is None:
            return None
        query = heads * (mla.nope_dim + mla.rope_dim) / gpus
        low = mla.q_lora_rank
        queries = hidden + (0 if low is None else 2 * low) + query
        keys: float = hidden + 2 * mla.kv_lora_rank + mla.rope_dim
        keys += heads * (mla.nope_dim + mla.v_dim) / gpus
        return queries + keys + heads * mla.v_dim / gpus + hidden / cut
    if model.kv_heads is None or model.head_dim is None:
        return None
    query, key = heads * model.head_dim / gpus, max(1, model.kv_heads // gpus) * model.head_dim
    return 3 * hidden / cut + query + 2 * key + query + hidden / cut
