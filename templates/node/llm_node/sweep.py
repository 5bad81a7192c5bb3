"""What a change leaves behind is deleted: models and Python environments that nothing uses any more.

The rule. While a change is on its way, the model that served before stays, and every other one but the new goes if the
new one is still to be fetched. Once the change is ready, the model before it stays as long as a fifth of the data disk
is free; all others go. Only folders are deleted that carry our manifest, and downloads that were never finished.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from llm_node.system import at

MODELS, VENVS = "/srv/llm/models", "/opt/llm/venv"
FREE = 0.2  # share of the data disk


def before(settings: dict[str, Any], running: dict[str, Any]) -> None:
    """Make room for a model that is still to be fetched."""
    new = models(settings)
    if any(not (at(each) / "complete.json").exists() for each in new):
        clear_models(new | models(running))


def after(settings: dict[str, Any], last: dict[str, Any]) -> None:
    """The change is ready: delete what it replaced."""
    clear_models(models(settings) | models(last))
    usage = shutil.disk_usage(at("/srv/llm")) if at("/srv/llm").exists() else None
    if usage and usage.free < FREE * usage.total:
        clear_models(models(settings))
    supply = json.loads(content(settings, "/opt/llm/supply.json") or "{}").get("venvs", {})
    wanted = {f"{name}-{pins['version']}" for name, pins in supply.items()}
    for each in folders(VENVS):
        if each.name not in wanted:
            shutil.rmtree(each, ignore_errors=True)


def clear_models(kept: set[str]) -> None:
    """Delete all models, and all unfinished downloads, but these."""
    names = {Path(each).name for each in kept}
    for each in folders(MODELS):
        ours = each.name.endswith(".part") or (each / "complete.json").exists()
        if ours and each.name.removesuffix(".part") not in names:
            shutil.rmtree(each, ignore_errors=True)


def folders(path: str) -> list[Path]:
    """The folders in a folder."""
    return [each for each in at(path).glob("*") if each.is_dir()]


def models(settings: dict[str, Any]) -> set[str]:
    """Where the models of these settings lie."""
    node = json.loads(content(settings, "/opt/llm/node.json") or "{}")
    supply = json.loads(content(settings, "/opt/llm/supply.json") or "{}")
    return {each["path"] for each in (node.get("model"), *supply.get("further", ())) if each}


def content(settings: dict[str, Any], path: str) -> str:
    """A file's content as these settings have it."""
    return next((each["content"] for each in settings.get("files", []) if each["path"] == path), "")
