"""What single classes have in a layer that no other class has: attention of their own, streams, tables of word groups.

transformers 5.19.0 (``models/{zamba2,inkling,qwen4_exp,glm5_next}/modeling_*.py``) and vllm 0.32.0
(``model_executor/models/{zamba2,step3_text,molmo,molmo2}.py``, ``models/{inkling,qwen4_exp,glm5next}``), read on
2026-11-28.
"""

from __future__ import annotations

from pulumi_llm.catalog.models import Cache
from pulumi_llm.catalog.shapes.layers import FULL, WINDOW
from pulumi_llm.catalog.shapes.settings import Settings

HASHED = "ple_layer_ids"
"""Qwen4-Exp: which layers look groups of words up in a table of their own, counted from 1."""


def zamba2_attention(settings: Settings, hidden: int, heads: int) -> tuple[int, int, int]:
    """Parameters of what one layer adds to the shared block of attention, its output's share, and bytes per token.

    The block itself is counted once: `zamba2_blocks`.
    """
    if settings.number("num_key_value_heads") not in (None, heads):
        settings.refuse("num_key_value_heads", settings.value("num_key_value_heads"))  # vLLM's class has no groups
    wide, rank = 2 * hidden, settings.number("adapter_rank") or 0
    total = hidden * hidden + rank * (hidden + 2 * _zamba2_inner(settings, hidden))
    if settings.flag("use_shared_attention_adapter"):
        total += 3 * 2 * wide * rank
    return total, hidden * hidden, 2 * heads * (wide // heads) * 2


def zamba2_blocks(settings: Settings, hidden: int) -> int:
    """Parameters of the blocks of attention and feed-forward that all attending layers take in turn."""
    wide = 2 * hidden
    each = 3 * wide * wide + wide * hidden + 3 * hidden * _zamba2_inner(settings, hidden)
    kinds, blocks = settings.sequence("layers_block_type"), settings.number("num_mem_blocks") or 1
    return (blocks if kinds is None else min(blocks, kinds.count("hybrid"))) * each  # no more than have a turn


def _zamba2_inner(settings: Settings, hidden: int) -> int:
    return settings.number("intermediate_size") or 4 * hidden


def step3_attention(settings: Settings, hidden: int, heads: int, size: int) -> tuple[int, int, int]:
    """Queries come out of a shared one of low rank, and one head of keys and values serves them all."""
    low = settings.number("share_q_dim") or size
    out = heads * size * hidden
    return hidden * (low + 2 * size) + low * heads * size + out, out, 2 * size * 2


def added(settings: Settings, hidden: int, kind: str, at: int) -> int:
    """Parameters that stand in a layer beside attention and what follows it."""
    if settings.kind == "glm5_next_text":
        return _mixed_streams(settings, hidden) + (_pooled_keys(settings, hidden) if kind == FULL else 0)
    if settings.kind == "inkling_text":
        taps, local = settings.needed("conv_kernel_size"), kind == WINDOW
        heads, kv_heads, size = _inkling_heads(settings, local=local)
        return hidden * heads * settings.needed("d_rel") + 2 * taps * (kv_heads * size + hidden)
    if settings.kind != "qwen4_exp_text":
        return 0
    streams = settings.needed("hc_count")
    total = 2 * (_low_rank(settings, hidden) + streams * hidden * streams)
    if kind == FULL:
        index = settings.needed("indexer_head_dim")
        total += hidden * index * (settings.needed("indexer_n_heads") + settings.needed("indexer_kv_heads"))
    if at + 1 in (settings.sequence(HASHED) or []):
        wide = settings.number("ple_embed_dim") or hidden
        total += wide * hidden * (streams + 1) + streams * hidden * settings.needed("ple_conv_kernel_size")
    return total


def _low_rank(settings: Settings, hidden: int) -> int:
    return 2 * settings.needed("hc_count") * hidden * settings.needed("hc_lowrank")


def _mixed_streams(settings: Settings, hidden: int) -> int:
    streams = settings.needed("hc_mult")
    return 2 * (2 + streams) * streams * streams * hidden


def _pooled_keys(settings: Settings, hidden: int) -> int:
    return settings.needed("index_head_dim") * (hidden + settings.needed("index_kpool"))


def _inkling_heads(settings: Settings, *, local: bool) -> tuple[int, int, int]:
    names = ("num_attention_heads", "num_key_value_heads", "head_dim")
    one, two, size = (settings.number(f"swa_{name}" if local else name) or settings.needed(name) for name in names)
    return one, two, size


def beside_layers(settings: Settings, hidden: int) -> int:
    """Parameters of tables and of what follows the last layer."""
    if settings.kind == "zamba2":
        for name in ("lora_rank", "hybrid_layer_ids", "use_shared_attention_lora", "mamba_headdim"):
            settings.given(name)  # what older files call the same, or what follows from other numbers
        return zamba2_blocks(settings, hidden)
    if settings.kind == "longcat_flash" and settings.value("ngram_vocab_size_ratio") is not None:
        words = settings.needed("ngram_vocab_size_ratio") * settings.needed("vocab_size")
        return words * hidden + hidden * hidden  # one table, cut up among groups of words, and a matrix for each part
    if settings.kind in ("molmo", "molmo2_text"):  # marks of pictures that are no words
        return (settings.number("additional_vocab_size") or 128) * hidden
    if settings.kind != "qwen4_exp_text":
        return 0
    for name in ("ngram_size", "heads_per_ngram", "split_ngram_parts", "make_ngram_vocab_size_divisible_by"):
        settings.given(name)  # how the table is cut and looked up
    # Each head has as many rows as the next prime above this number, and an equal share of the width.
    table = settings.needed("ngram_vocab_size_base") * (settings.number("ple_embed_dim") or hidden)
    return len(settings.sequence(HASHED) or []) * table + _low_rank(settings, hidden)


def kept_beside(settings: Settings, kinds: list[str], hidden: int) -> list[Cache]:
    """What layers keep beside keys and values."""
    full = kinds.count(FULL)
    if settings.kind == "qwen4_exp_text" and full:
        ratio = settings.needed("indexer_compress_ratio")
        settings.needed("indexer_budget")
        return [Cache(layers=full, bytes=2 * settings.needed("indexer_head_dim") / ratio, heads=0, fixed=True)]
    if settings.kind == "iquestloopcoder":
        again = settings.needed("loop_num") - 1  # a layer is passed as often, and sees a window but for the first time
        size = settings.number("head_dim") or hidden // settings.needed("num_attention_heads")
        heads = settings.number("num_key_value_heads") or settings.needed("num_attention_heads")
        window = settings.needed("loop_window_size")
        return [Cache(layers=full * again, bytes=4 * heads * size, heads=heads, window=window)] if again else []
    if settings.kind != "inkling_text":
        return []
    taps, rows = settings.needed("conv_kernel_size"), []
    for local, count in ((False, full), (True, kinds.count(WINDOW))):
        _, kv_heads, size = _inkling_heads(settings, local=local)
        packed = 1 << (2 * size + 2 * (hidden // kv_heads) - 1).bit_length()
        rows += [Cache(layers=count, bytes=2 * kv_heads * packed, heads=kv_heads, window=taps)] if count else []
    return rows


def state_beside(settings: Settings, hidden: int) -> tuple[int, int]:
    """Numbers that a request keeps in layers with a table of word groups, and how many these layers are."""
    if settings.kind != "qwen4_exp_text":
        return 0, 0
    count = len(settings.sequence(HASHED) or [])
    if not count:
        return 0, 0
    taps = (settings.needed("ple_conv_kernel_size") - 1) * settings.needed("ngram_size")
    return count * taps * settings.needed("hc_count") * hidden, count
