"""A refreshed catalogue on disk: what it was made from, and how it takes the place of an older one."""

from __future__ import annotations

import ctypes
import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pulumi_llm import __version__
from pulumi_llm import _system as system
from pulumi_llm._refresh.merge import merged
from pulumi_llm._refresh.observed import Observation, Quote
from pulumi_llm._texts import _
from pulumi_llm.catalog import DATA, Catalog, parts, reader
from pulumi_llm.errors import Finding, Refusal

OBSERVATIONS = "observations.json"
"""The file that tells a refreshed catalogue from any other folder: all that the clouds answered, with stock."""


def default_directory() -> Path:
    """``pulumi-llm/catalog`` in the user's data folder (``$XDG_DATA_HOME``, else ``~/.local/share``)."""
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base).expanduser() / "pulumi-llm" / "catalog"


def made_with(directory: Path) -> str | None:
    """The version of pulumi-llm whose data a refreshed catalogue is laid over; None for another folder."""
    path = directory / OBSERVATIONS
    return str(reader.read_file(path).get("made_with", "unknown")) if path.is_file() else None


def observations_in(directory: Path) -> list[Observation]:
    """What the clouds answered for the catalogue in ``directory``; nothing where it was not refreshed.

    Raises Refusal ``catalog.broken-file``.
    """
    path = directory / OBSERVATIONS
    if not path.is_file():
        return []

    def change(raw: dict[str, Any]) -> dict[str, Any]:
        quotes = {name: None if raw.get(name) is None else Quote(**raw[name]) for name in ("price", "spot")}
        return {**raw, **quotes, "zones": dict(raw["zones"])}

    return list(reader.rows_of(path, Observation, change=change))


def check_target(directory: Path) -> None:
    """Refuse to write where something else is: a file, the package's own data, a folder of another kind."""
    foreign = directory.exists() and not (directory / OBSERVATIONS).is_file()
    if foreign and directory.is_dir():
        foreign = any(directory.iterdir())
    if foreign or directory.resolve() == DATA.resolve():
        raise Refusal(
            [
                Finding(
                    "refresh.foreign-folder",
                    _("{directory} is no refreshed catalogue, and would be replaced", directory=directory),
                    _("name a new or empty folder with --out"),
                )
            ]
        )


def write(directory: Path, observations: Iterable[Observation]) -> Catalog:
    """Write the package's data with the observations laid over it, and put it in the place of ``directory``.

    It is checked first, in a folder beside. Raises Refusal ``refresh.foreign-folder``, ``refresh.not-written``,
    or ``refresh.broken-result`` where the catalogue's own checks find something; the older one then stays.
    """
    directory = directory.resolve()
    check_target(directory)
    told = sorted(observations, key=lambda each: each.key)
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
        try:
            fresh = beside / "catalog"
            fresh.mkdir()
            shipped = Catalog(DATA)
            shipped.copy_to(fresh)
            for name, content in {**merged(shipped, told), OBSERVATIONS: _file(told)}.items():
                parts.write(fresh / name, content)
            _check(fresh)
            _replace(fresh, directory)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    except OSError as error:
        raise Refusal(
            [
                Finding(
                    "refresh.not-written",
                    _(
                        "the catalogue could not be written to {directory}: {problem}",
                        directory=directory,
                        problem=system.why(error),
                    ),
                    _("name a folder that can be written with --out"),
                )
            ]
        ) from None
    return Catalog(directory)


def _check(directory: Path) -> None:
    made = Catalog(directory)
    observations_in(directory)
    problems = made.problems()
    if problems:
        raise Refusal(
            [
                Finding(
                    "refresh.broken-result",
                    _("with what the clouds answered, the catalogue is not sound: {problem}", problem=problem),
                    _("nothing was replaced; leave that region or GPU out (--region, --gpu), and report it"),
                )
                for problem in problems
            ]
        )


def _replace(fresh: Path, directory: Path) -> None:
    """Put ``fresh`` in the place of ``directory``, so that a reader finds the one or the other, whole.

    Linux exchanges two folders in one step. Where the file system cannot, the older one is moved aside first and
    back again if the second step fails; a reader in between finds none.
    """
    if not directory.exists():
        fresh.rename(directory)
        return
    if _exchange(fresh, directory):
        return  # the older one is now in the folder that is removed
    aside = fresh.with_name("older")
    directory.rename(aside)
    try:
        fresh.rename(directory)
    except OSError:
        aside.rename(directory)
        raise


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two folders in one step; False where this system cannot."""
    at_cwd, exchange = -100, 2
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    return bool(call(at_cwd, os.fsencode(one), at_cwd, os.fsencode(other), exchange) == 0)


def _file(observations: list[Observation]) -> dict[str, Any]:
    sources: dict[str, dict[str, str]] = {}
    names: dict[tuple[str, str], str] = {}
    rows: list[dict[str, Any]] = []
    for each in observations:
        key = each.source, each.source_date
        if key not in names:
            names[key] = f"answer-{len(names) + 1}"
            sources[names[key]] = {"title": each.source, "date": each.source_date}
        row = {name: value for name, value in asdict(each).items() if name not in ("source", "source_date", "notes")}
        rows.append({**row, "source": names[key]})
    return {"made_with": __version__, "sources": sources, "rows": rows}
