"""Which machines a stack has, what can be known of them before a cloud is asked, and what they cost.

All of it is read from the stack's state, as the engine exports it: what is there, not what the program would make.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pulumi_llm import clouds
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._plan.model import Plan
from pulumi_llm._review.item import Usage
from pulumi_llm._review.items import items
from pulumi_llm._stopping import facts as facts
from pulumi_llm._stopping import why_not
from pulumi_llm._texts import _, either
from pulumi_llm.catalog import Catalog
from pulumi_llm.errors import Finding, Refusal

PLACES = {
    "llm:index:ModelServer": "server",
    "llm:index:OverseasProxy": "proxy",
    "llm:index:VectorStore": "vectors",
}
"""What a machine is called, by the component that it belongs to."""
ZONES = ("availabilityZone", "zone")
"""Where a machine's zone stands, by its cloud."""
OTHER = "machine"
"""One that no component of ours made."""
EVERYWHERE = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine of a stack: its place, its name in the program, and what a cloud knows it by."""

    place: str
    name: str
    urn: str
    id: str
    cloud: str
    region: str
    zone: str
    instance_type: str
    spot: bool
    taken: bool = False
    """A spot machine that stands still, on a cloud that stops it when it takes it back, when the state was read."""

    def __str__(self) -> str:
        return f"{self.place} {self.id}"


def machines_of(plan: Plan, catalog: Catalog, regions: Mapping[str, str]) -> list[Machine]:
    """The machines in a state; ``regions`` gives each package's region where nothing nearer names one."""
    by_urn = plan.by_urn()
    found = []
    for item in items(plan, catalog, Usage(), regions):
        resource = by_urn[item.urn]
        if item.kind != "machine" or item.cloud is None or not resource.id:
            continue
        zone = next((told[key] for told in (resource.outputs, resource.inputs) for key in ZONES if told.get(key)), None)
        found.append(
            Machine(
                place=place_of(resource.parent, by_urn),
                name=resource.name,
                urn=resource.urn,
                id=resource.id,
                cloud=item.cloud,
                region=item.region or "",
                zone=zone if isinstance(zone, str) else "",
                instance_type=item.name,
                spot=item.spot,
                taken=item.spot and _taken(item.cloud, resource.outputs),
            )
        )
    return found


def _taken(cloud: str, outputs: Mapping[str, Any]) -> bool:
    known = clouds.folders()[cloud].read("power.json").get("taken")
    return known is not None and outputs.get(known["at"]) in known["is"]


def chosen(machines: Iterable[Machine], at: str, stack: str) -> list[Machine]:
    """Those at the place that is asked for. Raises Refusal ``power.no-machine`` where there is none."""
    known = list(machines)
    found = [each for each in known if at in (EVERYWHERE, each.place)]
    if not found:
        there = sorted({each.place for each in known})
        message = (
            _("the stack {stack!r} has no machine that is up", stack=stack)
            if at == EVERYWHERE
            else _("the stack {stack!r} has no {place} that is up", stack=stack, place=at)
        )
        hint = _("--at {there}", there=either(there)) if there else _("pulumi up -s {stack}", stack=stack)
        raise Refusal([Finding("power.no-machine", message, hint)])
    return found


def refused(machines: Iterable[Machine], catalog: Catalog) -> Iterator[Finding]:
    """Why machines cannot be stopped without charge, as far as that is known without asking anybody."""
    for each in machines:
        known = facts(each.cloud)
        why, source = why_not(each.cloud, each.instance_type, catalog, spot=each.spot)
        if why:
            hint = _(
                "it costs until `pulumi destroy`; a stop in the cloud's console would not end that (source: {source})",
                source=known["sources"][source]["title"],
            )
            if each.spot:
                hint = _(
                    "`spot: false` in the stack makes a machine that can be stopped; this one costs until `pulumi "
                    "destroy` (source: {source})",
                    source=known["sources"][source]["title"],
                )
            message = _("{machine} ({type}) cannot be stopped: {why}", machine=each, type=each.instance_type, why=why)
            yield Finding("power.cannot-stop", message, hint, where=each.name)


def place_of(parent: str, by_urn: Mapping[str, Any]) -> str:
    """What a resource below that parent belongs to: server, proxy, vectors, or something that no component made."""
    while parent in by_urn:
        place = PLACES.get(by_urn[parent].type)
        if place:
            return place
        parent = by_urn[parent].parent
    return OTHER
