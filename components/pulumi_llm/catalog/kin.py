"""Classes that come with the weights, not with transformers, and what each is built like."""

from __future__ import annotations

from collections.abc import Mapping

LIKE: Mapping[str, str] = {
    "kimi_k2": "deepseek_v3",
    "internlm2": "llama",
    "internlm3": "llama",
    "minicpm": "llama",
    "orion": "llama",
    "exaone": "llama",
    "solar": "llama",
    "baichuan": "llama",
    "mimo": "qwen2",
    "deepseek": "qwen2_moe",
    "bailing_moe": "qwen2_moe",
    "bailing_moe_v2": "qwen2_moe",
    "param2moe": "qwen2_moe",
    "sarvam_moe": "qwen2_moe",
    "sarvam_mla": "deepseek_v3",
    "pangu_ultra_moe": "deepseek_v3",
    "PanguEmbedded": "llama",
    "telechat": "llama",
    "telechat3": "llama",
    "TeleFLM": "llama",
    "iquestcoder": "llama",
    "step1": "llama",
    "plamo3": "llama",
    "phi3_v": "phi3",
    "phi4mm": "phi3",
    "mimo_v2": "mimo_v2_flash",
    "inkling_model": "inkling_text",
    "chatglm": "llama",
    "llama_bidirec": "llama",
    "deepseek_ref": "deepseek_v4",
    "minimax_m3": "minimax_m3_vl_text",
    "minimax_m3_vl": "minimax_m3_vl_text",
    "ernie4_5_moe_vl": "ernie4_5_vl_moe_text",
    "exaone4_5_text": "exaone4",
    "minicpmv": "llama",
    "minicpmo": "llama",
    "dots_ocr": "qwen2",
    "isaac": "qwen3",
    "keye": "qwen3",
    "Keye": "qwen3",
    "KeyeVL1_5": "qwen3",
}
"""Classes that come with the weights, not with transformers, and the one that each is built like.

By vllm 0.32.0's own implementation of each (model_executor/models, read 2026-11-28); no oracle builds these.
"""

OWN_HEADS = frozenset(
    {
        *("AXK1ForCausalLM", "AfmoeForCausalLM", "BailingMoeV2_5ForCausalLM", "BailingMoeV3ForCausalLM"),
        *("DeepseekForCausalLM", "DeepseekV2ForCausalLM", "DeepseekV3ForCausalLM", "DeepseekV32ForCausalLM"),
        *("DeepseekV4ForCausalLM", "Glm4MoeForCausalLM", "Glm4MoeLiteForCausalLM", "GlmMoeDsaForCausalLM"),
        *("GptOssForCausalLM", "JambaForCausalLM", "LongcatFlashForCausalLM", "MiniMaxM2ForCausalLM"),
        *("NemotronHForCausalLM", "OlmoeForCausalLM", "Qwen3NextForCausalLM"),
    }
)
"""Classes that have an output head of their own, whatever the file says of tied words.

vllm 0.32.0, model_executor/models: none of these reads ``tie_word_embeddings`` (read 2026-11-29; DeepSeek V3 and
gpt-oss were built on its CPU).
"""

OF_PARTS: Mapping[str, Mapping[str, str]] = {
    "deepseek_vl_v2": {"language_config": "deepseek_v2"},
    "step3_vl": {"text_config": "step3_text"},
}
"""Which class a part without a model type is of, where transformers has no class of the whole."""

TEXT_DEFAULTS: Mapping[str, Mapping[str, object]] = {
    "glmasr": {
        "model_type": "llama",
        "vocab_size": 59_264,
        "hidden_size": 2_048,
        "intermediate_size": 6_144,
        "num_hidden_layers": 28,
        "num_attention_heads": 16,
        "num_key_value_heads": 4,
        "max_position_embeddings": 8_192,
    },
    "minimax_m3_vl": {
        "moe_layer_freq": [0] * 3 + [1] * 57,
        "sparse_attention_config": {
            "sparse_index_dim": 128,
            "sparse_num_index_heads": 4,
            "sparse_attention_freq": [0] * 3 + [1] * 57,
        },
    },
    "kimi_vl": {
        "vocab_size": 102_400,
        "hidden_size": 4_096,
        "intermediate_size": 11_008,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "first_k_dense_replace": 0,
        "n_routed_experts": 64,
        "n_shared_experts": 2,
        "moe_intermediate_size": 1_407,
        "max_position_embeddings": 2_048,
    },
    "voxtral": {
        "model_type": "llama",
        "vocab_size": 131_072,
        "hidden_size": 3_072,
        "intermediate_size": 8_192,
        "num_hidden_layers": 30,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "max_position_embeddings": 131_072,
    },
}
"""What a whole gives its text part, before that part's own class does.

transformers 5.19.0, ``_default_text_config_kwargs`` of configuration_voxtral.py and configuration_glmasr.py (read
2026-11-29); no other class that vLLM serves has such settings. MiniMax M3 and Kimi-VL: vllm 0.32.0's own
transformers_utils/configs/minimax_m3.py, and kimi_vl.py, which reads each text part as a DeepseekV2Config (read, and
seen on its CPU build, 2026-11-30).
"""

BY_ARCHITECTURE: Mapping[str, str] = {
    "LongcatFlashForCausalLM": "longcat_flash",
    "LongcatFlashNgramForCausalLM": "longcat_flash",
}
"""Model types of files that name none (vllm 0.32.0, transformers_utils/config.py, _ARCHITECTURE_TO_MODEL_TYPE)."""

TIED = frozenset({"minicpm"})
"""Classes of LIKE whose own default is that the output head is the embeddings (configuration_minicpm.py)."""
