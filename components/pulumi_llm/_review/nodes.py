"""Which machine each resource belongs to, and what there is to say of each machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pulumi_llm._dataclasses import dataclass
from pulumi_llm._plan.comparison import Comparison
from pulumi_llm._plan.model import UNKNOWN, Plan, PlannedResource
from pulumi_llm._provider_facts.table import region_input, region_named
from pulumi_llm._review.impact import role_of
from pulumi_llm._review.table import CostRule, NotInPlan, cost_table, look, sold_as
from pulumi_llm.catalog import Catalog

REPLICA = "llm:index:Replica"
"""A further machine of a model server, which nobody calls but the first one."""
TOGETHER = "llm:index:ServerNode"
"""A further machine of a model server, with a part of the model. Nobody calls it but the others."""
INNER = (REPLICA, TOGETHER)
NODE_TYPES = ("llm:index:ModelServer", "llm:index:VectorStore", "llm:index:OverseasProxy", *INNER)


class Nodes:
    """The node that each resource of a comparison belongs to, by name; "" for what is shared by all.

    A node is one of our components with a machine of its own, or a machine that a program makes directly. What hangs on
    a machine by an attachment (a disk, an address) is of its node, and so is the address that it is made with.
    """

    def __init__(self, comparison: Comparison) -> None:
        self.by_urn = {**comparison.before.by_urn(), **comparison.after.by_urn()}
        self.with_address: set[str] = set()
        self._hung: dict[str, str] = {}
        for each in self.by_urn.values():
            role = role_of(each)
            if role not in ("attachment", "machine"):
                continue
            needs = [self.by_urn[urn] for urn in each.dependencies if urn in self.by_urn]
            if role == "machine":
                for other in needs:
                    if role_of(other) == "address" and not self.of(other):
                        self._hung[other.urn] = self.of(each)
                continue
            machines = [other for other in needs if role_of(other) == "machine"]
            if not machines:
                continue
            self._hung[each.urn] = self.of(machines[0])
            for other in needs:
                if role_of(other) in ("disk", "address"):
                    self._hung.setdefault(other.urn, self.of(machines[0]))
                if role_of(other) == "address":
                    self.with_address |= {machine.urn for machine in machines}

    def of(self, resource: PlannedResource) -> str:
        """The node's name."""
        if resource.urn in self._hung:
            return self._hung[resource.urn]
        for each in self._chain(resource):
            if each.type in NODE_TYPES:
                return each.name
        return resource.name if role_of(resource) == "machine" else ""

    def replicas(self) -> set[str]:
        """The names of those that nobody calls but other machines of their server."""
        return {each.name for each in self.by_urn.values() if each.type in INNER}

    def inside_component(self, resource: PlannedResource) -> bool:
        """Whether a component made it."""
        return resource.parent in self.by_urn

    def _chain(self, resource: PlannedResource) -> Iterator[PlannedResource]:
        here: PlannedResource | None = resource
        while here is not None:
            yield here
            here = self.by_urn.get(here.parent)


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine of a plan. ``kind``: model-server, replica, node, vector-store, overseas-proxy or machine."""

    node: str
    urn: str
    kind: str
    instance_type: str
    cloud: str
    region: str
    zone: str


_KINDS = {
    "ModelServer": "model-server",
    "Replica": "replica",
    "ServerNode": "node",
    "VectorStore": "vector-store",
    "OverseasProxy": "overseas-proxy",
}


def machines_of(plan: Plan, nodes: Nodes, catalog: Catalog, default_regions: Mapping[str, str]) -> Iterator[Machine]:
    """The machines of a plan, in its order."""
    clouds = {facts.pulumi_package: name for name, facts in catalog.clouds.items()}
    by_urn = plan.by_urn()
    for each in plan.resources:
        rule = cost_table().rules.get(each.type)
        if rule is None or rule.kind != "machine":
            continue
        provider = by_urn.get(each.provider.rsplit("::", 1)[0])
        places = (each.inputs.get(region_input(each.package)), provider.inputs.get("region") if provider else None)
        region = next((place for place in places if isinstance(place, str) and place and place != UNKNOWN), "")
        parent = by_urn.get(each.parent)
        kind = _KINDS.get(parent.type.rsplit(":", 1)[-1], "machine") if parent else "machine"
        yield Machine(
            node=nodes.of(each),
            urn=each.urn,
            kind=kind,
            instance_type=_type(each, rule),
            cloud=clouds.get(each.package, each.package),
            region=region_named(each.package, region or default_regions.get(each.package, "")),
            zone=_text(each, rule.zone) if rule.zone else "",
        )


def _text(resource: PlannedResource, path: str) -> str:
    try:
        found = look(resource.inputs, path)
    except NotInPlan:
        return ""
    return found if isinstance(found, str) else ""


def _type(resource: PlannedResource, rule: CostRule) -> str:
    try:
        found = sold_as(rule, resource.inputs)
    except NotInPlan:
        return ""
    return found if isinstance(found, str) else ""
