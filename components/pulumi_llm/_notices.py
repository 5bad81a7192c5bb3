"""Warnings that components give: the engine shows them, and a plan made in process keeps them as its notes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING

from pulumi_llm.errors import Finding

if TYPE_CHECKING:
    import pulumi

_KEPT: ContextVar[list[Finding] | None] = ContextVar("kept", default=None)


@contextlib.contextmanager
def kept_in(notes: list[Finding]) -> Iterator[None]:
    """Add what is warned of inside to ``notes`` too."""
    before = _KEPT.set(notes)
    try:
        yield
    finally:
        _KEPT.reset(before)


def warn(component: pulumi.Resource, name: str, findings: Iterable[Finding]) -> None:
    """Warn of each finding, as one of the component called ``name``."""
    import pulumi

    notes = _KEPT.get()
    for each in findings:
        placed = each.placed(name)
        pulumi.log.warn(placed.text(), component)
        if notes is not None:
            notes.append(placed)
