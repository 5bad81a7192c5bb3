"""Classes that are built like no other: whole shapes of their own."""

from __future__ import annotations

from pulumi_llm.catalog.models import Cache
from pulumi_llm.catalog.shapes.settings import Settings, is_size

V4_ROW = 584
"""Bytes of one entry of DeepSeek V4's cache: 448 numbers in 8 bit, 64 in 16 bit, 8 of scales.

vllm 0.32.0: models/deepseek_v4/attention.py (read 2026-11-28).
"""

MOST_TIMES = 1_000
"""Far beyond how much wider a feed-forward part is than its model anywhere."""

V4_BLOCK, V4_ALIGNMENT = 256, 576
"""Tokens of a block, and what its bytes are rounded up to (ibid.)."""


def deepseek_v4_attention(settings: Settings, hidden: int, heads: int, ratio: int) -> tuple[int, int]:
    """Parameters of one attention layer, and those of its output among them.

    Queries and outputs are of low rank, one key serves all heads, and a compressor stands beside them.
    """
    size, low = settings.needed("head_dim"), settings.needed("q_lora_rank")
    groups, out = settings.needed("o_groups"), settings.needed("o_lora_rank")
    total = low * (hidden + heads * size) + hidden * size + heads * size * out + groups * out * hidden
    if ratio == 4:
        index_heads, index = settings.needed("index_n_heads"), settings.needed("index_head_dim")
        total += 4 * hidden * size + 4 * hidden * index + low * index_heads * index + hidden * index_heads
    elif ratio > 1:
        total += 2 * hidden * size
    copies = settings.number("hc_mult") or 4
    total += 2 * (copies * copies + 2 * copies) * copies * hidden
    return total, heads * size * out + groups * out * hidden


def deepseek_v4_ratios(settings: Settings, layers: int) -> list[int]:
    """By how much each layer compresses: 0 (a window alone), 4 or 128."""
    given = settings.sequence("compress_ratios")
    if given is not None:
        ratios = [each for each in given[:layers] if isinstance(each, int) and each in (0, 1, 4, 128)]
        if len(ratios) != layers:
            settings.refuse("compress_ratios", given)
        return ratios
    names = {"compressed_sparse_attention": 4, "heavily_compressed_attention": 128, "sliding_attention": 0}
    kinds = settings.sequence("layer_types")
    if kinds is None:  # the class's own schedule: two of the heavy kind, then in turn
        return [128 if at < 2 or at % 2 else 4 for at in range(layers)]
    return [names[str(each)] if str(each) in names else settings.refuse("layer_types", each) for each in kinds[:layers]]


def deepseek_v4_bytes(settings: Settings, ratio: int) -> float:
    """Bytes of cache per token of one layer beside its window, blocks rounded up as the engine does."""
    if ratio <= 1:
        return 0.0
    entries = V4_BLOCK // ratio
    size = -(-entries * V4_ROW // V4_ALIGNMENT) * V4_ALIGNMENT
    if ratio == 4:
        row = settings.needed("index_head_dim") + 4
        size += -(-entries * row // V4_ALIGNMENT) * V4_ALIGNMENT
    return size / V4_BLOCK


def deepseek_v4_states(settings: Settings, ratio: int) -> tuple[int, float] | None:
    """What a layer's compressor has yet to compress: the tokens that it holds, and bytes of each, in 32 bit.

    vllm 0.32.0, models/deepseek_v4/compressor.py and sparse_attn_indexer (read, and asked of a model that was built on
    the meta device, on 2026-11-28): a ratio of 4 overlaps, so two windows are held, and its index has a compressor too.
    """
    if ratio <= 1:
        return None
    size = settings.needed("head_dim")
    rows = [4 * size, 4 * settings.needed("index_head_dim")] if ratio == 4 else [2 * size]
    block = 4 if ratio == 4 else 8
    held = sum(-(-4 * row * block // V4_ALIGNMENT) * V4_ALIGNMENT for row in rows) / block
    return (2 * ratio if ratio == 4 else ratio), held


def minimax_m3_index(settings: Settings, layers: int, hidden: int) -> tuple[int, Cache | None]:
    """Parameters of the indexes that pick blocks of tokens, and the keys that they keep.

    vllm 0.32.0, models/minimax_m3/common/indexer.py: one vector of 16 bit for each token and sparse layer (read
    2026-11-28).
    """
    given = settings.mapping("sparse_attention_config")
    heads = given.get("sparse_num_index_heads", settings.number("index_n_heads"))
    size = given.get("sparse_index_dim", settings.number("index_head_dim"))
    kinds = given.get("sparse_attention_freq", settings.sequence("layer_types"))
    if not is_size(heads) or not is_size(size):
        settings.refuse("sparse_attention_config", dict(given))
    if kinds is None:  # as the class takes it
        return 0, None
    if not isinstance(kinds, list) or len(kinds) < layers:
        settings.refuse("sparse_attention_config.sparse_attention_freq", kinds)
    count = sum(each in (1, True, "minimax_m3_sparse") for each in kinds[:layers])
    cache = Cache(layers=count, bytes=2 * size, heads=0) if count else None
    return count * hidden * (heads * size + size), cache


def searched_blocks(settings: Settings, hidden: int, heads: int) -> list[tuple[int, int]]:
    """Key-value heads and feed-forward width of each of ``block_configs``, 0 for a part that is not there.

    vllm 0.32.0, model_executor/models/nemotron_nas.py: a width is two thirds of ``ffn_mult`` times the model's, rounded
    up to 256 (read 2026-11-28). Parts that are replaced by a matrix are refused there, and here.
    """
    layers = settings.needed("num_hidden_layers")
    given = settings.sequence("block_configs")
    if given is None or len(given) != layers:
        settings.refuse("block_configs", f"{len(given or [])} entries for {layers} layers")
    return [_searched(settings, each, hidden, heads) for each in given]


def _searched(settings: Settings, block: object, hidden: int, heads: int) -> tuple[int, int]:
    whole = block if isinstance(block, dict) else {}
    attention, feed = whole.get("attention"), whole.get("ffn")
    if not isinstance(attention, dict) or not isinstance(feed, dict):
        settings.refuse("block_configs", block)
    for part, name in ((attention, "attention"), (feed, "ffn")):
        for key in ("replace_with_linear", "sparsify", "window_length", "num_sink_tokens"):
            if part.get(key):
                settings.refuse(f"block_configs.{name}.{key}", part[key])
    kv_heads = width = 0
    if not attention.get("no_op"):
        group = attention.get("n_heads_in_group")
        if not is_size(group) or heads % group:
            settings.refuse("block_configs.attention.n_heads_in_group", group)
        kv_heads = heads // group
    if not feed.get("no_op"):
        times, plain = feed.get("ffn_mult"), feed.get("intermediate_size")
        if times is None and is_size(plain):
            return kv_heads, plain
        if isinstance(times, bool) or not isinstance(times, int | float) or not 0 < times <= MOST_TIMES:
            settings.refuse("block_configs.ffn.ffn_mult", times)
        width = -(-int(2 * times * hidden / 3) // 256) * 256
    return kv_heads, width
