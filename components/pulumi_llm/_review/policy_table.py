"""What the policy rules know about resource types: ``data/policy.json`` and each cloud's, each row with its source."""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import field
from functools import cache
from pathlib import Path
from typing import Any

from pulumi_llm._dataclasses import dataclass
from pulumi_llm._review.cloud_rows import whole
from pulumi_llm._review.policy_model import at, is_hidden, is_unknown

DATA = Path(__file__).parent / "data" / "policy.json"
MOST_USER_DATA = 1 << 20
"""Bytes that packed user data is unpacked to at most: no cloud takes more than 32 KiB, packed."""

Cases = Mapping[str, tuple[Any, ...]]
"""Values that inputs must have, by the path of each; None stands for an input that is not set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A resource that lets addresses in: one ``each`` of a list of rules, or the resource itself.

    ``size`` is where the length of a range's prefix stands, where that is apart from its address.

    ``list`` marks a mere list of addresses for rules to name, ``ordered`` a list in which the first rule that fits
    wins, ``default`` is the range that holds where none is given.
    """

    type: str
    source: str
    cidrs: tuple[str, ...]
    size: str = ""
    each: str | None = None
    when: Cases = field(default_factory=dict)
    ports: tuple[str, ...] = ()
    protocol: str = ""
    default: str | None = None
    everyone: tuple[str, ...] = ()
    """Words that stand for every address, in place of a range."""
    list: bool = False
    ordered: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """An input that must have one of the ``good`` values, in the resource or in ``each`` of a list of its parts.

    It is let off where an input of ``or_`` has one of its values, or ``set_too`` is set; and where ``unless`` is set,
    only what is said aloud counts, as a template may say the rest.
    """

    code: str
    type: str
    source: str
    at: str
    good: tuple[Any, ...]
    what: str
    set: str
    each: str | None = None
    when: Cases = field(default_factory=dict)
    or_: Cases = field(default_factory=dict)
    unless: str | None = None
    set_too: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A type that starts machines: its inputs for the image, security groups and user data.

    ``groups`` are the inputs of which one puts it behind a firewall; none where that is said elsewhere (templates).
    """

    type: str
    source: str
    image: str
    form: str
    groups: tuple[str, ...]
    user_data: tuple[str, ...]
    walls: Mapping[str, str] = field(default_factory=dict)
    """Where a firewall names its machines and not the other way round: its `type`, and the input `by` in which it has
    words that a machine has too, in the first of its ``groups``. Or where something of that `type` which the machine
    names stands behind the firewall, and `has` is the input that says so."""


@dataclass(frozen=True, slots=True)
class PolicyTable:
    """All of the table. ``sources`` gives each source's title and date."""

    sources: Mapping[str, Mapping[str, str]]
    openings: Mapping[str, Opening]
    demands: tuple[Demand, ...]
    faults: Mapping[str, str]
    machines: Mapping[str, Machine]
    look_ups: tuple[Mapping[str, str], ...]
    newer_image: Mapping[str, str]
    cannot: tuple[Mapping[str, str], ...]
    data_disks: frozenset[str]
    secrets: Mapping[str, Any]


@cache
def policy_table() -> PolicyTable:
    """The package's own table."""
    content = whole(DATA)
    openings = [Opening(**_row(row)) for row in content["openings"]]
    machines = [Machine(**_row(row)) for row in content["machines"]]
    return PolicyTable(
        sources=content["sources"],
        openings={row.type: row for row in openings},
        demands=tuple(Demand(**_row(row)) for row in content["demands"]),
        faults=content["faults"],
        machines={row.type: row for row in machines},
        look_ups=tuple(content["image_look_ups"]),
        newer_image=content["newer_image"],
        cannot=tuple(content["cannot"]),
        data_disks=frozenset(content["data_disks"]),
        secrets=content["secrets"],
    )


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    plain = {("or_" if key == "or" else key): value for key, value in row.items()}
    plain = {key: tuple(value) if isinstance(value, list) else value for key, value in plain.items()}
    for key in ("when", "or_"):
        if key in plain:
            plain[key] = {path: tuple(values) for path, values in plain[key].items()}
    return plain


def user_data_of(machine: Machine, inputs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The machine's user data as text, with the input that it is in. What is hidden or not known yet is left out."""
    for name in machine.user_data:
        text = at(inputs, name)
        if isinstance(text, str) and text and not is_unknown(text) and not is_hidden(text):
            yield name, unpacked(text)


def unpacked(text: str) -> str:
    """User data as it was written: without base64, and without gzip."""
    if "\n" in text.strip() or not re.fullmatch(r"[A-Za-z0-9+/=\s]+", text):
        return text
    try:
        data = base64.b64decode(text, validate=True)
        if data[:2] == b"\x1f\x8b":
            data = zlib.decompressobj(wbits=31).decompress(data, MOST_USER_DATA)
        return data.decode("utf-8")
    except (binascii.Error, ValueError, zlib.error):
        return text
