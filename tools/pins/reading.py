"""Finds the project's pins where they stand, by the table ``places.toml``."""

from __future__ import annotations

import fnmatch
import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("places.toml")
REQUIREMENT = re.compile(
    r"(?<![\w.-])(?P<name>[A-Za-z0-9][\w.-]*)(?:\[[\w,-]+\])?==(?P<version>[0-9]+(?:\.\w+)*)(?![\w+!])(?!\.\w)"
)
"""``torch==2.13.0+cpu`` is none: no index of ours has builds with a local label."""


@dataclass(frozen=True)
class Pin:
    """One version of one thing, at one place."""

    name: str
    version: str
    path: str
    registry: str = ""
    not_asked: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """What is asked once, wherever it stands."""
        return self.registry, self.name, self.version


class PlaceError(Exception):
    """A place in the table holds no pin (any more): the table is wrong, or a pin would go unseen."""


def table() -> dict[str, Any]:
    """``places.toml``."""
    return tomllib.loads(TABLE.read_text(encoding="utf-8"))


def pins(root: Path, *, locked: bool = False) -> list[Pin]:
    """Every pin of the project at ``root``; with ``locked``, what is locked below them too.

    Raises PlaceError where a place of the table names no file, or a file without a pin.
    """
    found: dict[Pin, None] = {}
    for place in table()["place"]:
        if place.get("locked") and not locked:
            continue
        paths = [path for pattern in place["files"] for path in sorted(root.glob(pattern))]
        if missing := [pattern for pattern in place["files"] if not list(root.glob(pattern))]:
            raise PlaceError(f"places.toml names {', '.join(missing)}, and there is no such file")
        before = len(found)
        for path in paths:
            for name, version in _read(place, path):
                at = path.relative_to(root).as_posix()
                found[Pin(name, version, at, place.get("registry", ""), place.get("not_asked", ""))] = None
        if len(found) == before and not (place.get("may_be_empty") or place.get("locked")):
            raise PlaceError(
                f"places.toml expects a pin in {', '.join(place['files'])} ({place.get('pattern') or place['form']}), "
                "and there is none"
            )
    return list(found)


def unseen(root: Path) -> list[str]:
    """What looks like a pin in a tracked file and is at no place of the table: one line each."""
    rules = table()
    seen = pins(root, locked=True)
    at: dict[str, set[str]] = {}
    for each in seen:
        at.setdefault(each.path, set()).add(each.version)
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, check=True, capture_output=True, text=True).stdout
    lines = []
    for path in filter(None, listed.split("\0")):
        if any(fnmatch.fnmatchcase(path, pattern) for row in rules["no_pin"] for pattern in row["files"]):
            continue
        name = path.rsplit("/", 1)[-1]
        if path not in at and any(fnmatch.fnmatchcase(name, each) for each in rules["file_sign"]["names"]):
            lines.append(f"{path}: a file of pins")
            continue
        if path.endswith((".lock", ".sum")) or not (root / path).is_file():
            continue
        text = _text(root / path)
        for sign in rules["sign"]:
            for match in re.finditer(sign["pattern"], text):
                if not _covered(at.get(path, set()), match["version"], text):
                    lines.append(f"{path}: {match.group().strip()}")
    return lines


def _covered(pinned: set[str], written: str, text: str) -> bool:
    """Whether what is written is a pin, or the commit beside which a pinned release is named."""
    if written in pinned:
        return True
    lines = [line for line in text.splitlines() if written in line]
    return any(re.search(rf"\bv?{re.escape(each)}(?![\w.])", line) for each in pinned for line in lines)


def _text(path: Path) -> str:
    """A file's text; of JSON, its strings too, as they are without escapes."""
    text = path.read_text(encoding="utf-8", errors="replace")
    if path.suffix != ".json":
        return text
    return "\n".join([text.replace("\\n", "\n"), *_strings(json.loads(text))])


def _strings(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case list():
            for each in value:
                yield from _strings(each)
        case dict():
            for each in value.values():
                yield from _strings(each)


def _read(place: dict[str, Any], path: Path) -> Iterator[tuple[str, str]]:
    match place.get("form"):
        case None:
            for match in re.finditer(place["pattern"], path.read_text(encoding="utf-8")):
                yield place.get("name") or match["name"], match["version"]
        case "requirements":
            for match in REQUIREMENT.finditer(_text(path)):
                yield normal(match["name"]), match["version"]
        case "uv-lock":
            yield from _direct(path)
        case "uv-lock-all":
            yield from _locked(path).items()
        case "go-tool":
            yield from _go_tools(path.read_text(encoding="utf-8"))
        case other:
            raise PlaceError(f"places.toml: there is no form {other!r}")


def normal(name: str) -> str:
    """A package's name as the index spells it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _locked(lock: Path) -> dict[str, str]:
    rows = tomllib.loads(lock.read_text(encoding="utf-8"))["package"]
    return {row["name"]: row["version"] for row in rows if "registry" in row["source"]}


def _direct(lock: Path) -> Iterator[tuple[str, str]]:
    """What pyproject.toml beside the lock names, in the version that the lock has."""
    project = tomllib.loads(lock.with_name("pyproject.toml").read_text(encoding="utf-8"))
    named = [
        *project["project"]["dependencies"],
        *(each for rows in project["project"].get("optional-dependencies", {}).values() for each in rows),
        *(each for rows in project.get("dependency-groups", {}).values() for each in rows if isinstance(each, str)),
    ]
    own, locked = normal(project["project"]["name"]), _locked(lock)
    for name in dict.fromkeys(normal(re.split(r"[^\w.-]", each, maxsplit=1)[0]) for each in named):
        if name == own:
            continue
        if name not in locked:
            raise PlaceError(f"pyproject.toml names {name}, and uv.lock has it not: run uv lock")
        yield name, locked[name]


def _go_tools(text: str) -> Iterator[tuple[str, str]]:
    """The module of each ``tool`` line: what a person chose; the rest of go.mod follows from it."""
    required = dict(re.findall(r"(?m)^(?:require)?\s+(\S+) v(\S+)", text))
    tools = re.findall(r"(?m)^tool (\S+)$", text)
    if not tools:
        raise PlaceError("a go.mod without a line 'tool MODULE': which of its modules is the pin?")
    for tool in tools:
        modules = [each for each in required if tool == each or tool.startswith(each + "/")]
        if not modules:
            raise PlaceError(f"go.mod has the tool {tool}, and no module that it is of")
        module = max(modules, key=len)
        yield module, required[module]
