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


def context_of(settings: Settings) -> int | None:
    """Tokens of the longest context that vLLM serves; None where the file and its class say nothing."""
    found = {key: settings.number(key) for key in KEYS}
    lengths = [length for length in found.values() if length]
    if not lengths:
        return None
    length = found["model_max_length"] or min(lengths)
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
    for name in ("rope_scaling", "rope_parameters"):
        value = settings.values.get(name)
        if isinstance(value, dict):
            parts = [part for part in value.values() if isinstance(part, dict)]
            yield from parts or [value]
