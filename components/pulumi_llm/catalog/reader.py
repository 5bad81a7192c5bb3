"""Reads the catalogue's files into rows, and says plainly what is wrong with a file that does not read."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import MISSING, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pulumi_llm import _json
from pulumi_llm import _system as system
from pulumi_llm._texts import Text, _
from pulumi_llm.catalog.models import Cache, Mla, Model, Moe, SlidingWindow
from pulumi_llm.catalog.rows import (
    CloudFacts,
    Disk,
    ExchangeRate,
    ExtraPrice,
    Gpu,
    Instance,
    NameRule,
    Price,
    Row,
    TokenPrice,
)
from pulumi_llm.clouds.capabilities import capabilities
from pulumi_llm.errors import Finding, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T", bound=Row)
RawRow = dict[str, Any]

NUMBERS: dict[type, tuple[str, ...]] = {
    Price: ("amount",),
    TokenPrice: ("input", "output"),
    ExtraPrice: ("amount",),
    ExchangeRate: ("rate",),
    Gpu: ("marketed_gib", "memory_gib"),
    Instance: ("gpu_count", "vcpu", "memory_gib"),
    CloudFacts: ("user_data_limit",),
}
"""What arithmetic is done on: a row where one of these is not a number is refused at once."""

OPTIONAL_NUMBERS: dict[type, tuple[str, ...]] = {
    Instance: ("gpu_memory_gib", "local_nvme_gib", "network_gbps"),
    Model: (
        *(
            "parameters_b",
            "active_b",
            "layers",
            "attention_layers",
            "hidden",
            "heads",
            "kv_heads",
            "head_dim",
        ),
        *("intermediate", "vocab", "max_context", "served_context", "heads_ahead", "quantization_bits", "weights_gib"),
    ),
}


HOME = str(Path(__file__).parents[1]) + os.sep
"""The package's own folder, in which a document is as deep and as large as it was when it was tested."""

OWN = "pulumi-llm.models.json"
"""The name of a project's own file of models (see `pulumi_llm.catalog.own`)."""


def broken(path: Path, *messages: str) -> Refusal:
    """The refusal for a catalogue file that cannot be used; it names the file."""
    hint = _("restore the file from the package, or correct the row it names")
    if path.name == OWN:
        hint = _("correct the row it names, or take it out and add the model again: pulumi-llm catalog add")
    # In the message and not as a place: whoever asks puts a place of its own in front.
    told = [_("{path}: {problem}", path=path, problem=each) for each in messages]
    return Refusal([Finding("catalog.broken-file", each, hint) for each in told])


def read_file(path: Path) -> dict[str, Any]:
    """The file's JSON object. Raises Refusal ``catalog.broken-file``."""
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if str(path).startswith(HOME) else _json.loads(text)
    except FileNotFoundError:
        raise broken(path, _("the file is missing")) from None
    except OSError as error:
        raise broken(path, _("the file cannot be read: {problem}", problem=system.why(error))) from None
    except (ValueError, RecursionError) as error:
        raise broken(path, _("not JSON: {problem}", problem=error)) from None
    if not isinstance(content, dict) or not isinstance(content.get("sources"), dict):
        raise broken(path, _("it must be an object with 'sources' and rows"))
    return content


def raw_rows(path: Path) -> Iterator[RawRow]:
    """The file's rows, each with its source resolved to a title and a date. Refusal ``catalog.broken-file``."""
    content = read_file(path)
    rows = content.get("rows")
    if not isinstance(rows, list):
        raise broken(path, _("'rows' must be a list"))
    sources: dict[str, tuple[str, str]] = {}
    for name, source in content["sources"].items():
        if not isinstance(source, dict) or not source.get("title") or not source.get("date"):
            raise broken(path, _("source {name!r} needs a title and a date", name=name))
        sources[name] = (str(source["title"]), str(source["date"]))
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise broken(path, _("row {number} is not an object", number=number))
        source = row.get("source")
        if not isinstance(source, str) or source not in sources:
            raise broken(
                path,
                _(
                    "row {number} names the source {source!r}, which the file does not have",
                    number=number,
                    source=source,
                ),
            )
        title, day = sources[source]
        yield {**row, "source": title, "source_date": day}


def rows_of(path: Path, kind: type[T], change: Callable[[RawRow], RawRow] | None = None) -> tuple[T, ...]:
    """The file's rows as objects of ``kind``; Refusal ``catalog.broken-file`` names a bad row."""
    return tuple(build(path, kind, number, raw, change) for number, raw in enumerate(raw_rows(path), start=1))


class RowsByName(Mapping[str, T]):
    """The rows of a file by what stands in one of their fields, each made an object when it is first asked for.

    For the package's own files, whose rows are all made by its tests. A row that cannot be made is refused as by
    `rows_of`, but not before.
    """

    def __init__(self, path: Path, kind: type[T], field: str, change: Callable[[RawRow], RawRow] | None = None) -> None:
        """Read the file; raises Refusal ``catalog.broken-file`` where it has no rows with that field."""
        self._make = partial(build, path, kind, change=change)
        self._rows: dict[str, tuple[int, RawRow] | T] = {}
        for number, raw in enumerate(raw_rows(path), start=1):
            if not isinstance(name := raw.get(field), str):
                raise broken(path, in_row(number, _("the key {key!r} is missing", key=field)))
            self._rows[name] = (number, raw)

    def __getitem__(self, name: str) -> T:
        """The row as an object, the same one each time."""
        found = self._rows[name]
        if isinstance(found, tuple):
            found = self._rows[name] = self._make(*found)
        return found

    def __iter__(self) -> Iterator[str]:
        """The names as the file has them."""
        return iter(self._rows)

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self._rows)


def checked_rows(path: Path, kind: type[T]) -> Iterator[RawRow]:
    """The file's rows as they are, of which each can be made a ``kind``; Refusal ``catalog.broken-file`` as `rows_of`.

    For a file of thousands of rows of which few are asked for: to make an object takes longer than to look at its row.
    """
    names = {each.name for each in fields(kind)}
    needed = {each.name for each in fields(kind) if each.default is MISSING}
    for number, raw in enumerate(raw_rows(path), start=1):
        if not needed <= raw.keys() <= names:
            build(path, kind, number, raw)
        for name in NUMBERS.get(kind, ()):
            _check_number(path, number, name, raw[name])
        yield raw


def build(path: Path, kind: type[T], number: int, raw: RawRow, change: Callable[[RawRow], RawRow] | None = None) -> T:
    """One row as an object, or the refusal that says which field is wrong."""
    changed: RawRow | None = None
    try:
        changed = change(raw) if change else raw
        row = kind(**changed)
    except (TypeError, KeyError, AttributeError, ValueError) as error:
        raise broken(path, *_mistakes(kind, number, raw, changed, error)) from None
    for field in NUMBERS.get(kind, ()):
        _check_number(path, number, field, getattr(row, field))
    for field in OPTIONAL_NUMBERS.get(kind, ()):
        value = getattr(row, field)
        if value is not None:
            _check_number(path, number, field, value)
    return row


def _mistakes(kind: type[T], number: int, raw: RawRow, changed: RawRow | None, error: Exception) -> Iterator[str]:
    """What is wrong with a row that makes no object: as it stands, or (`changed`) as it was to become one."""
    from pulumi_llm.catalog import row_mistakes  # only a bad row needs it

    if changed is not None:
        found = [*row_mistakes.of_keys(kind, changed)]
    elif isinstance(error, KeyError):
        found = [_("the key {key!r} is missing", key=error.args[0])]
    else:
        found = [*row_mistakes.of_row(kind, raw)]
    return (in_row(number, each) for each in found or [_("it is not what a row of this file is")])


def in_row(number: int, problem: str) -> str:
    """What is wrong with a row of a file, with the row's number: the first is 1."""
    return _("row {number}: {problem}", number=number, problem=problem)


def _check_number(path: Path, number: int, field: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value or abs(value) == float("inf"):
        raise broken(
            path, _("row {number}: {field} must be a number, not {value!r}", number=number, field=field, value=value)
        )


def cloud_row(raw: RawRow) -> RawRow:
    """A cloud's row with its disks and name rules as objects, and its title as each language has it."""
    rules = {kind: NameRule(**rule) for kind, rule in raw["name_rules"].items()}
    disks = {key: Disk(**raw[key]) for key in ("system_disk", "data_disk")}
    return {**raw, **disks, "title": Text(raw["title"]), "name_rules": rules, "can": capabilities(raw["can"])}


def gpu_row(raw: RawRow) -> RawRow:
    """A GPU's row with tuples for lists."""
    return {**raw, "dtypes": tuple(raw["dtypes"]), "aliases": tuple(raw.get("aliases", ()))}


def instance_row(raw: RawRow) -> RawRow:
    """An instance type's row with tuples for the zones."""
    return {**raw, "regions": {region: tuple(zones) for region, zones in raw["regions"].items()}}


def model_row(raw: RawRow) -> RawRow:
    """A model's row with its nested parts as objects."""
    changed = dict(raw)
    for key, kind in (("mla", Mla), ("moe", Moe), ("sliding_window", SlidingWindow)):
        if raw.get(key) is not None:
            changed[key] = kind(**raw[key])
    if raw.get("caches"):
        changed["caches"] = tuple(Cache(**each) for each in raw["caches"])
    return changed


def upstream_row(raw: RawRow) -> RawRow:
    """A vendor's row with tuples and sets for lists."""
    countries = raw["countries"]
    if isinstance(countries, str) and countries != "any":
        raise ValueError(f"countries is {countries!r}, and it must be a list, null or 'any'")
    return {
        **raw,
        "endpoints": tuple(raw.get("endpoints", ())),
        "private_hosts": tuple(raw.get("private_hosts", ())),
        "countries": frozenset(countries) if isinstance(countries, list) else countries,
    }
