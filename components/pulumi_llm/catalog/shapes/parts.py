"""The parts of a layer: attention of each kind, feed-forward parts, experts.

Parameters are matrices and, where they weigh, biases; norms are left out (under 0.1 % in all classes).
Formulas are those of transformers 5.19.0 (``models/*/modeling_*.py``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from pulumi_llm._dataclasses import dataclass
from pulumi_llm.catalog.shapes import newer
from pulumi_llm.catalog.shapes.layers import CHUNK, ENCODERS, FULL, WINDOW, blocks, indexed
from pulumi_llm.catalog.shapes.settings import Settings, is_size

TWO_MATRICES = frozenset(
    [
        "apertus",
        "arcee",
        "bert",
        "bloom",
        "falcon",
        "fuyu",
        "gpt2",
        "gpt-sw3",
        "gpt_bigcode",
        "gpt_neox",
        "gptj",
        "jais2",
        "nemotron",
        "nemotron_h",
        "opt",
        "persimmon",
        "phi",
        "roberta",
        "starcoder2",
        "xlm-roberta",
    ]
)
"""Classes whose feed-forward part has no gate: two matrices in place of three."""

FOUR_TIMES = frozenset({"bloom", "falcon", "gpt2", "gpt-sw3", "gpt_bigcode", "gptj", "zamba2"})
"""Classes whose feed-forward part is four times as wide as the model, where the file does not say."""

OF_EXPERTS = re.compile("expert|moe")
"""Settings of experts, which some files give for models that have none."""

GATED_QUERIES = frozenset({"qwen3_next", "qwen3_5_text", "qwen3_5_moe_text", "qwen4_exp_text"})
"""Classes in which each query head brings a gate of its own size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Widths:
    """The numbers that most parts share."""

    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    value_dim: int
    vocab: int
    intermediate: int
    experts: int
    expert_width: int
    latent: bool
    indexed: frozenset[int]
    """The layers that have an index for sparse attention."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """One layer of attention: its parameters, and what it keeps for each token.

    ``key_parameters`` are those of keys and values among them, ``out_parameters`` those of its last matrix.
    """

    parameters: int
    key_parameters: int
    out_parameters: int
    bytes: float
    heads: int
    window: int | None


def widths(settings: Settings) -> Widths:
    """Reads them, with what transformers takes where one is left out."""
    hidden = settings.needed("hidden_size")
    if settings.kind == "inkling_text" and settings.given("dense_intermediate_size") is not None:
        settings.given("intermediate_size")  # what its own files call the width of an expert
    attentionless = settings.kind in ("mamba", "mamba2", "falcon_mamba")
    heads = settings.number("num_attention_heads") if not attentionless else None
    heads = heads or (1 if attentionless else settings.needed("num_attention_heads"))
    head_dim = settings.number("head_dim") or hidden // heads
    experts = settings.alone("num_experts") or 0
    if experts == 1 and settings.kind == "hunyuan_v1_dense":
        experts = 0
        settings.pass_over(OF_EXPERTS)
    wide = settings.number("intermediate_size")
    # Cohere's experts are as wide as it says of all layers, and dense ones before them have a width of their own.
    expert_width = wide if settings.kind == "cohere2_moe" else settings.number("moe_intermediate_size") or wide
    if settings.kind.startswith("gemma4") and experts and settings.given("enable_moe_block") is False:
        # vllm 0.32.0 goes by the number of experts (models/gemma4.py), transformers 5.19.0 by this.
        settings.refuse("enable_moe_block", False)
    if settings.kind in ("hy_v3", "hy_v4") and settings.number("expert_hidden_dim") not in (None, expert_width):
        # vllm 0.32.0 builds experts as wide as this says (models/hy_v3.py), transformers 5.19.0 as the other.
        settings.refuse("expert_hidden_dim", settings.given("expert_hidden_dim"))
    if wide is None and settings.kind in FOUR_TIMES:
        wide = 4 * hidden
    elif wide is None and not attentionless:
        wide = expert_width if experts else settings.needed("intermediate_size")
    return Widths(
        hidden=hidden,
        heads=heads,
        kv_heads=_kv_heads(settings, heads),
        head_dim=head_dim,
        value_dim=settings.number("v_head_dim") or head_dim,
        vocab=settings.needed("vocab_size"),
        intermediate=wide or 0,
        experts=experts,
        expert_width=expert_width or 0,
        latent=settings.number("kv_lora_rank") is not None,
        indexed=_indexed(settings),
    )


def _indexed(settings: Settings) -> frozenset[int]:
    layers = settings.number("num_hidden_layers")
    if not layers or settings.number("index_topk") is None or settings.number("index_head_dim") is None:
        return frozenset()
    return frozenset(at for at, own in enumerate(indexed(settings, layers)) if own)


def _kv_heads(settings: Settings, heads: int) -> int:
    if settings.kind == "falcon":
        if settings.flag("new_decoder_architecture"):
            return settings.number("num_kv_heads") or heads
        return 1 if settings.flag("multi_query") else heads
    if settings.kind == "gpt_bigcode":
        return 1 if settings.flag("multi_query") else heads
    if settings.value("multi_query_attention") is True:
        return settings.number("multi_query_group_num") or 1
    return settings.number("num_key_value_heads") or heads


def attention(settings: Settings, of: Widths, kind: str, at: int) -> Attention:
    """One layer of attention. A windowed layer may have heads of its own number and size."""
    window = settings.needed("sliding_window") if kind == WINDOW else None
    window = settings.needed("attention_chunk_size") if kind == CHUNK else window
    if window and settings.kind == "gemma3_text" and settings.flag("use_bidirectional_attention"):
        window = window // 2 + 1  # half of it to either side: transformers 5.19.0, Gemma3TextConfig
    if settings.kind in OF_ITS_OWN:
        total, out, kept = OF_ITS_OWN[settings.kind](settings, of)
        heads = 1 if settings.kind == "step3_text" else of.heads
        return Attention(parameters=total, key_parameters=0, out_parameters=out, bytes=kept, heads=heads, window=window)
    if of.latent:
        return _latent(settings, of, window, indexes=at in of.indexed)
    heads, kv_heads, key, value = of.heads, of.kv_heads, of.head_dim, of.value_dim
    if settings.kind.startswith("gemma4") and kind == FULL:
        key = value = settings.number("global_head_dim") or 512
        if settings.flag("attention_k_eq_v"):
            kv_heads = settings.number("num_global_key_value_heads") or kv_heads
    if kind == WINDOW:
        heads = settings.number("swa_num_attention_heads") or settings.number("num_sliding_attention_heads") or heads
        doubled = 2 if settings.kind == "mimo_v2_flash" else 1
        kv_heads = settings.number("swa_num_key_value_heads") or kv_heads * doubled
        key = settings.number("swa_head_dim") or key
        value = settings.number("swa_v_head_dim") or settings.number("swa_head_dim") or value
        heads, kv_heads, key, value = _otherwise(settings, heads, kv_heads, key, value)
    listed = settings.sequence("num_attention_heads_per_layer")
    if listed is not None:
        each = listed[at] if at < len(listed) else None
        heads = each if is_size(each) else settings.refuse("num_attention_heads_per_layer", each)
    queries = of.hidden * heads * key * (2 if settings.kind in GATED_QUERIES else 1)
    one_of_both = settings.kind.startswith("gemma4") and kind == FULL and settings.flag("attention_k_eq_v")
    keys = of.hidden * kv_heads * (key if one_of_both else key + value)
    total = queries + keys + heads * value * of.hidden + _gates(settings, of, heads, value)
    return Attention(
        parameters=total,
        key_parameters=keys,
        out_parameters=heads * value * of.hidden,
        bytes=kv_heads * (key + value) * 2,
        heads=kv_heads,
        window=window,
    )


OF_ITS_OWN: Mapping[str, Callable[[Settings, Widths], tuple[int, int, int]]] = {
    "step3_text": lambda settings, of: newer.step3_attention(settings, of.hidden, of.heads, of.head_dim),
    "zamba2": lambda settings, of: newer.zamba2_attention(settings, of.hidden, of.heads),
}
"""Classes with attention of their own: its parameters, those of its last matrix, and bytes per token."""


def _otherwise(settings: Settings, heads: int, kv_heads: int, key: int, value: int) -> tuple[int, int, int, int]:
    """Heads and sizes of layers with a window where Step writes them apart."""
    given = settings.mapping("attention_other_setting")
    known = {"num_attention_heads", "num_attention_groups", "head_dim", "attention_type", "true_head_dim"}
    for name in given.keys() - known:
        settings.refuse(f"attention_other_setting.{name}", given[name])
    named = [given.get(name) for name in ("num_attention_heads", "num_attention_groups", "head_dim")]
    if any(each is not None and not is_size(each) for each in named):
        settings.refuse("attention_other_setting", dict(given))
    one, two, size = (each if is_size(each) else None for each in named)
    return one or heads, two or kv_heads, size or key, size or value


def _gates(settings: Settings, of: Widths, heads: int, value: int) -> int:
    """A projection beside the queries that gates what attention gives."""
    gating = settings.value("gating") if settings.kind == "laguna" else None
    if gating not in (None, True, "per-head", "per-element"):
        # vllm 0.32.0 makes no gate of false (models/laguna.py), and transformers 5.19.0 one for each number.
        settings.refuse("gating", gating)
    if settings.kind in ("afmoe", "muse_glimmer_text") or gating == "per-element":
        return of.hidden * heads * value
    if gating is not None or (settings.kind == "step3p5" and settings.given("use_head_wise_attn_gate") is not False):
        return of.hidden * heads
    return 0


def _latent(settings: Settings, of: Widths, window: int | None, *, indexes: bool) -> Attention:
    """Multi-head latent attention, with the indexer of sparse attention where there is one."""
    rank, rope = settings.needed("kv_lora_rank"), settings.needed("qk_rope_head_dim", low=0)
    nope, value = settings.needed("qk_nope_head_dim"), settings.number("v_head_dim") or of.hidden // of.heads
    low = settings.number("q_lora_rank")
    query = of.heads * (nope + rope)
    total = of.hidden * query if low is None else low * (of.hidden + query)
    if settings.flag("mla_use_output_gate") or settings.kind == "hy_v4":
        total += of.hidden * of.heads * value
    if settings.kind == "hy_v4":  # copies of what passes, mixed before attention and before the rest
        copies = settings.number("hc_mult") or 1
        total += 4 * copies * copies * of.hidden
    gated = settings.value("gated_attention_proj_granularity_type")
    if gated is not None:
        each = {"head_wise": 1, "element_wise": value}.get(str(gated))
        total += of.hidden * of.heads * (each or settings.refuse("gated_attention_proj_granularity_type", gated))
    total += of.hidden * (rank + rope) + rank * of.heads * (nope + value) + of.heads * value * of.hidden
    index_heads, index_dim = settings.number("index_n_heads"), settings.number("index_head_dim")
    if index_heads and index_dim and indexes:
        total += (low or of.hidden) * index_heads * index_dim + of.hidden * (index_dim + index_heads)
    # vLLM keeps the keys and values of this one whole (model_executor/models/minicpm3.py)
    whole = settings.kind == "minicpm3"
    return Attention(
        parameters=total,
        key_parameters=0,
        out_parameters=of.heads * value * of.hidden,
        bytes=of.heads * (nope + rope) * 4 if whole else (rank + rope) * 2,
        heads=of.heads if whole else 0,
        window=window,
    )


def has_feed_forward(settings: Settings, kind: str, at: int) -> bool:
    """Whether a layer has a feed-forward part: Nemotron-H and Mamba have none beside the mixer."""
    if settings.kind == "nemotron_h":
        return blocks(settings)[at] in ("E", "-", "moe", "mlp")
    if settings.kind == "falcon_h1":
        settings.given("mamba_use_mlp")  # vllm 0.32.0 and transformers 5.19.0 leave it aside
    return settings.kind not in ("mamba", "mamba2", "falcon_mamba", "zamba2")


def dense_beside_experts(settings: Settings) -> bool:
    """Whether a layer of experts has a dense part too (Gemma 4, LongCat)."""
    return settings.kind.startswith("gemma4") or settings.kind == "longcat_flash"


def experts(settings: Settings, of: Widths) -> tuple[int, int]:
    """Parameters of all routed experts of a layer, and those of the router and of what every token passes."""
    matrices = 2 if settings.kind in TWO_MATRICES else 3
    inside = settings.number("moe_latent_size") or settings.number("routed_expert_hidden_size") or of.hidden
    routed = of.experts * matrices * inside * of.expert_width
    beside = of.hidden * (of.experts + _scored_shared(settings)) + (
        0 if inside == of.hidden else 2 * of.hidden * inside
    )
    pictures = settings.number("moe_intermediate_size_of_pictures")
    if pictures is not None:  # ERNIE-VL: as many experts again, of another width, and their router
        count = settings.number("moe_num_experts_of_pictures") or of.experts
        routed += count * matrices * of.hidden * pictures
        beside += of.hidden * count
    return routed, beside + matrices * of.hidden * _shared_width(settings, of)


def _scored_shared(settings: Settings) -> int:
    """Experts that every token passes and that the router scores all the same."""
    return settings.number("num_shared_experts") or 0 if settings.kind == "inkling_text" else 0


def _shared_width(settings: Settings, of: Widths) -> int:
    """The width of what every token passes beside its experts."""
    count = settings.number("num_shared_experts")
    width = settings.number("moe_shared_expert_intermediate_size")  # of each
    if width is not None:
        return width * (1 if count is None else count)
    for name in ("shared_expert_intermediate_size", "shared_intermediate_size", "share_expert_dim"):  # of all
        width = settings.number(name)
        if width is not None:
            return width
    if settings.kind == "llama4_text":
        return of.expert_width
    if count is None:
        count = 1 if settings.kind == "hunyuan_v1_moe" else 0
    return count * of.expert_width


def dense(settings: Settings, of: Widths, at: int, *, shares_keys: bool) -> int:
    """Parameters of a dense feed-forward part."""
    matrices = 2 if settings.kind in TWO_MATRICES else 3
    width = of.intermediate
    if settings.kind == "lfm2" and settings.flag("block_auto_adjust_ff_dim"):
        width = int(2 * width / 3)
        multiple = settings.number("block_multiple_of") or 256
        width = multiple * -(-width // multiple)
    if settings.kind == "granitemoehybrid":  # what every token passes is all that there is without experts
        width = settings.number("shared_intermediate_size") or width
    if settings.kind == "cohere2_moe":
        width = settings.number("prefix_dense_intermediate_size") or width
    if settings.kind == "molmo":  # the file gives gate and rest together
        width //= 2
    if settings.kind == "llama4_text":
        width = settings.number("intermediate_size_mlp") or width
    if settings.kind in ("minimax_m3_vl_text", "inkling_text"):
        width = settings.number("dense_intermediate_size") or width
    if settings.flag("use_double_wide_mlp") and shares_keys:
        width *= 2
    bias = (width + of.hidden) if settings.kind in TWO_MATRICES else 0
    return matrices * of.hidden * width + bias


def extras(settings: Settings, of: Widths, layers: int) -> int:
    """What stands beside the layers: positions that are learnt, and embeddings per layer."""
    total = newer.beside_layers(settings, of.hidden)
    if settings.kind in ("gpt2", "gpt_bigcode", "opt", "gpt-sw3", *ENCODERS):
        total += (settings.number("max_position_embeddings") or settings.number("n_positions") or 0) * of.hidden
    if settings.kind in ENCODERS:  # what kind of text a word stands in, and a matrix after the last layer
        total += (settings.number("type_vocab_size") or 0) * of.hidden + of.hidden * of.hidden
    words_width = settings.number("word_embed_proj_dim")
    if words_width and words_width != of.hidden:  # OPT-350M: narrower words, and a matrix on either side
        total += of.vocab * (words_width - of.hidden) + 2 * words_width * of.hidden
    streams = settings.number("altup_num_inputs")
    if streams:  # Gemma 3n: alternating updates, and a low-rank path beside attention
        total += 2 * (streams - 1) * of.hidden**2 + layers * 2 * of.hidden * (settings.number("laurel_rank") or 0)
    per_layer, words = settings.number("hidden_size_per_layer_input"), settings.number("vocab_size_per_layer_input")
    if per_layer:
        words = words or of.vocab
        total += words * layers * per_layer + of.hidden * layers * per_layer + layers * 2 * of.hidden * per_layer
    return total
