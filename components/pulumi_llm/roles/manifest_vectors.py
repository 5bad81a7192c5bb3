"""What a ``role.yaml`` may say of a vector store: what it needs, what is known against it, how it is backed up."""

from __future__ import annotations

from typing import Annotated, Literal

from pulumi_llm._dataclasses import dataclass
from pulumi_llm.roles.kinds import Gib, Text
from pulumi_llm.roles.reading import Between, Like

part = dataclass(frozen=True, kw_only=True)


@part
class Sizing:
    """What a vector store needs for its vectors, as its makers say: a share of the numbers' own size, and a base."""

    memory_percent: Annotated[int, Between(10, 2000)]
    memory_base_gib: Gib = 1
    least_memory_gib: Gib = 1
    disk_percent: Annotated[int, Between(10, 2000)]
    disk_base_gib: Gib = 5
    dimensions: Annotated[int, Between(1, 1_000_000)] | None = None
    """As many as a vector may have that is indexed; None: not known."""
    source: Text
    """Of the share of memory; what is ours in the rest is said too."""
    source_date: Text


@part
class Vectorizer:
    """A part of it that asks a model for vectors by OpenAI's protocol."""

    module: Text
    """What its makers call that part, and clients name."""
    base_url: Annotated[str, Like(r"http://[a-z]+:\d{1,5}", "http://, a name and a port")]
    """Where it finds the gateway."""
    source: Text
    source_date: Text


@part
class Weakness:
    """One that is published of what is installed, and the release that mends it."""

    name: Text
    mended: Text | None = None
    """Without one: users are warned."""
    source: Text
    source_date: Text


@part
class Backup:
    """How it is backed up. With ``backup.py`` in the role's folder the node calls its functions, docs/backups.md."""

    means: Literal["own", "files"]
    """``own``: by what its makers give, while it runs. ``files``: its files are copied while it is stopped."""
    source: Text
    source_date: Text
