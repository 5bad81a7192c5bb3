"""How large a model's weights are on a GPU, in GiB, by how they are stored or made."""

from __future__ import annotations

from pulumi_llm.catalog.kin import OWN_HEADS
from pulumi_llm.catalog.models import GIB, Model
from pulumi_llm.preflight.engine import Engine, engine

EXPERT_BYTES = {4: 0.5313, 8: 1.005, 16: 2.0}
"""Bytes per parameter of experts that are stored otherwise than the rest, with scales (data/vllm.json: mxfp4, fp8)."""


def weights_gib(
    model: Model,
    quantization: str | None,
    bits: int | None,
    release: Engine | None = None,
    *,
    sees: bool = True,
    head: bool = True,
) -> float | None:
    """The model's weights as loaded by one GPU that holds them all, or None where no source gives their size.

    A size that a server logged is taken as it is. Else quantized weights are counted as a body at the method's bytes
    per parameter and embeddings at two bytes, which explains why small models shrink less. ``quantization`` is the
    method that is used, be it that of the files or one that vLLM applies while loading; ``sees``: what sees and hears
    is loaded too; ``head``: so is the output head. A model for vectors is built without it (vllm 0.32.0,
    model_executor/models/adapters.py: ParallelLMHead is a StageMissingLayer), and its files often have none.
    """
    release = release or engine()
    beside = (model.other_parameters_b or 0.0) * 2e9 / GIB  # what sees and hears stays in 16 bit
    if model.weights_gib is not None and quantization == model.quantization:
        return model.weights_gib if sees else max(0.0, model.weights_gib - beside)
    if model.parameters_b is None:
        return None
    factor = release.spending.weights_factor
    beside = beside if sees else 0.0
    if model.tied_embeddings and head and model.architecture in OWN_HEADS:
        beside += (model.embedding_parameters_b or 0.0) * 2e9 / GIB
    missing = 0.0 if head or model.tied_embeddings is not False else (model.embedding_parameters_b or 0.0) / 2
    if quantization is None:
        return (model.parameters_b - missing) * 2e9 / GIB * factor + beside
    method = release.quantizations.get(quantization)
    size = method.bytes.get(bits or method.bits or 0) if method is not None else None
    if size is None:
        return None
    embeddings = min(model.embedding_parameters_b or 0.0, model.parameters_b)
    experts = model.expert_parameters_b if model.expert_bits is not None else None
    body = model.parameters_b - embeddings - (experts or 0.0)
    apart = (experts or 0.0) * EXPERT_BYTES.get(model.expert_bits or 0, size)
    return (body * size + (embeddings - missing) * 2 + apart) * 1e9 / GIB + beside
