"""What the roles of a node install, out of every ``templates/ROLE/role.yaml``, in the form that the stamps know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml


def of_roles(templates: Path) -> dict[str, Any]:
    """Environments and images by name, ``packages`` by role and stage, and the driver."""
    found: dict[str, Any] = {"packages": {}}
    for file in sorted(templates.glob("*/role.yaml")):
        role = yaml.safe_load(file.read_text(encoding="utf-8"))
        install = role.get("install", {})
        found |= install.get("environments", {}) | install.get("images", {}) | role.get("facts", {})
        for stage, names in install.get("packages", {}).items():
            if isinstance(names, list):
                found["packages"][f"{file.parent.name}.{stage}"] = names
    return found
