"""The bundle's manifest: what it holds, each file with its digest, and what it should hold and does not."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pulumi_llm import _json
from pulumi_llm._bundle import fetch
from pulumi_llm._dataclasses import dataclass
from pulumi_llm.errors import Finding

FILE = "manifest.json"
KINDS = ("packages", "wheels", "images", "weights")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One file. ``path`` is below the bundle's folder, ``bytes`` its size."""

    kind: str
    name: str
    version: str
    source: str
    path: str
    sha256: str
    bytes: int
    patterns: Sequence[str] | None = None
    """Of weights: which of a model's files were wanted, where that is not what vLLM reads by itself."""


def read(folder: Path) -> dict[str, Any]:
    """The manifest that is there; empty where there is none, or none that can be read."""
    try:
        found = _json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def sources(folder: Path) -> dict[str, str]:
    """Where each file came from, as the manifest has it that is there."""
    found = {}
    with contextlib.suppress(KeyError, TypeError, AttributeError):
        found = {str(each["path"]): str(each["source"]) for each in read(folder).get("files", [])}
    return found


def same(document: Mapping[str, Any]) -> bytes:
    """What a machine reads of a manifest: of the same files it is always the same text.

    When a bundle was collected, from which mirror, and for which machines, is of interest where it was collected. In a
    bucket it would make another bundle of the same files each day.
    """
    files = sorted(({key: row[key] for key in row if key != "source"} for row in document["files"]),
                   key=lambda row: str(row["path"]))  # fmt: skip
    kept = {key: document[key] for key in document if key not in ("made", "machines")}
    return json.dumps({**kept, "files": files}, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"


def write(
    folder: Path,
    names: Sequence[str],
    rows: Iterable[Row],
    suites: Sequence[Mapping[str, str]],
    images: Mapping[str, str],
    missing: Sequence[Finding],
) -> None:
    """Write it, whole or not at all."""
    files = []
    for each in sorted(rows, key=lambda row: (KINDS.index(row.kind), row.path)):
        row: dict[str, Any] = {
            "kind": each.kind,
            "name": each.name,
            "version": each.version,
            "source": each.source,
            "path": each.path,
            "sha256": each.sha256,
            "bytes": each.bytes,
        }
        files.append({**row, "kinds": list(each.patterns)} if each.patterns is not None else row)
    document = {
        "schema": 1,
        "made": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "machines": list(names),
        "missing": [{"code": each.code, "message": str(each.message)} for each in missing],
        "apt": list(suites),
        "images": dict(images),
        "files": files,
    }
    new = folder / f".{FILE}.new"
    with fetch.writing(folder / FILE):
        with new.open("w", encoding="utf-8") as file:
            json.dump(document, file, indent=1, ensure_ascii=False)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        new.replace(folder / FILE)
