"""How vLLM spends a GPU's memory: weights, sampler and activations, CUDA graphs, and what is left for the KV cache.

Everything is per GPU and in GiB. Fitted to 64 records of real servers from public logs: the median error of the KV
cache is about 3 % (0.2 GiB), the largest 14 %, and four records that were found later are met within 0.15 GiB
(docs/decisions/memory-model.md tells how, and why other estimators differ).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from pulumi_llm._dataclasses import dataclass
from pulumi_llm.catalog.models import GIB, Model
from pulumi_llm.preflight import stages
from pulumi_llm.preflight.adapters import Adapters, slots_gib
from pulumi_llm.preflight.cache import Footprint, footprint
from pulumi_llm.preflight.drafts import NOTHING, Draft, Held, held
from pulumi_llm.preflight.encoders import rehearsal_gib
from pulumi_llm.preflight.engine import Spending, engine
from pulumi_llm.preflight.weights import weights_gib


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is asked of a server, as far as memory is concerned. Sizes in tokens, requests and GiB per GPU.

    ``sees``: the parts that see and hear are loaded; ``rehearses``: vLLM takes room for them when it starts;
    ``stages``: the parts that the layers are cut into, each on machines of its own with ``gpu_count`` GPUs.
    ``writes``: the model writes text, one word after the other, so a sampler is rehearsed. ``head``: the matrix that
    makes words of what the last layer says is loaded.
    """

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
    adapters: Adapters | None = None
    draft: Draft | None = None
    sees: bool = True
    rehearses: bool = True
    writes: bool = True
    head: bool = True
    stages: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """An estimate, per GPU, in GiB. ``kv_gib`` is negative where not even weights and overhead find room.

    ``kv_tokens`` is what vLLM logs as `GPU KV cache size` (with windows: of requests of the asked length);
    ``max_model_len`` the longest context of which one request
    fits (0: none), ``max_concurrency`` how many requests of the asked length fit at once, ``need_gib`` the cache of
    one such request. ``overhead_gib`` is the sum of the three parts after it. ``adapters_gib`` and ``draft_gib`` are in
    ``weights_gib``: slots for adapters, and what guesses ahead.
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
    adapters_gib: float = 0.0
    draft_gib: float = 0.0

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
            **({"adapters_gib": round(self.adapters_gib, 2)} if self.adapters_gib else {}),
            **({"draft_gib": round(self.draft_gib, 2)} if self.draft_gib else {}),
        }


def kv_bytes_per_token(model: Model, gpu_count: int, *, fp8: bool = False) -> tuple[int, int] | None:
    """Bytes of cache per token on one GPU: in layers that see everything, and in layers with a sliding window."""
    found = footprint(model, gpu_count, fp8=fp8)
    if found is None:
        return None
    windowed = sum(each.bytes for each in found.kept if each.window is not None)
    return round(found.per_token - windowed), round(windowed)


Parts = tuple[float, Footprint, Held]
"""Weights (GiB) and cache of the stage that holds most, and what guesses ahead."""


def parts_of(model: Model, load: Load) -> Parts | None:
    """What is the same on all GPUs of which there are as many; None where the catalogue does not know enough."""
    whole = weights_gib(model, load.quantization, load.bits, sees=load.sees, head=load.head)
    ahead = (held(model, load.draft) if load.draft else None) or NOTHING
    cache = footprint(model, load.gpu_count, fp8=load.fp8_kv_cache, more=ahead.kept)
    if whole is None or cache is None:
        return None
    return *stages.largest(model, whole, cache, load.stages), ahead


def overfull(parts: Parts | None, gpu_gib: float, gpu_count: int, utilization: float) -> bool:
    """Whether the weights alone are more than a GPU may use: what `estimate` tells at greater cost, of far fewer."""
    return parts is not None and _share(parts[0], gpu_count, engine().spending) > gpu_gib * utilization


def _share(whole: float, gpu_count: int, spending: Spending) -> float:
    """GiB on each of the GPUs that share the weights."""
    return whole / gpu_count * (spending.shard_factor if gpu_count > 1 else 1.0)


def estimate(model: Model, load: Load, spending: Spending | None = None, parts: Parts | None = None) -> Memory | None:
    """What becomes of the GPU's memory, or None where the catalogue does not know enough of the model.

    ``parts``: what `parts_of` says, where somebody has asked it already.
    """
    spending = spending or engine().spending
    parts = parts or parts_of(model, load)
    if parts is None:
        return None
    whole, cache, ahead = parts
    draft = _share(ahead.weights_gib, load.gpu_count, spending)
    adapters = (slots_gib(model, load.adapters, load.gpu_count) if load.adapters else None) or 0.0
    weights = _share(whole, load.gpu_count, spending) + draft + adapters
    activation = activation_gib(model, load, spending)
    non_torch = spending.non_torch_gib + _parallel_gib(load, spending)
    graphs = 0.0 if load.eager else _graphs_gib(model, load, spending)
    budget = load.gpu_gib * load.utilization
    overhead = activation + non_torch + (graphs if spending.graphs_in_budget else 0.0)
    kv = budget - weights - overhead
    batched = load.max_num_batched_tokens if spending.sliding_windows else None
    need = cache.request_gib(load.max_model_len, batched)
    plain = batched is None or not any(each.window for each in cache.kept)
    requests = max(kv, 0.0) / need if need else float(load.max_num_seqs) * (kv > 0)
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
        adapters_gib=adapters,
        draft_gib=draft,
    )


def activation_gib(model: Model, load: Load, spending: Spending) -> float:
    """The peak of the rehearsal: the sampler at full batch, a prefill, or what sees, whichever is larger."""
    units = spending.sampler_units if load.writes else 0.0
    sampler = units * load.max_num_seqs * (model.vocab or 0) * 4 / GIB
    hidden = model.hidden or 0
    if model.moe is not None:
        wide = model.moe.experts_per_token * (3 * model.moe.intermediate / load.gpu_count + hidden)
    else:
        wide = 3 * (model.intermediate or 0) / load.gpu_count
    tokens = load.max_num_batched_tokens
    if load.max_model_len <= spending.whole_prefill_tokens or model.attention_layers == 0 < (model.heads or 0):
        # a text in one piece: older releases, and what sees all of it at once
        tokens = max(tokens, load.max_model_len)
    prefill = tokens * (wide + 4 * hidden) * 2 / GIB
    encoder, kept = (0.0, 0.0)
    if load.sees and load.rehearses:
        encoder, kept = rehearsal_gib(model, load.max_num_batched_tokens, load.max_model_len, load.gpu_count)
    return max(max(sampler, prefill) + kept, encoder)


def _parallel_gib(load: Load, spending: Spending) -> float:
    """What the GPUs' communication holds on each of them."""
    gpus, most = load.gpu_count * load.stages, 0.0
    linked: Mapping[int, float] = spending.parallel_nvlink_gib if load.nvlink else {}
    for size, gib in (*spending.parallel_gib.items(), *linked.items()):
        held_there = linked.get(size, gib)
        if size <= gpus and held_there > most:
            most = held_there
    return most


def _graphs_gib(model: Model, load: Load, spending: Spending) -> float:
    """CUDA graphs: one per layer and captured batch size, of which there are fewer for fewer requests."""
    largest = min(2 * load.max_num_seqs, 512)
    sizes = min(3, largest) + min(largest, 255) // 8 + max(0, largest - 240) // 16
    share = min(1.0, sizes / spending.graph_sizes_at_default)
    return spending.graph_gib_per_layer * (model.layers or 0) * share


def _tokens(kv: float, per_token: float) -> int:
    block = engine().block_tokens
    return int(max(kv, 0.0) * GIB / (per_token * block)) * block if per_token else 0
