"""What a change does to a vector store that no resource tells: another engine starts empty."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pulumi_llm._plan.comparison import Comparison
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding
from pulumi_llm.roles import registry

CODE = "diff.vectors-not-carried"
ARGUMENT = "vectors"
STORES: Mapping[str, str] = {"llm:index:ModelServer": "vectors_engine", "llm:index:VectorStore": "engine"}
"""The components that have a vector store, and the argument that says which one."""


def not_carried(comparison: Comparison) -> Iterator[Finding]:
    """A finding for each vector store that another engine takes the place of."""
    for step in comparison.steps:
        key = STORES.get(step.resource.type)
        if key is None or step.before is None or step.after is None:
            continue
        was, now = _engine(step.before.inputs, key), _engine(step.after.inputs, key)
        if was is None or now is None or was == now:
            continue
        message = _(
            "{now} takes the place of {was} and reads none of its vectors, which stay on the data disk, in {folder}",
            now=_title(now),
            was=_title(was),
            folder=f"/srv/llm/{was}",
        )
        hint = _("let a client read them out before this change; once they are not needed, delete the folder")
        yield Finding(CODE, message, hint, severity="warning", where=step.resource.name)


def _engine(inputs: Mapping[str, Any], key: str) -> str | None:
    """The engine that a component's inputs ask for; None: there is no vector store, or it is not known which."""
    if key != "engine" and inputs.get(ARGUMENT) is not True:
        return None
    asked = inputs.get(key)
    if asked is None:
        return registry.of_argument(ARGUMENT).name
    return asked if isinstance(asked, str) else None


def _title(engine: str) -> str:
    return registry.titles({ARGUMENT: True, f"{ARGUMENT}_engine": engine})[0]
