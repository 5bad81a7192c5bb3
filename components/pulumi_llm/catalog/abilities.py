"""What a model's server can do beside chat: which of vLLM's parsers reads its tool calls, and which its reasoning."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from pulumi_llm._dataclasses import dataclass

DATA = Path(__file__).parent / "data" / "abilities.json"


@dataclass(frozen=True, slots=True)
class Abilities:
    """Names as ``--tool-call-parser`` and ``--reasoning-parser`` take them; None: no parser is known to fit."""

    tool_call_parser: str | None = None
    reasoning_parser: str | None = None


@cache
def _rows() -> tuple[tuple[tuple[str, ...], Abilities], ...]:
    rows = json.loads(DATA.read_text(encoding="utf-8"))["rows"]
    return tuple(
        (tuple(row["models"]), Abilities(row.get("tool_call_parser"), row.get("reasoning_parser"))) for row in rows
    )


def abilities_of(model: str, base_model: str | None = None) -> Abilities:
    """What is known of the model with this id, in any case; of a quantized one, by the model it was made from.

    ``data/abilities.json`` says it, with sources; the first row that fits decides.
    """
    name = (base_model or model).casefold()
    fitting = (found for patterns, found in _rows() if any(fnmatchcase(name, each) for each in patterns))
    return next(fitting, Abilities())
