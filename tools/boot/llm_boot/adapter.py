"""A LoRA adapter of the tiny model: the files that PEFT saves one as, made without any library."""

from __future__ import annotations

import json
import random
import struct
from functools import cache

from llm_boot import model

RANK = 8
SIZES = {
    "q_proj": (model.HIDDEN, model.HEADS * model.HEAD),
    "v_proj": (model.HIDDEN, model.KEY_HEADS * model.HEAD),
    "down_proj": (model.MIDDLE, model.HIDDEN),
}
"""What it changes, with its numbers in and out."""


@cache
def files(seed: int = 7, size: float = 2.0) -> dict[str, bytes]:
    """Its settings, and two matrices of numbers up to ``size`` for each that it changes; 0: it changes nothing.

    It does not say of which model it is, as every model id stands for the tiny model.
    """
    dice = random.Random(seed)
    config = {
        "peft_type": "LORA", "base_model_name_or_path": None, "r": RANK, "lora_alpha": 2 * RANK,
        "target_modules": sorted(SIZES), "bias": "none", "task_type": "CAUSAL_LM",
    }  # fmt: skip
    header, data = {}, b""
    for name, (wide, out) in SIZES.items():
        part = "self_attn" if name[0] in "qv" else "mlp"
        for side, shape in (("lora_A", (RANK, wide)), ("lora_B", (out, RANK))):
            numbers = [dice.uniform(-size, size) for _ in range(shape[0] * shape[1])]
            bytes_ = struct.pack(f"<{len(numbers)}f", *numbers)
            key = f"base_model.model.model.layers.0.{part}.{name}.{side}.weight"
            header[key] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(bytes_)]}
            data += bytes_
    head = json.dumps(header).encode()
    return {
        "adapter_config.json": json.dumps(config).encode(),
        "adapter_model.safetensors": struct.pack("<Q", len(head)) + head + data,
    }
