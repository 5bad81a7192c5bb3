"""The entry points of installed packages, read without `importlib.metadata`.

That imports the standard library's e-mail and network code, which costs more than `pulumi-llm check` spends in all
otherwise. What is read here is the same: the file `entry_points.txt` of each installed distribution.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple


class Entry(NamedTuple):
    """What an installed package enters: a name, what it leads to (``module:attribute``), and the package."""

    name: str
    value: str
    origin: str


def entries(group: str, path: Sequence[str] | None = None) -> list[Entry]:
    """The entry points of ``group`` on ``path`` (default: Python's own), the first of each package and name."""
    found: dict[tuple[str, str], Entry] = {}
    for folder in sys.path if path is None else path:
        for each in _of_place(group, folder or "."):
            found.setdefault((each.origin, each.name), each)
    return list(found.values())


def version(distribution: str, path: Sequence[str] | None = None) -> str | None:
    """The version of an installed distribution; None: it is not installed."""
    found = version_named(distribution, path)
    if found is not None:
        return found
    from importlib import metadata

    try:
        return metadata.version(distribution)  # an egg, an archive, or what a finder of somebody's own brings
    except metadata.PackageNotFoundError:
        return None


def version_named(distribution: str, path: Sequence[str] | None = None) -> str | None:
    """The version that the name of a distribution's folder of metadata says; None: there is no such folder.

    ``importlib.metadata`` would open that folder's file and read the whole of it as an e-mail.
    """
    return next((found for found, __ in _folders(distribution, path)), None)


def headers(distribution: str, name: str, path: Sequence[str] | None = None) -> list[str]:
    """The values of the header ``name`` in an installed distribution's metadata; none where it is not installed."""
    for __, folder in _folders(distribution, path):
        with contextlib.suppress(OSError, ValueError):
            head = Path(folder, "METADATA").read_text(encoding="utf-8").partition("\n\n")[0]
            return [line.partition(": ")[2] for line in head.splitlines() if line.startswith(f"{name}: ")]
    from importlib import metadata

    try:
        return metadata.metadata(distribution).get_all(name) or []
    except metadata.PackageNotFoundError:
        return []


def _folders(distribution: str, path: Sequence[str] | None) -> Iterator[tuple[str, str]]:
    """The versions of a distribution on ``path``, and their folders of metadata."""
    wanted = _normal(distribution)
    for place in sys.path if path is None else path:
        try:
            names = os.listdir(place or ".")  # noqa: PTH208 - a Path for each of hundreds of names costs more
        except OSError:
            continue
        for name in names:
            if name.endswith(".dist-info"):
                called, __, found = name.removesuffix(".dist-info").partition("-")
                if found and _normal(called) == wanted:
                    yield found, os.path.join(place or ".", name)  # noqa: PTH118 - as above


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _of_place(group: str, place: str) -> Iterator[Entry]:
    try:
        changed = os.stat(place).st_mtime_ns  # noqa: PTH116 - see `version`
        texts = _texts(place, changed)
    except NotADirectoryError:  # a zip or an egg on the path
        yield from _of_archive(group, place)
        return
    except OSError:
        return
    for name, text in texts:
        if group in text:
            yield from _in(text, group, name.rsplit(".", 1)[0].split("-", 1)[0].replace("_", "-"))


@cache
def _texts(place: str, changed: int) -> tuple[tuple[str, str], ...]:
    """The files of a folder that was last ``changed`` then, by the names of their distributions: read once a process,
    as several groups are asked for."""
    with os.scandir(place) as listed:
        folders = sorted(each.name for each in listed if each.name.endswith((".dist-info", ".egg-info")))
    return tuple(_read(place, folders))


def _read(place: str, folders: Iterable[str]) -> Iterator[tuple[str, str]]:
    for name in folders:
        try:
            yield name, Path(place, name, "entry_points.txt").read_text(encoding="utf-8")
        except (OSError, ValueError):
            continue


def _in(text: str, group: str, origin: str) -> Iterator[Entry]:
    section = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            section = line.strip("[] ")
        elif section == group and "=" in line and not line.startswith(("#", ";")):
            name, _, value = line.partition("=")
            yield Entry(name.strip(), value.strip(), origin)


def _of_archive(group: str, place: str) -> Iterator[Entry]:
    from importlib import metadata

    for distribution in metadata.distributions(path=[place]):
        for each in distribution.entry_points:
            if each.group == group:
                yield Entry(each.name, each.value, distribution.name)
