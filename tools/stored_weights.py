"""Asks the pinned vLLM how many bytes it makes for weights that are stored in each way, beside what we count.

    PYTHON tools/stored_weights.py    one line of JSON for each way and shape

PYTHON is an interpreter as `tools/model_shapes.py` wants it. vLLM's own quantization methods make the parameters, on
the meta device; what a CPU would refuse to compute is not asked. Run by hand, when a release moves.
"""

from __future__ import annotations

import json
import tempfile
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import mixed_caches

TOP = Path(__file__).resolve().parent.parent
SHAPES: dict[str, dict[str, Any]] = {
    "dense": {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": 4096,
        "num_hidden_layers": 4,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "intermediate_size": 14336,
        "vocab_size": 32000,
        "max_position_embeddings": 8192,
        "tie_word_embeddings": False,
    },
    "experts": {
        "architectures": ["Qwen3MoeForCausalLM"],
        "model_type": "qwen3_moe",
        "hidden_size": 2048,
        "head_dim": 128,
        "num_hidden_layers": 4,
        "num_attention_heads": 32,
        "num_key_value_heads": 4,
        "intermediate_size": 6144,
        "moe_intermediate_size": 768,
        "num_experts": 32,
        "num_experts_per_tok": 8,
        "decoder_sparse_step": 1,
        "norm_topk_prob": True,
        "mlp_only_layers": [],
        "vocab_size": 32000,
        "max_position_embeddings": 8192,
        "tie_word_embeddings": False,
    },
}
HEAD = ["lm_head"]


def groups(bits: int, kind: str, strategy: str, width: int | None = None, **more: Any) -> dict[str, Any]:
    """A block of compressed-tensors with one group."""
    weights = {"num_bits": bits, "type": kind, "strategy": strategy, "group_size": width, "symmetric": True}
    weights |= {"dynamic": False, **more.pop("weights", {})}
    group = {"targets": ["Linear"], "weights": weights, "input_activations": more.pop("inputs", None)}
    return {"quant_method": "compressed-tensors", "config_groups": {"group_0": group}, "ignore": HEAD, **more}


TOKENS = {"num_bits": 8, "strategy": "token", "dynamic": True, "symmetric": True}
GPTQ = {"quant_method": "gptq", "group_size": 128, "sym": True, "desc_act": False}
MODELOPT = {"quant_method": "modelopt", "ignore": HEAD}
BLOCKS: dict[str, dict[str, Any]] = {
    "awq": {"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True, "version": "gemm"},
    "awq in groups of 64": {"quant_method": "awq", "bits": 4, "group_size": 64, "zero_point": True, "version": "gemm"},
    "gptq 4": {**GPTQ, "bits": 4},
    "gptq 4 in groups of 32": {**GPTQ, "bits": 4, "group_size": 32},
    "gptq 4 by column": {**GPTQ, "bits": 4, "group_size": -1},
    "gptq 8": {**GPTQ, "bits": 8},
    "fp8": {"quant_method": "fp8", "activation_scheme": "dynamic"},
    "fp8 static": {"quant_method": "fp8", "activation_scheme": "static"},
    "fp8 blocks": {"quant_method": "fp8", "activation_scheme": "dynamic", "weight_block_size": [128, 128]},
    "ct w4a16": groups(4, "int", "group", 128, format="pack-quantized"),
    "ct w4a16 in groups of 32": groups(4, "int", "group", 32, format="pack-quantized"),
    "ct w4a16 asymmetric": groups(4, "int", "group", 128, format="pack-quantized", weights={"symmetric": False}),
    "ct w8a16": groups(8, "int", "channel", format="pack-quantized"),
    "ct w8a8 int": groups(8, "int", "channel", format="int-quantized", inputs={**TOKENS, "type": "int"}),
    "ct fp8": groups(8, "float", "channel", format="float-quantized", inputs={**TOKENS, "type": "float"}),
    "ct nvfp4": groups(
        4, "float", "tensor_group", 16, format="nvfp4-pack-quantized",
        inputs={"num_bits": 4, "type": "float", "strategy": "tensor_group", "group_size": 16, "dynamic": "local",
                "symmetric": True},
    ),
    "modelopt fp8": {**MODELOPT, "quant_algo": "FP8"},
    "modelopt nvfp4": {**MODELOPT, "quant_algo": "NVFP4", "group_size": 16},
    "modelopt mxfp8": {**MODELOPT, "quant_algo": "MXFP8"},
    "auto-round": {**GPTQ, "quant_method": "auto-round", "bits": 4, "packing_format": "auto_round:auto_gptq"},
    "fbgemm_fp8": {"quant_method": "fbgemm_fp8", "modules_to_not_convert": HEAD, "activation_scale_ub": 1200.0},
    "mxfp4": {"quant_method": "mxfp4"},
    "quark fp8": {
        "quant_method": "quark", "exclude": HEAD, "layer_quant_config": {}, "layer_type_quant_config": {},
        "export": {"kv_cache_group": [], "pack_method": "reorder"},
        "global_quant_config": {
            "weight": {"dtype": "fp8_e4m3", "qscheme": "per_tensor", "is_dynamic": False, "symmetric": None},
            "input_tensors": {"dtype": "fp8_e4m3", "qscheme": "per_tensor", "is_dynamic": False, "symmetric": None},
        },
    },
}  # fmt: skip


def made(config: dict[str, Any]) -> dict[str, Any]:
    """Bytes of the parameters that vLLM makes, and of those by dtype."""
    import torch
    from model_shapes import cache_specs
    from vllm.model_executor.model_loader import utils
    from vllm.platforms import current_platform

    type(current_platform).supported_quantization = []
    torch.set_default_dtype(torch.bfloat16)  # as the loader does while it builds
    kinds: Counter[str] = Counter()
    build = utils.initialize_model

    def built(**given: Any) -> torch.nn.Module:
        model = build(**given)
        kinds.clear()
        for each in {id(each): each for each in model.parameters()}.values():
            kinds[str(each.dtype)] += each.numel() * each.element_size()
        return model

    utils.initialize_model = built
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps({**config, "torch_dtype": "bfloat16"}), encoding="utf-8")
        cache_specs(folder)
    return {"bytes": kinds.total(), "kinds": dict(kinds)}


def ours(config: dict[str, Any]) -> float | str | None:
    """What we count; the setting that is not understood where we say nothing."""
    from pulumi_llm import catalog
    from pulumi_llm.catalog.models import GIB
    from pulumi_llm.preflight.weights import weights_gib

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(config), encoding="utf-8")
        model = catalog.model_from_config(Path(folder))
    if model.unknown_shape is not None:
        return model.unknown_shape
    size = weights_gib(model, model.quantization, model.quantization_bits)
    return None if size is None else size * GIB


def main() -> None:
    """Print what vLLM and we say of each."""
    warnings.filterwarnings("ignore")
    mixed_caches.set_up()
    mixed_caches.prepare(("LlamaForCausalLM", "Qwen3MoeForCausalLM"))
    for name, block in BLOCKS.items():
        for shape, config in SHAPES.items():
            whole = {**config, "quantization_config": block}
            told, found = mixed_caches.asked(whole, made), ours(whole)
            row = {"way": name, "shape": shape, "vllm": told, "ours": found}
            if "bytes" in told and isinstance(found, float):
                row["apart"] = round(found / told["bytes"] - 1, 4)
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
