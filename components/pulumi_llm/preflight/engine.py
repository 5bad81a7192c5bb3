"""What the release of vLLM on our nodes needs and spends: ``data/vllm.json``, each number with its source."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field
from functools import cache
from pathlib import Path
from typing import cast

from pulumi_llm._dataclasses import dataclass

DATA = Path(__file__).parent / "data" / "vllm.json"

Capability = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantization:
    """How weights are stored. ``bytes`` per parameter by bits, scales included; embeddings stay in 16 bit.

    ``online`` says that vLLM can make it while loading 16-bit weights; ``group`` is the number of inputs that share
    a scale, which a tensor-parallel split must not cut (None: not so stored, or not known). ``served_bits``: others are
    refused at the start (empty: none are); ``symmetric``: so are numbers with a zero point.
    ``package``: what vLLM imports for it and does not bring itself, and no lock of the nodes has.
    ``flag``: what vLLM has to be told to start with such weights.
    ``schemes``: forms of the method that have kernels from one capability to another only (None: to the newest).
    """

    name: str
    min_capability: Capability
    dtypes: tuple[str, ...]
    bytes: Mapping[int, float]
    bits: int | None
    group: int | None
    online: bool
    source: str
    served_bits: tuple[int, ...] = ()
    symmetric: bool = False
    package: str | None = None
    flag: str | None = None
    schemes: Mapping[str, tuple[Capability, Capability | None]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """How a release spends GPU memory; sizes in GiB per GPU. docs/decisions/memory-model.md says how it was found.

    The sampler's rehearsal takes ``sampler_units`` x requests x vocabulary x 4 bytes. ``whole_prefill_tokens``:
    releases that prefill prompts of up to so many tokens in one piece (0: always in chunks). ``graphs_in_budget``:
    CUDA graphs are paid from the utilisation that is asked for, not on top of it.
    """

    sampler_units: float
    sliding_windows: bool
    whole_prefill_tokens: int
    graphs_in_budget: bool
    weights_factor: float
    shard_factor: float
    non_torch_gib: float
    parallel_gib: Mapping[int, float]
    parallel_nvlink_gib: Mapping[int, float]
    graph_gib_per_layer: float
    graph_sizes_at_default: int
    reserved_gib: float
    error_gib: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What vLLM takes where a flag is left out."""

    max_num_seqs: int
    max_num_batched_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """One release of vLLM: what it refuses, and how it spends memory. ``host_gib_per_gpu`` is the host's."""

    version: str
    min_capability: Capability
    arm_min_capability: Capability
    bfloat16_capability: Capability
    fp8_arithmetic_capability: Capability
    fp8_kv_cache_capability: Capability
    sparse_attention_majors: tuple[int, ...]
    wide_head: int
    wide_head_capability: Capability
    min_driver: int
    compatible_drivers: tuple[int, ...]
    legacy_release: str
    block_tokens: int
    host_gib_per_gpu: float
    spending: Spending
    quantizations: Mapping[str, Quantization]
    removed_quantizations: Mapping[str, str]
    large_gpu_gib: float
    large_gpu_excludes: str
    huge_gpu_gib: float
    sizes: Mapping[str, Defaults]
    fp8_block: int
    fp8_block_publishers: tuple[str, ...]

    def defaults(self, gpu: str, gpu_gib: float) -> Defaults:
        """The batch sizes that this release takes on a GPU of that name and memory (GiB)."""
        if gpu_gib >= self.huge_gpu_gib:
            return self.sizes["huge"]
        if gpu_gib >= self.large_gpu_gib and self.large_gpu_excludes.lower() not in gpu.lower():
            return self.sizes["large"]
        return self.sizes["small"]


@cache
def engine() -> Engine:
    """The release that nodes install."""
    raw = json.loads(DATA.read_text(encoding="utf-8"))
    defaults = raw["defaults"]
    return Engine(
        version=raw["version"],
        min_capability=_capability(raw["min_capability"]),
        arm_min_capability=_capability(raw["arm_min_capability"]),
        bfloat16_capability=_capability(raw["bfloat16_capability"]),
        fp8_arithmetic_capability=_capability(raw["fp8_arithmetic_capability"]),
        fp8_kv_cache_capability=_capability(raw["fp8_kv_cache_capability"]),
        sparse_attention_majors=tuple(raw["sparse_attention_majors"]),
        wide_head=raw["wide_head"],
        wide_head_capability=_capability(raw["wide_head_capability"]),
        min_driver=raw["min_driver"],
        compatible_drivers=tuple(raw["compatible_drivers"]),
        legacy_release=raw["legacy_release"],
        block_tokens=raw["block_tokens"],
        host_gib_per_gpu=raw["host_gib_per_gpu"],
        spending=spending(raw["memory"]),
        quantizations={name: _quantization(name, row) for name, row in raw["quantizations"].items()},
        removed_quantizations=raw["removed_quantizations"],
        large_gpu_gib=defaults["large_gpu_gib"],
        large_gpu_excludes=defaults["large_gpu_excludes"],
        huge_gpu_gib=defaults["huge_gpu_gib"],
        sizes={size: Defaults(**defaults[size]) for size in ("small", "large", "huge")},
        fp8_block=raw["fp8_block"]["inputs"],
        fp8_block_publishers=tuple(raw["fp8_block"]["publishers"]),
    )


def spending(raw: Mapping[str, object]) -> Spending:
    """A release's spending from its JSON form; keys that say where it comes from are left out."""
    values = {key: value for key, value in raw.items() if not key.startswith("source")}
    for key in ("parallel_gib", "parallel_nvlink_gib"):
        table = values[key]
        assert isinstance(table, Mapping)  # noqa: S101 - our own data file
        values[key] = {int(size): float(gib) for size, gib in table.items()}
    return Spending(**values)  # type: ignore[arg-type]


def _quantization(name: str, row: Mapping[str, object]) -> Quantization:
    values = dict(row)
    sizes = values["bytes"]
    assert isinstance(sizes, Mapping)  # noqa: S101 - our own data file
    dtypes = values["dtypes"]
    assert isinstance(dtypes, list)  # noqa: S101 - our own data file
    values |= {
        "name": name,
        "min_capability": _capability(str(values["min_capability"])),
        "dtypes": tuple(dtypes),
        "served_bits": tuple(cast("list[int]", values.get("served_bits", ()))),
        "bytes": {int(bits): float(size) for bits, size in sizes.items()},
        "schemes": {
            scheme: (_capability(first), last and _capability(last))
            for scheme, (first, last) in cast("dict[str, list[str]]", values.get("schemes", {})).items()
        },
    }
    return Quantization(**values)  # type: ignore[arg-type]


def _capability(text: str) -> Capability:
    major, minor = text.split(".")
    return int(major), int(minor)
