"""Asks the pinned vLLM what a class of models keeps that its CPU build does not make as it is.

    PYTHON tools/each_class.py [NAME ...]          a line of JSON for each row of tests/catalog/data/each_class.json
    PYTHON tools/each_class.py add NAME < CONFIG   the same for a config.json that is no row yet
    PYTHON tools/each_class.py write < LINES       the file's rows, of what was printed

PYTHON is an interpreter as `tools/model_shapes.py` wants it. What is put aside for that is in `tools/loosened.py`; a
class that cannot be made without numbers (`.item()` of a tensor) is made with them, and its row is small. Run by hand,
when a release moves.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import mixed_caches
import served

TOP = Path(__file__).resolve().parent.parent
FILE = TOP / "tests/catalog/data/each_class.json"
Told = dict[str, Any]


def on(device: str, config: Told) -> Told:
    """What vLLM says of one shape that is made there."""
    import loosened

    loosened.inside()
    return served.asked(config, device)


def asked(config: Told) -> Told:
    """What vLLM says, of tensors without numbers or, where it needs them, with."""
    told = mixed_caches.asked(config, lambda each: on("meta", each))
    if "meta" in told.get("error", ""):
        told = mixed_caches.asked(config, lambda each: on("cpu", each))
    return told


def rows(configs: Iterable[tuple[str, Told]]) -> None:
    """Print what vLLM and we say of each."""
    import loosened

    wanted = list(configs)
    loosened.before()
    mixed_caches.prepare([name.partition("-")[0] for name, _ in wanted])
    for name, config in wanted:
        told, found = asked(config), mixed_caches.ours(config)
        row = {"name": name, "vllm": told, "ours": found, "config": config}
        if "cache" in told and "kept" in found:
            row["apart"] = round(mixed_caches.apart(told, found), 4)
        print(json.dumps(row), flush=True)


def write() -> None:
    """Put what was printed into the file: rows of the same name are replaced."""
    whole = json.loads(FILE.read_text(encoding="utf-8"))
    known = whole.pop("classes")
    for each in map(json.loads, sys.stdin):
        told, found = each["vllm"], each["ours"]
        if "cache" not in told:
            print(f"not built: {each['name']}: {told['error']}", file=sys.stderr)
            continue
        row = {"cache": told["cache"]}
        if "text" in found and abs(found["text"] / told["text"] - 1) <= 0.01:
            row["parameters"] = told["text"]
        known[each["name"]] = row | {"config": each["config"]}
    whole["source_date"] = datetime.now(UTC).date().isoformat()
    reasons = whole.pop("not_held")
    head = "".join(f" {json.dumps(name)}: {json.dumps(value)},\n" for name, value in whole.items())
    lines = [
        ",\n".join(f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in each)
        for each in (reasons.items(), sorted(known.items()))
    ]
    FILE.write_text(
        f'{{\n{head} "not_held": {{\n{lines[0]}\n }},\n "classes": {{\n{lines[1]}\n }}\n}}\n', encoding="utf-8"
    )


def main() -> None:
    """Do what the arguments say."""
    mixed_caches.set_up()
    warnings.filterwarnings("ignore")
    arguments = sys.argv[1:]
    if arguments == ["write"]:
        write()
    elif arguments[:1] == ["add"]:
        rows([(arguments[1], json.load(sys.stdin))])
    else:
        known = json.loads(FILE.read_text(encoding="utf-8"))["classes"]
        rows((name, row["config"]) for name, row in known.items() if not arguments or name in arguments)


if __name__ == "__main__":
    main()
