"""Layers that keep a state for each request in place of keys and values: their parameters, and the state's bytes.

Formulas are those of transformers 5.19.0 (``models/*/modeling_*.py``) and vLLM 0.32.0 (``mamba_utils.py``).
"""

from __future__ import annotations

from pulumi_llm.catalog.shapes.parts import Widths
from pulumi_llm.catalog.shapes.settings import Settings, is_size
from pulumi_llm.catalog.state_types import kept_in

Numbers = tuple[int, int, int]
"""Parameters of a layer, and how many numbers it keeps for a request: of its convolutions, and recurrent ones."""


def stateful(settings: Settings, of: Widths, kind: str) -> Numbers:
    """What one layer that keeps a state has and keeps; a state that is kept like convolutions counts as one."""
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
        return of.hidden * (4 * of.hidden + taps), of.hidden * (taps - 1), 0
    if kind == "lightning":
        width = of.heads * of.head_dim
        return of.hidden * width * 5, of.heads * of.head_dim * of.head_dim, 0
    return settings.refuse("layer_types", kind)


def recurrent_bits(settings: Settings, kinds: set[str]) -> int:
    """In how many bits the recurrent states of such layers are kept, where no flag says otherwise.

    It is the class that decides, and some classes look into the file. Without a class the wider ones are counted.
    """
    if not kinds.isdisjoint(kept_in()["always_32"]):
        return 32
    if settings.architecture is None:
        return 32
    for name, row in kept_in()["by_setting"].items():
        if _stem(settings.architecture) in map(_stem, row["classes"]):
            said = settings.value(name)
            return 32 if said == "float32" else int(row["default"]) if said is None else 16
    return 16


def _stem(architecture: str) -> str:
    """What a class is called whatever it is for: vLLM makes one that sorts texts of one that writes them."""
    return architecture.removesuffix("ForSequenceClassification").removesuffix("ForCausalLM")


def _delta(settings: Settings, of: Widths) -> Numbers:
    heads_k = settings.number("linear_num_key_heads") or of.heads
    heads_v = settings.number("linear_num_value_heads") or of.heads
    key = settings.number("linear_key_head_dim") or int(0.75 * of.hidden / heads_k)
    value = settings.number("linear_value_head_dim") or 2 * key
    taps = settings.needed("linear_conv_kernel_dim")
    keys, values = heads_k * key, heads_v * value
    width = 2 * keys + values
    total = of.hidden * (2 * keys + 2 * values + 2 * heads_v) + width * taps + values * of.hidden
    return total, width * (taps - 1), heads_v * key * value


def _kda(settings: Settings, of: Widths) -> Numbers:
    given = settings.mapping("linear_attn_config")
    heads, size = given.get("num_heads"), given.get("head_dim")
    taps = given.get("short_conv_kernel_size", settings.number("linear_conv_kernel_dim"))
    if settings.kind == "bailing_hybrid":
        heads, size, taps = of.heads, of.head_dim, settings.number("short_conv_kernel_size")
    heads = heads if heads is not None else settings.number("linear_num_heads")
    size = size if size is not None else settings.number("linear_head_dim")
    if not is_size(heads) or not is_size(size) or not is_size(taps):
        return settings.refuse("linear_attn_config", dict(given))
    width = heads * size
    total = of.hidden * (4 * width + heads + 2 * size) + 2 * size * width + 3 * width * taps
    if settings.flag("no_kda_lora"):  # Ling 3: neither of the two gates is of low rank
        total += 2 * of.hidden * width - 2 * of.hidden * size - 2 * size * width
    if given.get("use_full_rank_gate") is True:  # Kimi K3: one matrix in place of two of low rank
        total += of.hidden * width - of.hidden * size - size * width
    return total, 3 * width * (taps - 1), heads * size * size


def _mamba(settings: Settings, of: Widths) -> Numbers:
    expand = settings.number("mamba_expand") or settings.number("expand") or 2
    inner = settings.number("intermediate_size") if settings.kind in ("mamba", "falcon_mamba") else None
    inner = inner or expand * of.hidden
    state = settings.number("mamba_d_state") or settings.number("state_size") or 16
    taps = settings.number("mamba_d_conv") or settings.number("conv_kernel") or 4
    rank = settings.value("mamba_dt_rank") or settings.value("time_step_rank")
    rank = rank if is_size(rank) else -(-of.hidden // 16)  # "auto"
    total = of.hidden * 2 * inner + inner * (taps + rank + 2 * state + rank + state + 2) + inner * of.hidden
    return total, inner * (taps - 1), inner * state


def _mamba2(settings: Settings, of: Widths) -> Numbers:
    heads = _first(settings, "mamba_num_heads", "mamba_n_heads", "n_mamba_heads", "num_heads")
    expand = settings.number("mamba_expand") or settings.number("expand") or 2
    inner = settings.number("mamba_d_ssm") or expand * of.hidden
    auto = settings.value("mamba_d_head") in (None, "auto")
    size = settings.number("mamba_head_dim") or (inner // heads if auto else settings.needed("mamba_d_head"))
    groups = _first(settings, "n_groups", "mamba_n_groups", "mamba_ngroups")
    state = _first(settings, "ssm_state_size", "mamba_d_state", "state_size")
    taps = _first(settings, "conv_kernel", "mamba_d_conv")
    inner = settings.number("mamba_d_ssm") or heads * size
    width = inner + 2 * groups * state
    total = of.hidden * (inner + width + heads) + width * taps + inner * of.hidden
    return total, width * (taps - 1), inner * state


def _first(settings: Settings, *names: str) -> int:
    for name in names:
        value = settings.number(name, low=1)
        if value is not None:
            return value
    return settings.refuse(names[0])
