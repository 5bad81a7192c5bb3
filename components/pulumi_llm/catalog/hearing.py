"""How large the parts are that hear: Whisper's encoder, which many models have, and what others have in its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pulumi_llm.catalog.part_settings import Tower, UncountedError, blocks


def fixed(tower: Tower, hidden: int) -> int:
    """A tower that all published models of its class have in one size."""
    return tower.size("parameters")


def _encoder(tower: Tower, width: int) -> int:
    """Whisper's encoder: two convolutions of three taps, and its layers."""
    layers = tower.size("encoder_layers", "num_hidden_layers")
    inner = tower.size("encoder_ffn_dim", "intermediate_size")
    return blocks(layers, width, inner, 2) + 3 * tower.size("num_mel_bins") * width + 3 * width * width


def _qwen2_audio(tower: Tower, hidden: int) -> int:
    width = tower.size("d_model")
    return _encoder(tower, width) + tower.size("max_source_positions") * width + width * hidden


def _flamingo(tower: Tower, hidden: int) -> int:
    width = tower.size("hidden_size")
    return _encoder(tower, width) + tower.size("max_source_positions") * width + width * hidden + hidden * hidden


def _voxtral(tower: Tower, hidden: int) -> int:
    width = tower.size("hidden_size")
    places = tower.size("max_source_positions") * width
    return _encoder(tower, width) + places + tower.size("intermediate_size") * hidden + hidden * hidden


def _ultravox(tower: Tower, hidden: int) -> int:
    width, inner = tower.size("d_model"), tower.outside("hidden_size")
    halves = 2 if tower.outer.get("projector_act", "swiglu") == "swiglu" else 1
    bridge = width * tower.outside("stack_factor") * inner + inner // halves * hidden
    return _encoder(tower, width) + tower.size("max_source_positions") * width + bridge


def _glmasr(tower: Tower, hidden: int) -> int:
    width = tower.size("hidden_size")
    return _encoder(tower, width) + tower.size("intermediate_size") * 2 * hidden + 2 * hidden * hidden


def _omni2_5(tower: Tower, hidden: int) -> int:
    width = tower.size("d_model")
    return _encoder(tower, width) + width * tower.size("output_dim")


def _omni3(tower: Tower, hidden: int) -> int:
    """Three convolutions in two dimensions, each of which halves both, before the layers."""
    width, inner = tower.size("d_model"), tower.size("downsample_hidden_size")
    layers = blocks(tower.size("encoder_layers"), width, tower.size("encoder_ffn_dim"), 2)
    convolutions = 9 * inner + 18 * inner * inner + inner * -(-tower.size("num_mel_bins") // 8) * width
    return layers + convolutions + width * width + width * tower.size("output_dim")


def _gemma4(tower: Tower, hidden: int) -> int:
    """Layers of two feed-forward parts, attention with places of its own, and a convolution (a conformer)."""
    width, out = tower.size("hidden_size"), tower.size("output_proj_dims")
    given = tower.values.get("subsampling_conv_channels")
    if given != [128, 32]:
        raise UncountedError
    layers = tower.size("num_hidden_layers") * (24 * width + tower.size("conv_kernel_size")) * width
    return layers + 9 * 128 * 33 + 32 * 32 * width + width * out + out * hidden


WAYS: Mapping[str, Callable[[Tower, int], int]] = {
    "fixed": fixed,
    "qwen2_audio": _qwen2_audio,
    "flamingo": _flamingo,
    "voxtral": _voxtral,
    "ultravox": _ultravox,
    "glmasr": _glmasr,
    "omni2_5": _omni2_5,
    "omni3": _omni3,
    "gemma4": _gemma4,
}
"""How such parts are built, by the name that ``data/towers.json`` gives it."""
