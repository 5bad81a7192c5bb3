"""What each vector store needs for so many vectors: the body of `pulumi-llm check --vectors N --dimensions D`."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from typing import Any

from pulumi_llm._commands import DONE, UsageError
from pulumi_llm._language import tr
from pulumi_llm._tables import aligned
from pulumi_llm._texts import _
from pulumi_llm.roles import registry, sizing
from pulumi_llm.roles.base import Role


def run(asked: Namespace) -> int:
    """Print the table, as text or JSON. Gives the exit code."""
    if asked.vectors is None or asked.dimensions is None:
        raise UsageError(_("--vectors and --dimensions belong together: how many there are, and how long each is"))
    if asked.model:
        raise UsageError(_("--vectors and --dimensions ask about vector stores alone: leave the model out"))
    rows = [_row(name, role, asked) for name, role in registry.answering("vectors").items() if role.manifest.sizing]
    if asked.json:
        document = {
            "vectors": asked.vectors,
            "dimensions": asked.dimensions,
            "raw_gib": round(sizing.raw_gib(asked.vectors, asked.dimensions), 2),
            "engines": rows,
            "postgresql_is_enough": asked.vectors < sizing.FEW,
        }
        sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        return DONE
    sys.stdout.write(_text(asked, rows))
    return DONE


def _row(name: str, role: Role, asked: Namespace) -> dict[str, Any]:
    rule = role.manifest.sizing
    needed = sizing.sizes(role, asked.vectors, asked.dimensions)
    assert rule is not None  # noqa: S101 - asked by the caller
    assert needed is not None  # noqa: S101
    fits = rule.dimensions is None or asked.dimensions <= rule.dimensions
    return {
        "engine": name,
        "title": role.manifest.title,
        "memory_gib": needed.memory_gib if fits else None,
        "disk_gib": needed.disk_gib if fits else None,
        "most_dimensions": rule.dimensions,
        "source": rule.source,
        "source_date": rule.source_date,
        "weak": [each.name for each in role.manifest.weak if each.mended is None],
    }


def _text(asked: Namespace, rows: list[dict[str, Any]]) -> str:
    lines = [
        tr(
            "{vectors:,} vectors of {dimensions:,} dimensions: {raw:.1f} GiB of numbers",
            vectors=asked.vectors,
            dimensions=asked.dimensions,
            raw=sizing.raw_gib(asked.vectors, asked.dimensions),
        ),
        "",
    ]
    table = [(_("engine"), _("memory GiB"), _("disk GiB"), _("read"), _("rule"))]
    for row in rows:
        found = (str(row["memory_gib"]), str(row["disk_gib"])) if row["memory_gib"] is not None else ("–", "–")
        table.append((row["engine"], *found, row["source_date"], row["source"]))
    lines += [*aligned(table, right=(1, 2)), ""]
    for row in rows:
        if row["memory_gib"] is None:
            lines.append(
                tr("{title} indexes up to {most:,} dimensions", title=row["title"], most=row["most_dimensions"])
            )
        for weakness in row["weak"]:
            lines.append(tr("{title}: {name} is published, and no release mends it", title=row["title"], name=weakness))
    if asked.vectors < sizing.FEW:
        lines.append(tr("below {few:,} vectors the PostgreSQL that you have is enough, with pgvector", few=sizing.FEW))
    lines.append(tr("without the texts and other fields that are stored beside the vectors"))
    return "\n".join(lines) + "\n"
