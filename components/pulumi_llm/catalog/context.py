"""How long a context vLLM derives for a model: config/model.py and transformers_utils/model_arch_config_convertor.py
of vllm 0.32.0 (read 2026-11-28).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pulumi_llm.catalog.shapes import Settings
from pulumi_llm.catalog.shapes.settings import LARGEST

KEYS = (
    "max_position_embeddings",
    "n_positions",
    "max_seq_len",
    "seq_length",
    "model_max_length",
    "max_target_positions",
    "max_sequence_length",
    "max_seq_length",
    "seq_len",
)
"""Where a file may say it. The smallest counts, but for ``model_max_length``, which beats them all."""

SCALED_ALREADY = frozenset({"su", "longrope", "llama3", "yarn", "deepseek_yarn", "deepseek_llama_scaling"})
"""Ways of stretching rotary positions in which the file's number is that of the stretched context."""


PADDED = frozenset({"roberta", "xlm-roberta"})
"""Classes whose first word has the place after that of padding (model_executor/models/roberta.py)."""


UNSCALED = frozenset({"cohere2_moe"})
"""Classes that leave ``rope_scaling`` aside, and heed ``rope_parameters`` alone.

transformers 5.19.0, asked of each class on 2026-11-28.
"""


OWN_LENGTHS: Mapping[str, Mapping[str, int]] = {
    "deepseek_v32": {"max_position_embeddings": 4096},
    "kimi_linear": {"max_position_embeddings": 4096},
    "step3_text": {"max_seq_len": 65536},
    "step3p5": {"max_seq_len": 4096},
}
"""What vLLM's own configuration of a class takes for a setting that the file leaves out, whatever transformers takes.

vllm 0.32.0, transformers_utils/configs/step3p5.py, step3_vl.py and kimi_linear.py, and transformers_utils/config.py,
which reads DeepSeek V3.2 as V3; each was asked with and without the setting on 2026-11-30. So a Step 3.5 without
``max_seq_len`` is served 4,096 tokens, however many ``max_position_embeddings`` says. Files as published give it.
"""

OF_TRANSFORMERS = frozenset({"step3p7"})
"""Wholes whose text part transformers reads, also where it is of a type that vLLM has a configuration for."""


def context_of(settings: Settings, whole: object = None) -> int | None:
    """Tokens of the longest context that vLLM serves; None where the file and its class say nothing.

    ``whole``: the type of the model that the settings are a part of.
    """
    own = None if str(whole) in OF_TRANSFORMERS or settings.like else OWN_LENGTHS.get(settings.kind)
    found = {key: settings.number(key) for key in KEYS if own is None or settings.given(key) is not None}
    if own is not None:
        found |= {key: length for key, length in own.items() if key not in settings.values}
    lengths = [length for length in found.values() if length]
    if not lengths:
        return None
    length = found.get("model_max_length") or min(lengths)
    if settings.kind in PADDED:
        return length - (settings.number("pad_token_id") or 1) - 1
    if "gemma3" in settings.kind:
        return length
    factor = 1.0
    for rope in _ropes(settings):
        kind = rope.get("rope_type", rope.get("type"))
        given = rope.get("factor")
        if isinstance(kind, str) and kind in SCALED_ALREADY:
            continue
        if isinstance(given, int | float) and not isinstance(given, bool) and given > 0:
            if given > LARGEST:
                settings.refuse("rope_scaling", given)
            factor = float(given)
    return int(length * factor)


def served_of(settings: Settings) -> int | None:
    """Tokens that vLLM serves of a stretched model where nobody names a number: as many as before it was stretched.

    Its longrope takes other factors for a longer context, which are worse for short texts, so it takes the shorter one
    unless it is told (config/model.py). None: as many as `context_of` says.
    """
    stretched = any(rope.get("rope_type", rope.get("type")) in ("longrope", "su") for rope in _ropes(settings))
    return settings.number("original_max_position_embeddings") if stretched else None


def _ropes(settings: Settings) -> Iterator[Mapping[str, object]]:
    for name in ("rope_parameters",) if settings.kind in UNSCALED else ("rope_scaling", "rope_parameters"):
        value = settings.values.get(name)
        if isinstance(value, dict):
            parts = [part for part in value.values() if isinstance(part, dict)]
            yield from parts or [value]
