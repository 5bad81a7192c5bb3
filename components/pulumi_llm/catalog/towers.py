"""How large the part of a model is that reads pictures, from its config.json alone.

Matrices are counted, biases and norms left out (under 1 % in all). ``data/towers.json`` says which class is built how.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pulumi_llm.catalog.shapes.settings import is_size

DATA = Path(__file__).parent / "data" / "towers.json"

LARGEST = 100_000_000_000
"""More than ten times any published tower: beyond it the numbers are not meant."""

OTHER_CONFIGS = ("audio_config", "speech_config", "talker_config", "token2wav_config", "audio_encoder_config")
"""Parts that are not counted here; where a file describes one of these, nothing is said of the other either."""


@cache
def _towers() -> Mapping[str, Mapping[str, Any]]:
    rows: Mapping[str, Mapping[str, Any]] = json.loads(DATA.read_text(encoding="utf-8"))["towers"]
    return rows


class _UncountedError(Exception):
    """A number is not there, or not meant."""


class _Tower:
    """The settings of one part, with its class's defaults."""

    def __init__(
        self, values: Mapping[str, object], defaults: Mapping[str, object], outer: Mapping[str, object]
    ) -> None:
        self.values = {**defaults, **{name: value for name, value in values.items() if value is not None}}
        self.outer = outer

    def size(self, *names: str) -> int:
        for name in names:
            value = self.values.get(name)
            if isinstance(value, list) and value and all(each == value[0] for each in value):
                value = value[0]
            if value is not None:
                if is_size(value):
                    return value
                break
        raise _UncountedError

    def ratio(self, name: str) -> float:
        value = self.values.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 100:
            raise _UncountedError
        return value


def vision_parameters(outer: Mapping[str, object], hidden: int) -> int | None:
    """Parameters of the vision tower and of what leads from it to a text part of that width.

    None where the class is not one that is counted, or where the file describes other parts too.
    """
    row = _towers().get(str(outer.get("model_type")))
    given = outer.get("vision_config")
    if row is None or not isinstance(given, dict) or any(outer.get(name) for name in OTHER_CONFIGS):
        return None
    try:
        found = WAYS[row["way"]](_Tower(given, row["defaults"], outer), hidden)
    except _UncountedError:
        return None
    return found if found <= LARGEST else None


def _blocks(layers: int, width: int, inner: int, matrices: int) -> int:
    return layers * (4 * width * width + matrices * width * inner)


def _patches(tower: _Tower, width: int) -> int:
    frames = tower.size("temporal_patch_size") if "temporal_patch_size" in tower.values else 1
    return 3 * frames * tower.size("patch_size") ** 2 * width


def _places(tower: _Tower) -> int:
    return (tower.size("image_size") // tower.size("patch_size")) ** 2


def _merger(width: int, out: int) -> int:
    return (4 * width) ** 2 + 4 * width * out


def _qwen2(tower: _Tower, hidden: int) -> int:
    width = tower.size("embed_dim")
    body = _blocks(tower.size("depth"), width, int(tower.ratio("mlp_ratio") * width), 2)
    return body + _patches(tower, width) + _merger(width, tower.size("hidden_size"))


def _qwen2_5(tower: _Tower, hidden: int) -> int:
    width = tower.size("hidden_size")
    body = _blocks(tower.size("depth"), width, tower.size("intermediate_size"), 3)
    return body + _patches(tower, width) + _merger(width, tower.size("out_hidden_size"))


def _qwen3(tower: _Tower, hidden: int) -> int:
    width = tower.size("hidden_size")
    body = _blocks(tower.size("depth"), width, tower.size("intermediate_size"), 2)
    deep = tower.values.get("deepstack_visual_indexes", [])
    mergers = 1 + (len(deep) if isinstance(deep, list) else 0)
    places = tower.size("num_position_embeddings") * width
    return body + _patches(tower, width) + places + mergers * _merger(width, tower.size("out_hidden_size"))


def _siglip(tower: _Tower, hidden: int) -> int:
    width = tower.size("hidden_size")
    pooled = 1 if tower.values.get("vision_use_head", True) is True else 0  # one block more
    body = _blocks(tower.size("num_hidden_layers") + pooled, width, tower.size("intermediate_size"), 2)
    return body + _patches(tower, width) + _places(tower) * width + width * hidden


def _gemma4(tower: _Tower, hidden: int) -> int:
    width = tower.size("hidden_size")
    body = _blocks(tower.size("num_hidden_layers"), width, tower.size("intermediate_size"), 3)
    return body + _patches(tower, width) + 2 * tower.size("position_embedding_size") * width + width * hidden


def _internvl(tower: _Tower, hidden: int) -> int:
    width = tower.size("hidden_size")
    body = _blocks(tower.size("num_hidden_layers"), width, tower.size("intermediate_size"), 2)
    return body + _patches(tower, width) + _places(tower) * width + 4 * width * hidden + hidden * hidden


def _llama4(tower: _Tower, hidden: int) -> int:
    width, inner = tower.size("hidden_size"), tower.size("intermediate_size")
    body = _blocks(tower.size("num_hidden_layers"), width, inner, 2)
    out = tower.size("projector_output_dim")
    adapter = inner * tower.size("projector_input_dim") + out * out
    return body + _patches(tower, width) + _places(tower) * width + adapter + tower.size("vision_output_dim") * hidden


def _pixtral(tower: _Tower, hidden: int) -> int:
    width = tower.size("hidden_size")
    merge = tower.outer.get("spatial_merge_size", 2)
    if not is_size(merge) or merge > 16:
        raise _UncountedError
    body = _blocks(tower.size("num_hidden_layers"), width, tower.size("intermediate_size"), 3)
    return body + _patches(tower, width) + merge * merge * width * width + width * hidden + hidden * hidden


def _moonvit(tower: _Tower, hidden: int) -> int:
    if tower.values.get("mm_projector_type") == "patchmergerv2":  # Kimi K3: built otherwise
        raise _UncountedError
    width = tower.size("vt_hidden_size", "hidden_size")
    layers = tower.size("vt_num_hidden_layers", "num_hidden_layers")
    body = _blocks(layers, width, tower.size("vt_intermediate_size", "intermediate_size"), 2)
    return body + _patches(tower, width) + tower.size("init_pos_emb_height") ** 2 * width + _merger(width, hidden)


def _glm4v(tower: _Tower, hidden: int) -> int:
    width, out = tower.size("hidden_size"), tower.size("out_hidden_size")
    body = _blocks(tower.size("depth"), width, out, 3)
    merger = out * out + 3 * out * tower.size("intermediate_size") + 4 * width * out
    return body + _patches(tower, width) + _places(tower) * width + merger


def _step(tower: _Tower, hidden: int) -> int:
    width = tower.size("width")
    body = _blocks(tower.size("layers"), width, int(width * tower.ratio("mlp_ratio")), 2)
    halving = 9 * (width * 2 * width + 2 * width * 4 * width)
    return body + _patches(tower, width) + _places(tower) * width + halving + 4 * width * hidden


WAYS: Mapping[str, Callable[[_Tower, int], int]] = {
    "qwen2": _qwen2,
    "qwen2_5": _qwen2_5,
    "qwen3": _qwen3,
    "siglip": _siglip,
    "gemma4": _gemma4,
    "internvl": _internvl,
    "llama4": _llama4,
    "pixtral": _pixtral,
    "moonvit": _moonvit,
    "glm4v": _glm4v,
    "step": _step,
}
"""How towers are built, by the name that ``data/towers.json`` gives it."""
