"""Writes the catalogue's rows of models whose configuration a wheel carries, with all of their parts counted.

    PYTHONPATH=components PYTHON tools/model_rows.py AICONFIGURATOR_CORE.whl MS_SWIFT.whl

PYTHON is an interpreter with the pinned transformers and torch: see tools/model_shapes.py. The first wheel has files
`ORG--NAME_config.json` as they are on the hub, the second one each model's id at ModelScope. A row that this tool made
is made again; of one that has another source, only what its file says of its cache and of its heads that guess ahead is
filled in. What our reader does not understand, or transformers counts otherwise than we do, gets no row. Run by hand,
when there are new models, or when the reader learns something.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from pulumi_llm.catalog import Model, model_from_config, own
from pulumi_llm.catalog.models import GIB

TOP = Path(__file__).resolve().parent.parent
MODELS = TOP / "components/pulumi_llm/catalog/data/models.json"
TOLERANCE = 0.005
WHOLE_TOLERANCE = 0.015
FAMILIES = TOP / "tests/catalog/data/families.json"
PUBLISHED = TOP / "tests/catalog/data/published.json"
OTHER = re.compile(r"visual|vision|audio|projector|embed_vision|embed_audio")

ROWS: dict[str, tuple[str, str | None]] = {
    **{name: (name, None) for name in (
        "MiniMaxAI/MiniMax-M2.5", "MiniMaxAI/MiniMax-M2.7",
        *(f"Qwen/Qwen3-VL-{size}-Instruct" for size in ("2B", "4B", "8B", "30B-A3B", "32B", "235B-A22B")),
        "Qwen/Qwen3.5-27B", "Qwen/Qwen3.5-35B-A3B", "Qwen/Qwen3.5-122B-A10B", "Qwen/Qwen3.5-397B-A17B",
        "XiaomiMiMo/MiMo-V2-Flash", "deepseek-ai/DeepSeek-V3.2", "deepseek-ai/DeepSeek-V4-Flash",
        "deepseek-ai/DeepSeek-V4-Pro", "meta-llama/Llama-4-Scout-17B-16E-Instruct",
        "meta-llama/Llama-4-Maverick-17B-128E-Instruct", "moonshotai/Kimi-K2.5",
        "zai-org/GLM-5", "zai-org/GLM-5-FP8", "zai-org/GLM-5.1", "zai-org/GLM-5.1-FP8", "zai-org/GLM-5.2",
        "zai-org/GLM-5.2-FP8", "nvidia/DeepSeek-V3.1-NVFP4", "nvidia/DeepSeek-V3.2-NVFP4", "nvidia/GLM-5-NVFP4",
        "nvidia/GLM-5.1-NVFP4", "nvidia/GLM-5.2-NVFP4", "nvidia/Gemma-4-26B-A4B-NVFP4", "nvidia/Gemma-4-31B-IT-NVFP4",
        "nvidia/Kimi-K2.5-NVFP4", "nvidia/Kimi-K2.6-NVFP4", "nvidia/Kimi-K2.7-Code-NVFP4", "nvidia/MiniMax-M2.5-NVFP4",
        "nvidia/MiniMax-M2.7-NVFP4", "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16",
        "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4", "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-FP8",
        "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-NVFP4", "nvidia/NVIDIA-Nemotron-3-Ultra-550B-A55B-BF16",
        "nvidia/NVIDIA-Nemotron-3-Ultra-550B-A55B-FP8", "nvidia/NVIDIA-Nemotron-3-Ultra-550B-A55B-NVFP4",
        "nvidia/Qwen3.5-122B-A10B-NVFP4", "nvidia/Qwen3.5-397B-A17B-NVFP4", "nvidia/Qwen3.6-27B-NVFP4",
        "nvidia/Qwen3.6-35B-A3B-NVFP4", "Qwen/Qwen3-VL-32B-Thinking", "zai-org/GLM-5.3", "zai-org/GLM-5.3-FP8",
        "nvidia/GLM-5.3-NVFP4", "nvidia/DeepSeek-V4-Flash-NVFP4", "nvidia/DeepSeek-V4-Pro-NVFP4",
        "nvidia/NVIDIA-Nemotron-3.5-Lightning-30B-A3B-NVFP4", "nvidia/Nemotron-H-56B-Base-8K",
        "MiniMaxAI/MiniMax-M3", "nvidia/MiniMax-M3-NVFP4", "moonshotai/Kimi-K3", "stepfun-ai/Step-3.7-Flash",
        "stepfun-ai/Step-3.7-Flash-FP8", "nvidia/Llama-3_3-Nemotron-Super-49B-v1",
    )},
    **{f"{name}-FP8": (name, "fp8") for name in (
        *(f"Qwen/Qwen3-VL-{size}-Instruct" for size in ("2B", "4B", "8B", "30B-A3B", "32B", "235B-A22B")),
        "Qwen/Qwen3.5-27B", "Qwen/Qwen3.5-35B-A3B", "Qwen/Qwen3.5-122B-A10B", "Qwen/Qwen3.5-397B-A17B",
    )},
    "Qwen/Qwen3.6-27B": ("nvidia/Qwen3.6-27B-NVFP4", "none"),
    "Qwen/Qwen3.6-27B-FP8": ("nvidia/Qwen3.6-27B-NVFP4", "fp8"),
    "Qwen/Qwen3.6-35B-A3B": ("nvidia/Qwen3.6-35B-A3B-NVFP4", "none"),
    "Qwen/Qwen3.6-35B-A3B-FP8": ("nvidia/Qwen3.6-35B-A3B-NVFP4", "fp8"),
    "deepseek-ai/DeepSeek-V3.1": ("nvidia/DeepSeek-V3.1-NVFP4", "fp8"),
    "moonshotai/Kimi-K2.6": ("moonshotai/Kimi-K2.5", None),
    "moonshotai/Kimi-K2.7-Code": ("moonshotai/Kimi-K2.5", None),
    **{f"Qwen/Qwen3-235B-A22B-{kind}-2507": ("Qwen/Qwen3-235B-A22B", None) for kind in ("Instruct", "Thinking")},
    **{
        f"Qwen/Qwen3-235B-A22B-{kind}-2507-FP8": ("Qwen/Qwen3-235B-A22B-FP8", None) for kind in ("Instruct", "Thinking")
    },
    "Qwen/Qwen3-VL-235B-A22B-Thinking": ("Qwen/Qwen3-VL-235B-A22B-Instruct", None),
    "deepseek-ai/DeepSeek-V3.1-Terminus": ("nvidia/DeepSeek-V3.1-NVFP4", "fp8"),
    "deepseek-ai/DeepSeek-V3.2-Exp": ("deepseek-ai/DeepSeek-V3.2", None),
    "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-BF16": ("nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-FP8", "none"),
    "nvidia/NVIDIA-Nemotron-3.5-Lightning-30B-A3B-BF16": (
        "nvidia/NVIDIA-Nemotron-3.5-Lightning-30B-A3B-NVFP4", "none",
    ),
    "google/gemma-4-26B-A4B-it": ("google/gemma-4-26B-A4B", None),
    "google/gemma-4-31B-it": ("nvidia/Gemma-4-31B-IT-NVFP4", "none"),
}  # fmt: skip
"""A model, the file that tells its shape, and how its weights are stored where that file is of another one."""

OF_FAMILIES = {
    "LGAI-EXAONE/EXAONE-4.5-33B": "EXAONE-4.5-33B",
    "LiquidAI/LFM2.5-VL-1.6B": "LFM2.5-VL-1.6B",
    "MiniMaxAI/MiniMax-M2": "MiniMax-M2",
    "Qwen/Qwen3-Next-80B-A3B-Instruct": "Qwen3-Next-80B",
    "Qwen/Qwen3.5-9B": "Qwen3.5-9B",
    "allenai/Olmo-3.1-32B-Instruct": "Olmo-3.1-32B",
    "mistralai/Devstral-2-123B-Instruct-2512": "Devstral-2-123B",
    "mistralai/Devstral-Small-2-24B-Instruct-2512": "Devstral-Small-2-24B",
    "zai-org/GLM-4.5": "GLM-4.5",
    "zai-org/GLM-4.5-Air": "GLM-4.5-Air",
    "zai-org/GLM-4.5V": "GLM-4.5V",
    "zai-org/GLM-5.3-Flash": "GLM-5.3-Flash",
    "zai-org/GLM-5.3-Flash-BF16": "GLM-5.3-Flash",
    "meta-models/Muse-Glimmer-30B": "Muse-Glimmer-30B",
    "MiniMaxAI/MiniMax-M2.1": "MiniMax-M2",
    "tencent/Hunyuan-A13B-Instruct": "hunyuan-a13b",
    "ByteDance-Seed/Seed-OSS-36B-Instruct": "Seed-OSS-36B",
    "Qwen/Qwen2.5-VL-7B-Instruct": "olmOCR-2-7B",
    "Qwen/Qwen2.5-VL-72B-Instruct": "Qwen2.5-VL-72B",
    "baidu/ERNIE-4.5-21B-A3B-PT": "ernie-4.5-21b",
    "baidu/ERNIE-4.5-300B-A47B-PT": "ERNIE-4.5-300B",
    "google/gemma-3-4b-it": "gemma-3-4b-it",
    "google/gemma-3-12b-it": "gemma-3-12b",
    "google/gemma-4-E2B-it": "gemma-4-E2B",
    "google/gemma-4-E4B-it": "gemma-4-e4b",
    "moonshotai/Kimi-Linear-48B-A3B-Instruct": "kimi-linear-48b",
    "nvidia/NVIDIA-Nemotron-Nano-9B-v2": "Nemotron-Nano-9B-v2",
}
"""Models whose shape the tests hold against both oracles, by the name that it has there."""

STORED = {
    "MiniMaxAI/MiniMax-M2": "fp8",
    "MiniMaxAI/MiniMax-M2.1": "fp8",
    "zai-org/GLM-5.3-Flash": "fp8",
}
"""How the weights of some of these are published (recipes/models/, precision, of vllm 0.33.0's source distribution)."""

OF_FILES: dict[str, tuple[str, str | None, str]] = {
    "tencent/Hy3": ("Hy3", None, ""),
    "tencent/Hy3-FP8": ("Hy3", "fp8", "shape of tencent/Hy3"),
    "tencent/Hy3-preview": ("Hy3", None, "shape of tencent/Hy3; vLLM's recipes give them the same totals"),
    "zai-org/GLM-4.5-FP8": ("GLM-4.5", "fp8", "shape of zai-org/GLM-4.5"),
    "zai-org/GLM-4.6": ("GLM-4.6", None, ""),
    "zai-org/GLM-4.6-FP8": ("GLM-4.6", "fp8", "shape of zai-org/GLM-4.6"),
    "zai-org/GLM-4.7": ("GLM-4.6", None, ""),
    "zai-org/GLM-4.7-FP8": ("GLM-4.6", "fp8", "shape of zai-org/GLM-4.7"),
    "zai-org/GLM-4.7-Flash": (
        "GLM-4.7-Flash", None,
        "as a public test of its cache has it; the defaults of its class in transformers 5.19",
    ),
    "XiaomiMiMo/MiMo-V2.5": ("whole: XiaomiMiMo/MiMo-V2.5", None, ""),
    "XiaomiMiMo/MiMo-V2.5-Pro": ("whole: XiaomiMiMo/MiMo-V2.5-Pro", None, ""),
    "BAAI/bge-m3": (
        "bge-m3", None,
        "as the file of BAAI/bge-reranker-v2-m3 has it, which names this one as its origin",
    ),
    "BAAI/bge-large-zh-v1.5": ("bge-large-zh-v1.5", None, ""),
    "BAAI/bge-reranker-v2-m3": ("bge-reranker-v2-m3", None, ""),
    "BAAI/bge-reranker-base": ("bge-reranker-base", None, ""),
    "Qwen/Qwen3-Embedding-0.6B": ("Qwen3-Embedding-0.6B", None, ""),
    "Qwen/Qwen3-Embedding-4B": ("Qwen3-Embedding-4B", None, ""),
    "Qwen/Qwen3-Embedding-8B": ("Qwen3-Embedding-8B", None, ""),
    "Qwen/Qwen3-Reranker-0.6B": (
        "Qwen3-Embedding-0.6B", None,
        "shape of Qwen/Qwen3-Embedding-0.6B; public listings give its files 1.2 GB",
    ),
    "Qwen/Qwen3-Reranker-4B": (
        "Qwen3-Embedding-4B", None,
        "shape of Qwen/Qwen3-Embedding-4B; public listings give its files 7.6 GiB",
    ),
    "Qwen/Qwen3-Reranker-8B": ("Qwen3-Reranker-8B", None, ""),
}  # fmt: skip
"""Models whose config.json a public file has: its name among the tests' shapes, how the weights are stored, a note.

Mistral Small 4 has none: vllm 0.32.0 has no class for the text part of its config.json (`mistral4`). It reads the
model's other form (params.json, transformers_utils/configs/mistral.py), which nobody has tried on a node.
"""

WHOLE = {
    "MiniMaxAI/MiniMax-M3": 427.04, "nvidia/MiniMax-M3-NVFP4": 427.04, "moonshotai/Kimi-K3": 2800.0,
    "stepfun-ai/Step-3.7-Flash": 197.64, "stepfun-ai/Step-3.7-Flash-FP8": 197.64,
    "nvidia/Llama-3_3-Nemotron-Super-49B-v1": 49.9,
}  # fmt: skip
"""Billions in models that transformers does not build from the file, or not with all of their parts.

vLLM's recipes (models/*/*.yaml of vllm-project/recipes, parameter_count, read 2026-11-28; of Step 3.7 our text part and
the 1.8 billion of its encoder), the last one its model card.
"""

ROUNDED = {"moonshotai/Kimi-K3", "nvidia/Llama-3_3-Nemotron-Super-49B-v1"}
"""Those of WHOLE of which the figure is too round to tell the other parts by."""

STEP = {"architecture": "Step3p7ForConditionalGeneration", "max_context": 262144}
LONG = {"max_context": 262144}
TOLD: dict[str, dict[str, Any]] = {
    **{f"Qwen/Qwen3-235B-A22B-{kind}-2507{end}": LONG for kind in ("Instruct", "Thinking") for end in ("", "-FP8")},
    "MiniMaxAI/MiniMax-M3": {"architecture": "MiniMaxM3SparseForConditionalGeneration"},
    "stepfun-ai/Step-3.7-Flash": STEP,
    "stepfun-ai/Step-3.7-Flash-FP8": STEP,
}
"""What the wheel's files have in words of its own: the class in vLLM 0.32.0's registry, the rest from vLLM's recipe."""

BASES = {
    "nvidia/MiniMax-M3-NVFP4": "MiniMaxAI/MiniMax-M3",
    "nvidia/Gemma-4-26B-A4B-NVFP4": "google/gemma-4-26B-A4B-it",
    "nvidia/Gemma-4-31B-IT-NVFP4": "google/gemma-4-31B-it",
    "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4": "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16",
    "nvidia/NVIDIA-Nemotron-3-Ultra-550B-A55B-FP8": "nvidia/NVIDIA-Nemotron-3-Ultra-550B-A55B-BF16",
    "nvidia/NVIDIA-Nemotron-3-Ultra-550B-A55B-NVFP4": "nvidia/NVIDIA-Nemotron-3-Ultra-550B-A55B-BF16",
}
BY_HAND = ("active_b", "licence", "gated", "modelscope_id", "base_model")
"""What a row may have that no file of the model says."""

OWNERS = {"DeepSeek": "deepseek-ai", "GLM": "zai-org", "Kimi": "moonshotai", "MiniMax": "MiniMaxAI", "Qwen": "Qwen"}


def counted(folder: Path) -> tuple[int, int]:
    """Parameters of the whole model and of its text part, as transformers builds it without weights."""
    import torch
    from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForImageTextToText

    config = AutoConfig.from_pretrained(folder)
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    model: Any = None
    for kind in (AutoModelForImageTextToText, AutoModelForCausalLM, AutoModel):
        try:
            with torch.device("meta"):
                model = kind.from_config(config)
            break
        except ValueError:
            continue
    if model is None:
        raise ValueError(f"transformers builds no {folder}")
    whole = {id(each): (name, each.numel()) for name, each in model.named_parameters()}
    text = sum(size for name, size in whole.values() if not OTHER.search(name))
    return sum(size for _, size in whole.values()), text


def row(name: str, configs: dict[str, dict[str, bytes]], ids: dict[str, str], title: str, day: str) -> Model:
    """One row. Raises ValueError where the two counts differ."""
    source, stored = ROWS[name]
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        for file, text in configs[source].items():
            if stored is not None and file != "config.json":
                continue
            document = json.loads(text)
            if stored is not None:
                document.pop("quantization_config", None)
            document.pop("auto_map", None)
            (folder / file).write_text(json.dumps(document), encoding="utf-8")
        found = model_from_config(folder)
        if found.parameters_b is None:
            raise ValueError(f"{found.unknown_shape} is not understood")
        if name in WHOLE:
            text_part = round(found.parameters_b * 1e9)
            whole, tolerance = round(WHOLE[name] * 1e9), WHOLE_TOLERANCE
        else:
            (whole, text_part), tolerance = counted(folder), TOLERANCE
    if abs(found.parameters_b * 1e9 / (whole if name in WHOLE else text_part) - 1) > tolerance:
        raise ValueError(f"{found.parameters_b} billion by us, {text_part / 1e9} of {whole / 1e9} by others")
    whole = text_part if name in ROUNDED else whole
    bits = {"fp8": 8}.get(stored or "")
    others = whole - text_part
    uncounted = others if found.other_parameters_b is None else 0
    notes = f"{others / 1e9:.2f} billion beside them read pictures" if others else None
    made = replace(
        found,
        id=name,
        modelscope_id=ids.get(name),
        parameters_b=round(text_part / 1e9, 3),
        other_parameters_b=round(others / 1e9, 3) or None,
        expert_parameters_b=found.expert_parameters_b and round(found.expert_parameters_b, 3),
        weights_gib=found.weights_gib and round(found.weights_gib + uncounted * 2 / GIB, 2),
        quantization=stored if bits else found.quantization,
        quantization_bits=bits or found.quantization_bits,
        base_model=BASES.get(name) or _base(name),
        gated=name.startswith("meta-llama/"),
        other_parts=False,
        notes=notes if source == name else f"shape of {source}" + (f"; {notes}" if notes else ""),
        source=title,
        source_date=day,
    )
    return replace(made, **TOLD.get(name, {}))


def of_family(name: str, ids: dict[str, str], title: str, day: str) -> Model:
    """One row from a shape of the tests, counted there by others. Raises ValueError where we count otherwise."""
    shape, stored, note = OF_FILES[name] if name in OF_FILES else (OF_FAMILIES[name], STORED.get(name), "")
    files = (json.loads(each.read_text(encoding="utf-8"))["models"] for each in (FAMILIES, PUBLISHED))
    family = next(each[shape] for each in files if shape in each)
    with tempfile.TemporaryDirectory() as home:
        (Path(home) / "config.json").write_text(json.dumps(family["config"]), encoding="utf-8")
        found = model_from_config(Path(home))
        text_part = family["parameters"]
        others = (family.get("whole") or _whole(Path(home), family)) - text_part
    if found.parameters_b is None or abs(found.parameters_b * 1e9 / text_part - 1) > TOLERANCE:
        raise ValueError(f"{found.parameters_b} billion by us, {text_part / 1e9} by others")
    bits = {"fp8": 8}.get(stored or "")
    uncounted = others if found.other_parameters_b is None else 0
    told = note or (family.get("source", "") if name in OF_FILES else "")
    use = "read pictures and hear" if "audio_config" in family["config"] else "read pictures"
    parts = [told, f"{others / 1e9:.2f} billion beside them {use}" if others else ""]
    return replace(
        found,
        id=name,
        modelscope_id=ids.get(name),
        parameters_b=round(text_part / 1e9, 3),
        other_parameters_b=round(others / 1e9, 3) or None,
        expert_parameters_b=found.expert_parameters_b and round(found.expert_parameters_b, 3),
        weights_gib=found.weights_gib and round(found.weights_gib + uncounted * 2 / GIB, 2),
        quantization=stored if bits else found.quantization,
        quantization_bits=bits or found.quantization_bits,
        base_model=_base(name),
        other_parts=False,
        notes="; ".join(part for part in parts if part) or None,
        source=title,
        source_date=day,
    )


def _whole(folder: Path, family: dict[str, Any]) -> int:
    """Parameters of a shape of which the tests hold the text part alone."""
    more = any(part in family["config"] for part in ("vision_config", "audio_config"))
    return counted(folder)[0] if more else int(family["parameters"])


def told_by_file(files: dict[str, bytes]) -> dict[str, Any]:
    """What only a model's own files say, and its shape does not."""
    with tempfile.TemporaryDirectory() as home:
        for file, text in files.items():
            (Path(home) / file).write_bytes(text)
        found = own.row(model_from_config(Path(home)))
    return {key: found[key] for key in ("heads_ahead", "cache_dtype") if key in found}


def _base(name: str) -> str | None:
    plain = re.sub(r"-(NVFP4|FP8)$", "", name)
    if plain == name:
        return None
    owner, _, short = plain.partition("/")
    owners = [org for word, org in OWNERS.items() if short.startswith(word)]
    base = f"{owners[0] if owner == 'nvidia' and owners else owner}/{short}"
    return base if base in {**ROWS, **OF_FILES, **OF_FAMILIES} else None


def main(core: str, swift: str) -> None:
    """Read both wheels, and write the catalogue's file with the rows that they are the source of."""
    configs: dict[str, dict[str, bytes]] = {}
    with zipfile.ZipFile(core) as wheel:
        for each in wheel.namelist():
            match = re.search(r"model_configs/(.+?)--(.+?)_(hf_quant_config|config)\.json$", each)
            if match:
                configs.setdefault(f"{match[1]}/{match[2]}", {})[f"{match[3]}.json"] = wheel.read(each)
    ids: dict[str, str] = {}
    with zipfile.ZipFile(swift) as wheel:
        for each in wheel.namelist():
            if each.endswith(".py") and "model" in each:
                ids |= {
                    two: one
                    for one, two in re.findall(r"Model\(\s*'([^']+)'\s*,\s*'([^']+)'", wheel.read(each).decode())
                }
    text = MODELS.read_text(encoding="utf-8")
    content = json.loads(text)
    label = "aiconfigurator-read"
    title, day = content["sources"][label]["title"], content["sources"][label]["date"]
    rows = {each["id"]: each for each in content["rows"]}
    for name in [*ROWS, *(each for each in configs if each in rows)]:
        older = rows.get(name, {"source": label})
        try:
            if older["source"] == label and name in ROWS:
                made = own.row(row(name, configs, ids, title, day))
                rows[name] = {**{key: older[key] for key in BY_HAND if key in older}, **made, "source": label}
            elif name in configs:
                rows[name] = {**older, **told_by_file(configs[name])}
        except (ValueError, OSError) as error:
            sys.stderr.write(f"{name}: no row: {error}\n")
    for name in (*OF_FAMILIES, *OF_FILES):
        label = "public-files" if name in OF_FILES else "public-shapes"
        told = content["sources"][label]
        made = own.row(of_family(name, ids, told["title"], told["date"]))
        kept = {key: value for key, value in rows.get(name, {}).items() if key in BY_HAND and key not in made}
        rows[name] = {**made, **kept, "source": label}
    head = text[: text.index('"rows": [')]
    lines = ",\n".join(f"    {json.dumps(each, ensure_ascii=False)}" for each in rows.values())
    MODELS.write_text(f'{head}"rows": [\n{lines}\n  ]\n}}\n', encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
