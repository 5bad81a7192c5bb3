"""Asks the pinned vLLM in what its classes keep a request's state, on a GPU.

    PYTHON tools/states.py                  a table for tests/catalog/data/states.json, from vLLM's own calculators
    PYTHON tools/states.py again [FILE ...] the caches of all rows with a state in tests/catalog/data, asked anew

PYTHON is an interpreter as `tools/model_shapes.py` wants it. Each class is asked with no word in its file and with
each, and with each flag: `get_mamba_state_dtype_from_config`, after what vLLM makes of the file for that class
(`MODELS_CONFIG_MAP`). Run by hand, when a release moves.
"""

from __future__ import annotations

import contextlib
import json
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mixed_caches

TOP = Path(__file__).resolve().parent.parent
DATA = TOP / "tests/catalog/data"
FILES = ("shapes", "published", "families", "served", "windows", "mixed_caches", "each_class")
SETTINGS = ("mamba_ssm_dtype", "mamba_ssm_cache_dtype")
FLAGS = ("auto", "float32", "float16", "bfloat16")


def told(cls: type, name: str, said: dict[str, str], flags: tuple[str, str]) -> list[str] | str:
    """The types of a class's states; what it stops with, if it does."""
    import torch
    from vllm.model_executor.models.config import MODELS_CONFIG_MAP

    text = SimpleNamespace(**said)
    whole = SimpleNamespace(text_config=text, **said)
    kept = SimpleNamespace(
        mamba_cache_dtype=flags[0], mamba_ssm_cache_dtype=flags[1], use_replayssm=False, use_kda_recoverssm=False
    )
    model = SimpleNamespace(dtype=torch.bfloat16, hf_config=whole, hf_text_config=text)
    config = SimpleNamespace(model_config=model, cache_config=kept)
    config.with_hf_config = lambda *_, **__: config
    own = MODELS_CONFIG_MAP.get(name)
    if own is not None:
        # What else a class's own part looks at is not there, and has no part in this.
        with contextlib.suppress(AttributeError):
            own.verify_and_update_config(config)
    try:
        return [str(each).removeprefix("torch.") for each in cls.get_mamba_state_dtype_from_config(config)]
    except ValueError as error:
        return f"refused: {error}"


def table() -> Iterator[dict[str, Any]]:
    """A row for each class with a state, with what it says to each word of its file and each flag."""
    from vllm.model_executor.models import registry

    mixed_caches.prepare()
    for name, each in sorted(registry.ModelRegistry.models.items()):
        try:
            cls = each.load_model_cls()
        except Exception as error:
            print(f"{name}: {error!r}"[:160], file=sys.stderr)
            continue
        if not hasattr(cls, "get_mamba_state_dtype_from_config"):
            continue
        yield {
            "class": name,
            "auto": told(cls, name, {}, ("auto", "auto")),
            "file": {f"{at}={to}": told(cls, name, {at: to}, ("auto", "auto")) for at in SETTINGS for to in FLAGS[1:]},
            "flags": {f"{a},{b}": told(cls, name, {}, (a, b)) for a in FLAGS for b in FLAGS},
        }


def again(names: list[str]) -> None:
    """Ask anew for each row that keeps a state, and write what came."""
    import each_class
    import loosened

    loosened.before()
    mixed_caches.prepare()
    for file in names or FILES:
        path = DATA / f"{file}.json"
        text = path.read_text(encoding="utf-8")
        whole = json.loads(text)
        found = next(whole[each] for each in ("shapes", "models", "classes") if each in whole)
        for row in found.values() if isinstance(found, dict) else found:
            before = row.get("cache")
            if not before or not before.get("state_bytes_per_sequence"):
                continue
            said = each_class.asked(row["config"])
            name = row["config"]["architectures"][0]
            if "cache" not in said:
                print(f"{file}, {name}: not built: {said.get('error')}", file=sys.stderr)
                continue
            after = said["cache"]
            if after == before:
                continue
            print(f"{file}, {name}: {before} -> {after}")
            mine = [other for other in (found.values() if isinstance(found, dict) else found) if other is row]
            assert len(mine) == 1
            old, new = json.dumps(row), json.dumps({**row, "cache": after})
            if old not in text:
                print(f"{file}, {name}: the row is written otherwise, left as it was", file=sys.stderr)
                continue
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")


def main() -> None:
    """Do what the arguments say."""
    mixed_caches.set_up()
    warnings.filterwarnings("ignore")
    if sys.argv[1:2] == ["again"]:
        again(sys.argv[2:])
        return
    for row in table():
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
