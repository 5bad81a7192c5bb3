"""Whether vLLM can build the part that writes text inside a model with other parts: ``data/text_parts.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

DATA = Path(__file__).parent / "data" / "text_parts.json"


@cache
def _known() -> Mapping[str, frozenset[str]]:
    rows = json.loads(DATA.read_text(encoding="utf-8"))
    return {name: frozenset(rows[name]) for name in ("types", "writing", "by_type", "own")}


def unserved(outer: Mapping[str, object], name: str, architecture: str | None) -> str | None:
    """The model type of the part called ``name``, where the pinned vLLM stops at the start because of it; else None.

    transformers looks a part's type up where it has the configuration of the whole, and knows no others (run on vllm
    0.32.0, 2026-11-29: `KeyError: 'mimo'`). Some of vLLM's classes build the part by the class that transformers names
    for its type, unless the part names one, and there may be none (`No model architectures are specified`).
    """
    part, known = outer.get(name), _known()
    kind = part.get("model_type") if isinstance(part, Mapping) else None
    whole = outer.get("model_type")
    if not isinstance(kind, str) or not isinstance(whole, str):
        return None
    if whole in known["own"] or whole not in known["types"]:
        return None
    if kind not in known["types"]:
        return kind
    nameless = isinstance(part, Mapping) and not part.get("architectures")
    return kind if nameless and architecture in known["by_type"] and kind not in known["writing"] else None
