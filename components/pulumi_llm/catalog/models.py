"""What the catalogue knows of a model: its shape, from which memory is computed, and where to get it."""

from __future__ import annotations

from pulumi_llm._dataclasses import dataclass
from pulumi_llm.catalog.rows import Row

GIB = 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Mla:
    """Multi-head latent attention: one compressed vector per token and layer instead of keys and values."""

    kv_lora_rank: int
    rope_dim: int
    q_lora_rank: int | None = None
    nope_dim: int | None = None
    v_dim: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Moe:
    """A mixture of experts. ``intermediate`` is the width of one expert; ``dense_layers`` come first."""

    experts: int
    experts_per_token: int
    intermediate: int
    shared_experts: int = 0
    dense_layers: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SlidingWindow:
    """Layers that keep only the last ``window`` tokens: ``layers`` of the model's attention layers."""

    window: int
    layers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """What ``layers`` layers keep for each token: ``bytes`` each in 16 bit, over ``heads`` heads.

    Heads are shared out over GPUs; with ``heads`` 0 every GPU keeps the whole (latent attention). A ``window`` is the
    number of tokens after which a layer forgets (None: it keeps all). ``fixed``: an fp8 cache makes it no smaller.
    """

    layers: int
    bytes: float
    heads: int
    window: int | None = None
    fixed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Model(Row):
    """A model. Numbers that no source gives are None, never guessed.

    ``id`` is its name on Hugging Face, ``modelscope_id`` on ModelScope (None: not there, or not known).
    ``parameters_b`` and ``active_b`` are in billions, ``weights_gib`` is the loaded size in GiB where a real
    server logged it. ``attention_layers`` is smaller than ``layers`` in hybrids: only these keep a KV cache.
    ``quantization`` names how the files are stored (``awq``, ``gptq``, ``fp8``, ``mxfp4``, …; None: 16 bit).
    ``zero_points``: its quantized numbers are not symmetric about zero, by the file's own word.
    ``quantization_scheme``: which of the method's forms they are in, where that matters. ``cache_dtype``: in what the
    file says that its cache is kept (``fp8``; None: in 16 bit), which vLLM heeds where nobody asks for another.
    ``other_parts`` says that a config.json describes more than the text part, of a size that is not known here;
    ``other_parameters_b`` is what sees and hears, where that is counted, beside ``parameters_b``.
    ``max_context`` is the longest context in tokens, ``served_context`` what vLLM takes of it where nobody says (None:
    all of it). ``heads_ahead`` is how many heads that guess ahead the checkpoint has, where its config.json says so.
    ``task`` is ``embedding`` for a model that turns text into vectors, ``reranker`` for one that says how well texts
    fit a question (None: it writes text, or its name tells).
    ``caches`` says per kind of layer what is kept for each token where a config.json was read; rows of the catalogue
    leave it out, and ``kept`` makes it from their other numbers. ``state_bytes`` is what ``state_layers`` layers keep
    for one request whatever its length; ``recurrent`` of its numbers are in ``recurrent_bits`` unless a flag says
    otherwise. ``expert_parameters_b`` is the part of the parameters in routed experts, stored
    in ``expert_bits`` where these differ from the rest. ``sparse_attention``: attention picks tokens by an index.
    ``unserved_part`` is the model type of its text part, where vLLM cannot build that inside the whole.
    ``unknown_shape`` is the setting of a config.json that is not understood, with its value: nothing is computed then.
    """

    id: str
    modelscope_id: str | None = None
    architecture: str | None = None
    parameters_b: float | None = None
    active_b: float | None = None
    layers: int | None = None
    attention_layers: int | None = None
    hidden: int | None = None
    heads: int | None = None
    kv_heads: int | None = None
    head_dim: int | None = None
    intermediate: int | None = None
    vocab: int | None = None
    tied_embeddings: bool | None = None
    max_context: int | None = None
    served_context: int | None = None
    heads_ahead: int | None = None
    task: str | None = None
    dtype: str | None = None
    quantization: str | None = None
    quantization_bits: int | None = None
    zero_points: bool = False
    quantization_scheme: str | None = None
    cache_dtype: str | None = None
    weights_gib: float | None = None
    mla: Mla | None = None
    moe: Moe | None = None
    sliding_window: SlidingWindow | None = None
    base_model: str | None = None
    gated: bool = False
    no_fp16: bool = False
    other_parts: bool = False
    other_parameters_b: float | None = None
    caches: tuple[Cache, ...] = ()
    state_bytes: int = 0
    state_layers: int = 0
    recurrent: int = 0
    recurrent_bits: int = 16
    expert_parameters_b: float | None = None
    expert_bits: int | None = None
    sparse_attention: bool = False
    unserved_part: str | None = None
    unknown_shape: str | None = None
    licence: str | None = None

    @property
    def embedding_parameters_b(self) -> float | None:
        """Embeddings and output head, in billions: what weight quantization usually leaves in 16 bit."""
        if self.vocab is None or self.hidden is None:
            return None
        return self.vocab * self.hidden * (1 if self.tied_embeddings else 2) / 1e9

    @property
    def kept(self) -> tuple[Cache, ...] | None:
        """What each kind of layer keeps for each token; None where the numbers for it are not known."""
        if self.caches or self.state_bytes:
            return self.caches
        count = self.layers if self.attention_layers is None else self.attention_layers
        if count is None:
            return None
        if self.mla is not None:
            size, heads = (self.mla.kv_lora_rank + self.mla.rope_dim) * 2, 0
        elif self.kv_heads is None or self.head_dim is None:
            return None
        else:
            size, heads = 2 * self.kv_heads * self.head_dim * 2, self.kv_heads
        windowed = min(count, self.sliding_window.layers) if self.sliding_window else 0
        rows = [Cache(layers=count - windowed, bytes=size, heads=heads)]
        if self.sliding_window is not None:
            rows.append(Cache(layers=windowed, bytes=size, heads=heads, window=self.sliding_window.window))
        return tuple(row for row in rows if row.layers)

    @property
    def kv_bytes_per_token(self) -> int | None:
        """Bytes of 16-bit KV cache per token, every attention layer whole (with windows an upper bound)."""
        rows = self.kept
        return None if rows is None else round(sum(row.layers * row.bytes for row in rows))


_WITHOUT_GATE = ("Bert", "Roberta", "XLMRoberta")
"""Architectures whose feed-forward has two matrices, and no gate: transformers 5.19.0, models/bert/modeling_bert.py."""


def count_parameters(model: Model) -> int | None:
    """The number of parameters that the model's shape implies; None when the shape is incomplete.

    Counts matrices (feed-forward, gated but for BERT's kin, attention or MLA, router, embeddings) and leaves out norms,
    biases and any vision part, so it is about 1 % low for plain models. Layers of linear
    attention are counted as attention layers.
    """
    if None in (model.layers, model.hidden, model.heads, model.intermediate, model.vocab):
        return None
    layers, hidden, heads = int(model.layers or 0), int(model.hidden or 0), int(model.heads or 0)
    attention = _attention_parameters(model, hidden, heads)
    if attention is None:
        return None
    matrices = 2 if str(model.architecture).startswith(_WITHOUT_GATE) else 3
    feed_forward = matrices * hidden * int(model.intermediate or 0)
    total = layers * attention
    if model.moe is None:
        total += layers * feed_forward
    else:
        moe = model.moe
        expert = 3 * hidden * moe.intermediate
        dense = min(moe.dense_layers, layers)
        each = (moe.experts + moe.shared_experts) * expert + hidden * moe.experts
        total += dense * feed_forward + (layers - dense) * each
    return total + int(model.vocab or 0) * hidden * (1 if model.tied_embeddings else 2)


def _attention_parameters(model: Model, hidden: int, heads: int) -> int | None:
    """Of one layer."""
    mla = model.mla
    if mla is None:
        if model.kv_heads is None or model.head_dim is None:
            return None
        return hidden * model.head_dim * (2 * heads + 2 * model.kv_heads)
    if mla.nope_dim is None or mla.v_dim is None:
        return None
    query = heads * (mla.nope_dim + mla.rope_dim)
    queries = hidden * query if mla.q_lora_rank is None else mla.q_lora_rank * (hidden + query)
    keys = hidden * (mla.kv_lora_rank + mla.rope_dim) + mla.kv_lora_rank * heads * (mla.nope_dim + mla.v_dim)
    return queries + keys + heads * mla.v_dim * hidden
