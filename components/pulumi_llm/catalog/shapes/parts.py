"""The parts of a layer: attention of each kind, layers that keep a state, feed-forward parts, experts.

Parameters are matrices and, where they weigh, biases; norms are left out (under 0.1 % in all classes).
Formulas are those of transformers 5.19.0 (``models/*/modeling_*.py``) and vLLM 0.32.0 (``mamba_utils.py``).
"""

from __future__ import annotations

import re

from pulumi_llm._dataclasses import dataclass
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

FOUR_TIMES = frozenset({"bloom", "falcon", "gpt2", "gpt-sw3", "gpt_bigcode", "gptj"})
"""Classes whose feed-forward part is four times as wide as the model, where the file does not say."""

OF_EXPERTS = re.compile("expert|moe")
"""Settings of experts, which some files give for models that have none."""

GATED_QUERIES = frozenset({"qwen3_next", "qwen3_5_text", "qwen3_5_moe_text"})
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
    attentionless = settings.kind in ("mamba", "mamba2", "falcon_mamba")
    heads = settings.number("num_attention_heads") if not attentionless else None
    heads = heads or (1 if attentionless else settings.needed("num_attention_heads"))
    head_dim = settings.number("head_dim") or hidden // heads
    experts = settings.alone("num_experts") or 0
    if experts == 1 and settings.kind == "hunyuan_v1_dense":
        experts = 0
        settings.pass_over(OF_EXPERTS)
    wide = settings.number("intermediate_size")
    expert_width = settings.number("moe_intermediate_size") or wide
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
        new = settings.flag("new_decoder_architecture")
        return (settings.number("num_kv_heads") or heads) if new or not settings.flag("multi_query") else 1
    if settings.kind == "gpt_bigcode":
        return 1 if settings.flag("multi_query") else heads
    if settings.value("multi_query_attention") is True:
        return settings.number("multi_query_group_num") or 1
    return settings.number("num_key_value_heads") or heads


def attention(settings: Settings, of: Widths, kind: str, at: int) -> Attention:
    """One layer of attention. A windowed layer may have heads of its own number and size."""
    window = settings.needed("sliding_window") if kind == WINDOW else None
    window = settings.needed("attention_chunk_size") if kind == CHUNK else window
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
    if settings.kind in ("afmoe", "muse_glimmer_text"):
        return of.hidden * heads * value
    if settings.kind == "laguna" or (
        settings.kind == "step3p5" and settings.given("use_head_wise_attn_gate") is not False
    ):
        return of.hidden * heads
    return 0


def _latent(settings: Settings, of: Widths, window: int | None, *, indexes: bool) -> Attention:
    """Multi-head latent attention, with the indexer of sparse attention where there is one."""
    rank, rope = settings.needed("kv_lora_rank"), settings.needed("qk_rope_head_dim")
    nope, value = settings.needed("qk_nope_head_dim"), settings.number("v_head_dim") or of.hidden // of.heads
    low = settings.number("q_lora_rank")
    query = of.heads * (nope + rope)
    total = of.hidden * query if low is None else low * (of.hidden + query)
    if settings.flag("mla_use_output_gate") or settings.kind == "hy_v4":
        total += of.hidden * of.heads * value
    if settings.kind == "hy_v4":  # copies of what passes, mixed before attention and before the rest
        copies = settings.number("hc_mult") or 1
        total += 4 * copies * copies * of.hidden
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


def stateful(settings: Settings, of: Widths, kind: str) -> tuple[int, int]:
    """Parameters of one layer that keeps a state, and the bytes of that state for one request."""
    if kind == "delta":
        return _delta(settings, of)
    if kind == "kda":
        return _kda(settings, of)
    if kind == "mamba":
        return _mamba(settings, of)
    if kind == "mamba2":
        return _mamba2(settings, of)
    if kind == "conv":
        taps = settings.needed("conv_L_cache")
        for name in ("conv_dim", "conv_dim_out"):
            if settings.number(name) not in (None, of.hidden):
                settings.refuse(name, settings.value(name))
        return of.hidden * (4 * of.hidden + taps), of.hidden * (taps - 1) * 2
    if kind == "lightning":
        width = of.heads * of.head_dim
        return of.hidden * width * 5, of.heads * of.head_dim * of.head_dim * 4
    return settings.refuse("layer_types", kind)


def _state_size(settings: Settings) -> int:
    """Bytes per number of the recurrent state: 4 unless the file names a shorter one.

    vLLM keeps some states in 32 bit whatever is said (KDA, Nemotron-H, Qwen3.5) and others in the model's own 16 bit on
    a GPU; 32 bit is the upper bound of these.
    """
    named = settings.value("mamba_ssm_cache_dtype") or settings.value("mamba_ssm_dtype")
    return 2 if named in ("bfloat16", "float16") else 4


def _delta(settings: Settings, of: Widths) -> tuple[int, int]:
    heads_k = settings.number("linear_num_key_heads") or of.heads
    heads_v = settings.number("linear_num_value_heads") or of.heads
    key = settings.number("linear_key_head_dim") or int(0.75 * of.hidden / heads_k)
    value = settings.number("linear_value_head_dim") or 2 * key
    taps = settings.needed("linear_conv_kernel_dim")
    keys, values = heads_k * key, heads_v * value
    width = 2 * keys + values
    total = of.hidden * (2 * keys + 2 * values + 2 * heads_v) + width * taps + values * of.hidden
    return total, width * (taps - 1) * 2 + heads_v * key * value * _state_size(settings)


def _kda(settings: Settings, of: Widths) -> tuple[int, int]:
    given = settings.mapping("linear_attn_config")
    heads, size = given.get("num_heads"), given.get("head_dim")
    taps = given.get("short_conv_kernel_size", settings.number("linear_conv_kernel_dim"))
    heads = heads if heads is not None else settings.number("linear_num_heads")
    size = size if size is not None else settings.number("linear_head_dim")
    if not is_size(heads) or not is_size(size) or not is_size(taps):
        return settings.refuse("linear_attn_config", dict(given))
    width = heads * size
    total = of.hidden * (4 * width + heads + 2 * size) + 2 * size * width + 3 * width * taps
    if given.get("use_full_rank_gate") is True:  # Kimi K3: one matrix in place of two of low rank
        total += of.hidden * width - of.hidden * size - size * width
    return total, 3 * width * (taps - 1) * 2 + heads * size * size * 4


def _mamba(settings: Settings, of: Widths) -> tuple[int, int]:
    expand = settings.number("mamba_expand") or settings.number("expand") or 2
    inner = settings.number("intermediate_size") if settings.kind in ("mamba", "falcon_mamba") else None
    inner = inner or expand * of.hidden
    state = settings.number("mamba_d_state") or settings.number("state_size") or 16
    taps = settings.number("mamba_d_conv") or settings.number("conv_kernel") or 4
    rank = settings.value("mamba_dt_rank") or settings.value("time_step_rank")
    rank = rank if is_size(rank) else -(-of.hidden // 16)  # "auto"
    total = of.hidden * 2 * inner + inner * (taps + rank + 2 * state + rank + state + 2) + inner * of.hidden
    return total, inner * (taps - 1) * 2 + inner * state * _state_size(settings)


def _mamba2(settings: Settings, of: Widths) -> tuple[int, int]:
    heads = _first(settings, "mamba_num_heads", "mamba_n_heads", "num_heads")
    expand = settings.number("mamba_expand") or settings.number("expand") or 2
    inner = settings.number("mamba_d_ssm") or expand * of.hidden
    auto = settings.value("mamba_d_head") in (None, "auto")
    size = settings.number("mamba_head_dim") or (inner // heads if auto else settings.needed("mamba_d_head"))
    groups = _first(settings, "n_groups", "mamba_n_groups")
    state = _first(settings, "ssm_state_size", "mamba_d_state", "state_size")
    taps = _first(settings, "conv_kernel", "mamba_d_conv")
    inner = settings.number("mamba_d_ssm") or heads * size
    width = inner + 2 * groups * state
    total = of.hidden * (inner + width + heads) + width * taps + inner * of.hidden
    return total, width * (taps - 1) * 2 + inner * state * _state_size(settings)


def _first(settings: Settings, *names: str) -> int:
    for name in names:
        value = settings.number(name, low=1)
        if value is not None:
            return value
    return settings.refuse(names[0])


def has_feed_forward(settings: Settings, kind: str, at: int) -> bool:
    """Whether a layer has a feed-forward part: Nemotron-H and Mamba have none beside the mixer."""
    if settings.kind == "nemotron_h":
        return blocks(settings)[at] in ("E", "-", "moe", "mlp")
    if settings.kind == "falcon_h1" and settings.given("mamba_use_mlp") is False:
        return False
    return settings.kind not in ("mamba", "mamba2", "falcon_mamba")


def dense_beside_experts(settings: Settings) -> bool:
    """Whether a layer of experts has a dense part too (Gemma 4, LongCat)."""
    return settings.kind.startswith("gemma4") or settings.kind == "longcat_flash"


def experts(settings: Settings, of: Widths) -> tuple[int, int]:
    """Parameters of all routed experts of a layer, and those of the router and of what every token passes."""
    matrices = 2 if settings.kind in TWO_MATRICES else 3
    inside = settings.number("moe_latent_size") or settings.number("routed_expert_hidden_size") or of.hidden
    routed = of.experts * matrices * inside * of.expert_width
    beside = of.hidden * of.experts + (0 if inside == of.hidden else 2 * of.hidden * inside)
    pictures = settings.number("moe_intermediate_size_of_pictures")
    if pictures is not None:  # ERNIE-VL: as many experts again, of another width, and their router
        count = settings.number("moe_num_experts_of_pictures") or of.experts
        routed += count * matrices * of.hidden * pictures
        beside += of.hidden * count
    return routed, beside + matrices * of.hidden * _shared_width(settings, of)


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
    if settings.kind == "llama4_text":
        width = settings.number("intermediate_size_mlp") or width
    if settings.kind in ("minimax_m3_vl_text",):
        width = settings.number("dense_intermediate_size") or width
    if settings.flag("use_double_wide_mlp") and shares_keys:
        width *= 2
    bias = (width + of.hidden) if settings.kind in TWO_MATRICES else 0
    return matrices * of.hidden * width + bias


def extras(settings: Settings, of: Widths, layers: int) -> int:
    """What stands beside the layers: positions that are learnt, and embeddings per layer."""
    total = 0
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
