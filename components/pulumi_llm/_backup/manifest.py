"""The manifest of one backup: what it is of, and the parts that it is whole with. The node's `llm-backup` writes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pulumi_llm import _json
from pulumi_llm._dataclasses import dataclass
from pulumi_llm.roles.reading import read

FILE = "manifest.json"
"""Its name in a backup's folder; it is written last, so that a backup without one does not count."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of the encrypted archive; ``sha256`` in hexadecimal digits."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Beside:
    """A service whose files went along with the store's: its role's name, and its version."""

    name: str
    version: str


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """``time`` is when it was begun, UTC. ``count``: the objects, rows or vectors; None: the engine has no such number.

    ``recipient`` is the public key that it is encrypted for.
    """

    schema: int
    id: str
    engine: str
    title: str
    version: str
    time: str
    node: str
    count: int | None
    recipient: str
    parts: tuple[Part, ...]
    beside: tuple[Beside, ...] = ()

    @property
    def bytes(self) -> int:
        """Of all parts."""
        return sum(each.bytes for each in self.parts)


def parse(text: str | bytes) -> tuple[Manifest, Mapping[str, Any]] | None:
    """A manifest, and as it stands there; None for what is none."""
    try:
        raw = _json.loads(text)
    except ValueError:
        return None
    found = read(Manifest, raw, lambda place, what: None)
    if found is None or found.schema != 1:
        return None
    names = (found.id, *(each.name for each in found.parts), *(each.name for each in found.beside))
    return (found, raw) if all(map(_plain, names)) else None


def _plain(name: str) -> bool:
    """Whether a name stays within a folder."""
    return bool(name) and not name.startswith(".") and all(each.isalnum() or each in "-_." for each in name)
