"""What a simulated cloud sells, from the catalogue: its regions, their zones, and which zones offer which type."""

from __future__ import annotations

from functools import cache
from typing import Protocol

from pulumi_llm._dataclasses import dataclass


class Type(Protocol):
    """An instance type as the catalogue has it. Memory in GiB."""

    @property
    def cloud(self) -> str: ...
    @property
    def instance_type(self) -> str: ...
    @property
    def arch(self) -> str: ...
    @property
    def gpu(self) -> str | None: ...
    @property
    def gpu_count(self) -> int: ...
    @property
    def vcpu(self) -> int: ...
    @property
    def memory_gib(self) -> float: ...


@dataclass(frozen=True)
class Offers:
    """One cloud's regions (name -> zones) and types (name -> row, and where each is offered)."""

    regions: dict[str, tuple[str, ...]]
    types: dict[str, Type]
    where: dict[str, dict[str, tuple[str, ...]]]

    def zones_of(self, instance_type: str, region: str) -> tuple[str, ...]:
        """The zones of ``region`` that offer a type: all of them, where nobody says which regions have it at all."""
        if self.where.get(instance_type) == {}:
            return self.regions.get(region, ())
        return self.where.get(instance_type, {}).get(region, ())

    def types_in(self, region: str, zone: str = "") -> list[Type]:
        """The types that a region, or one zone of it, offers; without those of which nobody says where they are."""
        return [
            row
            for name, row in self.types.items()
            if (zones := self.where[name].get(region, ())) and (not zone or zone in zones)
        ]

    def architecture(self, instance_type: str) -> str | None:
        """The CPU architecture of a type, ``None`` where the catalogue does not know the type."""
        row = self.types.get(instance_type)
        return row.arch if row else None


@cache
def of(package: str) -> Offers:
    """The offers of a package's cloud; nothing for the packages that are no cloud."""
    from pulumi_llm import catalog, clouds

    folder = clouds.of_package(package)
    if folder is None:
        return Offers({}, {}, {})
    cloud = folder.name
    loaded = catalog.load()
    listed = {row.name: tuple(row.zones) for row in loaded.regions.values() if row.cloud == cloud}
    rows = loaded.instances_of(cloud).values()
    # Where nobody says which zones of a region have a type, any of them may.
    where = {
        row.instance_type: {name: tuple(zones) or listed.get(name, ()) for name, zones in row.regions.items()}
        for row in rows
    }
    regions = {name: set(zones) for name, zones in listed.items()}
    for places in where.values():
        for name, zones in places.items():
            regions.setdefault(name, set()).update(zones)
    return Offers(
        regions={name: tuple(sorted(zones)) for name, zones in sorted(regions.items())},
        types={row.instance_type: row for row in rows},
        where=where,
    )
