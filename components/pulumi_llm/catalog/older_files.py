"""Files whose settings are written otherwise than their class reads them, put as it does."""

from __future__ import annotations

from collections.abc import Callable, Mapping

Values = dict[str, object]


def _dbrx(values: Values) -> Values:
    """DBRX keeps heads and experts in parts of their own (transformers 5.19.0, configuration_dbrx.py)."""
    attention, feed = values.get("attn_config"), values.get("ffn_config")
    if not isinstance(attention, dict) or not isinstance(feed, dict):
        return values
    moved = {
        "num_key_value_heads": attention.get("kv_n_heads"),
        "num_experts": feed.get("moe_num_experts"),
        "num_experts_per_tok": feed.get("moe_top_k"),
        "moe_intermediate_size": feed.get("ffn_hidden_size"),
    }
    return {**values, **{name: value for name, value in moved.items() if value is not None}}


def _ernie_vl(values: Values) -> Values:
    """Two numbers each: of the experts for text, and of those for pictures (vllm 0.32.0, ernie45_vl_moe.py)."""
    found = {"moe_intermediate_size": [1536, 512], **values}  # as its class has it (transformers 5.19.0)
    for name in ("moe_num_experts", "moe_intermediate_size", "moe_layer_start_index", "moe_layer_end_index"):
        value = found.get(name)
        if isinstance(value, list) and len(value) == 2:
            found[name], found[f"{name}_of_pictures"] = value
    return found


def _bloom(values: Values) -> Values:
    """Its width was once ``n_embed`` (transformers 5.19.0, configuration_bloom.py: the older name goes before)."""
    rest = {name: value for name, value in values.items() if name != "n_embed"}
    return {**rest, "hidden_size": values["n_embed"]} if values.get("n_embed") is not None else rest


def _lfm2(values: Values) -> Values:
    """Its width of the feed-forward part was once ``block_ff_dim``, which goes before (configuration_lfm2.py)."""
    return {**values, "intermediate_size": values["block_ff_dim"]} if values.get("block_ff_dim") else values


def _gemma3n(values: Values) -> Values:
    """Its width of the feed-forward part is listed once a layer, the same for all in every published file."""
    widths = values.get("intermediate_size")
    same = isinstance(widths, list) and widths and all(each == widths[0] for each in widths)
    return {**values, "intermediate_size": widths[0]} if same and isinstance(widths, list) else values


WAYS: Mapping[str, Callable[[Values], Values]] = {
    "bloom": _bloom,
    "dbrx": _dbrx,
    "ernie4_5_moe_vl": _ernie_vl,
    "ernie4_5_vl_moe_text": _ernie_vl,
    "gemma3n_text": _gemma3n,
    "lfm2": _lfm2,
}


def as_read(kind: str | None, values: Values) -> Values:
    """The settings of a text part of that model type, under the names and in the places where its class has them."""
    way = WAYS.get(kind or "")
    return values if way is None else way(values)
