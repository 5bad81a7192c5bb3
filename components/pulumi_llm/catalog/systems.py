"""Operating systems that a node may run on: what their archives call what it needs, and what they do not have.

A machine that is bought runs `DEFAULT`, and one with a TPU `OF_TPUS`. One that exists may run another, which its owner
tells (``host.system``).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from pulumi_llm._dataclasses import dataclass
from pulumi_llm._texts import _
from pulumi_llm.catalog import reader
from pulumi_llm.catalog.catalog import DATA
from pulumi_llm.catalog.rows import Row
from pulumi_llm.errors import UnknownName

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT = "ubuntu-24.04"
"""What the roles' packages and locks are written for."""
OF_TPUS = "ubuntu-22.04"
"""What Google's and Canonical's images for TPU v6e run (clouds/gcp/data/images.json)."""


UNPACKED = "/opt/llm/borrowed/root"
"""Where a node has what it borrows (templates/node/llm_node/apt.py)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Borrowed:
    """Packages of another release of the same archive, under its signature, where one's own lacks them.

    They are unpacked beside the system, not installed. ``lines`` are their sources as in `System.lines`, ``programs``
    are where such a package has its program, and ``libraries`` where those lie that it needs.
    """

    packages: tuple[str, ...]
    lines: tuple[str, ...]
    programs: Mapping[str, str]
    libraries: str


@dataclass(frozen=True, slots=True, kw_only=True)
class System(Row):
    """One release of a distribution on x86_64.

    ``id`` and ``version`` are what its /etc/os-release says. ``python`` is the Python that environments are locked for,
    ``interpreter`` the program that makes them. ``mirrors`` is the kind of rows in supply.json that serve its archive,
    ``lines`` are apt's sources, with ``{mirror}`` for such a row's address; none: those that a node writes by itself,
    for a release of Ubuntu. ``packages`` tells for a package that a role names what is installed in its place;
    ``lacks`` those that there are none for, with what there is that will not do.
    """

    name: str
    title: str
    id: str
    version: str
    codename: str
    python: str
    interpreter: str
    mirrors: str
    lines: tuple[str, ...]
    packages: Mapping[str, tuple[str, ...]]
    lacks: Mapping[str, str]
    borrowed: Borrowed | None = None

    @property
    def told(self) -> str:
        """What a machine says that it is: such as ``debian 13``."""
        return f"{self.id} {self.version}"

    def called(self, package: str) -> tuple[str, ...]:
        """What is installed for a package that a role names."""
        return self.packages.get(package, (package,))

    def program(self, package: str) -> tuple[str, str]:
        """The path of a package's program of that name, and the folder of libraries that it needs ("": the usual)."""
        if self.borrowed is not None and package in self.borrowed.programs:
            return f"{UNPACKED}/{self.borrowed.programs[package]}", f"{UNPACKED}/{self.borrowed.libraries}"
        return f"/usr/bin/{package}", ""


@cache
def known() -> Mapping[str, System]:
    """The systems by name."""
    return {row.name: row for row in reader.rows_of(DATA / "systems.json", System, change=_row)}


def system(name: str) -> System:
    """The system called ``name``. Raises UnknownName ``catalog.unknown-system``."""
    try:
        return known()[name]
    except KeyError:
        raise UnknownName("catalog.unknown-system", _("system"), name, known()) from None


def _row(raw: reader.RawRow) -> dict[str, Any]:
    made = {**raw, "lines": tuple(raw["lines"]), "packages": {name: tuple(of) for name, of in raw["packages"].items()}}
    if "borrowed" in raw:
        lent = raw["borrowed"]
        made["borrowed"] = Borrowed(
            packages=tuple(lent["packages"]),
            lines=tuple(lent["lines"]),
            programs=lent["programs"],
            libraries=lent["libraries"],
        )
    return made
