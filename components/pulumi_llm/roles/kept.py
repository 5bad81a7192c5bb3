"""What a node shall keep in a bucket or take from one, or from a folder: see `requests`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pulumi_llm._dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class BackupRole:
    """Backups of the vector store of the role ``engine``, on the same node.

    ``target`` is the timer's bucket: ``url``, ``region``, ``prefix``, and how many backups are kept, ``keep``.
    ``hours`` are those between two (None: no timer, and then no target).
    """

    role: ClassVar[str] = "backup"

    engine: str
    target: Mapping[str, Any] | None = None
    hours: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class BucketRole:
    """The bucket that keeps a model server's weights: ``url``, ``region``, ``prefix``, and how it is ``shown``."""

    role: ClassVar[str] = "bucket"

    target: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class BundleRole:
    """The folder on the machine, by its whole path, that everything is installed from in place of a network."""

    role: ClassVar[str] = "bundle"

    folder: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DepotRole:
    """The bucket that a machine's bundle comes from: ``url``, ``region``, ``prefix``; and the bundle's SHA-256."""

    role: ClassVar[str] = "depot"

    target: Mapping[str, str]
    digest: str
