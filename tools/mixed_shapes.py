"""Changes several settings of known shapes at once, and asks transformers what becomes of them.

    PYTHON tools/mixed_shapes.py SEED SECONDS    what we count otherwise, one line of JSON each
    PYTHON tools/mixed_shapes.py write           tests/catalog/data/mixed.json

PYTHON is an interpreter as `tools/model_shapes.py` wants it. Each shape of tests/catalog/data loses some settings, gets
others and has some changed: what stands alone in the other tables stands together here. Not every line is a fault:
where transformers and vLLM read a setting otherwise we go by vLLM, and what sees and hears is counted apart. Run by
hand, when a release moves.
"""

from __future__ import annotations

import copy
import json
import os
import random
import re
import sys
import tempfile
import time
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

TOP = Path(__file__).resolve().parent.parent
DATA = TOP / "tests/catalog/data"
ROWS, SEED, PARTS = 90, 17, ("text_config", "llm_config", "language_config", "thinker_config")
NO_SHAPE = re.compile(
    "token|theta|eps|scale|scaling|rope|dtype|model_type|architect|vision|audio|image|video|act|version|quant|norm_topk"
    "|softcap|multiplier|init|dropout|keys_to_ignore|tie_|label|decoder|cross|output_|return|chunk_size_feed|max_position"
)
WITHOUT = {
    "ernie4_5_vl_moe",
    "bert",
    "roberta",
    "xlm-roberta",
    "hunyuan_v1_moe",
    "hy_v3",
    "deepseek_v2",
    "mimo_v2_flash",
}
"""Of which the count of the text part is another one, or which vLLM builds otherwise; left out of the file."""
BY_HAND: dict[str, dict[str, Any]] = {
    "granite-4.0-h-micro": {"shared_intermediate_size": 4096},
    "granite-4.0-1b dense": {"intermediate_size": None},
    "Falcon-H1-7B": {"mamba_use_mlp": False},
    "LFM2-1.2B": {"tie_embedding": False},
    "LFM2-8B-A1B": {"tie_embedding": True, "tie_word_embeddings": False},
    "Voxtral-Mini-3B": {"num_attention_heads": None, "num_key_value_heads": None, "head_dim": None},
}
"""What was counted wrongly until 2026-11-29, by names of families.json; None: the setting is left out."""


def known() -> dict[str, dict[str, Any]]:
    """The shapes that are tried already."""
    found = {}
    for file in ("families", "published"):
        models = json.loads((DATA / f"{file}.json").read_text(encoding="utf-8"))["models"]
        found |= {name: row["config"] for name, row in models.items()}
    shapes = json.loads((DATA / "shapes.json").read_text(encoding="utf-8"))["shapes"]
    return found | {f"{row['config']['model_type']}-{at}": row["config"] for at, row in enumerate(shapes)}


def text_of(config: dict[str, Any]) -> dict[str, Any]:
    """The text part."""
    part = next((config[name] for name in PARTS if isinstance(config.get(name), dict)), None)
    return config if part is None else text_of(part)


def shorter(config: dict[str, Any], layers: int) -> dict[str, Any]:
    """The same with fewer layers, and with lists of as many entries."""
    config = copy.deepcopy(config)
    text = text_of(config)
    name = next((each for each in ("num_hidden_layers", "num_layers", "n_layer", "n_layers") if each in text), None)
    if name is not None:
        had = text[name]
        text |= {key: value[:layers] for key, value in text.items() if isinstance(value, list) and len(value) == had}
        text[name] = layers
    return config


def mixed(config: dict[str, Any], own: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """Some settings changed, some added of which the class has a default (``own``), some left out."""
    config = shorter(config, chance.randint(3, 9))
    text = text_of(config)
    names = [each for each in text if not NO_SHAPE.search(each) and not re.search("layers?$", each)]
    for name in chance.sample(sorted(own), min(len(own), chance.choice([0, 1, 1, 2]))):
        if name not in text and not NO_SHAPE.search(name):
            text[name] = _changed(name, own[name], chance)
    for name in chance.sample(names, min(len(names), chance.randint(1, 4))):
        text[name] = _changed(name, text[name], chance)
    for name in chance.sample(names, min(len(names), chance.choice([0, 0, 1, 1, 2, 3]))):
        if name != "vocab_size":
            text.pop(name, None)
    return config


def _changed(name: str, value: Any, chance: random.Random) -> Any:
    if isinstance(value, bool):
        return not value
    if not isinstance(value, int):
        return value
    if value <= 1:
        return chance.choice([0, 1, 2, 3])
    if "head" in name and "dim" in name:
        return chance.choice([32, 48, 64, 80, 96, 128, 192, 256])
    return chance.choice([value * 2, max(1, value // 2), value + value // 2])


def own_settings(kind: str) -> dict[str, Any]:
    """The class's defaults that are whole numbers or switches."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    try:
        settings = CONFIG_MAPPING[kind]().to_dict()
    except Exception:
        return {}
    return {name: value for name, value in settings.items() if isinstance(value, int)}


def count(config: dict[str, Any]) -> tuple[int, int]:
    """Parameters of the text part and of the whole, by transformers."""
    import torch
    import transformers
    from model_shapes import OTHER_PARTS
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    given = {name: value for name, value in config.items() if name not in ("architectures", "model_type")}
    settings = CONFIG_MAPPING[config["model_type"]](**copy.deepcopy(given))
    with torch.device("meta"):
        model = getattr(transformers, config["architectures"][0])(settings)
    sizes = {id(each): (name, each.numel()) for name, each in model.named_parameters()}
    return sum(size for name, size in sizes.values() if not OTHER_PARTS.search(name)), sum(
        size for __, size in sizes.values()
    )


def ours(config: dict[str, Any]) -> float | None:
    """Our own count in billions; None where nothing is said."""
    from pulumi_llm import catalog
    from pulumi_llm.errors import Refusal

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(config), encoding="utf-8")
        try:
            model = catalog.model_from_config(Path(folder))
        except Refusal:
            return None
    return None if model.unknown_shape is not None else model.parameters_b


def tried(seed: int, seconds: float) -> Any:
    """Each mixed shape that is built and understood: its name, the shape, our count, and the two of transformers."""
    chance, start = random.Random(seed), time.time()
    shapes = list(known().items())
    chance.shuffle(shapes)
    for name, config in shapes:
        if time.time() - start > seconds:
            return
        kind = text_of(config).get("model_type") or config["model_type"]
        shape = mixed(config, own_settings(kind), chance)
        shape.pop("quantization_config", None)
        try:
            text, whole = count(shape)
        except Exception:
            continue  # settings that make no model
        found = ours(shape)
        if found is not None:
            yield name, shape, found, text, whole


def write() -> None:
    """Write the shapes of one seed on which both agree, and those that were wrong once."""
    import transformers

    rows, all_known = [], known()
    for name, changes in BY_HAND.items():
        shape = shorter(all_known[name], 6)
        text = text_of(shape)
        for key, value in changes.items():
            text[key] = value
            if value is None:
                del text[key]
        rows.append({"of": name, "config": shape, "parameters": count(shape)[0]})
    seen: set[str] = set()
    for name, shape, found, text_size, __ in tried(SEED, 500):
        kind = shape["model_type"]
        if kind in WITHOUT or kind in seen or len(rows) >= ROWS or abs(found * 1e9 / text_size - 1) > 0.01:
            continue
        seen.add(kind)
        rows.append({"of": name, "config": shape, "parameters": text_size})
    head = {
        "about": "Shapes of other files here with several settings changed, added and left out at once, one a class; "
        "the first ones were wrong until 2026-11-29. parameters of the text part. Made by tools/mixed_shapes.py.",
        "source": f"transformers {transformers.__version__} on the meta device",
        "source_date": datetime.now(UTC).date().isoformat(),
    }
    body = ",\n".join("  " + json.dumps(each) for each in rows)
    text_out = json.dumps(head, indent=1)[:-2] + ',\n "shapes": [\n' + body + "\n ]\n}\n"
    (DATA / "mixed.json").write_text(text_out, encoding="utf-8")


def main() -> None:
    """Do what the arguments say."""
    warnings.filterwarnings("ignore")
    os.environ |= {"TRANSFORMERS_VERBOSITY": "error", "HF_HUB_OFFLINE": "1"}
    sys.path.insert(0, str(TOP / "components"))
    if sys.argv[1:] == ["write"]:
        write()
        return
    for name, shape, found, text, whole in tried(int(sys.argv[1]), float(sys.argv[2])):
        if min(abs(found * 1e9 / text - 1), abs(found * 1e9 / whole - 1)) > 0.01:
            print(json.dumps({"of": name, "ours": found, "text": text / 1e9, "whole": whole / 1e9, "config": shape}))


if __name__ == "__main__":
    main()
