"""No cloud makes a disk smaller: how that is told, in the program's own hook and in a review. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pulumi_llm._texts import _
from pulumi_llm.errors import Finding

CODE = "cloud.disk-cannot-shrink"
_ARGUMENTS: Mapping[str, tuple[str, str, str | None]] = {
    "llm:index:ModelServer": ("server", "model_disk_gib", "system_disk_gib"),
    "llm:index:VectorStore": ("vectors", "disk_gib", "system_disk_gib"),
    "llm:index:OverseasProxy": ("proxy", "disk_gib", "system_disk_gib"),
}
"""Component to its part of a platform, and its arguments for the data disk and the system disk."""


def size_at(inputs: Mapping[str, Any] | None, path: str) -> int | None:
    """The size in GiB at a dotted ``path`` of a resource's inputs; None where there is no number."""
    found: Any = inputs
    for step in path.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    return int(found) if isinstance(found, (int, float)) and not isinstance(found, bool) else None


def shrinking(urn: str, path: str, old: int | None, new: int | None, *, system: bool) -> Finding | None:
    """The finding where a disk that stays would go from ``old`` to fewer ``new`` GiB; None where it would not.

    ``urn`` is that of the disk, or of the machine whose ``system`` disk it is, and decides which argument is named.
    """
    if old is None or new is None or new >= old:
        return None
    name = urn.rsplit("::", 1)[-1]
    what = _("system disk") if system else _("disk")
    argument = _argument(urn, system=system)
    keeps = f"`{argument}: {old}`" if argument else f"{path}: {old}"
    follows = _(" (left out, it follows the model and its vectors)") if argument.endswith("model_disk_gib") else ""
    return Finding(
        CODE,
        _("the {what} has {old} GiB and would have {new}: no cloud makes a disk smaller", what=what, old=old, new=new),
        _("{keeps} keeps it as it is{follows}", keeps=keeps, follows=follows),
        where=name,
    )


def _argument(urn: str, *, system: bool) -> str:
    """The argument that sets the size, as the author writes it; empty for what is not in a component of ours."""
    types = urn.split("::")[2].split("$")
    part, data, system_disk = next((row for kind, row in _ARGUMENTS.items() if kind in types), ("", "", None))
    argument = system_disk if system else data
    if not argument:
        return ""
    return f"{part}.{argument}" if "llm:index:Platform" in types else argument
