"""Writes the catalogue's rows of models whose configuration a wheel carries, with all of their parts counted.

    PYTHONPATH=components PYTHON tools/model_rows.py AICONFIGURATOR_CORE.whl MS_SWIFT.whl

PYTHON is an interpreter with the pinned transformers and torch: see tools/model_shapes.py. The first wheel has files
`ORG--NAME_config.json` as they are on the hub, the second one each model's id at ModelScope. A row of the catalogue
that is there already stays as it is. What our reader does not understand, or transformers counts otherwise than we do,
gets no row. Run by hand, when there are new models.
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

TOP = Path(__file__).resolve().parent.parent
MODELS = TOP / "components/pulumi_llm/catalog/data/models.json"
TOLERANCE = 0.005
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
        "nvidia/Qwen3.5-122B-A10B-NVFP4", "nvidia/Qwen3.5-397B-A17B-NVFP4",
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
    "google/gemma-4-26B-A4B-it": ("google/gemma-4-26B-A4B", None),
    "google/gemma-4-31B-it": ("nvidia/Gemma-4-31B-IT-NVFP4", "none"),
}  # fmt: skip
"""A model, the file that tells its shape, and how its weights are stored where that file is of another one."""

BASES = {
    "nvidia/Gemma-4-26B-A4B-NVFP4": "google/gemma-4-26B-A4B-it",
    "nvidia/Gemma-4-31B-IT-NVFP4": "google/gemma-4-31B-it",
    "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4": "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16",
    "nvidia/NVIDIA-Nemotron-3-Ultra-550B-A55B-FP8": "nvidia/NVIDIA-Nemotron-3-Ultra-550B-A55B-BF16",
    "nvidia/NVIDIA-Nemotron-3-Ultra-550B-A55B-NVFP4": "nvidia/NVIDIA-Nemotron-3-Ultra-550B-A55B-BF16",
}
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
        document["model_type"] = {"minimax_m3": "minimax_m3_vl_text"}.get(
            document["model_type"], document["model_type"]
        )
        (folder / "config.json").write_text(json.dumps(document), encoding="utf-8")
        whole, text_part = counted(folder)
    if abs(found.parameters_b * 1e9 / text_part - 1) > TOLERANCE:
        raise ValueError(f"{found.parameters_b} billion by us, {text_part / 1e9} by transformers")
    bits = {"fp8": 8}.get(stored or "")
    notes = f"{(whole - text_part) / 1e9:.2f} billion of them read pictures" if whole > text_part else None
    return replace(
        found,
        id=name,
        modelscope_id=ids.get(name),
        parameters_b=round(whole / 1e9, 3),
        quantization=stored if bits else found.quantization,
        quantization_bits=bits or found.quantization_bits,
        base_model=BASES.get(name) or _base(name),
        gated=name.startswith("meta-llama/"),
        other_parts=False,
        notes=notes if source == name else f"shape of {source}" + (f"; {notes}" if notes else ""),
        source=title,
        source_date=day,
    )


def _base(name: str) -> str | None:
    plain = re.sub(r"-(NVFP4|FP8)$", "", name)
    if plain == name:
        return None
    owner, _, short = plain.partition("/")
    owners = [org for word, org in OWNERS.items() if short.startswith(word)]
    base = f"{owners[0] if owner == 'nvidia' and owners else owner}/{short}"
    return base if base in ROWS else None


def main(core: str, swift: str) -> None:
    """Read both wheels, and lay the rows that are new after those that are there."""
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
    content = json.loads(MODELS.read_text(encoding="utf-8"))
    known = {each["id"] for each in content["rows"]}
    label = "aiconfigurator-read"
    title, day = content["sources"][label]["title"], content["sources"][label]["date"]
    rows = []
    for name in ROWS:
        if name in known:
            continue
        try:
            found = row(name, configs, ids, title, day)
        except (ValueError, OSError) as error:
            sys.stderr.write(f"{name}: no row: {error}\n")
            continue
        rows.append({**own.row(found), "source": label})
        sys.stderr.write(f"{name}: {found.parameters_b}\n")
    text = MODELS.read_text(encoding="utf-8").rstrip()
    if rows:
        head, _, tail = text.rpartition("\n  ]")
        lines = ",\n".join(f"    {json.dumps(each, ensure_ascii=False)}" for each in rows)
        MODELS.write_text(f"{head},\n{lines}\n  ]{tail}\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
