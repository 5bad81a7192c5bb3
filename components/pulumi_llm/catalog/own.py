"""Models of the user's own: rows beside the project's Pulumi.yaml, which `pulumi-llm catalog add` writes.

They stand in the project, so that a colleague and a CI job see the same model, and no plan asks the network.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import re
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from pulumi_llm import _system as system
from pulumi_llm._texts import _, listed
from pulumi_llm.catalog import reader
from pulumi_llm.catalog.models import Model
from pulumi_llm.errors import Finding, Refusal

FILE = reader.OWN
VARIABLE = "PULUMI_LLM_MODELS"
"""The environment variable that names another file, for programs that do not run in their project's folder."""

ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
"""An id as hubs have it: a node fetches the model by it."""

REMARKS = frozenset({"source", "source_date", "notes", "licence"})
"""What of a row nothing is computed with."""

PROJECT = ("Pulumi.yaml", "Pulumi.yml", "Pulumi.json")

ABOUT = "Models of this project, by `pulumi-llm catalog add`. Sizes in billions of parameters, GiB and bytes."


def find() -> Path | None:
    """The file that is in force: the one that ``PULUMI_LLM_MODELS`` names, else the project's; None: there is none.

    Raises Refusal ``catalog.no-own-models`` where the variable names a file that is not there.
    """
    named = os.environ.get(VARIABLE)
    if not named:
        return _of_project(os.getcwd())  # noqa: PTH109 - a text is a key
    path = Path(named)
    if not path.is_file():
        message = _("{variable} is {named!r}, and there is no such file", variable=VARIABLE, named=named)
        raise Refusal(
            [Finding("catalog.no-own-models", message, _("unset it, or name the {file} of your project", file=FILE))]
        )
    return path


@cache
def _of_project(folder: str) -> Path | None:
    home = project_of(Path(folder))
    path = home / FILE if home is not None else None
    return path if path is not None and path.is_file() else None


def project_of(folder: Path) -> Path | None:
    """The nearest folder, from this one up, that has a Pulumi project."""
    for each in (folder, *folder.parents):
        if any((each / name).is_file() for name in PROJECT):
            return each
    return None


def models_in(path: Path) -> tuple[Model, ...]:
    """The file's rows. Raises Refusal ``catalog.broken-file``, also for an id that no hub could have."""
    from pulumi_llm.catalog import row_mistakes  # a project without models of its own needs none

    wrong: list[str] = []
    rows: dict[str, Model] = {}
    for number, raw in enumerate(reader.raw_rows(path), start=1):
        problems = [*row_mistakes.of_row(Model, raw)]
        if not problems and not ID.fullmatch(raw["id"]):
            problems = [_("{model!r} cannot be the id of a model at a hub (organisation/name)", model=raw["id"])]
        if not problems and raw["id"] in rows:
            problems = [_("there is a row for {model} already", model=raw["id"])]
        wrong += [reader.in_row(number, each) for each in problems]
        if not problems:
            rows[raw["id"]] = reader.build(path, Model, number, raw, reader.model_row)
    if wrong:
        raise reader.broken(path, *wrong)
    return tuple(rows.values())


def differs(path: Path, model: Model, listed_model: Model) -> Finding:
    """What is told of a row that takes the place of the catalogue's: in what the two differ."""
    fields = [each.name for each in dataclasses.fields(Model) if each.name not in REMARKS]
    names = [each for each in fields if not _alike(_value(model, each), _value(listed_model, each))]
    what = listed(names) if names else _("nothing that is computed with")
    return Finding(
        "catalog.own-row-differs",
        _(
            "{path} has a row for {model} that takes the place of the catalogue's of {day}; they differ in {what}",
            path=path.name,
            model=model.id,
            day=listed_model.source_date,
            what=what,
        ),
        _("take the row out where the catalogue's is to hold"),
        severity="warning" if names else "info",
    )


def _value(model: Model, field: str) -> object:
    return model.kept if field == "caches" else getattr(model, field)


def _alike(one: object, other: object) -> bool:
    """Whether two values of a field are the same to anybody who computes with them."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=0.001)
    return one == other


def unknown(model: Model) -> Finding:
    """Why a model that is not understood gets no row."""
    what = _("{unknown_shape} is not understood", unknown_shape=model.unknown_shape or _("its shape"))
    return Finding(
        "catalog.own-unknown-shape",
        _("{model}: {what}, so what it takes is not known, and a row would only guess", model=model.id, what=what),
        _("name the model in the stack, and override fit.unknown-model where you know that it fits"),
    )


def add(path: Path, model: Model) -> bool:
    """Write a model's row into the file, in the place of an older one; whether there was one.

    Raises Refusal ``catalog.broken-file`` where the file is none of ours, ``hub.bad-id``, ``catalog.own-not-written``.
    """
    if not ID.fullmatch(model.id):
        message = _("a node fetches a model by its id at a hub, and {model!r} is none", model=model.id)
        raise Refusal([Finding("hub.bad-id", message, _("--id organisation/name"))])
    rows = {each.id: each for each in models_in(path)} if path.is_file() else {}
    older = rows.pop(model.id, None)
    rows[model.id] = model
    text = _text([rows[name] for name in sorted(rows, key=str.casefold)])
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
            Path(name).chmod(0o644)
            Path(name).replace(path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                Path(name).unlink()
    except OSError as error:
        message = _("{path} cannot be written: {problem}", path=path, problem=system.why(error))
        raise Refusal([Finding("catalog.own-not-written", message, _("name another file with --out"))]) from None
    _of_project.cache_clear()
    return older is not None


def _text(models: list[Model]) -> str:
    sources: dict[str, dict[str, str]] = {}
    rows = []
    for model in models:
        rows.append({**row(model), "source": model.id})
        sources[model.id] = {"title": model.source, "date": model.source_date}

    def lines(items: list[str]) -> str:
        return ",\n".join(f"    {each}" for each in items)

    told = lines([f"{_line(name)}: {_line(value)}" for name, value in sources.items()])
    return (
        f'{{\n  "about": {_line(ABOUT)},\n  "sources": {{\n{told}\n  }},\n'
        f'  "rows": [\n{lines([_line(row) for row in rows])}\n  ]\n}}\n'
    )


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def row(model: Model) -> dict[str, Any]:
    """What is known of a model, without what is as always."""
    told: dict[str, Any] = {}
    for field in dataclasses.fields(model):
        value = getattr(model, field.name)
        if field.name in ("source", "source_date") or value is None or value == field.default:
            continue
        if field.name == "caches":
            value = [dataclasses.asdict(each) for each in value]
        elif dataclasses.is_dataclass(value) and not isinstance(value, type):
            value = dataclasses.asdict(value)
        told[field.name] = value
    return told
