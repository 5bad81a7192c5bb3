"""The node's own library, as it lies on a node that has some roles."""

from __future__ import annotations

import shutil
from pathlib import Path

TEMPLATES = Path(__file__).parents[1] / "templates"


def laid_out(folder: Path, *roles: str) -> Path:
    """Copy the library, and what these roles add to it, into a folder, for `sys.path`."""
    shutil.copytree(TEMPLATES / "node" / "llm_node", folder / "llm_node")
    for role in roles:
        for each in (TEMPLATES / role / "stages").glob("*.py"):
            shutil.copy(each, folder / "llm_node")
    return folder
