"""Parameters, cache and state of a whole model, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass

from pulumi_llm.catalog.models import Cache
from pulumi_llm.catalog.shapes import parts
from pulumi_llm.catalog.shapes.layers import BOTH, CHUNK, FULL, NOTHING, WINDOW, blocks, experts_at, mixers
from pulumi_llm.catalog.shapes.settings import Settings
from pulumi_llm.catalog.shapes.special import (
    V4_ROW,
    deepseek_v4_attention,
    deepseek_v4_bytes,
    deepseek_v4_ratios,
    minimax_m3_index,
)

MOST_LAYERS = 1_000
"""Several times those of any published model; a longer list is not meant, and would take minutes to walk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The text part of a model. ``parameters`` counts all of it, ``experts`` the routed experts' share.

    ``state_bytes`` is what one request keeps whatever its length, ``state_layers`` in how many layers. ``sparse`` says
    that attention picks tokens by an index (DSA), for which few GPUs have kernels.
    """

    layers: int
    hidden: int
    heads: int
    vocab: int
    parameters: int
    experts: int
    embeddings: int
    intermediate: int
    caches: tuple[Cache, ...]
    state_bytes: int
    state_layers: int
    sparse: bool
    expert_count: int
    experts_per_token: int
    expert_width: int
    kv_heads: int | None
    head_dim: int | None


def shape_of(settings: Settings, *, tied: bool) -> Shape:
    """The shape that the settings describe. Raises UnknownShapeError with the name of what is not understood."""
    if settings.kind == "deepseek_v4":
        return _deepseek_v4(settings, tied=tied)
    layers = _layers(settings)
    doubled = 2 if settings.kind == "longcat_flash" else 1  # two of attention and of the dense part, one of experts
    kinds = mixers(settings, layers)
    widths = parts.widths(settings)
    sparse_at = experts_at(settings, layers, kinds) if widths.experts else [False] * layers
    total, routed, state, kept = 0, 0, 0, 0
    shared_from = layers - (settings.number("num_kv_shared_layers") or 0)
    caches: dict[tuple[float, int, int | None], int] = {}
    for at, kind in enumerate(kinds):
        own_keys = at < shared_from
        if kind in (FULL, WINDOW, CHUNK, BOTH):
            attention = parts.attention(settings, widths, kind, at)
            total += doubled * (attention.parameters - (0 if own_keys else attention.key_parameters))
            if own_keys:
                key = (attention.bytes, attention.heads, attention.window)
                caches[key] = caches.get(key, 0) + doubled
        if kind not in (FULL, WINDOW, CHUNK, NOTHING):
            parameters, bytes_kept = parts.stateful(settings, widths, "mamba2" if kind == BOTH else kind)
            total, state, kept = total + parameters, state + bytes_kept, kept + 1
        if not parts.has_feed_forward(settings, kind, at):
            continue
        if sparse_at[at]:
            experts, beside = parts.experts(settings, widths)
            total, routed = total + experts + beside, routed + experts
        if not sparse_at[at] or parts.dense_beside_experts(settings):
            total += doubled * parts.dense(settings, widths, at, shares_keys=not own_keys)
    embeddings = widths.vocab * widths.hidden * (1 if tied else 2)
    total += embeddings + parts.extras(settings, widths, layers)
    index = settings.number("index_topk") is not None and settings.number("index_head_dim") is not None
    rows = [
        Cache(layers=count, bytes=size, heads=heads, window=window) for (size, heads, window), count in caches.items()
    ]
    if settings.kind == "minimax_m3_vl_text":
        beside_index, kept_index = minimax_m3_index(settings, layers, widths.hidden)
        total, index = total + beside_index, False
        rows += [kept_index] if kept_index else []
    if index and widths.indexed:
        rows.append(Cache(layers=len(widths.indexed), bytes=settings.needed("index_head_dim") + 4, heads=0, fixed=True))
    return Shape(
        layers=layers,
        hidden=widths.hidden,
        heads=widths.heads,
        vocab=widths.vocab,
        parameters=total,
        experts=routed,
        embeddings=embeddings,
        intermediate=widths.intermediate,
        caches=tuple(rows),
        state_bytes=state,
        state_layers=kept,
        sparse=index,
        expert_count=widths.experts,
        experts_per_token=settings.number("num_experts_per_tok") or 1 if widths.experts else 0,
        expert_width=widths.expert_width,
        kv_heads=None if widths.latent else widths.kv_heads,
        head_dim=None if widths.latent else widths.head_dim,
    )


def _layers(settings: Settings) -> int:
    if settings.kind == "nemotron_h":  # the list of blocks counts, not the number
        count = len(blocks(settings))
        return count if 0 < count <= MOST_LAYERS else settings.refuse("layers_block_type", f"{count} blocks")
    return settings.needed("num_hidden_layers")


def _deepseek_v4(settings: Settings, *, tied: bool) -> Shape:
    layers = settings.needed("num_hidden_layers")
    of = parts.widths(settings)
    window = settings.needed("sliding_window")
    settings.needed("index_topk")  # how many entries attention picks: of no weight here
    ratios = deepseek_v4_ratios(settings, layers)
    routed, beside = parts.experts(settings, of)
    embeddings = of.vocab * of.hidden * (1 if tied else 2)
    attention = sum(deepseek_v4_attention(settings, of.hidden, of.heads, ratio) for ratio in ratios)
    caches = [Cache(layers=layers, bytes=V4_ROW, heads=0, window=window, fixed=True)]
    for ratio in sorted({ratio for ratio in ratios if ratio > 1}):
        size = deepseek_v4_bytes(settings, ratio)
        caches.append(Cache(layers=ratios.count(ratio), bytes=size, heads=0, fixed=True))
    return Shape(
        layers=layers,
        hidden=of.hidden,
        heads=of.heads,
        vocab=of.vocab,
        parameters=attention + layers * (routed + beside) + embeddings,
        experts=layers * routed,
        embeddings=embeddings,
        intermediate=of.expert_width,
        caches=tuple(caches),
        state_bytes=0,
        state_layers=0,
        sparse=True,
        expert_count=of.experts,
        experts_per_token=settings.number("num_experts_per_tok") or 1,
        expert_width=of.expert_width,
        kv_heads=None,
        head_dim=None,
    )
