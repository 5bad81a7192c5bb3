"""Ways of storing weights that `stored_weights.py` asks vLLM about, as config.json writes them, and two shapes."""

from __future__ import annotations

from typing import Any

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
    for name in more.pop("without", ()):
        del weights[name]
    targets = more.pop("targets", ["Linear"])
    group = {"targets": targets, "weights": weights, "input_activations": more.pop("inputs", None)}
    return {"quant_method": "compressed-tensors", "config_groups": {"group_0": group}, "ignore": HEAD, **more}


def two_groups(**weights: Any) -> dict[str, Any]:
    """A block of compressed-tensors: attention in fp8, and the rest in four bit."""
    eight = {"num_bits": 8, "type": "float", "strategy": "channel", "dynamic": False, "symmetric": True}
    four = {"num_bits": 4, "type": "int", "dynamic": False, "symmetric": True, **weights}
    return {
        "quant_method": "compressed-tensors",
        "format": "mixed-precision",
        "ignore": HEAD,
        "config_groups": {
            "group_0": {
                "targets": [r"re:.*self_attn\.(q|k|v|o)_proj.*"],
                "format": "float-quantized",
                "weights": eight,
                "input_activations": {**TOKENS, "type": "float"},
            },
            "group_1": {"targets": [MLP], "format": "pack-quantized", "input_activations": None, "weights": four},
        },
    }


MLP = r"re:.*mlp.*(gate|up|down)_proj.*"
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
    "gptq 8 in groups of 64": {**GPTQ, "bits": 8, "group_size": 64},
    "gptq 4, a layer left out": {**GPTQ, "bits": 4, "dynamic": {r"-:.*\.layers\.0\..*": {}}},
    "awq, attention left out": {
        "quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True, "version": "gemm",
        "modules_to_not_convert": ["self_attn"],
    },
    "fp8, attention left out": {
        "quant_method": "fp8", "activation_scheme": "dynamic", "weight_block_size": [128, 128],
        "modules_to_not_convert": [f"model.layers.{at}.self_attn.{each}_proj" for at in range(4) for each in "qkvo"],
    },
    "ct fp8 by tensor": groups(
        8, "float", "tensor", format="float-quantized",
        inputs={**TOKENS, "type": "float", "strategy": "tensor", "dynamic": False},
    ),
    "ct fp8 blocks": groups(
        8, "float", "block", format="float-quantized", weights={"block_structure": [128, 128]},
        inputs={"num_bits": 8, "type": "float", "strategy": "group", "group_size": 128, "dynamic": True,
                "symmetric": True},
    ),
    "ct w8a16 in groups": groups(8, "int", "group", 128, format="pack-quantized"),
    "ct w4a16 by channel": groups(4, "int", "channel", format="pack-quantized"),
    "ct nvfp4 w4a16": groups(4, "float", "tensor_group", 16, format="nvfp4-pack-quantized"),
    "ct mxfp4": groups(4, "float", "group", 32, format="mxfp4-pack-quantized", weights={"scale_dtype": "torch.uint8"}),
    "ct w4a8": groups(4, "int", "group", 128, format="pack-quantized", inputs={**TOKENS, "type": "float"}),
    "ct w4a16 by channel, no type": groups(4, "int", "channel", -1, format="pack-quantized", without=("type",)),
    "ct w4a16 by channel, no type or width": groups(
        4, "int", "channel", format="pack-quantized", without=("type", "group_size"),
    ),
    "ct w4a16 by channel, asymmetric": groups(
        4, "int", "channel", -1, format="pack-quantized", weights={"symmetric": False},
    ),
    "ct w4a16 by channel, one part alone": groups(4, "int", "channel", -1, format="pack-quantized", targets=[MLP]),
    "ct of two groups": two_groups(strategy="group", group_size=64),
    "ct of two groups, asymmetric": two_groups(strategy="group", group_size=64, symmetric=False),
    "ct of two groups by channel": two_groups(strategy="channel", group_size=-1),
    "ct of two groups by channel, asymmetric": two_groups(strategy="channel", group_size=-1, symmetric=False),
    "modelopt fp8 by channel": {**MODELOPT, "quant_algo": "FP8_PER_CHANNEL_PER_TOKEN"},
    "modelopt fp8 by block": {**MODELOPT, "quant_algo": "FP8_PB_WO"},
    "modelopt nvfp4 w4a16": {**MODELOPT, "quant_algo": "W4A16_NVFP4", "group_size": 16},
    "modelopt nvfp4, attention left out": {
        **MODELOPT, "quant_algo": "NVFP4", "group_size": 16, "ignore": [*HEAD, "model.layers.*.self_attn*"],
    },
    "auto-round in groups of 32": {
        **GPTQ, "quant_method": "auto-round", "bits": 4, "group_size": 32, "packing_format": "auto_round:auto_gptq",
    },
    "auto-round 8": {**GPTQ, "quant_method": "auto-round", "bits": 8, "packing_format": "auto_round:auto_gptq"},
    "auto-round as awq": {
        **GPTQ, "quant_method": "auto-round", "bits": 4, "sym": False, "packing_format": "auto_round:auto_awq",
    },
    "mxfp8": {"quant_method": "mxfp8", "ignored_layers": HEAD},
    "quark fp8 by channel": {
        "quant_method": "quark", "exclude": HEAD, "layer_quant_config": {}, "layer_type_quant_config": {},
        "export": {"kv_cache_group": [], "pack_method": "reorder"},
        "global_quant_config": {
            "weight": {"dtype": "fp8_e4m3", "qscheme": "per_channel", "is_dynamic": False, "symmetric": None,
                       "ch_axis": 0},
            "input_tensors": {"dtype": "fp8_e4m3", "qscheme": "per_channel", "is_dynamic": True, "symmetric": None,
                              "ch_axis": 1},
        },
    },
    "quark int8": {
        "quant_method": "quark", "exclude": HEAD, "layer_quant_config": {}, "layer_type_quant_config": {},
        "export": {"kv_cache_group": [], "pack_method": "reorder"},
        "global_quant_config": {
            "weight": {"dtype": "int8", "qscheme": "per_channel", "is_dynamic": False, "symmetric": True, "ch_axis": 0},
            "input_tensors": {"dtype": "int8", "qscheme": "per_tensor", "is_dynamic": False, "symmetric": True},
        },
    },
    "quark mxfp4": {
        "quant_method": "quark", "exclude": HEAD, "layer_quant_config": {}, "layer_type_quant_config": {},
        "export": {"kv_cache_group": [], "pack_method": "reorder"},
        "global_quant_config": {
            "weight": {"dtype": "fp4", "qscheme": "per_group", "group_size": 32, "scale_format": "e8m0",
                       "is_dynamic": False, "symmetric": None, "ch_axis": -1},
            "input_tensors": {"dtype": "fp4", "qscheme": "per_group", "group_size": 32, "scale_format": "e8m0",
                              "is_dynamic": True, "symmetric": None, "ch_axis": -1},
        },
    },
    "torchao int4": {
        "quant_method": "torchao", "quant_type": {"default": {"_type": "Int4WeightOnlyConfig", "_version": 1,
                                                              "_data": {"group_size": 128}}},
    },
    "quark fp8": {
        "quant_method": "quark", "exclude": HEAD, "layer_quant_config": {}, "layer_type_quant_config": {},
        "export": {"kv_cache_group": [], "pack_method": "reorder"},
        "global_quant_config": {
            "weight": {"dtype": "fp8_e4m3", "qscheme": "per_tensor", "is_dynamic": False, "symmetric": None},
            "input_tensors": {"dtype": "fp8_e4m3", "qscheme": "per_tensor", "is_dynamic": False, "symmetric": None},
        },
    },
}  # fmt: skip
