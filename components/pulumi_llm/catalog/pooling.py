"""Models that are no chat models, known by name or class: what turns text into vectors, or ranks it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal

if TYPE_CHECKING:
    from pulumi_llm.catalog.models import Model

DATA = Path(__file__).parent / "data" / "pooling_models.json"

EMBEDDING, RERANKER = "embedding", "reranker"
"""The two kinds: it turns texts into vectors, or says how well they fit a question."""


@cache
def _data() -> Mapping[str, Any]:
    rows: Mapping[str, Any] = json.loads(DATA.read_text(encoding="utf-8"))
    return rows


@cache
def kind_of(model: str) -> str | None:
    """`EMBEDDING` or `RERANKER` where the name of ``model`` tells; None for all others. The first row decides."""
    name = model.casefold()
    return next((row["kind"] for row in _data()["rows"] if fnmatchcase(name, row["pattern"])), None)


def task_of(name: str, model: Model | None = None, flags: Mapping[str, str] | None = None) -> str | None:
    """What a server of that model is for, if not for chat: by its flags, its row or its name; None for chat.

    ``flags`` are those of the user's own arguments: vLLM takes ``--runner pooling`` for a model of either sort.
    """
    runner = (flags or {}).get("--runner", "auto")
    if runner == "generate":
        return None
    known = (model.task or kind_of(model.id)) if model is not None else None
    return known or kind_of(name) or (EMBEDDING if runner == "pooling" else None)


def task_of_class(architecture: str | None, file: Mapping[str, object] | None = None) -> str | None:
    """`EMBEDDING` or `RERANKER` where the class of a config.json is of such models; ``file`` is what it says.

    A head that sorts texts into classes ranks them where it has one number: with more it is a classifier.
    """
    if architecture in _data()["rerankers"]:
        labels = (file or {}).get("id2label")
        return RERANKER if isinstance(labels, Mapping) and len(labels) == 1 else None
    return EMBEDDING if architecture in _data()["architectures"] else None


def refuse_reranker(model: str) -> None:
    """Raise Refusal ``catalog.not-a-chat-model`` where the name of ``model`` says that it ranks texts."""
    if kind_of(model) != RERANKER:
        return
    message = _(
        "{model} is a reranker: it says how well texts fit a question, and answers nobody",
        model=model,
    )
    hint = _("a chat model, such as Qwen/Qwen2.5-7B-Instruct, with this one beside it under `models`")
    raise Refusal([Finding("catalog.not-a-chat-model", message, hint, where="model")])
