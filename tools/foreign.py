"""Asks transformers which settings a class leaves aside though our arithmetic would read them.

    PYTHON tools/foreign.py    writes `foreign` into the rows of catalog/data/model_classes.json

PYTHON is an interpreter as `tools/model_shapes.py` wants it. A class is built without weights with a setting of another
class beside its defaults; where the count stays and ours does not, the setting is foreign to it, unless vLLM's own
implementation of the class names it. Run by hand, after
`tools/model_shapes.py classes`.
"""

from __future__ import annotations

import json
import os
import re
import sys
import warnings
from pathlib import Path
from typing import Any

SETTINGS: dict[str, Any] = {
    "decoder_sparse_step": 2,
    "dense_intermediate_size": 100,
    "expand": 3,
    "expert_layer_period": 2,
    "first_k_dense_replace": 2,
    "head_dim": 96,
    "hidden_size_per_layer_input": 16,
    "intermediate_size_mlp": 100,
    "kv_lora_rank": 64,
    "mamba_expand": 3,
    "mlp_only_layers": [0],
    "moe_intermediate_size": 192,
    "moe_latent_size": 100,
    "moe_layer_start_index": 2,
    "moe_shared_expert_intermediate_size": 100,
    "multi_query": True,
    "n_shared_experts": 2,
    "num_dense_layers": 2,
    "num_key_value_heads": 2,
    "num_kv_shared_layers": 2,
    "num_local_experts": 4,
    "num_shared_experts": 2,
    "shared_expert_intermediate_size": 320,
    "sliding_window": 512,
    "swa_head_dim": 32,
    "v_head_dim": 48,
    "word_embed_proj_dim": 100,
}
"""What our arithmetic looks for whatever the class, each with a value that changes the count of those that have it."""

TOLERANCE = 0.01


def implementation(architecture: str) -> str:
    """The source of vLLM's own class of that name; "" where it has none."""
    from vllm.model_executor.models import registry

    module = registry._VLLM_MODELS.get(architecture, ("",))[0]
    base = Path(registry.__file__).parents[2]
    path = base / f"model_executor/models/{module}.py"
    folder = base / module.removeprefix("vllm.").replace(".", "/") if module.startswith("vllm.") else None
    files = sorted(folder.rglob("*.py")) if folder else [path] if module and path.is_file() else []
    return "\n".join(each.read_text(encoding="utf-8") for each in files)


def main() -> None:
    """Try each setting on each class, and write down which are foreign."""
    warnings.filterwarnings("ignore")
    os.environ |= {"TRANSFORMERS_VERBOSITY": "error", "HF_HUB_OFFLINE": "1"}
    import model_shapes as tool
    import torch
    import transformers
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    sys.path.insert(0, str(tool.TOP / "components"))
    from pulumi_llm.catalog.shapes import Settings, UnknownShapeError, shape_of

    def ours(config: dict[str, Any], kind: str) -> int | None:
        settings = Settings(config, kind)
        try:
            found = shape_of(settings, tied=settings.value("tie_word_embeddings") is True).parameters
        except UnknownShapeError:
            return None
        return None if list(settings.unread()) else found

    def theirs(config: dict[str, Any], kind: str) -> int | None:
        try:
            with torch.device("meta"):
                return tool.count(getattr(transformers, names[kind])(CONFIG_MAPPING[kind](**config)))
        except Exception:
            return None

    names = {kind: name for name, kind in reversed(list(tool.architectures()))}
    rows = json.loads(tool.CLASSES.read_text(encoding="utf-8"))["classes"]
    for kind, row in rows.items():
        row.pop("foreign", None)
        plain = ours({}, kind) if "text" not in row and kind in names else None
        built = theirs({}, kind) if plain else None
        if plain is None or built is None or abs(plain / built - 1) > TOLERANCE:
            continue
        known = {*tool.fields(kind), *(CONFIG_MAPPING[kind].attribute_map or {})}
        changed = [
            name
            for name, value in SETTINGS.items()
            if name not in known and ours({name: value}, kind) not in (None, plain)
        ]
        foreign = [name for name in changed if theirs({name: SETTINGS[name]}, kind) == built]
        said = implementation(names[kind])
        foreign = [name for name in foreign if not re.search(rf"\b{name}\b", said)]
        if foreign:
            row["foreign"] = foreign
            print(kind, *foreign, flush=True)
    tool.save_classes(rows)


if __name__ == "__main__":
    main()
