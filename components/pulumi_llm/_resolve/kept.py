"""What a program's components resolved, kept for whoever captures the program: a review then resolves nothing again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, MutableMapping
from contextvars import ContextVar

from pulumi_llm._resolve.graph import ResolvedServer

_KEPT: ContextVar[MutableMapping[str, ResolvedServer] | None] = ContextVar("kept", default=None)


@contextlib.contextmanager
def kept_in(servers: MutableMapping[str, ResolvedServer]) -> Iterator[None]:
    """Add the model servers that are made inside to ``servers``, by their URNs."""
    before = _KEPT.set(servers)
    try:
        yield
    finally:
        _KEPT.reset(before)


def keeper() -> MutableMapping[str, ResolvedServer] | None:
    """Where a model server that is made now is to be kept; None where nobody asks."""
    return _KEPT.get()
