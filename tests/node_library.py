"""The node's own library, as it lies on a node that has some roles."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

TEMPLATES = Path(__file__).parents[1] / "templates"


def laid_out(folder: Path, *roles: str) -> Path:
    """Copy the library, and what these roles add to it, into a folder, for `sys.path`."""
    shutil.copytree(TEMPLATES / "node" / "llm_node", folder / "llm_node")
    for role in roles:
        for each in (TEMPLATES / role / "stages").glob("*.py"):
            shutil.copy(each, folder / "llm_node")
    return folder


def importable(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have `llm_node` come from that folder in this process, whichever another test imported before."""
    monkeypatch.syspath_prepend(str(folder))
    for name in [each for each in sys.modules if each.partition(".")[0] == "llm_node"]:
        monkeypatch.delitem(sys.modules, name)
