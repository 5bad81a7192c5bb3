"""Parameters, cache and state of a whole model, layer by layer."""

from __future__ import annotations

from pulumi_llm._dataclasses import dataclass
from pulumi_llm.catalog.models import Cache
from pulumi_llm.catalog.shapes import newer, parts, states
from pulumi_llm.catalog.shapes.both_ways import sees_all
from pulumi_llm.catalog.shapes.layers import BOTH, CHUNK, ENCODER, FULL, NOTHING, WINDOW, blocks, experts_at, mixers
from pulumi_llm.catalog.shapes.settings import Settings
from pulumi_llm.catalog.shapes.special import (
    V4_ROW,
    deepseek_v4_attention,
    deepseek_v4_bytes,
    deepseek_v4_ratios,
    deepseek_v4_states,
    minimax_m3_index,
    searched_blocks,
)

MOST_LAYERS = 1_000
"""Several times those of any published model; a longer list is not meant, and would take minutes to walk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Parameters of one layer (``at``; None: of no layer) that are stored alike, as far as their names tell.

    ``kind`` is ``attention``, ``attention_out`` (its last matrix), ``state``, ``kda`` (a state that is named as
    attention), ``dense``, ``experts``, ``experts_beside`` (a dense part), ``shared`` (what every token passes beside
    experts, and their router), ``words`` (embeddings) or ``head``.
    """

    at: int | None
    kind: str
    parameters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The text part of a model. ``parameters`` counts all of it, ``experts`` the routed experts' share.

    ``pieces`` are its parameters once more, told apart by what a list of layers in a quantization block may name.

    ``state_bytes`` is what one request keeps whatever its length, ``state_layers`` in how many layers; of it
    ``recurrent`` numbers are kept in ``recurrent_bits``. ``sparse`` says that attention picks tokens by an index (DSA),
    for which few GPUs have kernels.
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
    pieces: tuple[Piece, ...] = ()
    recurrent: int = 0
    recurrent_bits: int = 16


def shape_of(settings: Settings, *, tied: bool) -> Shape:
    """The shape that the settings describe. Raises UnknownShapeError with the name of what is not understood."""
    if settings.kind in ("deepseek_v4", "nemotron-nas"):
        sees_all(settings)  # neither does, and a file that says so is not understood
    if settings.kind == "deepseek_v4":
        return _deepseek_v4(settings, tied=tied)
    if settings.kind == "nemotron-nas":
        return _by_blocks(settings, tied=tied)
    layers = _layers(settings)
    doubled = 2 if settings.kind == "longcat_flash" else 1  # two of attention and of the dense part, one of experts
    kinds = mixers(settings, layers)
    widths = parts.widths(settings)
    sparse_at = experts_at(settings, layers, kinds) if widths.experts else [False] * layers
    routed, convolved, recurrent = 0, 0, 0
    keeping: list[str] = []
    pieces: list[Piece] = []
    shared_from = layers - (settings.number("num_kv_shared_layers") or 0)
    caches: dict[tuple[float, int, int | None], int] = {}
    for at, kind in enumerate(kinds):
        own_keys = at < shared_from
        if kind in (FULL, WINDOW, CHUNK, BOTH, ENCODER):
            attention = parts.attention(settings, widths, kind, at)
            own = doubled * (attention.parameters - (0 if own_keys else attention.key_parameters))
            pieces += _attention(at, own, doubled * attention.out_parameters)
            if own_keys and kind != ENCODER:
                key = (attention.bytes, attention.heads, attention.window)
                caches[key] = caches.get(key, 0) + doubled
        if kind not in (FULL, WINDOW, CHUNK, ENCODER, NOTHING):
            keeping.append("mamba2" if kind == BOTH else kind)
            parameters, *numbers = states.stateful(settings, widths, keeping[-1])
            pieces.append(Piece(at=at, kind="kda" if kind == "kda" else "state", parameters=parameters))
            convolved, recurrent = convolved + numbers[0], recurrent + numbers[1]
        more = newer.added(settings, widths.hidden, kind, at)
        if more:
            pieces.append(Piece(at=at, kind="shared", parameters=more))
        if not parts.has_feed_forward(settings, kind, at):
            continue
        if sparse_at[at]:
            experts, beside = parts.experts(settings, widths)
            beside_dense = parts.dense_beside_experts(settings)
            pieces.append(
                Piece(at=at, kind="experts_beside" if beside_dense and doubled == 1 else "experts", parameters=experts)
            )
            pieces.append(Piece(at=at, kind="shared", parameters=beside))
            routed += experts
        if not sparse_at[at] or parts.dense_beside_experts(settings):
            own = doubled * parts.dense(settings, widths, at, shares_keys=not own_keys)
            pieces.append(Piece(at=at, kind="dense", parameters=own))
    embeddings = widths.vocab * widths.hidden * (1 if tied else 2)
    pieces += _words(widths, tied=tied, more=parts.extras(settings, widths, layers))
    index = settings.number("index_topk") is not None and settings.number("index_head_dim") is not None
    rows = [
        Cache(layers=count, bytes=size, heads=heads, window=window) for (size, heads, window), count in caches.items()
    ]
    rows += newer.kept_beside(settings, kinds, widths.hidden)
    tables, tabled = newer.state_beside(settings, widths.hidden)
    bits = states.recurrent_bits(settings, set(keeping)) if recurrent else 16
    if settings.kind == "minimax_m3_vl_text":
        beside_index, kept_index = minimax_m3_index(settings, layers, widths.hidden)
        pieces.append(Piece(at=None, kind="attention", parameters=beside_index))
        index = False
        rows += [kept_index] if kept_index else []
    indexes = sum(at in widths.indexed for at, kind in enumerate(kinds) if kind == FULL)
    if index and indexes:
        kept_keys = (settings.needed("index_head_dim") + 4) / (settings.number("index_kpool") or 1)
        rows.append(Cache(layers=indexes, bytes=kept_keys, heads=0, fixed=True))
    return Shape(
        layers=layers,
        hidden=widths.hidden,
        heads=widths.heads,
        vocab=widths.vocab,
        parameters=sum(piece.parameters for piece in pieces),
        experts=routed,
        embeddings=embeddings,
        intermediate=widths.intermediate,
        caches=tuple(rows),
        state_bytes=2 * (convolved + tables) + recurrent * bits // 8,
        state_layers=len(keeping) + tabled,
        recurrent=recurrent,
        recurrent_bits=bits,
        sparse=index,
        expert_count=widths.experts,
        experts_per_token=settings.number("num_experts_per_tok") or 1 if widths.experts else 0,
        expert_width=widths.expert_width,
        kv_heads=None if widths.latent else widths.kv_heads,
        head_dim=None if widths.latent else widths.head_dim,
        pieces=tuple(pieces),
    )


def _attention(at: int, whole: int, out: int) -> list[Piece]:
    return [
        Piece(at=at, kind="attention", parameters=whole - out),
        Piece(at=at, kind="attention_out", parameters=out),
    ]


def _words(widths: parts.Widths, *, tied: bool, more: int = 0) -> list[Piece]:
    """Embeddings, with what stands beside the layers, and the head where it is not the same."""
    matrix = widths.vocab * widths.hidden
    rows = [Piece(at=None, kind="words", parameters=matrix + more)]
    return rows if tied else [*rows, Piece(at=None, kind="head", parameters=matrix)]


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
    pieces = _words(of, tied=tied)
    for at, ratio in enumerate(ratios):
        own, out = deepseek_v4_attention(settings, of.hidden, of.heads, ratio)
        pieces += _attention(at, own, out)
        pieces.append(Piece(at=at, kind="experts", parameters=routed))
        pieces.append(Piece(at=at, kind="shared", parameters=beside))
    caches = [Cache(layers=layers, bytes=V4_ROW, heads=0, window=window, fixed=True)]
    for ratio in sorted({ratio for ratio in ratios if ratio > 1}):
        size = deepseek_v4_bytes(settings, ratio)
        caches.append(Cache(layers=ratios.count(ratio), bytes=size, heads=0, fixed=True))
        if (state := deepseek_v4_states(settings, ratio)) is not None:
            held, each = state
            caches.append(Cache(layers=ratios.count(ratio), bytes=each, heads=0, window=held, fixed=True))
    return Shape(
        layers=layers,
        hidden=of.hidden,
        heads=of.heads,
        vocab=of.vocab,
        parameters=sum(piece.parameters for piece in pieces),
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
        pieces=tuple(pieces),
    )


def _by_blocks(settings: Settings, *, tied: bool) -> Shape:
    """Nemotron's searched models: each layer says its own heads and width, or that it has no such part.

    vllm 0.32.0, model_executor/models/nemotron_nas.py (read 2026-11-28).
    """
    hidden, heads, vocab = (settings.needed(each) for each in ("hidden_size", "num_attention_heads", "vocab_size"))
    size = settings.number("head_dim") or hidden // heads
    found = searched_blocks(settings, hidden, heads)
    pieces = [Piece(at=None, kind="words", parameters=vocab * hidden)]
    pieces += [] if tied else [Piece(at=None, kind="head", parameters=vocab * hidden)]
    counts: dict[int, int] = {}
    for at, (kv_heads, width) in enumerate(found):
        if kv_heads:
            own = 2 * hidden * size * (heads + kv_heads)
            pieces += _attention(at, own, hidden * size * heads)
            counts[kv_heads] = counts.get(kv_heads, 0) + 1
        if width:
            pieces.append(Piece(at=at, kind="dense", parameters=3 * hidden * width))
    return Shape(
        layers=len(found),
        hidden=hidden,
        heads=heads,
        vocab=vocab,
        parameters=sum(piece.parameters for piece in pieces),
        experts=0,
        embeddings=vocab * hidden * (1 if tied else 2),
        intermediate=max(width for _, width in found),
        caches=tuple(
            Cache(layers=count, bytes=kv_heads * size * 4, heads=kv_heads) for kv_heads, count in counts.items()
        ),
        state_bytes=0,
        state_layers=0,
        sparse=False,
        expert_count=0,
        experts_per_token=0,
        expert_width=0,
        kv_heads=min(counts, default=None),
        head_dim=size,
        pieces=tuple(pieces),
    )
