"""Stopping and starting simulated machines: what a cloud's `power` does, done to the store of `pulumi-llm sim`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pulumi_llm import clouds
from pulumi_llm._power.base import Seen
from pulumi_llm._refresh.calls import Failure
from pulumi_llm._simcloud import booting
from pulumi_llm._simcloud.faults import Faults
from pulumi_llm._simcloud.faults import parse as parse_faults
from pulumi_llm._simcloud.store import FILE, Record, Store
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal


def connect(home: Path, cloud: str, faults: str) -> SimulatedPower:
    """The machines of a cloud in the simulation of that folder; ``faults`` as `pulumi-llm sim` takes them.

    Raises Refusal ``power.booted`` where they were booted and are not there any more, and those of the harness where
    they cannot be reached from here.
    """
    return SimulatedPower(Store(home / FILE), cloud, parse_faults(faults), _booted(home))


def are_booted(home: Path) -> bool:
    """Whether the machines of the simulation in that folder are booted."""
    return (home / "world").exists()


def _booted(home: Path) -> Any:
    """The world of booted machines; None where none is booted."""
    if not are_booted(home):
        return None
    booting.part("support").require()
    world = booting.part("world").World.find(home / "world")
    if world is None or not world.is_alive:
        raise Refusal(
            [
                Finding(
                    "power.booted",
                    _("the booted machines of this simulation (`sim --boot`) did not outlive a restart"),
                    _("`pulumi-llm sim destroy`, and make them anew"),
                )
            ]
        )
    return world


class SimulatedPower:
    """The machines of a simulated cloud. What it is asked is that of `_power.base.Power`.

    ``world`` has those that are booted: they are shut down and switched on.
    """

    def __init__(self, store: Store, cloud: str, faults: Faults, world: Any = None) -> None:
        self.store, self.faults, self.world = store, faults, world
        self.facts: Mapping[str, Any] = clouds.folders()[cloud].read("power.json")

    def look(self, machine: str) -> Seen | None:
        """How the machine is. None where the simulation has none of that id."""
        found = self.store.get(self.facts["type"], machine)
        if found is None:
            return None
        booted = self._machine(machine)
        if booted is not None:  # which may have had itself stopped
            return Seen(state="running" if booted.is_running else "stopped")
        return Seen(state="stopped" if self._is(found, "stopped") else "running")

    def stop(self, machine: str) -> None:
        """Stop it, at once; one that is booted ends its services before."""
        booted = self._machine(machine)
        if booted is not None:
            booted.shut_down()
        self._become(machine, "stopped")

    def start(self, machine: str) -> None:
        """Start it, at once. The fault ``no-stock`` finds none left, in the cloud's own words."""
        found = self.store.get(self.facts["type"], machine)
        if found is not None:
            refuse_without_stock(self.facts, found, self.faults)
        booted = self._machine(machine)
        if booted is not None:
            booted.start()
        self._become(machine, "running")

    def _machine(self, machine: str) -> Any:
        return None if self.world is None else self.world.find_machine(machine)

    def _is(self, found: Record, state: str) -> bool:
        return all(found.get(key) == value for key, value in self.facts["simulated"][state].items())

    def _become(self, machine: str, state: str) -> None:
        with self.store.transaction():
            found = self.store.get(self.facts["type"], machine)
            if found is not None:
                told = self.facts["simulated"]
                properties = {**found.properties, **told[state]}
                if found.get(told.get("wanted_at", "")):  # read as what is, where anything is wanted
                    properties[told["wanted_at"]] = next(iter(told[state].values()))
                self.store.put(replace(found, properties=properties))


def refuse_without_stock(facts: Mapping[str, Any], found: Record, faults: Faults) -> None:
    """Raise Failure where a fault says that there is no such machine left to start."""
    told = facts["simulated"]
    type_, zone = (found.get(told.get(key, usual)) for key, usual in
                   (("type_at", "instanceType"), ("zone_at", "availabilityZone")))  # fmt: skip
    if faults.no_stock(str(type_), str(zone)):
        code, message = facts["simulated"]["no_stock"]
        raise Failure("failed", code, message)
