"""Changes several settings of known shapes at once, and asks the pinned vLLM what becomes of their caches.

    PYTHON tools/mixed_caches.py SEED SECONDS [NAME]    a line of JSON for each shape that is built; NAME: of these
    PYTHON tools/mixed_caches.py write < LINES          tests/catalog/data/mixed_caches.json, of what such a run printed

PYTHON is an interpreter as `tools/model_shapes.py` wants it. vLLM is loaded once, and each shape is built in a process
that is forked from there, in a second or so: one leaves nothing behind for the next. Run by hand, when a release moves.
Not every line that is apart is a fault: a class may have a head of its own whatever the file says of tied words
(DeepSeek V3).
"""

from __future__ import annotations

import contextlib
import gc
import json
import multiprocessing
import os
import random
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import mixed_shapes
import served

TOP = Path(__file__).resolve().parent.parent
FILE = TOP / "tests/catalog/data/mixed_caches.json"
TOKENS = (8 * 1024, 32 * 1024, 128 * 1024)
EACH, PATIENCE = 3, 120
"""Shapes of a class in one round, and seconds that a shape may take."""

SMALL = {
    "hidden_size": 256,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "head_dim": 64,
    "intermediate_size": 512,
    "moe_intermediate_size": 128,
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "vocab_size": 1024,
    "max_position_embeddings": 1024,
}
ARCHITECTURES = {"llama": "LlamaForCausalLM", "qwen3_moe": "Qwen3MoeForCausalLM"}

Told = dict[str, Any]


def set_up() -> None:
    """What has to be set before vLLM is loaded."""
    os.environ |= {"TRANSFORMERS_VERBOSITY": "error", "HF_HUB_OFFLINE": "1", "VLLM_LOGGING_LEVEL": "ERROR"}
    os.environ |= {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1", "VLLM_TARGET_DEVICE": "cpu"}
    sys.path.insert(0, str(TOP / "components"))


def prepare(classes: Collection[str] = ()) -> None:
    """Load what each shape needs, once; ``classes``: of these alone."""
    import torch
    from vllm.model_executor.models import registry

    torch.set_num_threads(1)
    torch.cpu._is_avx512_bf16_supported = lambda: False  # on such CPUs vLLM raises states to 32 bit, and on no GPU
    stub_torchvision()
    # A class is looked at in a process of its own, as loading it may start CUDA; here there is none.
    registry._run_in_subprocess = lambda function: function()
    for name, each in registry.ModelRegistry.models.items():
        if not classes or name in classes:
            with contextlib.suppress(Exception):
                each.load_model_cls()
    for kind in ("llama", "qwen3_moe"):  # what vLLM loads only as it builds: kernels, quantization, the group of one
        with contextlib.suppress(Exception):
            served.asked(SMALL | {"architectures": [ARCHITECTURES[kind]], "model_type": kind})
    gc.freeze()  # what is loaded is shared with each process that is forked


def stub_torchvision() -> None:
    """A stand-in for torchvision, which only the pictures of a class need, and which the CPU build has not."""
    from unittest.mock import MagicMock

    for name in (
        "",
        ".transforms",
        ".transforms.functional",
        ".transforms.v2",
        ".transforms.v2.functional",
        ".io",
        ".ops",
    ):
        module = MagicMock()
        module.__spec__, module.__path__, module.__version__ = None, [], "0.28.0"
        sys.modules.setdefault(f"torchvision{name}", module)


def starts() -> dict[str, dict[str, Any]]:
    """The shapes that are changed: those of the other tables, and those of classes that transformers has not."""
    rows = json.loads(served.ROWS.read_text(encoding="utf-8"))["classes"]
    return mixed_shapes.known() | {name: row["config"] for name, row in rows.items() if "config" in row}


def kept(cache: Told, tokens: int) -> float:
    """Bytes that a request of so many tokens keeps, by what vLLM says of each layer."""
    windowed = sum(min(tokens, each["window_tokens"]) * each["bytes_per_token"] for each in cache["windowed"])
    return float(cache["full_bytes_per_token"] * tokens + windowed + cache["state_bytes_per_sequence"])


def ours(config: Told) -> Told:
    """What we say; without ``kept`` where nothing is said."""
    from pulumi_llm import catalog
    from pulumi_llm.errors import Refusal
    from pulumi_llm.preflight import cache

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(config), encoding="utf-8")
        try:
            model = catalog.model_from_config(Path(folder))
        except Refusal as refusal:
            return {"refused": str(refusal.findings[0].message)}
    if model.unknown_shape is not None:
        return {"unknown": model.unknown_shape}
    found = cache.footprint(model, 1)
    if found is None or model.parameters_b is None:
        return {}
    sizes = [
        found.state_bytes + sum(min(tokens, each.window or tokens) * each.bytes for each in found.kept)
        for tokens in TOKENS
    ]
    return {
        "kept": sizes,
        "text": model.parameters_b * 1e9,
        "context": model.served_context or model.max_context,
        "state": found.state_bytes,
    }


def asked(config: Told, ask: Callable[[Told], Told] = served.asked) -> Told:
    """What vLLM says of a shape, in a process of its own; ``error`` where it builds none."""
    mine, other = multiprocessing.Pipe(duplex=False)
    child = os.fork()
    if child == 0:
        try:
            gc.disable()
            with Path(os.devnull).open("w") as nowhere:
                os.dup2(nowhere.fileno(), 1)
                os.dup2(nowhere.fileno(), 2)
            try:
                told = ask(config)
            except BaseException as error:
                told = {"error": repr(error)[:300], "where": traceback.format_exc()[-600:]}
            other.send(told)
        finally:
            os._exit(0)
    other.close()
    told = {"error": "it took too long, or ended"}
    if mine.poll(PATIENCE):
        with contextlib.suppress(EOFError):
            told = mine.recv()
    else:
        os.kill(child, 9)
    os.waitpid(child, 0)
    mine.close()
    return told


def tried(seed: int, seconds: float, only: str = "") -> Iterator[tuple[str, Told, Told, Told]]:
    """Each mixed shape that vLLM builds: its name, the shape, what vLLM says of it, and what we do."""
    chance, start = random.Random(seed), time.monotonic()
    shapes = [(name, config) for name, config in starts().items() if only in name]
    built: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    while shapes and time.monotonic() - start < seconds:
        chance.shuffle(shapes)
        for name, config in shapes:
            kind = str(mixed_shapes.text_of(config).get("model_type") or config.get("model_type"))
            if built[kind] >= EACH * (1 + min(built.values(), default=0)) or failed[kind] > 5 * (1 + built[kind]):
                continue
            shape = mixed_shapes.mixed(config, mixed_shapes.own_settings(kind), chance)
            shape.pop("quantization_config", None)
            told = asked(shape)
            if "error" in told:
                failed[kind] += 1
                print(
                    json.dumps({"of": name, **told, "ours": ours(shape), "config": shape}), file=sys.stderr, flush=True
                )
                continue
            built[kind] += 1
            yield name, shape, told, ours(shape)
            if time.monotonic() - start > seconds:
                return


def apart(told: Told, found: Told) -> float:
    """How far the two are from each other, at the worst of the lengths."""
    wanted = [kept(told["cache"], tokens) for tokens in TOKENS]
    return max(abs(a - b) / max(b, 1.0) for a, b in zip(found["kept"], wanted, strict=True))


def write() -> None:
    """Write what a run printed, where both agree now: what is apart is looked at by hand."""
    rows = []
    for line in sys.stdin:
        each = json.loads(line)
        found, told = ours(each["config"]), each["vllm"]
        if "kept" not in found:
            continue
        row = {"of": each["of"], "config": each["config"], "cache": told["cache"]}
        if abs(found["text"] / told["text"] - 1) <= 0.01:
            row["parameters"] = told["text"]
        if told["cache"]["state_bytes_per_sequence"] or apart(told, found) <= 0.01:
            rows.append(row)
        else:
            print(f"left out: {each['of']}, {apart(told, found):.4f} apart", file=sys.stderr)
    head = {
        "about": "Shapes of other files here with several settings changed, added and left out at once, and what vLLM "
        "keeps and makes of them. Made by tools/mixed_caches.py.",
        "source": "vllm-cpu 0.32.0, get_kv_cache_spec; on a CPU without bfloat16",
        "source_date": datetime.now(UTC).date().isoformat(),
    }
    body = ",\n".join("  " + json.dumps(each) for each in rows)
    FILE.write_text(json.dumps(head, indent=1)[:-2] + ',\n "shapes": [\n' + body + "\n ]\n}\n", encoding="utf-8")


def main() -> None:
    """Do what the arguments say."""
    set_up()
    if sys.argv[1:] == ["write"]:
        write()
        return
    warnings.filterwarnings("ignore")
    prepare()
    seen: Counter[str] = Counter()
    start = time.monotonic()
    for name, shape, told, found in tried(int(sys.argv[1]), float(sys.argv[2]), *sys.argv[3:4]):
        seen["built"] += 1
        said = "kept" in found
        seen["said"] += said
        row = {"of": name, "vllm": told, "ours": found, "config": shape}
        if said:
            row["cache_apart"] = round(apart(told, found), 4)
            row["text_apart"] = round(min(abs(found["text"] / told[of] - 1) for of in ("text", "whole")), 4)
        print(json.dumps(row), flush=True)
    print(f"{dict(seen)} in {time.monotonic() - start:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
