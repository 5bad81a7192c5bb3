"""What guessing ahead takes: a small model or the model's own heads, and what these keep for each token.

vllm 0.32.0, config/speculative.py (which method a configuration means) and v1/spec_decode/llm_base_proposer.py (heads
share the embeddings and the output head with the model; read 2026-11-28).
"""

from __future__ import annotations

from collections.abc import Mapping

from pulumi_llm import catalog
from pulumi_llm._dataclasses import dataclass
from pulumi_llm.catalog.models import GIB, Cache, Model
from pulumi_llm.preflight import extras, guesses, heads_apart
from pulumi_llm.preflight.weights import weights_gib

WITHOUT_MODEL = frozenset({"ngram", "ngram_gpu", "suffix"})
"""Methods that look for what was said before, and hold no model."""

SMALL_MODELS = frozenset({"", "draft_model"})
"""Methods whose model is a whole one, smaller than the one that is served."""


UNREAD = "?"
"""The method of a configuration that is no JSON object."""

GATED = ("Qwen3Next", "Qwen3_5")
"""Classes in which each query head brings a gate of its own size."""


@dataclass(frozen=True, slots=True)
class Draft:
    """How is guessed ahead: vLLM's name for it ("": it is left to vLLM), and the model that does it (None: its own).

    ``tokens`` is how many are guessed at a time (None: it is left to vLLM), ``revision`` the model's at its hub.
    """

    method: str
    model: str | None
    tokens: int | None = None
    revision: str | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """What a draft holds: GiB of weights over all GPUs, and what its layers keep for each token."""

    weights_gib: float
    kept: tuple[Cache, ...]


NOTHING = Held(0.0, ())


def asked(flags: Mapping[str, str]) -> Draft | None:
    """The draft that a command line asks for; None where it asks for none.

    It may ask in a way that vLLM refuses, which `rules_guesses` says.
    """
    given = guesses.given(flags)
    if given is None:
        return None
    if isinstance(given, str):
        given = {"method": UNREAD}
    method, model, revision = (given.get(key) for key in ("method", "model", "revision"))
    return Draft(
        method if isinstance(method, str) else "",
        model if isinstance(model, str) and model else None,
        guesses.whole(given.get(guesses.COUNT)),
        revision if isinstance(revision, str) and revision else None,
    )


def held(model: Model, draft: Draft) -> Held | None:
    """What the draft of a model holds; None where it is not known."""
    if draft.method in WITHOUT_MODEL:
        return NOTHING
    if draft.method.endswith("mtp") or (draft.model == model.id and not draft.method):
        return _own_heads(model)
    apart = heads_apart.rows().get(draft.model or "")
    if apart is not None and draft.method in ("", apart.method):
        # One of another width was trained for another model.
        return None if apart.hidden != model.hidden else Held(apart.weights_gib, (apart.kept,))
    if draft.method not in SMALL_MODELS or draft.model is None:
        return None  # a head that no table has
    small = _small(draft.model)
    if small is None or small.kept is None or small.state_layers:
        return None
    weights = weights_gib(small, small.quantization, small.quantization_bits)
    return None if weights is None else Held(weights, small.kept)


def _small(name: str) -> Model | None:
    """The catalogue's row of a small model."""
    return catalog.load().models.get(name)


def heads_of(model: Model) -> int:
    """How many heads that guess ahead stand in the checkpoint; 0 where that is not known."""
    known: int | None = extras.rows("heads_ahead").get(model.architecture or "")
    return 0 if known is None else known if model.heads_ahead is None else model.heads_ahead


def _own_heads(model: Model) -> Held | None:
    """Heads that stand in the checkpoint: each a layer as the model's last ones, and a matrix before it."""
    count = heads_of(model)
    kept = model.kept
    whole = [row for row in kept or () if row.window is None] or list(kept or ())
    layer = _layer(model)
    if not count or layer is None or not whole:
        return None
    hidden = model.hidden or 0
    weights = count * (layer * _bytes_of_body(model) + 2 * hidden * hidden * 2) / GIB
    first = whole[0]
    return Held(weights, (Cache(layers=count, bytes=first.bytes, heads=first.heads, fixed=first.fixed),))


def _layer(model: Model) -> float | None:
    """Parameters of one layer: attention, and all experts or the dense part."""
    hidden, heads, mla, moe = model.hidden, model.heads, model.mla, model.moe
    if hidden is None or heads is None:
        return None
    if mla is not None:
        if mla.nope_dim is None or mla.v_dim is None:
            return None
        query = heads * (mla.nope_dim + mla.rope_dim)
        low = mla.q_lora_rank
        attention = hidden * query if low is None else low * (hidden + query)
        attention += hidden * (mla.kv_lora_rank + mla.rope_dim) + heads * mla.v_dim * hidden
        attention += mla.kv_lora_rank * heads * (mla.nope_dim + mla.v_dim)
    elif model.kv_heads is None or model.head_dim is None:
        return None
    else:
        gated = (model.architecture or "").startswith(GATED)
        attention = hidden * model.head_dim * ((3 if gated else 2) * heads + 2 * model.kv_heads)
    if moe is None:
        return attention + 3 * hidden * (model.intermediate or 0)
    return attention + (moe.experts + moe.shared_experts) * 3 * hidden * moe.intermediate


def _bytes_of_body(model: Model) -> float:
    """Bytes per parameter beside the embeddings, as the files hold them."""
    whole = weights_gib(model, model.quantization, model.quantization_bits)
    if whole is None or not model.parameters_b:
        return 2.0
    words = model.embedding_parameters_b or 0.0
    beside = 2 * (model.other_parameters_b or 0.0)
    body = model.parameters_b - words
    return max(0.25, min(2.1, (whole * GIB / 1e9 - 2 * words - beside) / body)) if body > 0 else 2.0
