"""How tpu-inference, vLLM's plugin for Google's TPUs, spends the memory of its chips.

No run is rehearsed there. The cache gets the memory of all chips times ``--gpu-memory-utilization``, less what the
weights took (worker/tpu_worker.py, determine_available_memory); what is worked on, and XLA's programs, have the rest.
``data/tpu.json`` has its constants, each with the file of its wheel.
"""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pulumi_llm.catalog.models import GIB, Cache, Model
from pulumi_llm.preflight.cache import Footprint, Kept
from pulumi_llm.preflight.memory import Load, Memory, activation_gib
from pulumi_llm.preflight.weights import weights_gib

if TYPE_CHECKING:
    from collections.abc import Mapping

DATA = Path(__file__).parent / "data" / "tpu.json"


@cache
def facts() -> Mapping[str, Any]:
    """What its source says, by name."""
    found: Mapping[str, Any] = json.loads(DATA.read_text(encoding="utf-8"))
    return found


def estimate(model: Model, load: Load) -> Memory | None:
    """What becomes of a chip's memory, or None where the catalogue does not know enough of the model."""
    from pulumi_llm.preflight.engine import engine

    whole = weights_gib(model, load.quantization, load.bits, sees=load.sees, head=load.head)
    cached = footprint(model, load)
    if whole is None or cached is None:
        return None
    weights = whole / load.gpu_count * (engine().spending.shard_factor if load.gpu_count > 1 else 1.0)
    budget = load.gpu_gib * load.utilization
    kv = budget - weights
    need = cached.request_gib(load.max_model_len, None)
    page = cached.block_tokens
    requests = max(kv, 0.0) / need if need else float(load.max_num_seqs) * (kv > 0)
    return Memory(
        gpu_gib=load.gpu_gib,
        budget_gib=budget,
        weights_gib=weights,
        overhead_gib=0.0,
        activation_gib=activation_gib(model, load, engine().spending),
        non_torch_gib=0.0,
        graphs_gib=0.0,
        kv_gib=kv,
        kv_tokens=int(max(kv, 0.0) * GIB / (cached.per_token * page)) * page if cached.per_token else 0,
        need_gib=need,
        max_model_len=cached.longest(kv, None, model.max_context),
        max_concurrency=math.floor(requests * 100) / 100,
    )


def footprint(model: Model, load: Load) -> Footprint | None:
    """What requests keep on each chip. A window saves nothing: each layer has pages for all that a request holds."""
    rows = model.kept
    if rows is None:
        return None
    size = sum(row.layers * bytes_per_token(row, load.gpu_count, fp8=load.fp8_kv_cache) for row in rows if row.heads)
    page = page_tokens(load.max_model_len, load.max_num_seqs)
    return Footprint(kept=(Kept(bytes=size),), state_bytes=0.0, block_tokens=page)


def bytes_per_token(row: Cache, chips: int, *, fp8: bool = False) -> int:
    """What one layer keeps on each chip for each token, as the kernels lay it out.

    Key-value heads are shared out, and repeated where there are fewer than chips (utils.py, get_padded_num_heads).
    """
    known, size = facts(), 1 if fp8 else 2
    head = round(row.bytes / row.heads / 4)  # key and value, two bytes each
    heads, packing = max(1, row.heads // chips), known["packing_bits"] // (8 * size)
    if head == known["plain_head"]:
        return _up(heads, packing) * 2 * head * size
    return _up(2 * heads, packing) * _up(head, known["head_align"]) * size


def page_tokens(context: int, requests: int) -> int:
    """Tokens of a page, which memory is handed out in."""
    page = facts()["page"]
    size = page["least"]
    if context <= page["long"]:
        size = max(page["least"], min(page["most"], _power(context) // page["pages"]))
    most = max(1, facts()["page_words"] // max(1, requests))
    return int(max(size, _power(-(-context // most))))


def _up(number: int, step: int) -> int:
    return -(-number // step) * step


def _power(number: int) -> int:
    """The power of two that is at least as large."""
    return 1 << max(0, number - 1).bit_length()
