"""Classes whose words see those after them as well, so that their attention keeps nothing.

vllm 0.32.0 gives such a layer an ``EncoderOnlyAttentionSpec``, for which no cache is made. Each class was asked on the
CPU build with ``is_causal: false`` (2026-11-30, ``tools/both_ways.py``).
"""

from __future__ import annotations

from pulumi_llm.catalog.shapes.settings import Settings

CLASSES = frozenset(
    {
        *("DeepseekV3BidirectionalModel", "LlamaBidirectionalForSequenceClassification", "LlamaBidirectionalModel"),
        *("LlamaNemotronVLForSequenceClassification", "LlamaNemotronVLModel", "VoyageQwen3BidirectionalEmbedModel"),
    }
)
"""Those that are so whatever the file says (model_executor/models/config.py)."""

HEED = frozenset(
    {
        *("apertus", "aria_text", "deepseek_v2", "deepseek_v3", "ernie4_5", "gemma3_text", "glm4_moe_lite"),
        *("iquestloopcoder", "llama", "ministral3", "mistral", "paddleocr_vl_text", "phi3", "qwen2", "qwen3"),
        *("qwen3_5_moe_text", "qwen3_5_text", "qwen3_next", "qwen3_vl_text"),
    }
)
"""Model types whose attention is so with ``is_causal: false``; what keeps a state keeps it."""


DEAF = frozenset({"Rnj1ForCausalLM", "VibeVoiceAsrForConditionalGeneration"})
"""Classes of vLLM's that do not heed it, though their text part is of such a type."""


def sees_all(settings: Settings) -> bool:
    """Whether each word sees those after it. Raises UnknownShapeError where vLLM's class does not do as the file says.

    A file of another class that says so was made to be read both ways, and vLLM would read it one way.
    """
    named = settings.architecture
    if named in CLASSES:
        return True
    if named == "Gemma3TextModel":  # it is asked by another name, and ``is_causal`` is set from it
        asked = settings.value("use_bidirectional_attention")
        if asked is not None and not isinstance(asked, bool):  # transformers 5.19.0 does not load it
            settings.refuse("use_bidirectional_attention", asked)
        return asked is True
    if named == "JinaEmbeddingsV5Model" and settings.value("is_decoder") is False:
        return True
    if settings.value("is_causal") is not False:
        return False
    if settings.kind not in HEED or settings.like or named in DEAF:
        settings.refuse("is_causal", False)
    return True
