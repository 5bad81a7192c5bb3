"""Verdicts judged by hand, from the engine's rules and published shapes, before the program was asked (2026-11-29).

Sizes are GiB a card. Memory is the card's x 0.9, as the driver reports it: T4 13.1, A10 19.8, L20 39.9, A100-40GB 35.5,
A100-80GB and H100 71.2, H20 85.6, H200 125.8. Overhead is the sampler's or the prefill's peak, 0.025 a layer of graphs,
and 0.12 (docs/decisions/memory-model.md).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm.preflight.report import check
from pulumi_llm.preflight.request import FitRequest

DATA = Path(__file__).parents[1] / "catalog/data"
PUBLISHED: dict[str, dict[str, Any]] = json.loads((DATA / "published.json").read_text("utf-8"))["models"]


def llama(**more: Any) -> dict[str, Any]:
    size = {"hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8}
    size |= {"intermediate_size": 14336, "vocab_size": 128256, "max_position_embeddings": 131072}
    return {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "tie_word_embeddings": False, **size, **more}


LLAMA = llama()
"""Llama 3.1 8B: 8.03 billion, 1.05 of them words and head; 15.0 in 16 bit; 128 KiB a token."""
LARGE = llama(hidden_size=8192, num_hidden_layers=80, num_attention_heads=64, intermediate_size=28672)
"""Llama 3.3 70B: 70.55 billion, 2.1 of them words and head; 131.4 in 16 bit; 320 KiB a token."""
QWEN = {
    "architectures": ["Qwen2ForCausalLM"],
    "model_type": "qwen2",
    "hidden_size": 3584,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "intermediate_size": 18944,
    "vocab_size": 152064,
    "max_position_embeddings": 32768,
    "tie_word_embeddings": False,
}
"""Qwen2.5 7B: 7.62 billion, 14.2; 56 KiB a token."""
MISTRAL = {
    "architectures": ["MistralForCausalLM"],
    "model_type": "mistral",
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "intermediate_size": 14336,
    "vocab_size": 32000,
    "max_position_embeddings": 32768,
    "tie_word_embeddings": False,
}
"""Mistral 7B: 7.24 billion, 13.5; 128 KiB a token, of the last 4,096 alone where the file does not say (the class)."""
NEMOTRON = PUBLISHED["nvidia--NVIDIA-Nemotron-3-Nano-30B-A3B-BF16"]["config"]
"""31.6 billion, 58.8; 23 layers keep 64 x 64 x 128 x 4 + 6144 x 3 x 2 bytes: 49 MB a request."""

AWQ = {"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True}
GPTQ = {"quant_method": "gptq", "bits": 4, "group_size": 128, "sym": True, "desc_act": False}
FP8 = {"quant_method": "fp8", "activation_scheme": "dynamic"}
FP8_CACHE = {"quant_method": "modelopt", "quant_algo": "FP8", "kv_cache_quant_algo": "FP8"}
NVFP4 = {"quant_method": "modelopt", "quant_algo": "NVFP4", "group_size": 16}
INT_WEIGHTS = {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 128, "symmetric": True}
FP8_INPUTS = {"num_bits": 8, "type": "float", "strategy": "token", "dynamic": True, "symmetric": True}
W4A8 = {
    "quant_method": "compressed-tensors",
    "format": "pack-quantized",
    "config_groups": {"g": {"targets": ["Linear"], "weights": INT_WEIGHTS, "input_activations": FP8_INPUTS}},
}


def of(config: dict[str, Any], block: dict[str, Any] | None = None) -> dict[str, Any]:
    return config if block is None else {**config, "quantization_config": block}


FITS, CARD, TOO_LARGE = "", "fit.quantization-needs-capability", "fit.weights-exceed-vram"
CASES: list[tuple[str, dict[str, Any], str, int, dict[str, Any], str]] = [
    # 15.0 + 0.4 sampler + 0.8 graphs + 0.1; 3.4 are left, 8K takes 1.0
    ("8B", LLAMA, "A10", 1, {"max_model_len": 8192}, FITS),
    # 32K takes 4.0 of these 3.4
    ("8B at 32K", LLAMA, "A10", 1, {"max_model_len": 32768}, "fit.context-too-long"),
    # an fp8 cache needs capability 8.9 (no nvcc on nodes): A10 has 8.6
    (
        "8B, fp8 cache",
        LLAMA,
        "A10",
        1,
        {"max_model_len": 32768, "kv_cache_dtype": "fp8"},
        "fit.kv-cache-needs-capability",
    ),
    ("8B, fp8 cache, Ada", LLAMA, "L20", 1, {"max_model_len": 131072, "kv_cache_dtype": "fp8"}, FITS),
    ("8B in 16 bit", LLAMA, "T4", 1, {}, TOO_LARGE),
    # 6.98 x 0.5195 + 1.05 x 2 = 5.7 GB: 5.3 of 13.1
    ("8B AWQ", of(LLAMA, AWQ), "T4", 1, {"max_model_len": 8192}, FITS),
    # auto_gptq.py TYPE_MAP: 4 and 8 bit, symmetric
    ("GPTQ 3 bit", of(LLAMA, {**GPTQ, "bits": 3}), "A10", 1, {}, "fit.quantization-form"),
    ("GPTQ 8 bit", of(LLAMA, {**GPTQ, "bits": 8}), "A10", 1, {"max_model_len": 8192}, FITS),
    ("GPTQ with zero points", of(LLAMA, {**GPTQ, "sym": False}), "A10", 1, {}, "fit.quantization-form"),
    # not among QUANTIZATION_METHODS of 0.32.0
    ("bitsandbytes", of(LLAMA, {"quant_method": "bitsandbytes", "load_in_4bit": True}), "A10", 1, {}, "*"),
    ("torchao", of(LLAMA, {"quant_method": "torchao", "quant_type": "int4_weight_only"}), "A10", 1, {}, "*"),
    # ModelOptMxFp8Config.get_min_capability: 80
    ("MXFP8", of(LLAMA, {"quant_method": "modelopt", "quant_algo": "MXFP8"}), "T4", 1, {}, CARD),
    # Marlin unpacks NVFP4 from 7.5 on: 6.98 x 0.5625 + 2.1 = 6.0 GB
    ("NVFP4", of(LLAMA, NVFP4), "T4", 1, {"max_model_len": 8192}, FITS),
    # _is_fp8_w4a8_sm90: on 9.0 alone
    ("W4A8 on Ada", of(LLAMA, W4A8), "L20", 1, {}, CARD),
    ("W4A8 on Hopper", of(LLAMA, W4A8), "H20", 1, {}, FITS),
    # the file asks for the cache in fp8, Ampere cannot read one; asked for in 16 bit it starts
    ("FP8 with its cache", of(LLAMA, FP8_CACHE), "A100-80GB", 1, {}, "fit.kv-cache-needs-capability"),
    ("FP8 without it", of(LLAMA, FP8_CACHE), "A100-80GB", 1, {"kv_cache_dtype": "bfloat16"}, FITS),
    # (68.4 x 1.005 + 4.2) / 2 = 34.2; 2.6 of overhead (graphs 2.0); 3.1 are left: 8K takes 1.25, 32K 5.0
    ("70B FP8", of(LARGE, FP8), "L20", 2, {"max_model_len": 8192}, FITS),
    ("70B FP8 at 32K", of(LARGE, FP8), "L20", 2, {"max_model_len": 32768}, "fit.context-too-long"),
    # 68.4 x 0.5195 + 4.2 = 39.7 GB: 37.0 of 35.5; and of 39.9, less 2.5 of overhead
    ("70B AWQ", of(LARGE, AWQ), "A100-40GB", 1, {}, TOO_LARGE),
    ("70B AWQ, no room", of(LARGE, AWQ), "L20", 1, {}, "*"),
    # 64 heads are not shared by three
    ("70B on three", of(LARGE, AWQ), "L20", 3, {}, "fit.heads-not-divisible"),
    # 131.4 / 2 = 66.1 and 2.9 of 71.2: 2.2 are left, 8K takes 1.25
    ("70B in 16 bit", LARGE, "H200", 2, {"max_model_len": 131072}, FITS),
    # five requests of 32K keep 5 x (4,096 + 2,048) x 128 KiB = 3.8 of 5.3; without the class's window it were 20
    ("Mistral's window", MISTRAL, "A10", 1, {"max_model_len": 32768, "concurrency": 5}, FITS),
    (
        "no window",
        {**MISTRAL, "sliding_window": None},
        "A10",
        1,
        {"max_model_len": 32768, "concurrency": 5},
        "fit.concurrency-too-high",
    ),
    # made for 32,768, and nothing stretches it
    ("7B at 64K", QWEN, "H20", 1, {"max_model_len": 65536}, "fit.context-beyond-model"),
    # 28 heads by 8
    ("28 heads on eight", QWEN, "L20", 8, {}, "fit.heads-not-divisible"),
    # compilation.py: as many requests as blocks, of which each has the states of six layers (the six of attention make
    # the group): 12.8 MB. 71.2 - 59.1 - 3.1 of overhead are 9.0: some 750
    ("hybrid by itself", NEMOTRON, "H100-80GB", 1, {"max_model_len": 8192}, FITS),
    ("hybrid, too many", NEMOTRON, "H100-80GB", 1, {"max_model_len": 8192, "max_num_seqs": 1024}, "*"),
    # a class without heads that guess ahead; a rank that MaxLoRARanks has not; one that it has
    (
        "MTP of a Llama",
        LLAMA,
        "A10",
        1,
        {"extra_args": ("--spec-method", "mtp", "--spec-tokens", "1")},
        "fit.flag-refused",
    ),
    (
        "rank 48",
        of(LLAMA, AWQ),
        "A10",
        1,
        {"extra_args": ("--enable-lora", "--max-lora-rank", "48")},
        "fit.flag-refused",
    ),
    ("rank 64", of(LLAMA, AWQ), "A10", 1, {"extra_args": ("--enable-lora", "--max-lora-rank", "64")}, FITS),
    # no kernels below 7.5
    ("Volta", of(LLAMA, AWQ), "V100-32GB", 1, {}, "*"),
    # mxfp4.py: capability 8.0, and experts alone are stored in it: 15.0 in 16 bit
    ("MXFP4", of(LLAMA, {"quant_method": "mxfp4"}), "T4", 1, {}, "*"),
    (
        "MXFP4 without experts",
        of(LLAMA, {"quant_method": "mxfp4"}),
        "A10",
        1,
        {"max_model_len": 32768},
        "fit.context-too-long",
    ),
    # 6.98 x (0.5 + 2.5 / 32) + 2.1 = 6.1 GB
    ("GPTQ in small groups", of(LLAMA, {**GPTQ, "group_size": 32}), "T4", 1, {"max_model_len": 8192}, FITS),
    # what is not understood gives no verdict
    ("unknown", {**LLAMA, "num_slow_experts": 4}, "H20", 1, {}, "fit.unknown-shape"),
]


@pytest.mark.parametrize(("name", "config", "gpu", "count", "options", "wanted"), CASES, ids=[row[0] for row in CASES])
def test_the_verdict_is_the_hand_s(
    tmp_path: Path, name: str, config: dict[str, Any], gpu: str, count: int, options: dict[str, Any], wanted: str
) -> None:
    """``*``: it does not start, by whatever code."""
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    report = check(FitRequest(model=str(tmp_path), from_config=True, gpu=gpu, gpu_count=count, **options))
    errors = {each.code for each in report.findings if each.severity == "error"}
    assert bool(errors) if wanted == "*" else errors == ({wanted} if wanted else set()), name
