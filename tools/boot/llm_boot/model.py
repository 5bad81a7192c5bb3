"""A tiny Llama that every model id stands for: real files of the real formats, made without any library."""

from __future__ import annotations

import json
import random
import struct
from functools import cache
from typing import Any

VOCABULARY, HIDDEN, MIDDLE, LAYERS, HEADS, KEY_HEADS = 4096, 64, 128, 2, 2, 1
WINDOW = 131072
"""Tokens; above any context length that a stack asks for."""


@cache
def files() -> dict[str, bytes]:
    """The model's files by name: about 1.1 MB, the same bytes each time."""
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": VOCABULARY,
        "hidden_size": HIDDEN,
        "intermediate_size": MIDDLE,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KEY_HEADS,
        "head_dim": HIDDEN // HEADS,
        "max_position_embeddings": WINDOW,
        "rms_norm_eps": 1e-6,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": 2,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
    }
    template = (
        "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
        "{% if add_generation_prompt %}assistant: {% endif %}"
    )
    tokenizer_config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "pad_token": "<pad>",
        "model_max_length": WINDOW,
        "chat_template": template,
    }
    documents: dict[str, Any] = {
        "config.json": config,
        "generation_config.json": {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2},
        "tokenizer.json": _tokenizer(),
        "tokenizer_config.json": tokenizer_config,
    }
    made = {name: json.dumps(each, indent=1).encode() for name, each in documents.items()}
    return made | {"README.md": b"A tiny model for tests; it says nothing of use.\n", "model.safetensors": _weights()}


def _tokenizer() -> dict[str, Any]:
    special = ["<s>", "</s>", "<pad>"]
    plain = [*special, *sorted(_bytes_as_letters())]
    # Words that no text is cut into, but that the model may say.
    vocabulary = {token: number for number, token in enumerate(plain)}
    vocabulary |= {f"\u0120w{number}": number for number in range(len(plain), VOCABULARY)}
    added = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    bpe = {"dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": number, "content": token, **added} for number, token in enumerate(special)],
        "normalizer": None,
        "pre_tokenizer": byte_level,
        "post_processor": None,
        "decoder": byte_level,
        "model": {"type": "BPE", **bpe, "fuse_unk": False, "byte_fallback": False, "vocab": vocabulary, "merges": []},
    }


def _bytes_as_letters() -> list[str]:
    """The 256 letters that byte-level tokenizers write bytes with."""
    shown = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [each for each in range(256) if each not in shown]
    return [chr(each) for each in shown] + [chr(256 + place) for place in range(len(hidden))]


def _weights() -> bytes:
    shapes: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (VOCABULARY, HIDDEN),
        "lm_head.weight": (VOCABULARY, HIDDEN),
    }
    width = HIDDEN // HEADS
    for layer in range(LAYERS):
        each = f"model.layers.{layer}"
        shapes |= {
            f"{each}.self_attn.q_proj.weight": (HEADS * width, HIDDEN),
            f"{each}.self_attn.k_proj.weight": (KEY_HEADS * width, HIDDEN),
            f"{each}.self_attn.v_proj.weight": (KEY_HEADS * width, HIDDEN),
            f"{each}.self_attn.o_proj.weight": (HIDDEN, HEADS * width),
            f"{each}.mlp.gate_proj.weight": (MIDDLE, HIDDEN),
            f"{each}.mlp.up_proj.weight": (MIDDLE, HIDDEN),
            f"{each}.mlp.down_proj.weight": (HIDDEN, MIDDLE),
            f"{each}.input_layernorm.weight": (HIDDEN,),
            f"{each}.post_attention_layernorm.weight": (HIDDEN,),
        }
    shapes["model.norm.weight"] = (HIDDEN,)
    dice = random.Random(0)
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    body = bytearray()
    for name, shape in shapes.items():
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        values = [1.0] * count if len(shape) == 1 else [dice.uniform(-0.05, 0.05) for _ in range(count)]
        start = len(body)
        # bfloat16 is the upper half of a float32
        body += b"".join(struct.pack(">f", value)[1::-1] for value in values)
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [start, len(body)]}
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    return struct.pack("<Q", len(head)) + head + bytes(body)
