"""The records of real servers, each as a case for the estimator and the rules of memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from pulumi_llm import catalog
from pulumi_llm.catalog import Gpu
from pulumi_llm.errors import Refusal
from pulumi_llm.preflight import memory, rules_memory
from pulumi_llm.preflight.engine import Spending, engine
from pulumi_llm.preflight.request import Case, FitRequest

DATA = Path(__file__).parent / "data"

Record = Mapping[str, Any]

RULES = (
    rules_memory.weights_exceed_vram,
    rules_memory.context_too_long,
    rules_memory.utilization_too_high,
)


@cache
def records() -> tuple[Record, ...]:
    return tuple(json.loads((DATA / "measurements.json").read_text(encoding="utf-8"))["records"])


@cache
def spending_of(release: str) -> Spending:
    """How that range of releases spent memory: today's spending with what was different then."""
    raw = json.loads((DATA / "releases.json").read_text(encoding="utf-8"))["releases"][release]
    return replace(engine().spending, **{key: value for key, value in raw.items() if key != "source"})


def release_of(record: Record) -> str:
    """The range of releases that a record comes from; V1 without a version is read as the older V1."""
    if record.get("engine") == "V0":
        return "V0"
    major, minor = (int(part) for part in record.get("vllm_version", "0.10").split(".")[:2])
    if (major, minor) < (0, 17):
        return "V1 to 0.16"
    return "0.17 to 0.20" if (major, minor) < (0, 21) else "since 0.21"


def case(record: Record) -> Case:
    """The record as the rules see it: with the card's memory as logged, and the spending of its release."""
    data = catalog.load()
    model = data.model(record["model"])
    quantization = record.get("quantization", model.quantization)
    bits = record.get("bits", model.quantization_bits if quantization == model.quantization else None)
    gpu = card(record)
    release = replace(engine(), spending=spending_of(release_of(record)))
    defaults = release.defaults(gpu.name, gpu.memory_gib)
    count = record.get("tp", 1)
    longest = record.get("max_model_len") or model.max_context or 0
    load = memory.Load(
        gpu=gpu.name,
        gpu_gib=gpu.memory_gib,
        nvlink=gpu.nvlink != "none" and "bridge" not in gpu.nvlink,
        gpu_count=count,
        quantization=quantization,
        bits=bits,
        utilization=record.get("gpu_memory_utilization", 0.9),
        max_model_len=longest,
        max_num_seqs=record.get("max_num_seqs", defaults.max_num_seqs),
        max_num_batched_tokens=record.get("max_num_batched_tokens", defaults.max_num_batched_tokens),
        eager=record.get("enforce_eager", False),
    )
    return Case(
        request=FitRequest(model=model.id, gpu=gpu.name, gpu_count=count),
        model=model,
        gpu=gpu,
        engine=release,
        quantization=quantization,
        bits=bits,
        max_model_len=longest,
        load=load,
        estimated=memory.estimate(model, load, release.spending),
    )


def card(record: Record) -> Gpu:
    """The catalogue's row of the card, with the memory that the log shows where it does."""
    data = catalog.load()
    named = str(record.get("gpu", "")).replace("RTX ", "RTX-").replace("H100 80GB", "H100-80GB")
    logged = record.get("total_gpu_memory_gib")
    try:
        row = data.gpu(named)
    except Refusal:
        # A card that the log does not name, by its size: only the batch defaults depend on which it is.
        row = data.gpu("A100-80GB" if (logged or 0) > 70 else "A10")
    return row if logged is None else replace(row, memory_gib=logged)


def accepted(found: Case) -> bool:
    """Whether the rules of memory let it start."""
    return not any(finding.severity == "error" for rule in RULES for finding in rule(found))
