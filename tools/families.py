"""Asks both oracles of the shapes in tests/catalog/data/families.json that have no figures yet.

    PYTHON tools/families.py

PYTHON is an interpreter as `tools/model_shapes.py` wants it. A shape is written into the file by hand, as its publisher
states it, with where that was read; this adds what transformers counts, and what vLLM keeps where it builds the class.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

TOP = Path(__file__).resolve().parent.parent


def figures(config: dict[str, Any]) -> dict[str, Any]:
    """What transformers counts, of the text part and of all, and what vLLM keeps."""
    import transformers
    from model_rows import counted
    from model_shapes import cache

    with tempfile.TemporaryDirectory() as home:
        (Path(home) / "config.json").write_text(json.dumps(config), encoding="utf-8")
        whole, text = counted(Path(home))
    name = config["architectures"][0]
    found: dict[str, Any] = {
        "parameters": text,
        "whole": whole,
        "counted_by": f"transformers {transformers.__version__} meta build of {name}",
    }
    try:
        found["cache"] = cache({key: value for key, value in config.items() if key != "quantization_config"})
    except Exception as error:
        print(f"{name}: no cache: {error!r}"[:200], file=sys.stderr)
    return found


def main() -> None:
    """Fill in what is missing, and write the file."""
    warnings.filterwarnings("ignore")
    os.environ |= {"TRANSFORMERS_VERBOSITY": "error", "HF_HUB_OFFLINE": "1", "VLLM_LOGGING_LEVEL": "ERROR"}
    os.environ |= {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1"}
    sys.path[:0] = [str(TOP / "tools"), str(TOP / "components")]
    from model_rows import FAMILIES

    text = FAMILIES.read_text(encoding="utf-8")
    content = json.loads(text)
    for name, row in content["models"].items():
        if "parameters" not in row:
            row |= figures(row["config"])
            print(f"{name}: {row['parameters']:,} of {row['whole']:,}")
    head = text[: text.index('"models": {')]
    body = ",\n".join(f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in content["models"].items())
    FAMILIES.write_text(f'{head}"models": {{\n{body}\n }}\n}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
