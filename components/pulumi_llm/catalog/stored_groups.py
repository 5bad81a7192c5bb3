"""The groups of layers that compressed-tensors tells apart: how many bytes a parameter of each takes.

Layout: vllm 0.32.0, compressed_tensors/schemes/compressed_tensors_wNa16.py: ``weight_packed`` (32 bit words that hold
the weights), ``weight_scale`` (16 bit for each group, or for each column), ``weight_zero_point`` where weights are not
symmetric (as many bits as a weight), and ``weight_shape`` (two numbers of a layer, which weigh nothing); read
2026-11-30.
"""

from __future__ import annotations

from collections.abc import Mapping

from pulumi_llm.catalog.layer_lists import LayerLists

FP8 = 1.0005
"""Bytes of a parameter in eight bit with its scales, as most methods lay them out."""

WHOLE = 4096
"""About as many weights share a scale where a whole column has one (``group_size: -1``)."""


def several(groups: Mapping[str, object]) -> LayerLists | None:
    """Groups of which each names its layers; None for one group, or one that is not understood."""
    size, sizes = 2.0, []
    for group in groups.values():
        weights = group.get("weights") if isinstance(group, dict) else None
        targets = group.get("targets") if isinstance(group, dict) else None
        if not isinstance(weights, dict) or not isinstance(targets, list):
            return None
        each = _of_group(weights)
        if each is None:
            return None
        for target in targets:
            if not isinstance(target, str):
                return None
            if target == "Linear":
                size = each
            else:
                sizes.append((target, each))
    return LayerLists(size=size, sizes=tuple(sizes)) if sizes else None


def named(groups: Mapping[str, object]) -> bool:
    """Whether some group is of named layers and not of all linear ones."""
    lists = [group.get("targets") for group in groups.values() if isinstance(group, dict)]
    return any(target != "Linear" for each in lists if isinstance(each, list) for target in each)


def _of_group(weights: Mapping[str, object]) -> float | None:
    """Bytes of a parameter of one group, with its scales and zero points; None where the group is not understood."""
    bits, wide, floats = weights.get("num_bits"), wide_of(weights), weights.get("type") == "float"
    if bits == 8 and floats:
        return FP8
    if bits == 8 and wide is None:
        return 1.005
    if wide is None or isinstance(bits, bool) or not isinstance(bits, int) or not 2 <= bits <= 8:
        return None
    if floats:
        return 0.5 + 1 / wide if bits == 4 else None
    return bits / 8 + (2 + (bits / 8 if weights.get("symmetric") is False else 0)) / wide


def wide_of(weights: Mapping[str, object]) -> int | None:
    """How many weights share a scale, by what compressed-tensors says of them; None: it does not say.

    compressed-tensors 0.17.0, quantization/quant_args.py: whole numbers where no type is named, and columns where the
    width is -1, whatever the strategy (read 2026-11-30).
    """
    size = weights.get("group_size")
    if size is None and weights.get("strategy") == "channel" and weights.get("type", "int") == "int":
        return WHOLE
    return width(size)


def width(size: object) -> int | None:
    """The same by a number in a file; None for what is no width."""
    if size == -1:
        return WHOLE
    return size if isinstance(size, int) and not isinstance(size, bool) and 8 <= size <= WHOLE else None


def weights_of(groups: object) -> Mapping[str, object]:
    """What the first of several groups of layers says of its weights."""
    first = next(iter(groups.values()), None) if isinstance(groups, dict) else None
    weights = first.get("weights") if isinstance(first, dict) else None
    return weights if isinstance(weights, dict) else {}
