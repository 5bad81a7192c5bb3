"""What the program really says of bad input: specs, models on GPUs, components, stacks and policy settings.

Each table holds the smallest input that makes one thing to be said. Nothing here is asserted; see
``test_translation_of_refusals``.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import socket
import sys
import tempfile
import threading
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import chdir
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pulumi
import pulumi_aws
import yaml

import pulumi_llm as llm
from pulumi_llm import _bootstrap as bootstrap
from pulumi_llm import _entry_points, catalog, clouds, preflight, spec
from pulumi_llm._bootstrap import GatewayKey, GatewayRole, Route, Target
from pulumi_llm._commands import _check_ends, _fleet_stack
from pulumi_llm._commands._node_size import with_user_data
from pulumi_llm._existing import in_container, private_key_of
from pulumi_llm._gateway import content_role
from pulumi_llm._outlook import quotas, software
from pulumi_llm._outlook import stack as outlook
from pulumi_llm._plan.capture import capture, capture_stack
from pulumi_llm._plan.model import Plan, PlannedResource
from pulumi_llm._plan.preview import parse as parse_preview
from pulumi_llm._resolve import resolve_platform
from pulumi_llm._resolve.fleet import resolve_fleet
from pulumi_llm._review.policy_settings import FILE, Exemption, combined
from pulumi_llm._snapshots import notes, schedule
from pulumi_llm.clouds import functions, lookups, support
from pulumi_llm.clouds.capabilities import Capability
from pulumi_llm.clouds.ssh import probe
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.preflight import capabilities, clusters, on_cpu, placement, rules_tpu, served_adapters, stores, suggest
from pulumi_llm.preflight.endings import ending_models
from pulumi_llm.preflight.report import check
from pulumi_llm.preflight.request import FitRequest, case_of
from pulumi_llm.preflight.rules import findings_of
from pulumi_llm.roles import vllm_flags
from pulumi_llm.roles.files import data
from pulumi_llm.spec.fleet import FleetSpec
from pulumi_llm.stack import run as stack_program
from tests.apps.bad import BAD, CHAT, RAG
from tests.apps.bad import UPSTREAMS as APP_UPSTREAMS
from tests.bootstrap.samples import MINI, OPENAI, gpu_node, vllm_of
from tests.cluster.fleets import FLEET, kubeconfig
from tests.cluster.managed import fleet as made
from tests.preflight.test_bad_input import QWEN
from tests.preflight.test_verdicts import VERDICTS, asked
from tests.roles.sample import ROLE as LEDGER
from tests.roles.sample import installed
from tests.ssh import samples as own
from tests.test_components import PROXY, SERVER
from tests.test_content_spec import LIST, MODERATOR, moderator
from tests.test_spec import GOOD, changed, without
from tests.vectors.bad import BAD as OF_VECTORIZERS
from tests.vectors.weaviate import platform

ROOT = Path(__file__).parents[2]


def told(task: Callable[[], Any]) -> list[Finding]:
    """The findings with which a task refuses; none where it does not."""
    try:
        task()
    except Refusal as refusal:
        return list(refusal.findings)
    return []


@cache
def findings() -> tuple[Finding, ...]:
    """Everything that is said of all the tables' inputs, each once."""
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        sources = (
            of_fit,
            of_configs,
            of_servers,
            of_platforms,
            of_apps,
            of_services,
            of_stores,
            of_snapshots,
            of_gateways,
            of_endings,
            of_outlooks,
            of_content,
            of_components,
            of_stacks,
        )
        found = [
            each
            for source in (
                *sources,
                of_made_clusters,
                of_fleet_stacks,
                of_policies,
                of_clouds,
                of_machines_that_exist,
                of_places,
            )
            for each in source()
        ]
    return tuple({(each.code, each.message, each.hint): each for each in found}.values())


# -- snapshots and weights

SERVER_PART = {"cloud": "aws", "region": "us-east-1", "gpu": "T4", "model": "01-ai/Yi-6B-Chat"}
KEPT: tuple[dict[str, Any], ...] = (
    {"bucket": "my-bucket"},
    {"bucket": "oss://kept"},
    {"bucket": "s3://kept", "endpoint": "b"},
    {"bucket": "s3://kept", "bundle": "newest"},
    {"bucket": "s3://kept", "closed": True},
)

DISKS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("aliyun", {"snapshots": {"at": "03:30 Asia/Shanghai"}}),
    ("tencent", {"snapshots": {"at": "03:00 UTC", "keep_days": 31}}),
    ("aliyun", {"snapshots": {"at": "03:00 UTC", "keep_days": 1001}}),
    ("aws", {"snapshots": {"at": "03:00 UTC", "keep_days": 6, "every": "Sun"}}),
    ("aliyun", {"from_snapshot": "snap-1"}),
    ("ssh", {"from_snapshot": "snap-1"}),
    ("aws", {"snapshots": {"at": "25:00 UTC"}}),
    ("aws", {"snapshots": {"at": "03:00 Mars/Base"}}),
    ("aws", {"snapshots": {"at": "03:00 UTC", "every": "Monday"}}),
)


def of_snapshots() -> Iterator[Finding]:
    """What is said of a schedule that its cloud would not take, and of one that it does."""
    for cloud, wanted in DISKS:
        yield from told(lambda wanted=wanted: spec.parse(spec.DiskSpec, wanted))
        try:
            yield from schedule.mistakes(spec.parse(spec.DiskSpec, wanted), cloud)
        except Refusal:
            continue
    for kept in KEPT:
        yield from told(lambda kept=kept: spec.parse(spec.ServerSpec, {**SERVER_PART, "weights": kept}))
    for cloud in ("aliyun", "tencent", "aws"):
        yield from notes.of(spec.parse(spec.DiskSpec, {"snapshots": {"at": "03:00 UTC", "every": "Sun"}}), cloud)


# -- vector stores


def of_stores() -> Iterator[Finding]:
    """What is said of a vector store that does not refuse it."""
    yield from stores.warnings_of(spec.parse(spec.VectorsSpec, {"engine": "chroma"}))
    for each in (
        {"engine": "milvus", "memory_gib": 4},
        {"engine": "pgvector", "count": 10, "dimensions": 2001},
        {"count": 5_000_000, "dimensions": 1024, "memory_gib": 4, "disk_gib": 10},
        {"count": 10},
        {"engine": "pinecone"},
    ):
        yield from told(lambda each=each: spec.parse(spec.VectorsSpec, each))


# -- a model on GPUs

REQUESTS: tuple[dict[str, Any], ...] = (
    {"model": "01-ai/Yi-6B-Chat", "gpu": "A10", "changes_beside": True},
    {"model": "01-ai/Yi-6B-Chat", "gpu": "A10", "changes_beside": True, "gpu_memory_utilization": 0.48},
    *(
        {"model": "Qwen/Qwen2.5-3B-Instruct", "gpu": "T4", "cloud": "aliyun", "region": "cn-hangzhou", **each}
        for each in (
            {
                "changes_beside": True,
                "instance_type": "ecs.gn6i-c4g1.xlarge",
                "gpu_memory_utilization": 0.1,
                "extra_args": ("--kv-offloading-size", "4"),
            },
        )
    ),
    {"model": "Qwen/Qwen2.5-7B-Instruct", "gpu": "A10", "adapters": served_adapters.flags(16, 512)},
    {"model": "Qwen/Qwen3.6-27B-FP8", "gpu": "A10", "gpu_count": 2, "max_num_seqs": 256},
    {"model": "google/gemma-4-26B-A4B-it", "gpu": "T4"},
    {"model": "01-ai/Yi-6B-Chat", "gpu": "T4", "extra_args": ("--enable-lora",)},
    {"model": "01-ai/Yi-6B-Chat", "gpu": "T4", "extra_args": ("--speculative-config", "{}")},
    {
        "model": "Qwen/Qwen2.5-7B-Instruct",
        "gpu": "A10",
        "extra_args": ("--speculative-config", '{"method": "eagle", "model": "a/b", "num_speculative_tokens": 2}'),
    },
    {"model": "Qwen/Qwen3.6-27B-FP8", "gpu": "A100-80GB", "extra_args": ("--enable-lora",)},
    *(
        {"model": "Qwen/Qwen2.5-7B-Instruct", "gpu": "A10", "extra_args": flags}
        for flags in (
            ("--enable-lora", "--max-lora-rank", "48", "--max-loras", "4", "--max-cpu-loras", "2"),
            ("--speculative-config", '{"method": "ngram"}'),
            ("--speculative-config", '{"method": "ngram"'),
            ("--speculative-config", '{"num_speculative_tokens": 1}', "--spec-tokens", "1"),
            *(
                ("--speculative-config", f'{{"method": "ngram", "num_speculative_tokens": {each}}}')
                for each in (
                    *("0", "300000", '3, "prompt_lookup": 1', '3, "model": 5', '3, "parallel_drafting": 2'),
                    *('3, "prompt_lookup_min": 5, "prompt_lookup_max": 4', '3, "synthetic_acceptance_length": NaN'),
                    *('3, "zzz": 1', '3, "draft_sample_method": "x"'),
                )
            ),
            ("--max-num-batched-tokens", "64", "--max-num-seqs", "128"),
            ("--no-enable-chunked-prefill", "--max-num-batched-tokens", "4096"),
        )
    ),
    {"model": "moonshotai/Kimi-K2.6", "gpu": "H200", "gpu_count": 8, "extra_args": ("--enable-lora",)},
    {
        "model": "moonshotai/Kimi-Linear-48B-A3B-Instruct",
        "gpu": "H200",
        "extra_args": ("--mamba-ssm-cache-dtype", "float16"),
    },
    # The table of verdicts gives the errors; here are the warnings, and errors with other hints.
    {"model": "01-ai/Yi-6B-Chat", "gpu": "T4", "concurrency": 2},
    {"model": "01-ai/Yi-6B-Chat", "gpu": "T4", "nodes": 33},
    {"model": "BAAI/bge-m3", "gpu": "T4", "nodes": 2},
    {"model": "Qwen/Qwen2.5-72B-Instruct", "gpu": "A10G", "nodes": 2},
    {"model": "Qwen/Qwen3-8B-FP8", "gpu": "A10"},
    {"model": "mistralai/Mistral-7B-Instruct-v0.3", "gpu": "T4"},
    {"model": "Qwen/Qwen2.5-0.5B-Instruct-AWQ", "gpu": "A10", "gpu_count": 2},
    {"model": "Qwen/Qwen2.5-14B-Instruct-AWQ", "gpu": "A10", "gpu_count": 8},
    {"model": "google/gemma-2-9b-it", "gpu": "A10", "gpu_count": 2},
    {"model": "meta-llama/Llama-3.1-8B-Instruct", "gpu": "L20", "max_model_len": 32768, "concurrency": 8},
    {"model": "01-ai/Yi-6B-Chat", "gpu": "T4", "concurrency": 300},
    {"model": "01-ai/Yi-6B-Chat", "gpu": "T4", "driver": 550},
    {"model": "01-ai/Yi-6B-Chat", "gpu": "T4", "driver": 570},
    {"model": "01-ai/Yi-6B-Chat", "gpu": "T4", "model_disk_gib": 10},
    {"model": "01-ai/Yi-6B-Chat", "gpu": "T4", "cloud": "aliyun", "region": "cn-hangzhou"},
    {"model": "01-ai/Yi-6B-Chat", "gpu": "T4", "cloud": "aws", "gpu_count": 3},
    {"model": "01-ai/Yi-6B-Chat", "gpu": "L20", "cloud": "aws"},
    {"model": "google/gemma-2-9b-it", "gpu": "T4", "gpu_count": 4, "dtype": "half"},
    {"model": "google/gemma-2-9b-it", "gpu": "T4", "gpu_count": 4, "dtype": "bfloat16"},
    {"model": "Qwen/Qwen2.5-7B-Instruct", "gpu": "A10", "quantization": "awq"},
    {"model": "Qwen/Qwen2.5-7B-Instruct", "gpu": "A10", "quantization": "awwq"},
    {"model": "Qwen/Qwen2.5-7B-Instruct", "gpu": "A10", "quantization": "bitsandbytes"},
    {"model": "Qwen/Qwen2.5-7B-Instruct", "gpu": "A10", "quantization": "aqlm"},
    {"model": "Qwen/Qwen2.5-7B-Instruct", "gpu": "A10", "quantization": "mxfp4"},
    {"model": "Qwen/Qwen2.5-7B-Instruct-AWQ", "gpu": "A10", "quantization": "gptq"},
    {"model": "Qwen/Qwen2.5-72B-Instruct", "gpu": "A10", "cloud": "aliyun", "region": "cn-hangzhou"},
    {"model": "Qwen/Qwen2.5-72B-Instruct", "gpu": "A100-80GB", "max_model_len": 32768},
    {"model": "Qwen/Qwen2.5-7B-Instruct", "gpu": "A10", "concurrency": 64},
    {"model": "Qwen/Qwen2.5-7B-Instruct", "gpu": "L20", "max_model_len": 32768, "concurrency": 64},
    {"model": "Qwen/Qwen2.5-7B-Instruct", "gpu": "T4", "max_model_len": 131072},
    {"model": "Qwen/Qwen3-8B", "gpu": "TPU-v6e", "max_model_len": 40960, "gpu_memory_utilization": 0.55},
    {"model": "Qwen/Qwen3-32B", "gpu": "TPU-v6e"},
    {"model": "Qwen/Qwen3-8B", "gpu": "TPU-v6e", "gpu_memory_utilization": 0.98, "dtype": "half"},
    {"model": "Qwen/Qwen3-8B", "gpu": "TPU-v6e", "quantization": "fp8"},
    {"model": "Qwen/Qwen3-8B", "gpu": "TPU-v6e", "gpu_count": 4, "nodes": 2, "kv_cache_dtype": "fp8_e4m3"},
    {"model": "Qwen/Qwen3-8B", "gpu": "TPU-v6e", "adapters": ("--enable-lora",), "changes_beside": True},
    {"model": "Qwen/Qwen3-8B", "gpu": "TPU-v6e", "extra_args": ("--spec-method", "eagle3")},
    {"model": "microsoft/phi-4", "gpu": "TPU-v6e"},
    {"model": "deepseek-ai/DeepSeek-R1", "gpu": "TPU-v6e"},
    {"model": "Qwen/Qwen3-Next-80B-A3B-Instruct", "gpu": "TPU-v6e"},
    {"model": "Qwen/Qwen3.6-27B", "gpu": "TPU-v6e"},
    {"model": "Qwen/Qwen3-Embedding-8B", "gpu": "TPU-v6e"},
    {"model": "hugging-quants/Meta-Llama-3.1-8B-Instruct-GPTQ-INT4", "gpu": "TPU-v6e"},
    {"model": "microsoft/phi-4", "gpu": "T4", "gpu_count": 8, "gpu_memory_utilization": 0.98, "concurrency": 300},
)


def of_fit() -> Iterator[Finding]:
    """One row for each set of errors in the table of verdicts, and what the table does not touch."""
    first = {tuple(row["errors"]): row for row in reversed(VERDICTS)}
    for request in (*map(asked, first.values()), *(FitRequest(**each) for each in REQUESTS)):
        yield from check(request).findings
    yield from _of_tpus()
    yield from _of_machines_near_each_other()
    yield from with_user_data(check(FitRequest(model="01-ai/Yi-6B-Chat", gpu="T4", cloud="aws"))).findings
    yield from told(lambda: check(FitRequest(model="qwen-turbo", gpu="A10")))
    yield from _of_other_catalogues()


def _of_machines_near_each_other() -> Iterator[Finding]:
    """What is known of the network between them, and which cloud keeps which type near each other."""
    rows: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
        ("aws", "g6.8xlarge", "L4", {}),
        ("aliyun", "ecs.gn8is.2xlarge", "L20", {}),
        ("aliyun", "ecs.gn8v.4xlarge", "H20", {"nodes_near": True, "spot": True}),
        ("aliyun", "ecs.gn6i-c4g1.xlarge", "T4", {"nodes_near": True}),
        ("tencent", "HCCPNV6.96XLARGE2304", "H20", {"gpu_count": 8}),
        ("tencent", "HCCPNV6.96XLARGE2304", "H20", {"gpu_count": 8, "nodes": 1}),
        ("tencent", "GN7.2XLARGE32", "T4", {"nodes_near": True}),
        ("tencent", "PNV5b.8XLARGE96", "L20", {}),
        ("aws", "g4dn.xlarge", "T4", {}),
    )
    in_no_list = {"aliyun": ("cn-hangzhou", ("cn-hangzhou-i",)), "tencent": ("ap-guangzhou", ("ap-guangzhou-6",))}
    for cloud, type_, gpu, more in rows:
        row = catalog.load().instances_of(cloud)[type_]
        region, zones = next(iter(row.regions.items()), in_no_list.get(cloud, ("", ())))
        place = {"cloud": cloud, "region": region, "zone": zones[0] if zones else None, "instance_type": type_}
        asked_for = {"model": "01-ai/Yi-6B-Chat", "gpu": gpu, "nodes": 2, "max_model_len": 4096, **place, **more}
        yield from check(FitRequest(**asked_for)).findings


def _of_tpus() -> Iterator[Finding]:
    """What of a spec is beside the model, and a batch that has no room beside the cache."""
    beside = SimpleNamespace(models={"small": None}, weights=SimpleNamespace(bundle="0"))
    yield from rules_tpu.of_server(beside)  # type: ignore[arg-type]
    tokens = ("--max-num-batched-tokens", "16384")
    case = case_of(FitRequest(model="Qwen/Qwen3-8B", gpu="TPU-v6e", gpu_memory_utilization=0.98, extra_args=tokens))
    yield from findings_of(case)
    owned = replace(case.request, host=SimpleNamespace())  # type: ignore[arg-type]
    yield from rules_tpu.cannot(replace(case, request=owned))


def _of_other_catalogues() -> Iterator[Finding]:
    """What a catalogue would have to lack: prices, a model's licence, its place at ModelScope."""
    gated = case_of(FitRequest(model="google/gemma-2-9b-it", gpu="A10"))
    yield from findings_of(replace(gated, model=replace(gated.model, licence=None, modelscope_id=None)))
    yield from findings_of(replace(gated, model=replace(gated.model, unserved_part="mistral4")))
    wide = case_of(FitRequest(model="Qwen/Qwen3-8B", gpu="H20", extra_args=("--enable-lora",)))
    yield from findings_of(replace(wide, model=replace(wide.model, vocab=262_144)))
    flags = ("--speculative-config", '{"method": "mtp", "num_speculative_tokens": 5}')
    ahead = case_of(FitRequest(model="deepseek-ai/DeepSeek-V3", gpu="H200", gpu_count=8, extra_args=flags))
    yield from findings_of(replace(ahead, model=replace(ahead.model, heads_ahead=3)))
    yield from findings_of(replace(ahead, model=replace(ahead.model, heads_ahead=0)))
    for spec_method in ("mtp", "eagel3", "suffix", "mlp_speculator", "eagle3"):
        yield from check(
            FitRequest(model="Qwen/Qwen3-8B", gpu="H20", extra_args=("--spec-method", spec_method))
        ).findings
    for concurrency in (None, 300):
        case = case_of(FitRequest(model="Qwen/Qwen2.5-72B-Instruct", gpu="A10", concurrency=concurrency))
        found = suggest.cheapest(case)
        assert found is not None
        unpriced = replace(found, offer=replace(found.offer, price=None))
        yield from suggest.with_hints(case, findings_of(case), unpriced)


CONFIGS: tuple[dict[str, Any], ...] = (
    {"quantization_config": {"quant_method": "quip"}},
    {"quantization_config": {"quant_method": "compressed-tensors"}},
    {"quantization_config": {"quant_method": "gguf"}},
    {
        "quantization_config": {
            "quant_method": "compressed-tensors",
            "config_groups": {
                "group_0": {
                    "weights": {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 128},
                    "input_activations": {"num_bits": 8, "type": "float"},
                }
            },
        }
    },
    {"quantization_config": {"quant_method": "gptq", "bits": 3}},
    {"quantization_config": {"quant_method": "torchao", "quant_type": "int8_weight_only"}},
    {"quantization_config": {"quant_method": "modelopt", "quant_algo": "FP8", "kv_cache_quant_algo": "FP8"}},
    {"quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 128, "sym": False}},
    {"architectures": ["Qwen3VLForConditionalGeneration"]},
    {"architectures": None, "vision_config": {}},
    {"layer_types": (["linear_attention"] * 3 + ["full_attention"]) * 7},
    {"num_latent_experts": 7},
    {"architectures": ["DeepseekV32ForCausalLM"], "model_type": "deepseek_v32", "kv_lora_rank": 512},
    {"architectures": ["DiffusionGemmaForBlockDiffusion"], "model_type": "diffusion_gemma_text"},
    {"architectures": ["HeliumForCausalLM"]},
    {"architectures": ["LlamaModel"]},
    {"architectures": ["CLIPModel"]},
    {"architectures": ["Step5ForCausalLM"]},
    {"architectures": ["Lfm2BidirectionalModel"]},
    {"architectures": ["QWenLMHeadModel"]},
    {"architectures": ["BartModel"]},
    {"architectures": ["Qwen22ForCausalLM"]},
    {"architectures": ["Qwen2ForCausalLMM"]},
    {"architectures": ["XxxxForCausalLM"]},
)


FLASHINFER = ("--attention-backend", "FLASHINFER")


def of_configs() -> Iterator[Finding]:
    """Models by their config.json, which may be of an architecture or in a quantization that the catalogue lacks."""
    for each in CONFIGS:
        Path("config.json").write_text(json.dumps({**QWEN, **each}), encoding="utf-8")
        for gpu in ("A10", "H20"):
            yield from check(FitRequest(model="config.json", from_config=True, gpu=gpu, extra_args=FLASHINFER)).findings


SERVERS: tuple[dict[str, Any], ...] = (
    {"model": "Qwen/Qwen2.5-7B-Instruckt"},
    {"model": "zzz/zzz"},
    {"model": "stepfun-ai/Step-3.7-Flash"},
    {"override": ["fit.contxt-too-long"]},
    {"model": "Qwen/Qwen2.5-7B-Instruct", "override": ["fit.weights-exceed-vram"]},
    {"instance_type": "p4d.24xlarge"},
    {"instance_type": "g4dn.xlrge"},
    {"instance_type": "zzz"},
    {"gpu_count": 3},
    {"zone": "us-east-1z"},
    {"zone": "us-east-1"},
    {"cloud": "tencent", "region": "ap-guangzhou", "gpu": "L4"},
    {"cloud": "tencent", "region": "ap-guangzhou", "gpu": "A10", "gpu_count": 8},
    {"region": "me-south-1", "gpu": "A100-80GB", "gpu_count": 8},
    {"gpu": "A100-80GB", "gpu_count": 2},
    {"gpu": "P40"},
    {"region": "ap-south-2", "gpu_count": 2},
    {"cloud": "aliyun", "region": "ap-southeast-6"},
    {"cloud": "aliyun", "region": "cn-shanghai", "gpu": "L20"},
    {"cloud": "aliyun", "region": "cn-shanghai", "gpu": "L20", "zone": "cn-shanghai-l"},
    {"instance_type": "g4dn.metal", "gpu_count": 8},
    {"models": {"more": {"model": "Qwen/Qwen2.5-0.5B-Instruct"}}},
    {"models": {"more": {"model": "Qwen/Qwen2.5-7B-Instruct"}}},
    {"gpu": "A10G", "models": {"more": {"model": "Qwen/Qwen2.5-7B-Instruct", "gpu_memory_utilization": 0.3}}},
    {"gpu": "A10G", "gpu_memory_utilization": 0.9, "models": {"more": {"model": "Qwen/Qwen2.5-0.5B-Instruct"}}},
    {"gpu": "A10G", "models": {"more": {"model": "Qwen/Qwen2.5-7B-Instruct", "takes_turns": True}}},
    {
        "gpu": "A10G",
        "gpu_memory_utilization": 0.95,
        "models": {"more": {"model": "Qwen/Qwen2.5-7B-Instruct", "takes_turns": True}},
    },
    {"gpu": "A10G", "models": {"bge": {"model": "intfloat/multilingual-e5-large"}}},
    {"gpu": "A10G", "models": {"bge": {"model": "intfloat/multilingual-e5-large", "device": "cpu"}}},
    {"gpu": "A10G", "models": {"more": {"model": "Qwen/Qwen2.5-0.5B-Instruct", "device": "cpu"}}},
    {"gpu": "A10G", "models": {"ranks": {"model": "Qwen/Qwen3-0.6B", "kind": "reranking", "device": "cpu"}}},
    {
        "gpu": "A10G",
        "models": {"more": {"model": "Qwen/Qwen2.5-0.5B-Instruct-AWQ", "kind": "embedding", "device": "cpu"}},
    },
    {"gpu": "A10G", "models": {"ranks": {"model": "Qwen/Qwen3-Reranker-0.6B", "device": "cpu"}}},
    {"gpu": "A10G", "models": {"who": {"model": "zzz/who", "device": "cpu"}}},
    {"gpu": "A10G", "models": {f"m{each}": {"model": "BAAI/bge-m3", "device": "cpu"} for each in range(8)}},
    {"gpu": "A10G", "models": {"big": {"model": "Qwen/Qwen2.5-72B-Instruct", "gpu_memory_utilization": 0.1}}},
    {
        "gpu": "A10G",
        "gpu_memory_utilization": 0.9,
        "models": {"bge": {"model": "intfloat/multilingual-e5-large", "gpu_memory_utilization": 0.9}},
    },
)


HOSTS: tuple[tuple[dict[str, Any], dict[str, Any] | None], ...] = (
    ({"model_disk_gib": 20}, None),
    ({"model_disk_gib": 40}, {"disk_gib": 200}),
    ({"model": "zzz/zzz", "model_disk_gib": 40}, {"disk_gib": 200}),
    ({}, {"memory_gib": 12}),
    (
        {
            "model": "Qwen/Qwen2.5-0.5B-Instruct",
            "instance_type": "g4dn.xlarge",
            "models": {f"m{number}": {"model": "Qwen/Qwen2.5-0.5B-Instruct"} for number in range(3)},
        },
        None,
    ),
    ({"instance_type": "g4dn.2xlarge"}, {"memory_gib": 512}),
    ({"extra_args": ["--cpu-offload-gb=40"]}, None),
    ({"extra_args": ["--cpu-offload-gb", "5", "--kv-offloading-size", "5000"]}, {"memory_gib": 2}),
    ({"extra_args": ["--kv-offloading-size", "5000"]}, None),
    ({"model_disk_gib": 20, "weights": {"bucket": "s3://ours/models", "bundle": "0" * 64}}, None),
)
"""Servers and what shares their host, too large for it."""


def server(**changes: Any) -> spec.ServerSpec:
    """A server on one T4 at AWS, changed."""
    usual = {"cloud": "aws", "region": "us-east-1", "gpu": "T4", "model": "01-ai/Yi-6B-Chat"}
    return spec.ServerSpec.model_validate({**usual, **changes})


def of_servers() -> Iterator[Finding]:
    """What a component says of a server: its fit, its placement, and what it overrides."""
    for each in SERVERS:
        wanted = server(**each)
        yield from told(lambda wanted=wanted: placement.place_server(wanted))
        yield from preflight.check_server(wanted)
        try:
            yield from preflight.require(preflight.check_server(wanted), wanted.override)
        except Refusal:
            continue
    vectors_model = on_cpu.of_model("v", "BAAI/bge-m3")
    assert vectors_model.model is not None
    yield from on_cpu.findings(replace(vectors_model, model=replace(vectors_model.model, quantization="awq")))
    for changes, vectors in HOSTS:
        beside = spec.parse(spec.VectorsSpec, vectors) if vectors is not None else None
        yield from preflight.check_server(server(**changes), beside)
    large = {"min_vcpu": 2, "min_memory_gib": 10_000}
    yield from told(lambda: placement.place_host("aws", "us-east-1", None, **large))
    yield from told(lambda: placement.place_host("tencent", "na-toronto", None, min_vcpu=2, min_memory_gib=2))
    foreign = {"min_vcpu": 2, "min_memory_gib": 2, "instance_type": "t3.small"}
    yield from told(lambda: placement.place_host("aliyun", "cn-hangzhou", None, **foreign))
    for cloud, region, name in (
        ("aliyun", "cn-hangzhou", "t3.small"),
        ("aws", "us-east-1", "t3.small"),
        ("aws", "us-east-1", "g4dn.xlarge"),
    ):
        named = {"min_vcpu": 2, "min_memory_gib": 6, "instance_type": name}
        yield from told(
            lambda cloud=cloud, region=region, named=named: placement.place_host(cloud, region, None, **named)
        )


# -- a spec

NOT_NVIDIA = ("Ascend-910B", "TPU v5e", "LPU", "MI300X", "Gaudi 3", "Trainium2", "MLU370", "MetaX C500")

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
AT_HOME = {"models": ["m"], "base_url": "https://models.example.com/v1"}
SIGNED: dict[str, Any] = {"name": "llm.example.com", "acme": {"email": "ops@example.com"}}
DOMAINS: tuple[dict[str, Any], ...] = (
    {"name": "https://llm.example.com"},
    {"name": "llm.example.com", "acme": {"email": "ops"}},
    {"name": "llm.example.com", "acme": {"email": "ops@example.com", "directory": "zzz"}},
    {"name": "llm.example.com", "acme": {"email": "ops@example.com", "challenge": "dns"}},
    {"name": "llm.example.com", "record": {"cloud": "aliyun", "zone": "example.org"}},
    {"name": "llm.example.com", "record": {"cloud": "aws", "zone": "example.com"}},
    {"name": "llm.example.com", "record": {"cloud": "tencent", "zone": "example.com", "zone_id": "Z1"}},
    {"name": "llm.example.com", "record": {"cloud": "zzz", "zone": "example.com"}},
)
HOURS = (
    "always UTC",
    "00:00-24:00 UTC",
    "Mon 08:00-08:20 UTC",
    "Mon-Fri 08:00-20:00 Asia/Shangai",
    "Mon-Fri 08:00-20:00 ",
)

UPSTREAMS: tuple[dict[str, Any], ...] = (
    {"Big": AT_HOME},
    {"vllm": AT_HOME},
    {"openai": {"models": ["m"], "vendor": "qwen"}},
    {"mine": {**AT_HOME, "vendor": "zzz"}},
    {"mine": {**AT_HOME, "certificate_authority": "x"}},
    {"mine": {**AT_HOME, "served_names": {"n": "o"}}},
    {"mine": {**AT_HOME, "keyless": True}},
    {"mine": {**AT_HOME, "base_url": "ftp://models.example.com"}},
    {"mine": {**AT_HOME, "base_url": "https://127.0.0.1/v1"}},
    {"qwen": {"models": ["m"], "certificate_authority": CERTIFICATE}},
    {"openai": {"models": ["m"]}},
)
"""Upstreams of a server in mainland China."""

SPECS: tuple[tuple[str, Any], ...] = (
    ("server", {**SERVER_PART, "turns": {}}),
    ("server", {**SERVER_PART, "models": {"b": {"model": "BAAI/bge-m3", "takes_turns": True, "gpus": 1}}}),
    ("server", {**SERVER_PART, "model_change": "second-machine"}),
    ("server", {**SERVER_PART, "model_change": "beside", "models": {"b": {"model": "BAAI/bge-m3"}}}),
    ("serverr", {}),
    ("server.gpuu", "T4"),
    ("server.zzz", 1),
    ("server.cloud", "alyun"),
    ("proxy.cloud", "render"),
    ("proxy.cloud", "vercel"),
    ("proxy.cloud", "cloudflare"),
    ("server.cloud", "zzz"),
    ("server.region", "cn-hangzou"),
    ("server.gpu", "T44"),
    ("server.gpu", "zzz"),
    *(("server.gpu", name) for name in NOT_NVIDIA),
    ("server.gpu", "A100"),
    ("server.model", "Yi-6B-Chatt"),
    ("server.model", "LLM-Research/Meta-Llama-3.1-8B-Instruct"),
    ("server.model", "zzz"),
    ("server.zone", "cn-beijing-a"),
    ("server.served_name", "gpt-6-luna"),
    ("server.served_name", " x"),
    ("server.models", {"a b": {"model": "01-ai/Yi-6B-Chat"}}),
    ("server.models", {"m-1": {"model": "01-ai/Yi-6B-Chat"}, "M-1": {"model": "01-ai/Yi-6B-Chat"}}),
    ("server.models", {f"m{number}": {"model": "01-ai/Yi-6B-Chat"} for number in range(9)}),
    ("server.models", {"a": {"model": "BAAI/bge-m3", "device": "cpu", "gpus": 1}}),
    ("server.adapters", {"a b": {"source": "acme/a"}}),
    ("server.adapters", {"a": {"source": "acme"}}),
    ("server.adapters", {f"a{number}": {"source": "acme/a"} for number in range(17)}),
    ("server", {**GOOD["server"], "adapters": {"a": {"source": "acme/a"}}, "extra_args": ["--max-loras", "2"]}),
    ("server.models", {"a": {"model": "zzz"}}),
    ("server.keys", {}),
    ("server.keys", {"Big Key": {}}),
    ("server.keys", {"app": {"models": ["gpt-5"]}}),
    ("server.keys", {"app": {"expires": "tomorrow"}}),
    ("server.routes", {"chat": {"models": {"Qwne": 1}}}),
    ("access.allowed_cidrs", ["0.0.0.0/0"]),
    ("access.allowed_cidrs", ["::/0"]),
    ("access.allowed_cidrs", ["2001:db8::/32"]),
    ("access.allowed_cidrs", ["203.0.113.7/24"]),
    ("access.allowed_cidrs", ["everybody"]),
    ("access.allowed_cidrs", ["203.0.113.0/99"]),
    ("access.allowed_cidrs", ["203.0.113.300/32"]),
    ("access.allowed_cidrs", ["fe80::1/64"]),
    ("access.allowed_cidrs", []),
    ("access.ssh_cidrs", ["0.0.0.0/0"]),
    ("access.https_port", 8080),
    ("access.https_port", 18444),
    ("proxy.upstreams.openai.api_key", "sk-planted"),
    ("proxy.region", "ap-east-1"),
    ("proxy.region", "cn-north-1"),
    ("proxy.upstreams", {"opnai": {"models": ["x"]}}),
    ("proxy.upstreams", {"zzz": {"models": ["x"]}}),
    ("proxy.upstreams", {}),
    ("proxy.keys", {"app": {"models": ["gpt-5"]}}),
    ("proxy.routes", {"chat": {"models": {"gpt-5": 1}}}),
    ("proxy.upstreams", {"custom": {"models": ["m"]}}),
    ("proxy.upstreams", {"custom": {"models": ["m"], "base_url": "http://x.example/v1"}}),
    ("server.traces", {"endpoint": "http://collector.example.com:4318/v1/traces"}),
    ("server.traces", {"endpoint": "https://collector.example.com/v1/traces", "engine": True}),
    ("proxy.traces", {"endpoint": "http://10.0.0.9:4318/v1/traces", "engine": True}),
    ("proxy.upstreams", {"groq": {"models": ["m"], "prices": {"n": {"input": 1}}}}),
    *(("server.upstreams", each) for each in UPSTREAMS),
    ("server.cors_origins", ["chat.example.com"]),
    *(("server.domain", each) for each in DOMAINS),
    *(("server.hours", each) for each in HOURS),
    ("server.alternatives", [{}]),
    ("server.alternatives", [{"spot": False}]),
    ("server.alternatives", [{"zone": "mars-1a"}]),
    ("server.alternatives", [{"region": "us-east-1", "zone": "us-west-2a"}]),
    ("server.alternative", 3),
    ("network.vpc_id", "vpc-1"),
    ("network.cidr", "8.8.0.0/16"),
    ("tags", {"aws:x": "y"}),
    ("tags", {"x": "ö#"}),
    ("server.content", {"lists": {"a": {"action": "block"}}}),
    ("server.content", {"lists": {"a": {"action": "block", "words": ["!!!"]}}}),
    ("server.content", {"lists": {"a": LIST}, "moderators": {"a": MODERATOR}}),
    ("server.content", {"moderators": {"m": moderator("yidun", options={})}}),
    ("server.content", {"moderators": {"m": moderator("hook", file=None)}}),
    ("server.content", {"moderators": {"m": moderator("hook", file="my-own.py")}}),
    ("server.content", {"moderators": {"m": moderator("hook", file="sub/other.py")}}),
    ("server.content", {"moderators": {"m": moderator("aliyun", options={"regoin": "cn-beijing"})}}),
    ("server.content", {"moderators": {"m": moderator("baidu", options={"zzz": "cn"})}}),
    ("server.image_id", "ubuntu-24.04"),
    ("vectors", {"image_id": "m-bp1"}),
    # What pydantic says of values.
    ("server", 3),
    ("server.gpu", 3),
    ("server.gpu_count", True),
    ("server.gpu_count", "x"),
    ("server.gpu_count", 1.5),
    ("server.gpu_count", []),
    ("server.gpu_count", 9),
    ("server.gpu_count", 0),
    ("server.gpu_count", float("inf")),
    ("server.gpu_count", "9" * 5000),
    ("server.spot", "perhaps"),
    ("server.spot", []),
    ("server.kv_cache_dtype", "fp16"),
    ("server.dtype", "fp16"),
    ("server.quantization", []),
    ("server.gpu_memory_utilization", 0.05),
    ("server.gpu_memory_utilization", "x"),
    ("server.gpu_memory_utilization", []),
    ("server.extra_args", "x"),
    ("server.extra_args", 3),
    ("server.keys", 3),
    ("server.keys", {"app": 3}),
    ("server.served_name", "x" * 257),
    ("server.content", {"mask": ""}),
    ("server.content", {"mask": "**"}),
    ("server.content", {"mask": '"'}),
    ("server.content", {"moderators": {"m": {**MODERATOR, "timeout_seconds": 61}}}),
    ("server.content", {"lists": {"a": {**LIST, "on": []}}}),
    ("server.routes", {"chat": {"models": {}}}),
    ("server.routes", {"chat": {"models": {"Yi-6B-Chat": 0}}}),
    ("server.override", [""]),
    ("vectors.placement", "x"),
    ("vectors.renew", True),
    ("vectors.engine", "quadrant"),
    ("vectors.backup", {"to": "gs://kept"}),
    ("vectors.backup", {"to": "oss://My_Bucket/p"}),
    ("vectors.backup", {"every": "6h"}),
    ("vectors.backup", {"to": "s3://kept", "every": "often"}),
    ("vectors.backup", {"endpoint": "here"}),
    ("vectors.backup", {"to": "s3://kept"}),
    ("server.models", {"gpt-6-luna": {"model": "Qwen/Qwen2.5-0.5B-Instruct"}}),
    (
        "vectors",
        {"instance_type": "t3.large", "system_disk_gib": 50, "renew": True, "ready_timeout_minutes": 30},
    ),
)


def of_platforms() -> Iterator[Finding]:
    """Whole platforms with one value that is wrong."""
    for path, value in SPECS:
        raw = changed(path, value)
        yield from told(lambda raw=raw: resolve_platform(raw, where="platform"))
    for path in ("access.allowed_cidrs", "access", "server.model"):
        raw = without(path)
        yield from told(lambda raw=raw: resolve_platform(raw))
    for raw in (None, []):
        yield from told(lambda raw=raw: resolve_platform(raw, where="platform"))
    closed = {**SIGNED, "acme": {**SIGNED["acme"], "challenge": "tls-alpn"}}
    yield from told(lambda: resolve_platform(changed("server.domain", closed)))
    for engine in ("agi-proxy", "one-api", "openai-forwrd"):
        yield from told(lambda engine=engine: resolve_platform(changed("proxy", {**GOOD["proxy"], "engine": engine})))
    unserved = {"cloud": "aws", "region": "ap-south-1", "upstreams": {"gemini": {"models": ["x"]}}}
    yield from told(lambda: resolve_platform(changed("proxy", unserved)))


def of_apps() -> Iterator[Finding]:
    """Pages beside a model."""
    for __, keys, vectors in BAD:
        raw = changed("vectors", {"memory_gib": 4, **vectors})
        raw["server"] |= {"upstreams": APP_UPSTREAMS, **keys}
        yield from told(lambda raw=raw: resolve_platform(raw))
    yield from resolve_platform(changed("server.apps", {"chat": CHAT})).server.warnings
    raw = changed("vectors", {"memory_gib": 4, "engine": "weaviate"})
    raw["server"] |= {"upstreams": APP_UPSTREAMS, "apps": {"chat": CHAT, "rag": RAG}}
    yield from resolve_platform(raw).server.warnings
    for __, __, keys, vectors in OF_VECTORIZERS:
        yield from told(lambda keys=keys, vectors=vectors: resolve_platform(platform(server=keys, **vectors)))


def of_services() -> Iterator[Finding]:
    """Services beside a model: roles that are not there, that are none, and that find no room."""
    for name in ("legder", "caddy", "docker", "weaviate"):
        yield from told(lambda name=name: resolve_platform(changed("server.services", {name: {}})))
    with installed(Path("kept"), role=LEDGER.replace("generate: true, ", "")):
        yield from told(lambda: resolve_platform(changed("server.services", {"ledger": {}})))
    with installed(Path("site")):
        for sizes in ({"memory_gib": 400}, {"disk_gib": 900}):
            wanted = spec.parse(spec.PlatformSpec, changed("server.services", {"ledger": sizes})).server
            yield from preflight.check_server(wanted.model_copy(update={"model_disk_gib": 40}))


# -- what becomes of a spec

ROLE = GatewayRole(
    https_port=443, keys=(GatewayKey(name="app"),), upstreams=(OPENAI,), routes=(Route(name="mini", targets=(MINI,)),)
)
UNPRICED = Target(upstream="openai", model="gpt-6-luna")
GATEWAYS: tuple[dict[str, Any], ...] = (
    {"https_port": 22},
    {"keys": (GatewayKey(name="a"), GatewayKey(name="a"))},
    {"keys": (GatewayKey(name="node-probe"),)},
    {"keys": (GatewayKey(name="a", endpoints=("/v1/files",)),)},
    {"keys": (GatewayKey(name="a", models=("minni",)),)},
    {"keys": (GatewayKey(name="a", models=("zzz",)),)},
    {"keys": (GatewayKey(name="a", limits={"requests_per_minute": 0}),)},
    {"routes": (Route(name="mini", targets=(MINI,)), Route(name="mini", targets=(MINI,)))},
    {"routes": (Route(name="mini", targets=(replace(MINI, upstream="x"),)),)},
    {"upstreams": (replace(OPENAI, secret="../x"),)},
    {
        "keys": (GatewayKey(name="a", limits={"daily_budget_usd": 1}),),
        "routes": (Route(name="mini", targets=(UNPRICED,)),),
    },
)


def of_gateways() -> Iterator[Finding]:
    """Gateways that would not start, flags that vLLM would not start with, and nodes that are too large."""
    for each in GATEWAYS:
        role = replace(ROLE, **each)
        yield from told(lambda role=role: bootstrap.check(gpu_node(roles=(role,))))
    flags = data("vllm/flags.json")
    for flag in (*flags["reserved"], *flags["gone"], "--max-modl-len", "--zzz=1", "--watchdog-config"):
        yield from told(lambda flag=flag: vllm_flags.check_extra_arguments([flag]))
    yield from told(lambda: vllm_flags.check_extra_arguments(["--enforce-eager", "true", "--seed"]))
    yield from told(lambda: vllm_flags.quoted("\x7f"))
    names = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(100)]
    sources = replace(gpu_node().sources, hubs=tuple(f"huggingface=https://{each}.example.com" for each in names))
    yield from told(lambda: bootstrap.user_data(gpu_node(sources=sources)))
    yield from told(lambda: bootstrap.user_data(gpu_node(sources=replace(sources, hubs=("hugginface",)))))
    alone = replace(gpu_node().sources, hubs=("modelscope",))
    vllm = replace(vllm_of(gpu_node()), modelscope_id=None)
    yield from told(lambda: bootstrap.user_data(gpu_node(sources=alone).having(vllm)))


def of_endings() -> Iterator[Finding]:
    """Models that have ended, and that end soon."""
    upstreams = {"openai": spec.UpstreamSpec(models=("gpt-4", "gpt-4o"))}
    yield from ending_models(upstreams, date(2026, 12, 1))


def of_outlooks() -> Iterator[Finding]:
    """What ends besides, and what is known against what nodes run."""
    kinds = {"server": "llm:index:ModelServer", "proxy": "llm:index:OverseasProxy"}
    given: dict[str, Any] = {"upstreams": {"openai": {"models": ["gpt-4"]}}, "keys": {"a": {"expires": "2026-12-31"}}}
    rows = [PlannedResource(f"urn:{name}", kind, name, "", False, given) for name, kind in kinds.items()]
    fleet = {"cluster": {"managed": {}}, "nodes": {"cloud": "aws"}}
    rows.append(PlannedResource("urn:fleet", "llm:index:Fleet", "fleet", "", False, fleet))
    excepted = [Exemption(rule="policy.missing-tag", reason="ok", expires=date(2026, 12, 31))]
    ends = [*outlook.ends_of(Plan("p", "s", rows), date(2026, 11, 28)), *outlook.exceptions(excepted)]
    row = {"name": "CVE-2026-1", "package": "torch", "summary": "", "fixed_in": ["2.14"], "source": "x"}
    ends.append(software.advisory(row, "2.13", ["server"], {"title": "t", "date": "2026-11-28"}))
    limits = {"daily_tokens": 10, "monthly_tokens": 12, "expires": 1798675200}
    full: list[dict[str, Any]] = [{"name": "a", "state": "valid", "limits": limits, "managed": "cli"}]
    full += [{"name": name, "state": "valid", "limits": {"monthly_tokens": 100}} for name in ("b", "c")]
    used = [{"key": key, "day": "2026-11-28", "tokens": tokens} for key, tokens in (("a", 10), ("b", 100), ("c", 94))]
    ends += quotas.quotas(full, used, date(2026, 11, 28), "server")
    ends += _check_ends.ends_of(Namespace(model=None, gpu=None, upstream=["openai/some"]), date(2026, 11, 28))
    ends.append(quotas.not_seen("server", "203.0.113.9", ""))
    yield from (each.finding() for each in [*ends, *outlook.old_data(date(2036, 1, 1))])


def of_content() -> Iterator[Finding]:
    """Files and secrets that content safety names."""
    Path("bad.txt").write_text("???\n", encoding="utf-8")
    Path("gbk.txt").write_bytes("秘密".encode("gb18030"))
    Path("mine.py").write_text("def make(:\n")
    lists = {each: {"action": "block", "file": each} for each in ("gone.txt", "bad.txt", "gbk.txt")}
    moderators = {
        "m": MODERATOR,
        "y": moderator("yidun", secret="moderation_yidn_key"),
        "h": moderator("hook"),
        "g": moderator("hook", file="gone.py", options={"entry": "gone:make"}),
    }
    wanted = spec.parse(spec.ContentSpec, {"lists": lists, "moderators": moderators})
    yield from told(lambda: content_role(wanted, []))


def _without_keys(*vendors: str) -> dict[str, Any]:
    upstreams = {each: {"models": [each]} for each in vendors}
    return {**PROXY, "openai_api_key": None, "upstreams": upstreams}


WORKER: dict[str, Any] = {
    "account_id": "0" * 32,
    "zone_id": "1" * 32,
    "hostname": "llm.example.com",
    "near": "us-west-2",
    **{key: PROXY[key] for key in ("upstreams", "allowed_cidrs", "openai_api_key")},
}
_BY_REQUEST: Any = {"replicas": 2, "started_by": "request", "idle_stop": {"keep": 1, "starts_per_day": 3}}
_ABROAD = {"models": ["m"], "vendor": "custom", "base_url": "https://gpu.example.com/v1"}
_CHAT, _LARGE = FLEET["models"]["chat"], {"model": "Qwen/Qwen2.5-72B-Instruct", "gpus": 2}
_BARE = {"model": "Qwen/Qwen2.5-7B-Instruct"}
_VOLCENGINE = {"cloud": "volcengine", "region": "cn-beijing", "instance_type": "ecs.pni2.14xlarge"}
_PLACE = {"cloud": "aliyun", "region": "cn-hangzhou", "instance_type": "ecs.gn7i-c8g1.2xlarge"}
FLEETS: tuple[dict[str, Any], ...] = (
    {"vectors": {"engine": "qdrant"}},
    {"vectors": {"engine": "oracle"}},
    {"vectors": {"chart_version": "1.0.0"}},
    {"vectors": {"vectorizer": {"model": "other"}}},
    {"kubeconfig": None},
    {"kubeconfig": "text"},
    {"kubeconfig": "a: ["},
    {"kubeconfig": kubeconfig(clusters=[])},
    {"kubeconfig": kubeconfig(**{"current-context": None})},
    {"kubeconfig": kubeconfig(**{"current-context": "other"})},
    {"cluster": {"context": "nowhere"}},
    {"cluster": {"version": "1.20"}},
    {"cluster": {"version": "new"}},
    {"cluster": {"server": "http://203.0.113.7"}},
    {"models": {}},
    {"models": {"Chat": _CHAT}},
    {"models": {"chat": {**_CHAT, "nodes": 2}}},
    {"models": {"chat": {**_CHAT, "copies": 9}}},
    {"models": {"chat": {**_CHAT, "copies": 2, "scaling": {"most": 2}}}},
    {"models": {"chat": {**_BARE, "scaling": {"most": 2, "least": 2}}}},
    {"models": {"chat": {**_BARE, "scaling": {"most": 1, "least": 2}}}},
    {"models": {"chat": {**_BARE, "scaling": {"most": 2}}}, "engine": "kuberay"},
    {"models": {"chat": {"model": "acme/own", "scaling": {"most": 2}}}, "override": ["fit.unknown-model"]},
    {"models": {"chat": {**_CHAT, "gpus": 2}}},
    {"models": {"chat": {**_CHAT, "extra_args": ["--enforce-eager"]}}, "engine": "kuberay"},
    {"models": {"chat": {**_LARGE, "nodes": 64, "gpus": 1}}, "engine": "kuberay", "nodes": {"count": 64, "gpu": "T4"}},
    {"models": {"chat": {**_CHAT, "nodes": 40}}, "engine": "kuberay", "nodes": {"count": 40, "gpu": "A100-80GB"}},
    {"nodes": {**FLEET["nodes"], "gpu_quota": 1}},
    *(
        {"nodes": {**FLEET["nodes"], **each}}
        for each in (
            {"vcpus": 1},
            {"labels": {"a b": "c"}},
            {"labels": {"pool": "c d"}},
            {"taints": ["nvidia.com/gpu=x:NoSchedule"]},
        )
    ),
    {"registry": "https://registry.example.com/"},
    {"storage_class": "Fast Disk"},
    {"load_balancer_annotations": {"internal": "true"}},
    {"hub_token": ""},
    {"carried_keys": {"caht": "sk-1", "default": " "}},
    {"nodes": {"count": 2}},
    {"nodes": {"count": 2, "cloud": "aliyun"}},
    {"nodes": {"count": 2, "gpu": "T4", **_PLACE}},
    {"chart_version": "0.0.1"},
    {"namespace": "kube-system"},
    {"package_index": "https://me:planted@mirror.example.com/simple"},
    {"models": {"other": {"model": "BAAI/bge-m3"}}, "engine": "kuberay"},
    {"allowed_namespaces": []},
    {"allowed_cidrs": ["203.0.113.0/24"]},
    {"load_balancer": True},
    {"load_balancer": True, "allowed_cidrs": ["0.0.0.0/1", "128.0.0.0/1"]},
    {"routes": {"gpt": {"models": {"caht": 1}}}},
    {"routes": {"gpt": {"models": {"zzz": 1}}}},
    {"keys": {"app": {"models": ["caht"]}}},
    {"keys": {"app": {"models": ["zzz"]}}},
)
MADE: tuple[dict[str, Any], ...] = (
    made("aws", version="1.33"),
    made("aws", version="1.36"),
    made("aws", api_cidrs=[]),
    made("aws", api_cidrs=["0.0.0.0/0"]),
    made("aliyun", api_cidrs=["203.0.113.0/24"]),
    made("aliyun", vpc_id=None, subnets={}),
    made("aliyun", secrets_key=None),
    made("aws", nodes={"region": "eu-north-1", "instance_type": "p4de.24xlarge"}),
    made("aws", zones=["us-west-2z"]),
    made("aws", vpc_id="vpc-0", subnets={"us-west-2a": "subnet-1"}),
    made("aws", vpc_id="vpc-0", subnets={"us-west-2z": "subnet-1"}),
    made("aws", vpc_id="vpc-0", subnets={"us-west-2a": "subnet-1"}, zones=["us-west-2b"]),
    made("aws", vpc_id="vpc-0"),
    made("aws", gpu_driver="580.95.05"),
    made("tencent", admins=["arn:aws:iam::1:role/x"]),
    made("tencent", version="1.30"),
    made("aws", system_type="g4dn.xlarge"),
    made("aws", nodes={"min_count": 3}),
    made("aws", nodes={"min_count": 0}, operators=False),
    {**made("tencent", nodes={"count": 4}), "models": {"chat": {**_BARE, "scaling": {"least": 0, "most": 4}}}},
    {**made("tencent", nodes={"min_count": 0}), "models": {"chat": {**_BARE, "scaling": {"most": 2}}}},
    made("aws", cidr="10.64.0.0/20"),
    {**made("aws"), "models": {"chat": _BARE}, "engine": "kuberay", "operator_namespace": "default"},
    {
        **made("aws", nodes={"min_count": 0}),
        "models": {"chat": _BARE},
        "engine": "kuberay",
        "operator_namespace": "cluster-autoscaler",
    },
    {**made("aws"), "vectors": {"memory_gib": 512}},
    {**made("aws", system_type="t3.nano"), "vectors": {}},
    {**made("aws"), "kubeconfig": kubeconfig()},
    {**made("aws"), "nodes": {"count": 2, "gpu": "T4"}},
    {**FLEET, "nodes": {**FLEET["nodes"], "min_count": 1}},
    {**FLEET, "cluster": {"server": "https://203.0.113.7", "managed": {}}},
    {**made("aws"), "nodes": {"count": 2, **_VOLCENGINE}},
)
COMPONENTS: tuple[tuple[Any, Any], ...] = (
    *((llm.Fleet, {**FLEET, **each}) for each in FLEETS),
    *((llm.Fleet, each) for each in MADE),
    (llm.WorkerProxy, {**WORKER, "account_id": "x"}),
    (llm.WorkerProxy, {**WORKER, "content": {"lists": {}}, "blocked_words": ["x"]}),
    (llm.WorkerProxy, {**WORKER, "keys": {"app": {"ask_twice": True}}}),
    (llm.WorkerProxy, {**WORKER, "keys": {"app": {"endpoints": ["/v1/rerank"]}}}),
    (llm.WorkerProxy, {**WORKER, "upstreams": {"gpu": {**_ABROAD, "vendor": "vllm"}}}),
    (llm.WorkerProxy, {**WORKER, "upstreams": {"gpu": {**_ABROAD, "certificate_authority": CERTIFICATE}}}),
    (llm.ModelServer, {**SERVER, "modle": "x"}),
    (llm.ModelServer, {**SERVER, "zzz": "x"}),
    (llm.ModelServer, {key: value for key, value in SERVER.items() if key != "gpu"}),
    (llm.ModelServer, {**SERVER, "https_port": 80, "domain": SIGNED}),
    (llm.ModelServer, {**SERVER, "spot": True, "idle_stop": {"minutes": 30}}),
    (llm.ModelServer, {**SERVER, "replicas": 2, "idle_stop": {"keep": 2}}),
    (llm.ModelServer, {**SERVER, "idle_stop": {"fill": 4}}),
    (llm.ModelServer, {**SERVER, "started_by": "request", "hours": "Mon-Fri 08:00-20:00 UTC"}),
    (llm.ModelServer, {**SERVER, "replicas": 2, "started_by": "request", "idle_stop": {"minutes": 30}}),
    (llm.ModelServer, {**SERVER, **_BY_REQUEST, "hours": "Mon-Fri 08:00-20:00 UTC"}),
    (llm.ModelServer, {**SERVER, **_BY_REQUEST, "started_by": "hand"}),
    (llm.ModelServer, {**SERVER, "replicas": 2, "replica_zones": ["a", "b"]}),
    (llm.ModelServer, {**SERVER, "replicas": 2, "replica_zones": ["us-west-2a"]}),
    (
        llm.ModelServer,
        {**SERVER, "replicas": 2, "replica_zones": ["ap-northeast-1c"], "alternatives": [{"zone": "ap-northeast-1c"}]},
    ),
    (llm.ModelServer, {**SERVER, "replicas": 2, "replica_zones": ["ap-northeast-1c"], "network_cidr": "10.0.0.0/24"}),
    (
        llm.ModelServer,
        {
            **SERVER,
            "replicas": 2,
            "replica_zones": ["ap-northeast-1c"],
            "vpc_id": "vpc-1",
            "subnet_id": "vsw-1",
            "zone": "ap-northeast-1a",
        },
    ),
    (
        llm.Platform,
        {
            "server": {
                **{key: SERVER[key] for key in ("cloud", "region", "gpu", "model", "context_length")},
                "zone": "ap-northeast-1a",
                "replicas": 2,
                "replica_zones": ["ap-northeast-1c"],
            },
            "access": {"allowed_cidrs": ["203.0.113.0/24"]},
            "network": {"vpc_id": "vpc-1", "subnet_id": "vsw-1"},
        },
    ),
    (
        llm.Platform,
        {
            "server": {key: SERVER[key] for key in ("cloud", "region", "gpu", "model", "context_length")},
            "access": {"allowed_cidrs": ["203.0.113.0/24"]},
            "network": {"subnets": {"ap-northeast-1c": "vsw-1"}},
        },
    ),
    (llm.ModelServer, {**SERVER, "replicas": 2, "nodes": 2, "model_change": "beside"}),
    (llm.ModelServer, {**SERVER, "nodes": 2, "extra_args": ["--nnodes", "2", "--data-parallel-size", "2"]}),
    (llm.ModelServer, {**SERVER, "extra_args": ["--nnodes", "2"]}),
    (llm.ModelServer, {**SERVER, "nodes_backend": "ray"}),
    (llm.ModelServer, {**SERVER, "nodes_near": True}),
    (llm.ModelServer, {**SERVER, "nodes": 2, "nodes_backend": "mpi"}),
    (llm.ModelServer, {**SERVER, "vpc_id": "vpc-1"}),
    (llm.ModelServer, {**SERVER, "vectors_backup": {}}),
    (llm.ModelServer, {**SERVER, "vpc_id": "vpc-1", "subnet_id": "subnet-1"}),
    (llm.ModelServer, {**SERVER, "routes": {"chat": {"models": {"Qwne": 1}}}}),
    (llm.ModelServer, {**SERVER, "gpu": "T4G", "gpu_count": 1, "override": ["fit.arm-without-kernels"], "spot": "x"}),
    # Every kind of value, and every kind that is wanted.
    (
        llm.ModelServer,
        {**SERVER, "vectors": {"memory_gib": 2}, "keys": "x", "override": "x", "gpu_memory_utilization": []},
    ),
    (llm.ModelServer, {**SERVER, "gpu_count": "2", "max_num_seqs": 1.5, "spot": "no", "hub_token": True}),
    (llm.ModelServer, {**SERVER, "hub_token": 3, "proxy_key": 1.5, "openai_moderation_key": "x", "extra_args": [None]}),
    (llm.ModelServer, {**SERVER, "vpc_id": object(), "zone": 3, "tags": {3: "x"}}),
    (llm.ModelServer, {**SERVER, "extra_args": ["--attention-backend", "FLASHINFER"]}),
    (llm.ModelServer, []),
    (llm.ModelServer, "x"),
    (llm.ModelServer, {**SERVER, "content": {"moderators": {"m": moderator("yidun")}}}),
    (llm.ModelServer, {**SERVER, "cloud": "tencent", "region": "ap-bangkok", "spot": True}),
    (llm.OverseasProxy, _without_keys("openai")),
    (llm.OverseasProxy, _without_keys("groq", "openai")),
    (llm.OverseasProxy, _without_keys("groq", "openai", "qwen")),
    (llm.Network, {"cloud": "aws", "region": "cn-north-1"}),
    (llm.Platform, changed("network", {"vpc_id": "vpc-1", "subnet_id": "subnet-1"})),
)


def of_components() -> Iterator[Finding]:
    """Components in somebody's own program."""
    for kind, args in COMPONENTS:
        yield from told(lambda kind=kind, args=args: capture(lambda: kind("x", args)))
    yield from told(lambda: capture(lambda: llm.WorkerProxy("No_Name", WORKER)))  # type: ignore[arg-type]
    yield from told(lambda: capture(_with_an_output))
    yield from told(lambda: capture(lambda: llm.Network("sg-x", {"cloud": "aws", "region": "us-west-2"})))
    yield from told(lambda: capture(_with_a_provider_of_another_region))
    yield from told(lambda: capture(_in_a_region_that_is_none))
    ended: Any = {**SERVER, "keys": {"default": {"expires": "2020-01-01"}}}
    yield from capture(lambda: llm.ModelServer("x", ended)).notes
    yield from capture(lambda: llm.ModelServer("x", {**SERVER, "hours": "Mon-Fri 08:00-20:00 UTC"})).notes
    apart: Any = {**SERVER, "zone": "ap-northeast-1a", "replicas": 2, "replica_zones": ["ap-northeast-1c"]}
    yield from capture(lambda: llm.ModelServer("x", apart)).notes
    by_cloud: Any = {"started_by": "cloud"}
    for more in (by_cloud, {**by_cloud, "hours": "Mon-Fri 08:00-20:00 UTC"}, _BY_REQUEST):
        elsewhere: Any = {**SERVER, "cloud": "gcp", "region": "us-central1", **more}
        yield from told(lambda elsewhere=elsewhere: capture(lambda: llm.ModelServer("x", elsewhere)))
    yield from told(lambda: functions.rule("Nowhere/None"))
    yield from told(lambda: functions.write_code(Path("/proc")))
    shut = {"bundle": "0" * 64, "closed": True}
    there = {"vpc_id": "vpc-1", "subnet_id": "subnet-1", "zone": f"{SERVER['region']}a"}
    key = {"weights_access_key_id": "id", "weights_access_key_secret": "secret"}
    for weights, more in (
        ({"bucket": "s3://kept"}, {"idle_stop": {"minutes": 30}}),
        ({"bucket": "s3://kept"}, {"traces": {"endpoint": "http://10.0.0.9:4318/v1/traces"}}),
        ({"bucket": "oss://kept", "region": "cn-hangzhou"}, {}),
        ({"bucket": "s3://kept"}, {**there, "replicas": 2}),
        ({"bucket": "s3://kept", "region": "us-east-1"}, {"cloud": "gcp", "region": "us-central1"}),
    ):
        outside: Any = {**SERVER, **key, **more, "weights": {**weights, **shut}}
        yield from told(lambda outside=outside: capture(lambda: llm.ModelServer("x", outside)))
    others: Any = {**SERVER, "alternatives": [{"spot": True}, {"instance_type": "g4dn.4xlarge"}]}
    yield from capture(lambda: llm.ModelServer("x", others)).notes
    others = {**SERVER, "zone": f"{SERVER['region']}a", "vpc_id": "vpc-1", "subnet_id": "subnet-1"}
    others["alternatives"] = [{"zone": f"{SERVER['region']}c"}]
    yield from told(lambda: capture(lambda: llm.ModelServer("x", others)))
    others = {
        **SERVER,
        "address_id": "eipalloc-1",
        "address": "198.51.100.7",
        "alternatives": [{"region": "eu-west-1"}],
    }
    yield from told(lambda: capture(lambda: llm.ModelServer("x", others)))
    others = {**SERVER, "upstreams": {"openai": {"models": ["gpt-6-luna"]}}, "alternatives": [{"region": "ap-east-1"}]}
    yield from told(lambda: capture(lambda: llm.ModelServer("x", others)))
    for model in ("intfloat/multilingual-e5-large", "jinaai/jina-reranker-m0", "qwen3.8-max"):
        yield from told(lambda model=model: catalog.load().model(model))


def _with_an_output() -> None:
    llm.ModelServer("x", {**SERVER, "region": pulumi.Output.from_input("ap-northeast-1")})  # type: ignore[typeddict-item]


def _with_a_provider_of_another_region() -> None:
    other = pulumi.ResourceOptions(providers=[pulumi_aws.Provider("p", region="us-west-2")])
    llm.Network("x", {"cloud": "aws", "region": "us-east-1"}, other)


def _in_a_region_that_is_none() -> None:
    mars = pulumi.ResourceOptions(provider=pulumi_aws.Provider("p", region="mars-1"))
    pulumi_aws.ec2.Vpc("x", cidr_block="10.0.0.0/16", opts=mars)


# -- stacks and projects

PLATFORM = "pulumi-llm:platform"
STACKS: tuple[dict[str, Any], ...] = (
    {"pulumi-llm:openAiApiKy": "x"},
    {"pulumi-llm:zzz": "x"},
    {PLATFORM: None},
    {"pulumi-llm:openaiApiKey": "sk-plain"},
    {"pulumi-llm:fleet": {"models": {}}},
    {PLATFORM: None, "pulumi-llm:fleet": "words"},
    {PLATFORM: None, "pulumi-llm:fleet": {}, "pulumi-llm:kubconfig": "x", "pulumi-llm:kubeconfig": "plain"},
)

IN_THE_MAIN_FILE = """from __future__ import annotations
import pulumi
from pulumi import Output as Made
class Mine(pulumi.ComponentResource):
    told: Made[str]
    def __init__(self) -> None:
        super().__init__("mine:index:Mine", "a")
        self.register_outputs({"told": pulumi.Output.from_input("x")})
Mine()
"""


def of_made_clusters() -> Iterator[Finding]:
    """What is warned of, where a cluster is made all the same."""
    for each in MADE:
        try:
            wanted = spec.parse(FleetSpec, {key: each[key] for key in each if key != "kubeconfig"})
            yield from resolve_fleet(wanted).warnings
        except Refusal:
            continue
    old = spec.parse(FleetSpec, made("aws", version="1.34"))
    assert old.cluster.managed is not None
    yield from clusters.mistakes(old, old.cluster.managed, date(2026, 11, 29))


def of_fleet_stacks() -> Iterator[Finding]:
    """Commands about machines, asked of a stack that is a fleet."""
    project = Path("fleet")
    (project / "stacks").mkdir(parents=True)
    (project / "Pulumi.yaml").write_text((ROOT / "Pulumi.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    (project / "stacks/Pulumi.dev.yaml").write_text("config: {pulumi-llm:fleet: {models: {}}}", encoding="utf-8")
    for command in _fleet_stack.INSTEAD:
        asked_for = Namespace(stack="dev", project=project)
        yield from told(lambda: _fleet_stack.refuse(asked_for, command))  # noqa: B023 - called at once


def of_stacks() -> Iterator[Finding]:
    """A shipped stack with another configuration, projects that cannot be read, and a preview that failed."""
    Path("stacks").mkdir()
    for name in ("Pulumi.yaml", "stacks/__main__.py"):
        Path(name).write_text((ROOT / name).read_text(encoding="utf-8"), encoding="utf-8")
    shipped = yaml.safe_load((ROOT / "stacks/Pulumi.aws-t4.yaml").read_text(encoding="utf-8"))
    file = Path("stacks/Pulumi.aws-t4.yaml")
    for each in STACKS:
        config = {key: value for key, value in {**shipped["config"], **each}.items() if value is not None}
        file.write_text(yaml.safe_dump({"config": config}), encoding="utf-8")
        yield from told(lambda: capture_stack(Path(), "aws-t4"))
    yield from told(lambda: capture_stack(Path(), "nowhere"))
    config = {"pulumi-llm:platform": json.dumps(GOOD)}  # as `up` has it: `diff` sets what stands for a secret
    yield from told(lambda: capture(stack_program, project="pulumi-llm", config=config))
    for text in ("config: 3\n", "a: [\n", "- 1\n", "a: \x00\n", "- " * 800, "a: &a [*a]\n", "a: .nan\n"):
        file.write_text(text, encoding="utf-8")
        yield from told(lambda: capture_stack(Path(), "aws-t4"))
    file.write_bytes(b"\xff")
    yield from told(lambda: capture_stack(Path(), "aws-t4"))
    file.write_text("config: {pulumi-llm:a: words}")
    for question in ("require('b')", "require_int('a')"):
        Path("stacks/__main__.py").write_text(f"import pulumi\npulumi.Config().{question}\n", encoding="utf-8")
        yield from told(lambda: capture_stack(Path(), "aws-t4"))
    file.write_text("{}")
    Path("stacks/__main__.py").write_text(IN_THE_MAIN_FILE, encoding="utf-8")
    yield from told(lambda: capture_stack(Path(), "aws-t4"))
    Path("stacks/__main__.py").unlink()
    yield from told(lambda: capture_stack(Path(), "aws-t4"))
    Path("Pulumi.yaml").write_text("runtime: python\n")
    yield from told(lambda: capture_stack(Path(), "aws-t4"))
    for message in ("KeyError: 'x'", "error: preview failed\n"):
        failed = json.dumps({"steps": [], "diagnostics": [{"severity": "error", "message": message}]})
        yield from told(lambda failed=failed: parse_preview(failed))  # type: ignore[misc]


POLICIES = (
    "exceptions: [{rule: policy.opn-to-world, reason: x}]",
    "exceptions: [{rule: zzz, reason: x}]",
    "severity: {policy.open-to-world: fatal}",
    "budget: {per_month: x}",
    "budget: {per_month: 0, running_hours: 1000}",
    "budget: {per_month: .inf}",
    "budget: {per_month: []}",
    *(
        f"exceptions: [{{rule: policy.open-to-world, reason: x, expires: {day}}}]"
        for day in ("x", "'2027-13-45'", "'2027-02-30'", "2027/02/03", "2027-02-03T10:00:00", "[]")
    ),
    "a: [",
    "- 1",
)


def of_policies() -> Iterator[Finding]:
    """Settings of the policy that are wrong or cannot be read."""
    for each in POLICIES:
        Path(FILE).write_text(each, encoding="utf-8")
        yield from told(lambda: combined(Path(), None))
    Path(FILE).unlink()
    for value in ("x", "[1]"):
        yield from told(lambda value=value: combined(None, value))


def of_clouds() -> Iterator[Finding]:
    """What the clouds' adapters refuse."""
    yield from told(lambda: support.sold_size("aws", "data", 20_000))
    yield from told(lambda: support.sold_size("aws", "system", 20_000))
    yield from told(lambda: support.sold_size("vultr", "system", 499))
    for words in ("ParameterNotFound", "Forbidden.RAM", "AuthFailure.SecretIdNotFound", "i/o timeout"):
        failed = lookups.failed("aws", "us-east-1", "g4dn.xlarge", "'ubuntu'", "ssm:GetParameter", words)
        yield from failed.findings
    bare = replace(catalog.load().cloud("aws"), can=frozenset())
    with mock.patch.dict(catalog.load().clouds, {"aws": bare}):
        yield from capabilities.lacking("aws", Capability)
    for value in ("nowhere.at_all:CLOUD", "pulumi_llm.clouds.aws:CLOUD"):
        yield from told(lambda value=value: _entered(_entry_points.Entry("mars", value, "mars-for-llm")))
    other = mock.Mock(CLOUD=clouds.CloudFolder(**{**_MARS, "name": "aws"}))
    with mock.patch.dict(sys.modules, {"mars_for_llm": other}):
        yield from told(lambda: _entered(_entry_points.Entry("aws", "mars_for_llm:CLOUD", "mars-for-llm")))
    mars = clouds.CloudFolder(**_MARS)
    with (
        mock.patch.object(clouds, "every", return_value={"mars": mars}),
        mock.patch.object(importlib, "import_module", side_effect=ModuleNotFoundError(name="pulumi_mars")),
    ):
        yield from told(lambda: clouds.get("mars"))
    kept = {key: value for key, value in sys.modules.items() if key != "pulumi_llm.clouds.aws.adapter"}
    with mock.patch.dict(sys.modules, kept | {"pulumi_aws": None}, clear=True):
        yield from told(lambda: clouds.get("aws"))


_MARS: dict[str, Any] = {
    **dict.fromkeys(("name", "package"), "mars"),
    "sdk": "pulumi_mars",
    "distribution": "pulumi-mars",
    "module": "mars_for_llm",
    "path": Path("/nowhere"),
}


def _entered(entry: _entry_points.Entry) -> object:
    """The clouds, where a package enters this one."""
    with mock.patch.object(_entry_points, "entries", return_value=[entry]):
        return clouds.every.__wrapped__()


def of_machines_that_exist() -> Iterator[Finding]:
    """What is said of a machine of one's own, before and at its first contact."""
    for host in (
        {"address": "gpu.example.com"},
        {"user": "Ubuntu User"},
        {"host_key": "ssh-rsa AAAA"},
        {"bundle": "bundle"},
        {"bundle": "/data/llm/bundle"},
        {"folder": "/"},
        {"memory_gib": 6},
        {"agent": True, "private_key_file": "id"},
        {"public_port": 6006},
        {"mode": "container"},
        {"mode": "container", "user": "root", "folder": None},
        {"system": "centos-7"},
    ):
        yield from told(lambda host=host: resolve_platform(own.platform(**host)))
    for host, change in (
        ({"system": "debian-12"}, {"vectors": {"memory_gib": 4}}),
        ({"system": "debian-13"}, {"vectors": {"engine": "pgvector", "memory_gib": 4}}),
        ({"system": "ubuntu-22.04", "bundle": "/mnt/bundle"}, {}),
    ):
        made = own.platform(**host) | change
        yield from told(lambda made=made: bootstrap.first_boot(own.in_a_container(made)[1]))
    kept = {"weights": {"bucket": "s3://kept", "region": "us-east-1"}}
    bundled = {**kept, "host": {**own.PLATFORM["server"]["host"], "bundle": "/mnt/bundle"}}
    depot = {"weights": {**kept["weights"], "bundle": "0" * 64}}
    for change in ({"cloud": "aws", "region": "us-east-1"}, {"host": None}, {"spot": True}, bundled, depot):
        made = own.platform()
        made["server"] |= change
        yield from told(lambda made=made: resolve_platform(made))
    for host in ({}, {"private_key_file": "/nowhere/id"}):
        wanted = resolve_platform(own.platform(**host)).server
        with mock.patch("pulumi.runtime.is_dry_run", return_value=False):  # a plan needs no key
            yield from told(lambda wanted=wanted: private_key_of(wanted.spec.host, {}))
    for change in ({"vectors": {"memory_gib": 4}}, {"access": {**own.PLATFORM["access"], "https_port": 18443}}):
        made = own.platform(**own.CONTAINER) | change
        yield from told(lambda made=made: in_container(*own.in_a_container(made)))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        yield from probe.problems("127.0.0.1", free.getsockname()[1], own.HOST_KEY)
    for banner, shown in ((b"HTTP/1.1 400\r\n", None), (b"SSH-2.0-x\r\n", "ssh-ed25519 AAAA"), (b"SSH-2.0-x\r\n", "")):
        with socket.create_server(("127.0.0.1", 0)) as server, mock.patch.object(probe, "_shown", return_value=shown):
            threading.Thread(target=lambda server=server, banner=banner: server.accept()[0].sendall(banner)).start()
            yield from probe.problems("127.0.0.1", server.getsockname()[1], own.HOST_KEY)


def of_places() -> Iterator[Finding]:
    """A catalogue in a folder that is none."""
    for folder in ("relative", "/nowhere/at/all", str(Path().resolve())):
        with mock.patch.dict("os.environ", {catalog.ENVIRONMENT: folder}):
            yield from told(catalog.load)
