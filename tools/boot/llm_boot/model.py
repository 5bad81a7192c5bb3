"""A tiny Llama that every model id stands for: real files of the real formats, made without any library.

It says what `script` has for it, so that what clients make of an answer, a call of a tool or a thought can be told.
"""

from __future__ import annotations

import json
import random
import struct
from functools import cache
from typing import Any

from llm_boot.script import END, SAYS, script, start_of

VOCABULARY, HIDDEN, MIDDLE, LAYERS, HEADS, KEY_HEADS = 4096, 64, 128, 1, 1, 1
HEAD = 32
WINDOW = 131072
"""Tokens; above any context length that a stack asks for."""
TEMPLATE = (
    "{%- set say = namespace(of='answer') -%}"
    "{% if documents %}{{ documents | tojson }}{{ '\\n' }}{% endif %}"
    "{% if tools %}{{ tools | tojson }}{{ '\\n' }}{% endif %}"
    "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}{{ '\\n' }}"
    "{%- if m['role'] in ('assistant', 'tool') %}{% set say.of = 'answer' %}"
    "{%- elif m['role'] == 'user' and m['content'] is string %}"
    "{%- if ASK_ENDLESS in m['content'] %}{% set say.of = 'endless' %}{% endif %}"
    "{%- for t in tools or [] %}{% if ASK_CALL ~ t['function']['name'] in m['content'] %}"
    "{%- set say.of = 'call:' ~ t['function']['name'] %}{% endif %}{% endfor %}"
    "{%- endif %}{% endfor %}"
    "{% if add_generation_prompt %}assistant: "
    "{% if enable_thinking | default(false) %}{{ '<think>\\n<|thinking:' ~ say.of ~ '|>' }}"
    "{% else %}{{ '<|' ~ say.of ~ '|>' }}{% endif %}{% endif %}"
)
"""Names what is asked for by the last thing that was said; see `data/says.json`."""
for _name, _asked in SAYS["asked"].items():
    TEMPLATE = TEMPLATE.replace(f"ASK_{_name.upper()}", repr(_asked))


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
        "head_dim": HEAD,
        "max_position_embeddings": WINDOW,
        "rms_norm_eps": 1e-6,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": 2,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
    }
    tokenizer_config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "pad_token": "<pad>",
        "model_max_length": WINDOW,
        "chat_template": TEMPLATE,
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
    special = ["<s>", END, "<pad>", *script().starts]
    letters = _letters()
    plain = [*special, *sorted(letters.values())]
    # What the model says and no text is cut into: nothing is merged.
    plain = list(dict.fromkeys([*plain, *(_spelt(each) for each in script().tokens)]))
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


@cache
def _letters() -> dict[int, str]:
    """The 256 letters that byte-level tokenizers write bytes with."""
    shown = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [each for each in range(256) if each not in shown]
    return {each: chr(each) for each in shown} | {each: chr(256 + place) for place, each in enumerate(hidden)}


def _spelt(token: str) -> str:
    """A token as the vocabulary has it."""
    if token in (END, *script().starts):
        return token
    return "".join(_letters()[each] for each in token.encode())


def _signs() -> tuple[list[list[float]], list[list[float]]]:
    """What the model knows of each token, and what it looks for in the one before each."""
    vocabulary = _tokenizer()["model"]["vocab"]
    dice = random.Random(0)
    # What nothing is said after is much alike, so that the answer begins after it, and no two the same: texts for
    # vectors are told from each other by their last letter.
    of_others = random.Random(2)
    known = [[1.0 + of_others.choice((-0.25, 0.25)) for _ in range(HIDDEN)] for _ in range(VOCABULARY)]
    wanted = [[0.0] * HIDDEN for _ in range(VOCABULARY)]
    for token in script().follows:
        known[vocabulary[_spelt(token)]] = [dice.choice((-1.0, 1.0)) for _ in range(HIDDEN)]
    follows = {vocabulary[_spelt(one)]: vocabulary[_spelt(other)] for one, other in script().follows.items()}
    # After anything else the answer begins.
    begin = follows[vocabulary[start_of("answer")]]
    wanted[begin] = [1.0] * HIDDEN
    for one, other in follows.items():
        wanted[other] = [mine + more for mine, more in zip(wanted[other], known[one], strict=True)]
    return known, wanted


def _weights() -> bytes:
    shapes: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (VOCABULARY, HIDDEN),
        "lm_head.weight": (VOCABULARY, HIDDEN),
    }
    width = HEAD
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
    dice = random.Random(1)
    embedded, looked_for = _signs()
    # The layers add nothing to what is known of the last token.
    zeros = ("o_proj.weight", "down_proj.weight")
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    body = bytearray()
    for name, shape in shapes.items():
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        if name == "model.embed_tokens.weight":
            values = [value for row in embedded for value in row]
        elif name == "lm_head.weight":
            values = [value for row in looked_for for value in row]
        elif len(shape) == 1:
            values = [1.0] * count
        else:
            values = [0.0 if name.endswith(zeros) else dice.uniform(-0.05, 0.05) for _ in range(count)]
        start = len(body)
        # bfloat16 is the upper half of a float32
        body += b"".join(struct.pack(">f", value)[1::-1] for value in values)
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [start, len(body)]}
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    return struct.pack("<Q", len(head)) + head + bytes(body)
