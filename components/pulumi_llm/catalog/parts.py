"""A kind of row may stand in several files: one in each cloud's folder, and one for what is no cloud's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pulumi_llm.catalog import reader

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

OF_CLOUDS = (
    "clouds.json",
    "regions.json",
    "images.json",
    "instances.json",
    "prices.json",
    "extras.json",
    "guide_prices.json",
    "supply.json",
)
"""The files that a cloud's folder may have. In a catalogue of one folder (`PULUMI_LLM_CATALOG`) each is whole."""


def joined(paths: Iterable[Path]) -> dict[str, Any]:
    """The files as one, each row with the source that it had. Raises Refusal ``catalog.broken-file``."""
    sources: dict[str, Any] = {}
    rows: list[dict[str, Any]] = []
    for path in paths:
        content = reader.read_file(path)
        named: dict[str, str] = {}
        for key, source in content["sources"].items():
            name = key
            while sources.get(name, source) != source:  # another file's source of that name
                name = f"{path.parent.parent.name}-{name}"
            named[key] = name
            sources[name] = source
        for row in content.get("rows", ()):
            source = row.get("source") if isinstance(row, dict) else None
            rows.append({**row, "source": named.get(source, source)} if source in named else row)
    return {"sources": sources, "rows": rows}


def write(path: Path, content: dict[str, Any]) -> None:
    """One line a source and a row, as the package's own files are: a difference is read row by row."""

    def line(value: object) -> str:
        return json.dumps(value, ensure_ascii=False)

    head = [f"  {line(key)}: {line(value)},\n" for key, value in content.items() if key not in ("sources", "rows")]
    sources = ",\n".join(f"    {line(key)}: {line(value)}" for key, value in content["sources"].items())
    rows = ",\n".join(f"    {line(row)}" for row in content["rows"])
    text = f'{{\n{"".join(head)}  "sources": {{\n{sources}\n  }},\n  "rows": [\n{rows}\n  ]\n}}\n'
    path.write_text(text, encoding="utf-8")
