"""What kind each layer is: what it attends to, and whether its feed-forward part is one or many experts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

from pulumi_llm.catalog.shapes.both_ways import sees_all
from pulumi_llm.catalog.shapes.settings import Settings, UnknownShapeError

Each = TypeVar("Each")

FULL, WINDOW, CHUNK = "full", "window", "chunk"
BOTH = "both"  # attention and mamba2 side by side, as in Falcon-H1
ENCODER = "encoder"  # it sees all of a text at once, and keeps nothing
NOTHING = "nothing"  # a layer that has a feed-forward part alone

NAMES: Mapping[str, str] = {
    "full_attention": FULL,
    "attention": FULL,
    "global_attention": FULL,
    "indexed_attention": FULL,
    "deepseek_sparse_attention": FULL,
    "minimax_m3_sparse": FULL,
    "qwen_sparse_attention": FULL,
    "full": FULL,
    "sliding_attention": WINDOW,
    "local_attention": WINDOW,
    "swa": WINDOW,
    "sliding_window": WINDOW,
    "chunked_attention": CHUNK,
    "conv": "conv",
    "mamba": "mamba2",
    "mamba2": "mamba2",
    "hybrid": BOTH,
}
"""How classes write the kind of a layer in ``layer_types``. What ``linear_attention`` is depends on the class."""

PERIODS: Mapping[str, int] = {
    "cohere2": 4,
    "cohere2_moe": 4,
    "exaone4": 4,
    "exaone_moe": 4,
    "olmo3": 4,
    "gemma2": 2,
    "vaultgemma": 2,
    "gpt_oss": 2,
    "gemma3_text": 6,
    "gemma3n_text": 5,
    "gemma4_text": 6,
    "gemma4_unified_text": 6,
    "afmoe": 4,
}
"""Classes in which each so-many-th layer sees everything and the others a window, where the file does not say.

transformers 5.19.0, ``__post_init__`` of each class's configuration (read 2026-11-28).
"""

ENCODERS = frozenset({"bert", "roberta", "xlm-roberta"})
"""Classes that write no text: vllm 0.32.0 gives their layers no cache (EncoderOnlyAttentionSpec)."""

SWITCHED = frozenset(
    {"qwen2", "qwen2_moe", "qwen3", "qwen3_moe", "dots1", "qwen2_vl_text", "qwen2_5_vl_text", "qwen2_5_omni_text"}
)
"""Classes whose window holds only with ``use_sliding_window``, and from layer ``max_window_layers`` on."""

ALL_OR_NONE = frozenset({"qwen2", "qwen3", "qwen2_vl_text", "qwen2_5_vl_text", "qwen2_5_omni_text"})
"""Those of which vLLM stops at the start where some layers have a window and others have none.

vllm 0.32.0, model_executor/models/qwen2.py: "Sliding window for some but all layers is not supported" (run 2026-11-29).
"""

WITHOUT_WINDOWS = frozenset({"falcon", "minimax_m3_vl_text", "qwen2_moe"})
"""Classes whose layers keep everything in vllm 0.32.0, whatever window the file gives (asked on 2026-11-28)."""

LINEAR: Mapping[str, str] = {
    "qwen3_next": "delta",
    "qwen3_5_text": "delta",
    "qwen3_5_moe_text": "delta",
    "qwen4_exp_text": "delta",
    "glm5_next_text": "kda",
    "zamba2": "mamba2",
    "olmo_hybrid": "delta",
    "minimax": "lightning",
    "kimi_linear": "kda",
    "jamba": "mamba",
    "bamba": "mamba2",
    "granitemoehybrid": "mamba2",
    "nemotron_h": "mamba2",
}
"""What ``linear_attention`` stands for in ``layer_types``, by class (transformers 5.19.0)."""


PATTERNS = (
    *("use_sliding_window", "sliding_window", "sliding_window_pattern", "_sliding_window_pattern", "max_window_layers"),
    *("hybrid_layer_pattern", "hybrid_override_pattern", "layer_types", "layers_block_type", "attention_chunk_size"),
)
"""Settings that say which layers see a window, of which a class reads the one that it knows."""

SAID_AGAIN = ("interleaved_sliding_window", "window_size")
"""The same in other words, where a list says the kind of each layer (Plamo)."""

OF_STATES = re.compile("^(mamba|ssm|conv|linear)_")
"""Settings of layers that keep a state, which some files give for models that have none (Granite 4 Micro)."""

DENSE = (
    *("mlp_layer_types", "moe_layer_freq", "moe_layers", "moe_layers_enum", "interleave_moe_layer_step"),
    *("expert_layer_period", "expert_layer_offset", "decoder_sparse_step", "first_k_dense_replace"),
    *("moe_layer_end_index", "moe_layer_interval", "enable_moe_block", "is_moe_layer", "first_last_k_dense_replace"),
    *("moe_layer_num_skipped", "moe_layer_end_index_of_pictures", "moe_layer_start_index_of_pictures"),
)
"""Settings that say which layers have experts, of which a class reads the one that it knows."""

ONE_DENSE = frozenset({"mimo_v2_flash", "hy_v3", "hy_v4", "glm4_moe_lite", "laguna", "ernie4_5_vl_moe_text"})
"""Classes whose first layer alone is dense where the file does not say (``mlp_layer_types``)."""


THREE_DENSE = frozenset({"step3p5", "glm5_next_text"})
"""Classes whose first three layers are dense where the file does not say."""


def mixers(settings: Settings, layers: int) -> list[str]:
    """One kind per layer, from whatever of the file or its class tells it. Raises UnknownShapeError for others."""
    given = _listed(settings, layers)
    listed = given is not None
    if given is None:
        given = _by_class(settings, layers)
    for name in (*PATTERNS, *(SAID_AGAIN if listed else ())):  # said again by the list, or by the class
        settings.given(name)
    if listed and not set(given) - {FULL, WINDOW, CHUNK}:
        settings.pass_over(OF_STATES)
    if settings.kind.startswith("gemma4") and given:
        given[-1] = FULL  # transformers forces it
    if settings.kind not in ENCODERS and sees_all(settings):
        given = [ENCODER if each in (FULL, WINDOW, CHUNK) else each for each in given]
    if settings.kind == "nemotron_h" and settings.number("sliding_window"):
        # vllm 0.32.0, model_executor/models/nemotron_h.py: each layer of attention has it; transformers knows none.
        given = [WINDOW if each == FULL else each for each in given]
    return given


def _listed(settings: Settings, layers: int) -> list[str] | None:
    pattern = settings.value("hybrid_override_pattern")
    if isinstance(pattern, str):
        marks = {"M": "mamba2", "*": FULL, "E": NOTHING, "-": NOTHING}
        if set(pattern) - marks.keys():
            settings.refuse("hybrid_override_pattern", pattern)
        return _of_length([marks[each] for each in pattern], layers, "hybrid_override_pattern")
    for name in ("layer_types", "layers_block_type", "block_types"):
        kinds = settings.sequence(name)
        if kinds is not None:
            return _of_length([_kind(settings, name, each) for each in kinds], layers, name)
    marks_given = settings.sequence("hybrid_layer_pattern")
    if marks_given is not None:
        return _of_length([WINDOW if each == 1 else FULL for each in marks_given], layers, "hybrid_layer_pattern")
    return None


def _kind(settings: Settings, name: str, text: object) -> str:
    if text == "linear_attention" and settings.kind in LINEAR:
        return LINEAR[settings.kind]
    if settings.kind == "inkling_text" and text in ("hybrid", "hybrid_sliding"):
        return FULL if text == "hybrid" else WINDOW
    if text in ("moe", "mlp"):  # Nemotron-H's list of blocks
        return NOTHING
    if text == "mamba" and settings.kind == "jamba":
        return "mamba"
    if isinstance(text, str) and text in NAMES:
        return NAMES[text]
    return settings.refuse(name, text)


def _of_length(kinds: list[Each], layers: int, name: str) -> list[Each]:
    if len(kinds) < layers:
        raise UnknownShapeError(name, f"{len(kinds)} entries for {layers} layers")
    return kinds[:layers]


def _by_class(settings: Settings, layers: int) -> list[str]:
    kind, every = settings.kind, range(layers)
    if kind in ENCODERS:
        return [ENCODER] * layers
    if kind in ("qwen3_next", "qwen3_5_text", "qwen3_5_moe_text", "qwen4_exp_text", "olmo_hybrid", "glm5_next_text"):
        interval = settings.number("full_attention_interval") or 4
        if kind == "olmo_hybrid" and layers < interval:
            return [LINEAR[kind]] * (layers - 1) + [FULL]
        return [FULL if (at + 1) % interval == 0 else LINEAR[kind] for at in every]
    if kind == "kimi_linear":
        given = settings.mapping("linear_attn_config").get("full_attn_layers")
        if not isinstance(given, list):
            settings.refuse("linear_attn_config", given)
        return [FULL if at + 1 in given else "kda" for at in every]
    if kind == "jamba":
        period, offset = settings.needed("attn_layer_period"), settings.needed("attn_layer_offset", low=0)
        return [FULL if at % period == offset else "mamba" for at in every]
    if kind in ("mamba", "falcon_mamba"):
        return ["mamba"] * layers
    if kind == "mamba2":
        return ["mamba2"] * layers
    if kind == "falcon_h1":
        return [BOTH] * layers
    if kind == "lfm2":
        attending = settings.sequence("full_attn_idxs")
        return [FULL if attending is None or at in attending else "conv" for at in every]
    if kind == "minimax":
        return [FULL if (at + 1) % 2 else LINEAR[kind] for at in every]
    if kind == "cohere2_moe":
        return _after_dense_ones(settings, layers)
    if kind == "bailing_hybrid":
        return _in_groups(settings, layers)
    if kind == "inkling_text":
        local = settings.sequence("local_layer_ids")
        return [WINDOW if (at in local if local is not None else (at + 1) % 6) else FULL for at in every]
    if kind == "zamba2":
        at_first = {6, 12, 18, 24, 30, 36, 42, 47, 51}
        return (
            [BOTH if at in at_first else "mamba2" for at in every]
            if layers == 54
            else settings.refuse("layers_block_type")
        )
    if kind == "bamba":
        return [FULL if at in (settings.sequence("attn_layer_indices") or []) else "mamba2" for at in every]
    if kind == "granitemoehybrid":
        return ["mamba2"] * layers
    if kind == "llama4_text":
        rotated = settings.sequence("no_rope_layers")
        interval = settings.number("no_rope_layer_interval") or 4
        if rotated is None:  # absent or empty: every fourth layer sees everything
            rotated = [int((at + 1) % interval != 0) for at in every]
        return _of_length([CHUNK if each else FULL for each in rotated], layers, "no_rope_layers")
    if kind in ("cwm", "granite_swa", "granitemoe_swa"):
        return [FULL if at % 4 == 0 else WINDOW for at in every]
    if kind == "muse_glimmer_text":  # told from the last one on (vllm 0.32.0, configs/muse_glimmer.py)
        rotated = settings.sequence("no_rope_layers") or [(layers - 1 - at) % 4 for at in every]
        return _of_length([WINDOW if each else FULL for each in rotated], layers, "no_rope_layers")
    if kind in ("laguna", "mellum", "step3p5"):
        return [FULL] * layers
    if kind == "mimo_v2_flash":
        return [FULL if at == 0 or (at + 1) % 6 == 0 else WINDOW for at in every]
    return _windows(settings, layers)


def _after_dense_ones(settings: Settings, layers: int) -> list[str]:
    """Cohere 2 with experts: the pattern begins anew after the dense layers, which have one of their own.

    transformers 5.19.0, configuration_cohere2_moe.py, ``__post_init__`` (read 2026-11-28).
    """
    period, before = settings.needed("sliding_window_pattern"), settings.needed("prefix_dense_sliding_window_pattern")
    dense = settings.number("first_k_dense_replace") or 0
    ends = [(at + 1) % before if at < dense else (at - dense + 1) % period for at in range(layers)]
    return [WINDOW if each else FULL for each in ends]


def _in_groups(settings: Settings, layers: int) -> list[str]:
    """Ling 2.5 and 3: the last layer of each group sees everything; in the newer one those after the last group, too.

    vllm 0.32.0, model_executor/models/bailing_moe_linear.py and bailing_moe_v3.py (read 2026-11-28).
    """
    size = settings.needed("layer_group_size")
    if settings.value("short_conv_kernel_size") is None:
        return [FULL if (at + 1) % size == 0 else "lightning" for at in range(layers)]
    whole = layers // size * size
    return [FULL if (at + 1) % size == 0 or at >= whole else "kda" for at in range(layers)]


def _windows(settings: Settings, layers: int) -> list[str]:
    kind = settings.kind
    window = settings.number("sliding_window")
    period = settings.value("sliding_window_pattern") or settings.value("_sliding_window_pattern") or PERIODS.get(kind)
    period = settings.number("global_attn_every_n_layers") or period
    if not window:
        return [FULL] * layers
    if isinstance(period, str):  # EXAONE writes LLLG
        return [FULL if period[at % len(period)] == "G" else WINDOW for at in range(layers)]
    if kind in WITHOUT_WINDOWS or (settings.value("kv_lora_rank") and kind != "minicpm3"):
        return [FULL] * layers  # a latent cache has no window: vllm 0.32.0, MLAAttention.get_kv_cache_spec
    off = settings.given("use_sliding_window") is False if settings.like else not settings.flag("use_sliding_window")
    if off and (kind in SWITCHED or kind == "smollm3" or settings.like):
        return [FULL] * layers
    if kind in SWITCHED:
        first = settings.number("max_window_layers") or 0
        if kind in ALL_OR_NONE and 0 < first < layers:
            settings.refuse("max_window_layers", first)
        return [WINDOW if at >= first else FULL for at in range(layers)]
    if kind == "smollm3":  # configuration_smollm3.py: layers without rotary positions alone
        interval = settings.number("no_rope_layer_interval") or 4
        rotated = settings.sequence("no_rope_layers") or [int((at + 1) % interval != 0) for at in range(layers)]
        return _of_length([FULL if each else WINDOW for each in rotated], layers, "no_rope_layers")
    if isinstance(period, int) and not isinstance(period, bool) and period > 0:
        return [FULL if (at + 1) % period == 0 else WINDOW for at in range(layers)]
    return [WINDOW] * layers  # as in Mistral: vllm 0.32.0 takes the model's window for every layer


def blocks(settings: Settings) -> list[object]:
    """Nemotron-H's own list: each layer is one block, a mixer or a feed-forward part."""
    pattern = settings.value("hybrid_override_pattern")
    if isinstance(pattern, str):
        return list(pattern)
    return settings.sequence("layer_types") or settings.sequence("layers_block_type") or []


def indexed(settings: Settings, layers: int) -> list[bool]:
    """Whether each layer of sparse attention has an index of its own; the others use the one before them.

    vllm 0.32.0, model_executor/models/deepseek_v2.py (read 2026-11-28), and the class's own list where it has one. For
    GLM and DeepSeek V3.2 vLLM does not look at that list (seen on 2026-11-30): where it says something else than the
    settings that vLLM heeds, nothing is said.
    """
    kinds = settings.sequence("indexer_types")
    pattern = settings.value("index_topk_pattern")
    frequency, offset = settings.number("index_topk_freq") or 1, settings.number("index_skip_topk_offset")
    offset = 2 if offset is None else offset
    regular = [max(at - offset + 1, 0) % frequency == 0 for at in range(layers)]
    if kinds is None and isinstance(pattern, str):
        kinds = [{"F": "full", "S": "shared"}.get(each, each) for each in pattern]
    if kinds is not None:
        strange = [each for each in kinds if each not in ("full", "shared")]
        if strange:
            settings.refuse("indexer_types", strange[0])
        listed = _of_length([each == "full" for each in kinds], layers, "indexer_types")
        if settings.kind in ("glm_moe_dsa", "deepseek_v32") and pattern is None and listed != regular:
            settings.refuse("indexer_types", kinds)
        regular = listed
    elif settings.kind == "hy_v4":  # configuration_hy_v4.py
        regular = [at == 0 or (at - 1) % 4 == 0 for at in range(layers)]
    types = settings.sequence("layer_types")
    if settings.kind == "hy_v4" and types:  # hy_v4/nvidia/attention.py: layers of these names, and no others
        named = [bool(re.search("sparse|indexed", str(each))) for each in types]
        regular = [own and each for own, each in zip(regular, named, strict=False)]
    return regular


def experts_at(settings: Settings, layers: int, kinds: list[str]) -> list[bool]:
    """Whether each layer's feed-forward part is made of experts, where the model has any."""
    every = range(layers)
    for name in DENSE:  # what is not read below says the same again
        settings.given(name)
    if settings.kind == "nemotron_h":
        return [mark in ("E", "moe") for mark in blocks(settings)]
    listed = settings.sequence("mlp_layer_types")
    if listed is not None:
        strange = [each for each in listed if each not in ("dense", "sparse", "moe", "hash_moe")]
        if strange:
            settings.refuse("mlp_layer_types", strange[0])
        return _of_length([each != "dense" for each in listed], layers, "mlp_layer_types")
    marked = settings.sequence("is_moe_layer")
    if marked is not None:
        return _of_length([bool(each) for each in marked], layers, "is_moe_layer")
    frequency = settings.value("moe_layer_freq")
    if isinstance(frequency, list):
        return _of_length([bool(each) for each in frequency], layers, "moe_layer_freq")
    named = settings.sequence("moe_layers") or settings.value("moe_layers_enum")
    if isinstance(named, str):
        named = [int(each) for each in named.split(",") if re.fullmatch(r" *[0-9]{1,9} *", each)]
    if settings.kind == "step3_text" and named is None:
        settings.refuse("moe_layers_enum")
    if isinstance(named, list):
        return [at in named for at in every]
    step = settings.number("interleave_moe_layer_step")
    if step is not None and settings.kind == "llama4_text":
        return [(at + 1) % step == 0 for at in every] if step else [False] * layers
    period = settings.number("expert_layer_period")
    if period:
        offset = settings.number("expert_layer_offset") or 0
        return [at % period == offset for at in every]
    sparse = settings.number("decoder_sparse_step")
    if sparse is not None:
        dense = settings.sequence("mlp_only_layers") or []
        return [bool(sparse) and at not in dense and (at + 1) % sparse == 0 for at in every]
    first = settings.number("first_k_dense_replace")
    if first is None:
        first = settings.number("dense_mlp_idx")
    if first is None:
        first = 1 if settings.kind in ONE_DENSE else 3 if settings.kind in THREE_DENSE else 0
    last = settings.number("moe_layer_end_index", low=-1)
    last = layers - 1 if last is None or last < 0 else last
    interval = settings.number("moe_layer_interval") or settings.number("moe_layer_freq") or 1
    offset = 1 if settings.value("moe_layer_interval") is not None else 0
    return [first <= at <= last and (at + offset) % interval == 0 for at in every]
