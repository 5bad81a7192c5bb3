"""The templates as they are, but for the locks of Python packages: a machine without a GPU installs other wheels.

This is the one thing in which what a booted node is told differs from what a node in a cloud is told.
"""

from __future__ import annotations

import json
import shutil
from importlib import resources
from pathlib import Path

from pulumi_llm.bootstrap.files import templates


def make(target: Path, parts: Path) -> Path:
    """A copy of the templates in ``target``, with the locks of ``parts`` (`tools/fetch boot`) and their digests."""
    shutil.rmtree(target, ignore_errors=True)
    with resources.as_file(templates()) as source:
        shutil.copytree(source, target)
    versions = json.loads((target / "versions.json").read_text(encoding="utf-8"))
    for name, pins in json.loads((parts / "wheels" / "pins.json").read_text(encoding="utf-8")).items():
        shutil.copy(parts / "wheels" / f"{name}.txt", target / "locks")
        versions[name]["wheels"] |= pins
    (target / "versions.json").write_text(json.dumps(versions, indent=1), encoding="utf-8")
    return target
