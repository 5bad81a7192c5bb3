"""How large the parts of a model are that see and hear, from its config.json alone.

Matrices are counted, biases and norms left out (under 1 % in all). ``data/towers.json`` says which class is built how.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pulumi_llm.catalog import hearing
from pulumi_llm.catalog.part_settings import Tower, UncountedError, blocks
from pulumi_llm.catalog.shapes.settings import is_size

DATA = Path(__file__).parent / "data" / "towers.json"

LARGEST = 100_000_000_000
"""More than ten times any published tower: beyond it the numbers are not meant."""

PARTS = {"vision_config": "sees", "vit_config": "sees", "audio_config": "hears"}
"""Where a file describes a part, and what ``data/towers.json`` calls it."""

NOT_COUNTED = (
    "speech_config",
    "audio_encoder_config",
    "audio_processor",
    "img_processor",
    "vision_tower",
    "sam_config",
)
"""Parts that are not counted here; where a file describes one of these, nothing is said of the others either."""

MARKS = ("ConditionalGeneration", "VL")
"""What names of classes with such parts mostly hold; ``data/towers.json`` lists the others."""


@cache
def _data() -> Mapping[str, Any]:
    rows: Mapping[str, Any] = json.loads(DATA.read_text(encoding="utf-8"))
    return rows


def _whole(outer: Mapping[str, object]) -> Mapping[str, object]:
    """The part of the file that describes what is loaded: of Qwen's omni models the thinker alone.

    vllm 0.32.0, model_executor/models/qwen2_5_omni_thinker.py and qwen3_omni_moe_thinker.py (read 2026-11-28).
    """
    thinker = outer.get("thinker_config")
    return thinker if isinstance(thinker, dict) else outer


def has_other_parts(outer: Mapping[str, object], architecture: str | None) -> bool:
    """Whether a file describes parts beside the one that writes text, or its class is one of such models."""
    name = architecture or ""
    given = any(isinstance(_whole(outer).get(part), dict) for part in (*PARTS, *NOT_COUNTED))
    return given or any(mark in name for mark in MARKS) or name in _data()["architectures"]


BODIES = {
    "clip_vision_model": (2, True),
    "siglip_vision_model": (2, True),
    "siglip": (2, True),
    "pixtral": (3, False),
    "idefics3": (2, True),
    "idefics3_vision": (2, True),
    "smolvlm_vision": (2, True),
    "Keye": (2, True),
}
"""Families of towers: matrices of a feed-forward part, and whether they have learnt places."""


def other_parameters(outer: Mapping[str, object], hidden: int) -> int | None:
    """Parameters of what sees and hears, and of what leads from it to a text part of that width.

    None where the class is not one that is counted, or where the file describes other parts too.
    """
    whole = _whole(outer)
    row = _data()["towers"].get(str(whole.get("model_type")))
    if row is None or any(whole.get(name) for name in NOT_COUNTED):
        return None
    total = 0
    try:
        for name, kind in PARTS.items():
            given = whole.get(name)
            if given is None:
                continue
            if kind not in row or not isinstance(given, dict):
                return None
            ways = SEEING if kind == "sees" else hearing.WAYS
            total += ways[row[kind]["way"]](Tower(given, row[kind].get("defaults", {}), whole), hidden)
    except UncountedError:
        return None
    return total if 0 < total <= LARGEST else None


def _patches(tower: Tower, width: int) -> int:
    frames = tower.size("temporal_patch_size") if "temporal_patch_size" in tower.values else 1
    return 3 * frames * tower.size("patch_size") ** 2 * width


def _places(tower: Tower) -> int:
    return (tower.size("image_size") // tower.size("patch_size")) ** 2


def _merger(width: int, out: int) -> int:
    return (4 * width) ** 2 + 4 * width * out


def _qwen2(tower: Tower, hidden: int) -> int:
    width = tower.size("embed_dim")
    body = blocks(tower.size("depth"), width, int(tower.ratio("mlp_ratio") * width), 2)
    return body + _patches(tower, width) + _merger(width, tower.size("hidden_size"))


def _qwen2_5(tower: Tower, hidden: int) -> int:
    width = tower.size("hidden_size")
    body = blocks(tower.size("depth"), width, tower.size("intermediate_size"), 3)
    return body + _patches(tower, width) + _merger(width, tower.size("out_hidden_size"))


def _exaone(tower: Tower, hidden: int) -> int:
    """As Qwen2.5-VL's, with keys and values of fewer heads (transformers 5.19.0, modeling_exaone4_5.py)."""
    width, heads = tower.size("hidden_size"), tower.size("num_heads")
    spared = 2 * width * (width - width // heads * tower.size("num_key_value_heads"))
    return _qwen2_5(tower, hidden) - tower.size("depth") * spared


def _qwen3(tower: Tower, hidden: int) -> int:
    width = tower.size("hidden_size")
    body = blocks(tower.size("depth"), width, tower.size("intermediate_size"), 2)
    deep = tower.values.get("deepstack_visual_indexes", [])
    mergers = 1 + (len(deep) if isinstance(deep, list) else 0)
    places = tower.size("num_position_embeddings") * width
    return body + _patches(tower, width) + places + mergers * _merger(width, tower.size("out_hidden_size"))


def _siglip(tower: Tower, hidden: int) -> int:
    width = tower.size("hidden_size")
    pooled = 1 if tower.values.get("vision_use_head", True) is True else 0  # one block more
    body = blocks(tower.size("num_hidden_layers") + pooled, width, tower.size("intermediate_size"), 2)
    return body + _patches(tower, width) + _places(tower) * width + width * hidden


def _body(tower: Tower) -> tuple[int, int]:
    """Parameters and width of the tower of a model that takes one of another family, by its model type."""
    kind = str(tower.values.get("model_type"))
    width = tower.size("hidden_size")
    if kind not in BODIES:
        raise UncountedError
    matrices, places = BODIES[kind]
    pooled = 1 if kind == "siglip_vision_model" and tower.values.get("vision_use_head", True) is True else 0
    body = blocks(tower.size("num_hidden_layers") + pooled, width, tower.size("intermediate_size"), matrices)
    return body + _patches(tower, width) + (_places(tower) * width if places else 0), width


def _llava(tower: Tower, hidden: int) -> int:
    body, width = _body(tower)
    return body + width * hidden + hidden * hidden


def _aya(tower: Tower, hidden: int) -> int:
    body, width = _body(tower)
    halves = tower.outside("alignment_intermediate_size")
    return body + width * tower.outside("downsample_factor") ** 2 * halves + halves // 2 * hidden


def _idefics(tower: Tower, hidden: int) -> int:
    body, width = _body(tower)
    return body + width * tower.outside("scale_factor") ** 2 * hidden


def _lfm2(tower: Tower, hidden: int) -> int:
    width, inner = tower.size("hidden_size"), tower.outside("projector_hidden_size")
    pooled = 1 if tower.values.get("vision_use_head", True) is True else 0
    body = blocks(tower.size("num_hidden_layers") + pooled, width, tower.size("intermediate_size"), 2)
    places = tower.size("num_patches") * width
    bridge = width * tower.outside("downsample_factor") ** 2 * inner + inner * hidden
    return body + _patches(tower, width) + places + bridge


def _paligemma(tower: Tower, hidden: int) -> int:
    body, width = _body(tower)
    return body + width * hidden


def _aria(tower: Tower, hidden: int) -> int:
    body, width = _body(tower)
    return body + 256 * width + 8 * width * width + width * hidden + hidden * hidden


def _minicpmv(tower: Tower, hidden: int) -> int:
    """A resampler of as many questions as it is wide at the text's side (vllm 0.32.0, minicpmv.py)."""
    body, width = _body(tower)
    return body + tower.outside("query_num") * hidden + width * hidden + 5 * hidden * hidden


def _keye(tower: Tower, hidden: int) -> int:
    body, width = _body(tower)
    return body + 32_768 * width + (4 * width) ** 2 + 4 * width * hidden


def _ernie(tower: Tower, hidden: int) -> int:
    width = tower.size("hidden_size")
    inner = (
        tower.size("intermediate_size")
        if "intermediate_size" in tower.values
        else int(tower.ratio("mlp_ratio") * width)
    )
    body = blocks(tower.size("depth"), width, inner, 2) + _patches(tower, width)
    wide = 4 * width
    return body + 5 * wide * wide + wide * hidden


def _gemma4(tower: Tower, hidden: int) -> int:
    width = tower.size("hidden_size")
    body = blocks(tower.size("num_hidden_layers"), width, tower.size("intermediate_size"), 3)
    return body + _patches(tower, width) + 2 * tower.size("position_embedding_size") * width + width * hidden


def _internvl(tower: Tower, hidden: int) -> int:
    width = tower.size("hidden_size")
    body = blocks(tower.size("num_hidden_layers"), width, tower.size("intermediate_size"), 2)
    return body + _patches(tower, width) + _places(tower) * width + 4 * width * hidden + hidden * hidden


def _llama4(tower: Tower, hidden: int) -> int:
    width, inner = tower.size("hidden_size"), tower.size("intermediate_size")
    body = blocks(tower.size("num_hidden_layers"), width, inner, 2)
    out = tower.size("projector_output_dim")
    adapter = inner * tower.size("projector_input_dim") + out * out
    return body + _patches(tower, width) + _places(tower) * width + adapter + tower.size("vision_output_dim") * hidden


def _pixtral(tower: Tower, hidden: int) -> int:
    width = tower.size("hidden_size")
    merge = tower.outer.get("spatial_merge_size", 2)
    if not is_size(merge) or merge > 16:
        raise UncountedError
    body = blocks(tower.size("num_hidden_layers"), width, tower.size("intermediate_size"), 3)
    return body + _patches(tower, width) + merge * merge * width * width + width * hidden + hidden * hidden


def _moonvit(tower: Tower, hidden: int) -> int:
    if tower.values.get("mm_projector_type") == "patchmergerv2":  # Kimi K3: built otherwise
        raise UncountedError
    width = tower.size("vt_hidden_size", "hidden_size")
    layers = tower.size("vt_num_hidden_layers", "num_hidden_layers")
    body = blocks(layers, width, tower.size("vt_intermediate_size", "intermediate_size"), 2)
    return body + _patches(tower, width) + tower.size("init_pos_emb_height") ** 2 * width + _merger(width, hidden)


def _glm4v(tower: Tower, hidden: int) -> int:
    width, out = tower.size("hidden_size"), tower.size("out_hidden_size")
    body = blocks(tower.size("depth"), width, out, 3)
    merger = out * out + 3 * out * tower.size("intermediate_size") + 4 * width * out
    return body + _patches(tower, width) + _places(tower) * width + merger


def _step(tower: Tower, hidden: int) -> int:
    width = tower.size("width")
    body = blocks(tower.size("layers"), width, int(width * tower.ratio("mlp_ratio")), 2)
    halving = 9 * (width * 2 * width + 2 * width * 4 * width)
    return body + _patches(tower, width) + _places(tower) * width + halving + 4 * width * hidden


SEEING: Mapping[str, Callable[[Tower, int], int]] = {
    "qwen2": _qwen2,
    "qwen2_5": _qwen2_5,
    "exaone": _exaone,
    "qwen3": _qwen3,
    "siglip": _siglip,
    "gemma4": _gemma4,
    "internvl": _internvl,
    "llama4": _llama4,
    "pixtral": _pixtral,
    "moonvit": _moonvit,
    "glm4v": _glm4v,
    "step": _step,
    "llava": _llava,
    "aya": _aya,
    "idefics": _idefics,
    "lfm2": _lfm2,
    "paligemma": _paligemma,
    "aria": _aria,
    "minicpmv": _minicpmv,
    "keye": _keye,
    "ernie": _ernie,
    "fixed": hearing.fixed,
}
"""How parts that see are built, by the name that ``data/towers.json`` gives it."""
