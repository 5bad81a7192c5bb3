"""What a vector store needs for so many vectors, by the rule that its makers publish (its role.yaml has it). GiB."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from pulumi_llm._texts import _
from pulumi_llm.errors import Finding
from pulumi_llm.roles.base import Role

FEW = 100_000
"""Below so many vectors the PostgreSQL that one has is enough: the guide that this grew from, chapter 2.3.1."""
BYTES = 4
"""Of one number of a vector: all of them take 32-bit floats by default."""


class Sizes(NamedTuple):
    """Whole GiB of memory and of disk."""

    memory_gib: int
    disk_gib: int


def raw_gib(count: int, dimensions: int) -> float:
    """The vectors' numbers alone."""
    return count * dimensions * BYTES / 2**30


def sizes(role: Role, count: int, dimensions: int) -> Sizes | None:
    """What so many vectors need; None where the role has no rule."""
    rule = role.manifest.sizing
    if rule is None:
        return None
    raw = raw_gib(count, dimensions)
    memory = math.ceil(rule.memory_base_gib + raw * rule.memory_percent / 100)
    disk = math.ceil(rule.disk_base_gib + raw * rule.disk_percent / 100)
    return Sizes(max(memory, rule.least_memory_gib), disk)


def mistakes(
    role: Role, *, memory_gib: int, disk_gib: int, count: int | None, dimensions: int | None
) -> Iterator[Finding]:
    """What does not go together: sizes that the engine cannot do with, vectors that it does not take."""
    rule, title = role.manifest.sizing, role.manifest.title
    if rule is None:
        return
    if dimensions is not None and rule.dimensions is not None and dimensions > rule.dimensions:
        message = _(
            "{title} indexes vectors of up to {most:,} dimensions, and these have {dimensions:,}",
            title=title,
            most=rule.dimensions,
            dimensions=dimensions,
        )
        yield Finding("vectors.too-many-dimensions", message, _("another engine, or a model with fewer dimensions"))
    needed = sizes(role, count, dimensions) if count is not None and dimensions is not None else None
    if needed is None:
        if memory_gib < rule.least_memory_gib:
            message = _(
                "{title} does not start well with {memory_gib} GiB of memory: its makers ask for {least}",
                title=title,
                memory_gib=memory_gib,
                least=rule.least_memory_gib,
            )
            yield Finding("vectors.too-little-memory", message, f"memory_gib: {rule.least_memory_gib}")
        return
    what = {"title": title, "count": count, "dimensions": dimensions}
    if memory_gib < needed.memory_gib:
        message = _(
            "{count:,} vectors of {dimensions:,} dimensions need about {needed} GiB of memory in {title}, and {given} "
            "are given",
            **what,
            needed=needed.memory_gib,
            given=memory_gib,
        )
        yield Finding("vectors.too-little-memory", message, f"memory_gib: {needed.memory_gib}")
    if disk_gib < needed.disk_gib:
        message = _(
            "{count:,} vectors of {dimensions:,} dimensions need about {needed} GiB of disk in {title}, and {given} "
            "are given",
            **what,
            needed=needed.disk_gib,
            given=disk_gib,
        )
        yield Finding("vectors.too-small-a-disk", message, f"disk_gib: {needed.disk_gib}")
