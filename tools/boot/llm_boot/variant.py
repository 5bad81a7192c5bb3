"""The templates as they are, but for the locks of Python packages: a machine without a GPU installs other wheels.

This is the one thing in which what a booted node is told differs from what a node in a cloud is told.
"""

from __future__ import annotations

import json
import shutil
from importlib import resources
from pathlib import Path

import yaml

from llm_boot.support import WHEELS
from pulumi_llm.roles.files import templates


def make(target: Path, parts: Path) -> Path:
    """A copy of the templates in ``target``, with the locks of ``parts`` (`tools/fetch boot`) and their digests."""
    shutil.rmtree(target, ignore_errors=True)
    with resources.as_file(templates()) as source:
        shutil.copytree(source, target)
    wheels = {}
    for folder in (parts / each for each in WHEELS):
        pins = json.loads((folder / "pins.json").read_text(encoding="utf-8"))
        for name in pins:
            shutil.copy(folder / f"{name}.txt", target / "locks")
        wheels |= pins
    for file in target.glob("*/role.yaml"):
        role = yaml.safe_load(file.read_text(encoding="utf-8"))
        for name, row in role.get("install", {}).get("environments", {}).items():
            row["wheels"] |= wheels.get(name, {})
        file.write_text(json.dumps(role, indent=1), encoding="utf-8")  # which is YAML too
    return target
