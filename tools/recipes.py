"""Writes tests/catalog/data/recipes.json: what vLLM's own recipes start each model with.

usage: tools/recipes.py SOURCE DATE > tests/catalog/data/recipes.json

SOURCE is the unpacked source of a release (`vllm-X.Y.Z.tar.gz` on PyPI), whose folder recipes/models/ has a YAML file
for each model. catalog/data/abilities.json is held against the answer. Run it when there is a newer release.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

PARSERS = {"--tool-call-parser": "tool_call_parser", "--reasoning-parser": "reasoning_parser"}
PLUGINS = {"--tool-parser-plugin": "tool_call_plugin", "--reasoning-parser-plugin": "reasoning_plugin"}


def pairs(arguments: list[Any]) -> Iterator[tuple[str, str]]:
    """Flags with their values, as vLLM's parser spells them; a flag without one has the value ``""``."""
    flag = None
    for each in " ".join(map(str, arguments)).split(" ") if _plain(arguments) else map(str, arguments):
        if each.startswith("--"):
            if flag is not None:
                yield flag, ""
            flag, given, value = each.partition("=")
            flag = flag.replace("_", "-")
            if given:
                yield flag, value
                flag = None
        elif flag is not None:
            yield flag, each
            flag = None
    if flag is not None:
        yield flag, ""


def _plain(arguments: list[Any]) -> bool:
    """Whether no value holds a space, so that two words in one are a flag and its value."""
    return not any(" " in str(each) and not str(each).startswith("--") for each in arguments)


def row(recipe: dict[str, Any]) -> dict[str, Any]:
    """What one recipe says; ``ids`` are quantized versions of the model by their own ids."""
    model, features = recipe["model"], recipe.get("features") or {}
    found: dict[str, Any] = {"vllm": str(model["min_vllm_version"])} if "min_vllm_version" in model else {}
    flags: dict[str, str] = {}
    for part in (model, features.get("tool_calling") or {}, features.get("reasoning") or {}):
        for flag, value in pairs(part.get("base_args") or part.get("args") or []):
            if flag in {**PARSERS, **PLUGINS}:
                found[{**PARSERS, **PLUGINS}[flag]] = value
            elif flag == "--chat-template":
                found["chat_template"] = value.rpartition("/")[2]
            elif flag != "--enable-auto-tool-choice":
                flags[flag] = value
    variants = (recipe.get("variants") or {}).values()
    ids = sorted({each["model_id"] for each in variants if each and each.get("model_id")} - {model["model_id"]})
    return {**found, **({"flags": flags} if flags else {}), **({"ids": ids} if ids else {})}


def main() -> None:
    """Print the data file."""
    source, date = Path(sys.argv[1]), sys.argv[2]
    told = re.search(r"^Version: (\S+)$", (source / "PKG-INFO").read_text(encoding="utf-8"), re.MULTILINE)
    if told is None:
        sys.exit(f"{source}: PKG-INFO names no version")
    recipes = [yaml.safe_load(each.read_text("utf-8")) for each in sorted(source.glob("recipes/models/*/*.yaml"))]
    rows = {each["model"]["model_id"]: row(each) for each in recipes}
    head = {
        "about": "What vLLM's recipes start a model with: its parsers, chat template and other flags, and ids of its "
        "quantized versions. tools/recipes.py makes it.",
        "source": f"vllm {told[1]}'s source distribution on PyPI: recipes/models/",
        "source_date": date,
    }
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(rows[name], ensure_ascii=False)}" for name in sorted(rows))
    top = json.dumps(head, indent=1, ensure_ascii=False)[1:-2].strip("\n")
    sys.stdout.write(f'{{\n{top},\n "rows": {{\n{lines}\n }}\n}}\n')


if __name__ == "__main__":
    main()
