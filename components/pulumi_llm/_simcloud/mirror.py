"""A copy of a Pulumi project for the simulation, so that the user's own files are never written to.

The engine writes into a project: an ``encryptionsalt`` into each stack file, whatever ``config set`` is
told, and ``stack rm`` deletes the file. So it is run in a mirror: a folder whose Pulumi.yaml points at the
user's program, and whose stack files are copies. On each run the user's edits are merged into the copies;
what was set in the simulation stays until the user edits the same value.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pulumi_llm import _engine_yaml
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._plan.project import Project, full_name, read_yaml

_FOREIGN_KEYS = ("encryptionsalt", "encryptedkey", "secretsprovider", "environment")
_MISSING: Any = object()


@dataclass(frozen=True, slots=True)
class StackCopy:
    """A stack file's copy in the mirror: its config by full key, and the secrets that could not be copied."""

    path: Path
    config: dict[str, Any]
    withheld: list[str]
    """Config paths (``project:key`` or ``project:key.leaf``) whose value is encrypted for the real stack."""


def mirror_project(project: Project, folder: Path, simulated: Mapping[str, Path]) -> None:
    """Write ``folder``/Pulumi.yaml, which runs the user's program where it lies.

    ``simulated`` gives the folder with the plugin of each simulated package. Those that are named here are used without
    the warning that the engine gives for each one that it finds on PATH, and in place of the project's own.
    """
    document = copy.deepcopy(dict(project.document))
    document["main"] = str(project.main.resolve())
    document.pop("stackConfigDir", None)
    document.pop("backend", None)
    if isinstance(document.get("config"), str):
        del document["config"]
    runtime = document.get("runtime")
    if (runtime.get("name") if isinstance(runtime, dict) else runtime) == "python":
        # Without a tool chain of its own the host runs the `python` on PATH, which is the one we put there.
        document["runtime"] = {"name": "python", "options": {"toolchain": "pip"}}
    for kind in (document.get("plugins") or {}).values():
        for plugin in kind or ():
            if isinstance(plugin, dict) and "path" in plugin:
                plugin["path"] = str((project.folder / str(plugin["path"])).resolve())
    plugins = dict(document.get("plugins") or {})
    own = [each for each in plugins.get("providers") or () if not _is_named(each, simulated)]
    rows = [{"name": name, "path": str(place)} for name, place in simulated.items()]
    document["plugins"] = {**plugins, "providers": [*rows, *own]}
    packages = document.get("packages") or {}
    for name, package in packages.items():
        source = package.get("source") if isinstance(package, dict) else package
        if isinstance(source, str) and source.startswith("."):
            absolute = str((project.folder / source).resolve())
            packages[name] = {**package, "source": absolute} if isinstance(package, dict) else absolute
    write_yaml(folder / "Pulumi.yaml", document)


def _is_named(plugin: object, names: Mapping[str, Path]) -> bool:
    return isinstance(plugin, dict) and plugin.get("name") in names


def mirror_stack(project: Project, folder: Path, stack: str, source: Path | None) -> StackCopy:
    """Merge the user's stack file ``source`` (None: an empty one) into its copy in ``folder``."""
    withheld: list[str] = []
    shipped = _normal(read_yaml(source) if source else {}, project.name)
    for key in _FOREIGN_KEYS:
        shipped.pop(key, None)
    shipped["config"] = _without_secrets(shipped.get("config") or {}, "", withheld)
    path = folder / f"Pulumi.{stack}.yaml"
    before = folder / ".base" / f"{stack}.yaml"
    base = read_yaml(before) if before.is_file() else {}
    old = _normal(read_yaml(path), project.name) if path.is_file() else base
    document = _merged(base, shipped, old)
    write_yaml(path, document)
    write_yaml(before, shipped)
    return StackCopy(path, document.get("config") or {}, withheld)


def has_value(config: dict[str, Any], path: str) -> bool:
    """Whether ``path`` (``project:key``, or ``project:key.leaf``) is set in a stack's config."""
    node: Any = config
    for part in path.split("."):
        if not isinstance(node, dict) or part not in node:
            return False
        node = node[part]
    return True


def write_yaml(path: Path, document: dict[str, Any]) -> None:
    """Write a YAML file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(_engine_yaml.dump(document), encoding="utf-8")
    partial.replace(path)


def _normal(document: dict[str, Any], project: str) -> dict[str, Any]:
    """``document`` with every config key in full, as the engine writes them back."""
    config = document.get("config")
    if not isinstance(config, dict):
        return dict(document)
    return {**document, "config": {full_name(project, key): value for key, value in config.items()}}


def _without_secrets(node: Any, path: str, withheld: list[str]) -> Any:
    """``node`` without the values that only the real stack's key opens; their paths go to ``withheld``."""
    if isinstance(node, list):
        return [f"simulated-{path}" if _is_secure(each) else _without_secrets(each, path, withheld) for each in node]
    if not isinstance(node, dict):
        return node
    kept: dict[str, Any] = {}
    for key, value in node.items():
        here = f"{path}.{key}" if path else str(key)
        if _is_secure(value):
            withheld.append(here)
        else:
            kept[key] = _without_secrets(value, here, withheld)
    return kept


def _is_secure(node: Any) -> bool:
    return isinstance(node, dict) and list(node) == ["secure"]


def _merged(base: Any, shipped: Any, ours: Any) -> Any:
    """Three-way: what the user changed since the last run wins, else what the simulation holds stays."""
    if isinstance(shipped, dict) and isinstance(ours, dict):
        earlier = base if isinstance(base, dict) else {}
        result: dict[str, Any] = {}
        for key in (*shipped, *(key for key in ours if key not in shipped)):
            value = _merged(earlier.get(key, _MISSING), shipped.get(key, _MISSING), ours.get(key, _MISSING))
            if value is not _MISSING:
                result[key] = value
        return result
    return shipped if shipped != base else ours
