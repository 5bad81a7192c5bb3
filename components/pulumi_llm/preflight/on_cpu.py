"""Models on the machine's CPU: which can be there, and what they take of its memory. Sizes are GiB.

They are served by a program of our own (templates/vllm/encoder) with the libraries of vLLM's environment. A test holds
its answers against vLLM's for a model of each of the pooling kinds; docs/decisions/models-on-the-cpu.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pulumi_llm import catalog
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._texts import _
from pulumi_llm.catalog.models import GIB
from pulumi_llm.catalog.pooling import EMBEDDING, RERANKER, task_of
from pulumi_llm.errors import Finding

if TYPE_CHECKING:
    from pulumi_llm.catalog import Model
    from pulumi_llm.spec import ModelSpec, ServerSpec

CPU = "cpu"
TASKS = {"embedding": EMBEDDING, "reranking": RERANKER}
CLASSES = {
    EMBEDDING: (
        *("BertModel", "RobertaModel", "XLMRobertaModel", "ModernBertModel"),
        *("Qwen2Model", "Qwen2ForCausalLM", "Qwen3Model", "Qwen3ForCausalLM"),
        *("LlamaModel", "LlamaForCausalLM", "MistralModel", "MistralForCausalLM"),
    ),
    RERANKER: (
        *("BertForSequenceClassification", "RobertaForSequenceClassification"),
        *("XLMRobertaForSequenceClassification", "ModernBertForSequenceClassification"),
    ),
}
"""The classes that give the same numbers there as in vLLM, by what a model is for (templates/vllm/encoder/model.py)."""
LIBRARIES_GIB = 1.0
"""PyTorch, transformers and the server, before a model is loaded."""
BATCH_GIB = 1.0
"""What 4096 tokens at once, or one text of 8192, take besides the weights."""
UNKNOWN_GIB = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class OnCpu:
    """A model on the CPU; ``weights_gib`` is None where its size is not known."""

    name: str
    id: str
    model: Model | None
    task: str | None
    weights_gib: float | None

    @property
    def memory_gib(self) -> int:
        """What its process may take."""
        if self.weights_gib is None:
            return UNKNOWN_GIB
        return math.ceil(self.weights_gib + LIBRARIES_GIB + BATCH_GIB)


def of_model(name: str, id_: str, *, task: str | None = None, dtype: str = "auto") -> OnCpu:
    """A model as the catalogue has it. ``task``: what its owner says that it is for."""
    row = catalog.load().models.get(id_)
    size = None
    if row is not None and row.parameters_b is not None:
        size = row.parameters_b * 1e9 * (2 if dtype == "bfloat16" else 4) / GIB
    return OnCpu(name=name, id=id_, model=row, task=task or task_of(id_, row), weights_gib=size)


def of_spec(name: str, each: ModelSpec) -> OnCpu:
    """A further model of a server."""
    return of_model(name, each.model, task=TASKS.get(each.kind or ""), dtype=each.dtype)


def of_server(server: ServerSpec) -> tuple[OnCpu, ...]:
    """Those of a server's further models that are on its CPU."""
    return tuple(of_spec(name, each) for name, each in server.models.items() if each.device == CPU)


def findings(model: OnCpu) -> Iterator[Finding]:
    """What keeps it from running there; of its memory the rule about the host's speaks."""
    row = model.model
    if model.task is None and row is None:
        yield Finding(
            "fit.unknown-model",
            _("the catalogue has no model {model}, so what it is for is not known", model=model.id),
            _("say kind: embedding or kind: reranking; pulumi-llm catalog add {model} tells its size", model=model.id),
            where="kind",
        )
        return
    if model.task is None:
        message = _("{model} writes text, and the CPU is for models for vectors and for ranks", model=model.id)
        yield Finding("fit.not-on-cpu", message, _HINT, where="device")
        return
    if row is None:
        yield Finding(
            "fit.unknown-model",
            _("the catalogue has no model {model}, so what it takes is not known", model=model.id),
            _(
                "pulumi-llm catalog add {model} writes a row for it; or override fit.unknown-model, with which "
                "{gib} GiB of the machine's memory are kept for it",
                model=model.id,
                gib=UNKNOWN_GIB,
            ),
            where="model",
        )
        return
    if row is catalog.load().listed_models.get(row.id) and task_of(row.id, row) is None:
        message = _("{model} is a model for chat, which nobody has taught to make vectors or ranks", model=row.id)
        yield Finding("fit.not-on-cpu", message, _HINT, where="kind")
        return
    if row.quantization is not None:
        message = _("{model} is stored as {method}, which is read on GPUs alone", model=row.id, method=row.quantization)
        yield Finding("fit.not-on-cpu", message, _HINT, where="device")
    if row.architecture is not None and row.architecture not in CLASSES[model.task]:
        message = _(
            "{model} is a {architecture}, and whether the CPU gives the same numbers as vLLM for that is not known",
            model=row.id,
            architecture=row.architecture,
        )
        yield Finding("fit.not-on-cpu", message, _HINT, where="device")


_HINT = _("device: gpu, where a small model takes a GiB or two of the card; or another model")
