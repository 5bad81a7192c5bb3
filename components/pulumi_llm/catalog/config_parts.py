"""Attention, experts and lists of layers as a config.json states them, each checked before anything is counted."""

from __future__ import annotations

from pulumi_llm._texts import _
from pulumi_llm.catalog.config_file import Reader, shown
from pulumi_llm.catalog.models import Mla, Moe
from pulumi_llm.catalog.shapes.settings import classes


def heads_of(reader: Reader, hidden: int | None, heads: int | None) -> tuple[int | None, int | None]:
    """Key-value heads and head size: what the file gives, or what transformers takes when it does not."""
    kv_heads = reader.number("num_key_value_heads", "multi_query_group_num", high=4_096, needed=False)
    head_dim = reader.number("head_dim", "kv_channels", high=4_096, needed=False)
    if reader.findings or hidden is None or heads is None:
        return None, None
    kv_heads = heads if kv_heads is None else kv_heads
    if heads % kv_heads:
        message = _(
            "{heads} attention heads cannot share {kv_heads} key-value heads evenly", heads=heads, kv_heads=kv_heads
        )
        reader.refuse("range", message, _("use the config.json that came with the weights"))
    if head_dim is None and hidden % heads:
        message = _(
            "hidden_size {hidden} is not a multiple of {heads} attention heads, and head_dim is not given",
            hidden=hidden,
            heads=heads,
        )
        reader.refuse("range", message, _("use the config.json that came with the weights"))
    return kv_heads, hidden // heads if head_dim is None else head_dim


def latent_attention(reader: Reader, plain: int | None) -> Mla | None:
    """The sizes of latent attention; None for a model without. ``plain`` is the head size where no other is given."""
    rank = reader.number("kv_lora_rank", high=65_536, needed=False)
    if rank is None:
        return None
    rope = reader.number("qk_rope_head_dim", low=0, high=4_096)
    nope = reader.number("qk_nope_head_dim", high=4_096)
    value = reader.number("v_head_dim", high=4_096, needed=plain is None) or plain
    query = reader.number("q_lora_rank", high=65_536, needed=False)
    return Mla(kv_lora_rank=rank, rope_dim=rope or 0, q_lora_rank=query, nope_dim=nope, v_dim=value)


def experts_of(reader: Reader) -> Moe | None:
    """The mixture of experts; None for a dense model."""
    names = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")
    experts = reader.number(*names, low=0, high=16_384, needed=False)
    if not experts:
        return None
    chosen = (
        "num_experts_per_tok",
        "top_k_experts",
        "moe_k",
        "moe_topk",
        "num_experts_per_token",
        "moe_top_k",
        "experts_per_token",
    )
    each = reader.number(*chosen, high=experts, needed=not _has_experts(reader.values.get("model_type")))
    width = reader.number("moe_intermediate_size", "expert_ffn_hidden_size", "intermediate_size", high=1_000_000)
    shared = reader.number(
        "n_shared_experts", "num_shared_experts", "moe_num_shared_experts", low=0, high=1_024, needed=False
    )
    dense = reader.number("first_k_dense_replace", low=0, high=1_000, needed=False)
    return Moe(
        experts=experts,
        experts_per_token=each or 1,
        intermediate=width or 1,
        shared_experts=shared or 0,
        dense_layers=dense or 0,
    )


def _has_experts(kind: object) -> bool:
    """Whether the class itself has experts, so that it knows how many of them to take."""
    defaults = classes().get(str(kind), {}).get("defaults")
    return isinstance(defaults, dict) and any("experts" in name for name in defaults)


def check_layer_types(reader: Reader, layers: int | None, kind: str | None) -> None:
    """Refuses a list of another length than the model has layers."""
    kinds = reader.values.get("layer_types")
    if kinds is None:
        return
    if not isinstance(kinds, list):
        reader.refuse("type", _("layer_types must be a list, not {kinds}", kinds=shown(kinds)), _("correct the file"))
    elif layers is not None and len(kinds) not in (layers, layers + _heads_ahead(reader)) and kind != "nemotron_h":
        message = _(
            "layer_types names {count} layers, and num_hidden_layers says {layers}", count=len(kinds), layers=layers
        )
        reader.refuse("range", message, _("use the config.json that came with the weights"))


def _heads_ahead(reader: Reader) -> int:
    """Layers at the end of a list that are of heads which guess ahead (Step)."""
    return reader.number("num_nextn_predict_layers", low=0, high=1_000, needed=False) or 0
