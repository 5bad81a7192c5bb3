"""How vLLM spends a GPU's memory: weights, sampler and activations, CUDA graphs, and what is left for the KV cache.

Everything is per GPU and in GiB. Fitted to 64 records of real servers from public logs: the median error of the KV
cache is about 3 % (0.2 GiB), the largest 14 %, and four records that were found later are met within 0.15 GiB
(docs/decisions/memory-model.md tells how, and why other estimators differ).
"""

from __future__ import annotations

import math

from pulumi_llm._dataclasses import dataclass
from pulumi_llm.catalog.models import GIB, Model
from pulumi_llm.preflight.cache import footprint
from pulumi_llm.preflight.engine import Engine, Spending, engine

EXPERT_BYTES = {4: 0.53, 8: 1.005, 16: 2.0}
"""Bytes per parameter of experts that are stored otherwise than the rest, with scales (data/vllm.json: mxfp4, fp8)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is asked of a server, as far as memory is concerned. Sizes in tokens, requests and GiB per GPU."""

    gpu: str
    gpu_gib: float
    nvlink: bool
    gpu_count: int
    quantization: str | None
    bits: int | None
    utilization: float
    max_model_len: int
    max_num_seqs: int
    max_num_batched_tokens: int
    fp8_kv_cache: bool = False
    eager: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """An estimate, per GPU, in GiB. ``kv_gib`` is negative where not even weights and overhead find room.

    ``kv_tokens`` is what vLLM logs as `GPU KV cache size` (with windows: of requests of the asked length);
    ``max_model_len`` the longest context of which one request
    fits (0: none), ``max_concurrency`` how many requests of the asked length fit at once, ``need_gib`` the cache of
    one such request. ``overhead_gib`` is the sum of the three parts after it.
    """

    gpu_gib: float
    budget_gib: float
    weights_gib: float
    overhead_gib: float
    activation_gib: float
    non_torch_gib: float
    graphs_gib: float
    kv_gib: float
    kv_tokens: int
    need_gib: float
    max_model_len: int
    max_concurrency: float

    def for_json(self) -> dict[str, float | int]:
        """The figures that ``check --json`` shows."""
        return {
            "gpu_gib": round(self.gpu_gib, 2),
            "budget_gib": round(self.budget_gib, 2),
            "weights_gib": round(self.weights_gib, 2),
            "overhead_gib": round(self.overhead_gib, 2),
            "kv_gib": round(self.kv_gib, 2),
            "kv_tokens": self.kv_tokens,
            "max_model_len": self.max_model_len,
            "max_concurrency": self.max_concurrency,
        }


def weights_gib(
    model: Model, quantization: str | None, bits: int | None, release: Engine | None = None
) -> float | None:
    """The model's weights as loaded by one GPU that holds them all, or None where no source gives their size.

    A size that a server logged is taken as it is. Else quantized weights are counted as a body at the method's bytes
    per parameter and embeddings at two bytes, which explains why small models shrink less. ``quantization`` is the
    method that is used, be it that of the files or one that vLLM applies while loading.
    """
    release = release or engine()
    if model.weights_gib is not None and quantization == model.quantization:
        return model.weights_gib
    if model.parameters_b is None:
        return None
    factor = release.spending.weights_factor
    beside = (model.other_parameters_b or 0.0) * 2e9 / GIB  # what reads pictures stays in 16 bit
    if quantization is None:
        return model.parameters_b * 2e9 / GIB * factor + beside
    method = release.quantizations.get(quantization)
    size = method.bytes.get(bits or method.bits or 0) if method is not None else None
    if size is None:
        return None
    embeddings = min(model.embedding_parameters_b or 0.0, model.parameters_b)
    experts = model.expert_parameters_b if model.expert_bits is not None else None
    body = model.parameters_b - embeddings - (experts or 0.0)
    apart = (experts or 0.0) * EXPERT_BYTES.get(model.expert_bits or 0, size)
    return (body * size + embeddings * 2 + apart) * 1e9 / GIB + beside


def kv_bytes_per_token(model: Model, gpu_count: int, *, fp8: bool = False) -> tuple[int, int] | None:
    """Bytes of cache per token on one GPU: in layers that see everything, and in layers with a sliding window."""
    found = footprint(model, gpu_count, fp8=fp8)
    if found is None:
        return None
    windowed = sum(each.bytes for each in found.kept if each.window is not None)
    return round(found.per_token - windowed), round(windowed)


def estimate(model: Model, load: Load, spending: Spending | None = None) -> Memory | None:
    """What becomes of the GPU's memory, or None where the catalogue does not know enough of the model."""
    spending = spending or engine().spending
    whole = weights_gib(model, load.quantization, load.bits)
    cache = footprint(model, load.gpu_count, fp8=load.fp8_kv_cache)
    if whole is None or cache is None:
        return None
    weights = whole / load.gpu_count * (spending.shard_factor if load.gpu_count > 1 else 1.0)
    activation = _activation_gib(model, load, spending)
    non_torch = spending.non_torch_gib + _parallel_gib(load, spending)
    graphs = 0.0 if load.eager else _graphs_gib(model, load, spending)
    budget = load.gpu_gib * load.utilization
    overhead = activation + non_torch + (graphs if spending.graphs_in_budget else 0.0)
    kv = budget - weights - overhead
    batched = load.max_num_batched_tokens if spending.sliding_windows else None
    need = cache.request_gib(load.max_model_len, batched)
    plain = batched is None or not any(each.window for each in cache.kept)
    requests = max(kv, 0.0) / need if need else 0.0
    return Memory(
        gpu_gib=load.gpu_gib,
        budget_gib=budget,
        weights_gib=weights,
        overhead_gib=overhead,
        activation_gib=activation,
        non_torch_gib=non_torch,
        graphs_gib=graphs,
        kv_gib=kv,
        kv_tokens=_tokens(kv, cache.per_token)
        if plain and not cache.state_bytes
        else int(requests * load.max_model_len),
        need_gib=need,
        max_model_len=cache.longest(kv, batched, model.max_context),
        max_concurrency=math.floor(requests * 100) / 100,
    )


def _activation_gib(model: Model, load: Load, spending: Spending) -> float:
    """The peak of the rehearsal: the sampler at full batch, or a prefill, whichever is larger."""
    sampler = spending.sampler_units * load.max_num_seqs * (model.vocab or 0) * 4 / GIB
    hidden = model.hidden or 0
    if model.moe is not None:
        wide = model.moe.experts_per_token * (3 * model.moe.intermediate / load.gpu_count + hidden)
    else:
        wide = 3 * (model.intermediate or 0) / load.gpu_count
    tokens = load.max_num_batched_tokens
    if load.max_model_len <= spending.whole_prefill_tokens:
        tokens = max(tokens, load.max_model_len)
    prefill = tokens * (wide + 4 * hidden) * 2 / GIB
    return max(sampler, prefill)


def _parallel_gib(load: Load, spending: Spending) -> float:
    """What the GPUs' communication holds on each of them."""
    table = dict(spending.parallel_gib)
    if load.nvlink:
        table |= spending.parallel_nvlink_gib
    return max((gib for size, gib in table.items() if size <= load.gpu_count), default=0.0)


def _graphs_gib(model: Model, load: Load, spending: Spending) -> float:
    """CUDA graphs: one per layer and captured batch size, of which there are fewer for fewer requests."""
    largest = min(2 * load.max_num_seqs, 512)
    sizes = min(3, largest) + min(largest, 255) // 8 + max(0, largest - 240) // 16
    share = min(1.0, sizes / spending.graph_sizes_at_default)
    return spending.graph_gib_per_layer * (model.layers or 0) * share


def _tokens(kv: float, per_token: float) -> int:
    block = engine().block_tokens
    return int(max(kv, 0.0) * GIB / (per_token * block)) * block if per_token else 0
