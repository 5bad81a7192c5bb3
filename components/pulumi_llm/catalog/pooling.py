"""Models that are no chat models, known by their names: what turns text into vectors, or ranks it."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal

DATA = Path(__file__).parent / "data" / "pooling_models.json"

WORK = {
    "embedding": _("an embedding model: it turns text into vectors"),
    "reranker": _("a reranker: it says how well texts fit a question"),
}
"""What each kind does."""


@cache
def _rows() -> tuple[tuple[str, str], ...]:
    rows = json.loads(DATA.read_text(encoding="utf-8"))["rows"]
    return tuple((row["pattern"], row["kind"]) for row in rows)


def kind_of(model: str) -> str | None:
    """``embedding`` or ``reranker`` where the name of ``model`` tells; None for all others. The first row decides."""
    return next((kind for pattern, kind in _rows() if fnmatchcase(model.casefold(), pattern)), None)


def refuse_pooling(model: str) -> None:
    """Raise Refusal ``catalog.not-a-chat-model`` where the name of ``model`` says that it is none."""
    kind = kind_of(model)
    if kind is None:
        return
    message = _(
        "{model} is {work}, and writes none; a node is ready once its model has written an answer",
        model=model,
        work=WORK[kind],
    )
    hint = _(
        "a chat model, such as Qwen/Qwen2.5-7B-Instruct; a vector store on a node takes vectors that were made "
        "elsewhere"
    )
    raise Refusal([Finding("catalog.not-a-chat-model", message, hint, where="model")])
