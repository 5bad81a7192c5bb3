"""What the registries told of weaknesses, as the package's own data: `tools/outdated --all --advisories`.

`pulumi-llm outlook` reads it without a network (components/pulumi_llm/_outlook/advisories.py). What a person read
elsewhere stays as it is: rows of other sources than the registry, and pins that were looked up by hand.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from report import Row

FILE = "components/pulumi_llm/_outlook/data/advisories.json"
ON_NODES = "templates/"
"""Where the pins of nodes stand; what builds and tests this project is on no node."""
REGISTRY = "pypi"


def document(rows: Iterable[Row], before: dict[str, Any], now: datetime) -> dict[str, Any]:
    """The data anew, from what the registries answered and from what stands in it by hand."""
    told: list[dict[str, Any]] = []
    answered: dict[str, list[str]] = {}
    silent: dict[str, list[str]] = {}
    for row in rows:
        if not any(path.startswith(ON_NODES) for path in row.paths):
            continue
        name, version = row.pin.name, row.pin.version
        if row.answer is None or row.answer.advisories is None:
            silent.setdefault(name, []).append(version)
            continue
        answered.setdefault(name, []).append(version)
        told += [
            {
                "name": each.name,
                "package": name,
                "versions": [version],
                "fixed_in": list(each.fixed_in),
                "summary": each.summary,
                "source": REGISTRY,
            }
            for each in row.answer.advisories
        ]
    by_hand = {
        source: pins
        for source, pins in before["answered"].items()
        if source != REGISTRY and source in before["sources"]
    }
    read = {(name, each) for pins in by_hand.values() for name, versions in pins.items() for each in versions}
    left = {name: [each for each in versions if (name, each) not in read] for name, versions in sorted(silent.items())}
    sources = {**before["sources"]}
    sources[REGISTRY] = {
        "title": "pypi.org/pypi/NAME/VERSION/json, or NAME/json where the release is the newest: its vulnerabilities",
        "date": f"{now:%Y-%m-%d}",
    }
    kept = [row for row in before["rows"] if row["source"] != REGISTRY]
    return {
        "about": before["about"],
        "sources": sources,
        "answered": {REGISTRY: dict(sorted(answered.items())), **by_hand},
        "not_answered": {name: versions for name, versions in left.items() if versions},
        "rows": sorted([*kept, *told], key=lambda each: (each["package"], each["name"])),
    }


def write(root: Path, rows: Iterable[Row], now: datetime) -> Path:
    """Write it into the tree. Gives the file."""
    path = root / FILE
    before = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(document(rows, before, now), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path
