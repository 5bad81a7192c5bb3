"""What a step up does: one machine to replicas, to several with one model, or to a fleet, and back.

What stays is read from the comparison and never assumed: a key stays where its resource does, usage and vectors where
the first machine's disk does. The rest is what a user has to do by hand, which no step of the engine says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pulumi_llm._dataclasses import dataclass
from pulumi_llm._plan.comparison import Comparison
from pulumi_llm._plan.model import Plan, PlannedResource
from pulumi_llm._review import callers
from pulumi_llm._review.impact import role_of
from pulumi_llm._review.nodes import REPLICA, TOGETHER, Nodes

SERVER, FLEET = "llm:index:ModelServer", "llm:index:Fleet"
KINDS = {REPLICA: "replicas", TOGETHER: "nodes"}
LACKING = {
    "adapters": "adapters", "content": "content", "blocked_words": "blocked_words", "upstreams": "upstreams",
    "services": "services", "apps": "apps", "traces": "traces", "vectors": "vectors", "cors_origins": "cors_origins",
}  # fmt: skip
"""Arguments of a server that a fleet has nothing for."""
GONE = ("replace", "delete")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One thing that is said: a key of the words, and the names in it."""

    what: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """A step up or down of one server. ``kind``: replicas, nodes, fleet-beside or fleet-instead.

    ``before``, ``after``: machines of the server; of a fleet its nodes, 0 where there was none.
    """

    node: str
    kind: str
    before: int
    after: int
    stays: tuple[Told, ...] = ()
    moves: tuple[Told, ...] = ()
    by_hand: tuple[Told, ...] = ()


def growths(comparison: Comparison, nodes: Nodes) -> list[Growth]:
    """Every step that the change makes, in a fixed order."""
    found = [*_of_servers(comparison, nodes), *_of_fleets(comparison, nodes)]
    return sorted(found, key=lambda each: (each.node, each.kind))


def _of_servers(comparison: Comparison, nodes: Nodes) -> Iterator[Growth]:
    after = comparison.after.by_urn()
    for server in comparison.before.of_type(SERVER):
        if server.urn not in after:
            continue
        for type_, kind in KINDS.items():
            had, has = (1 + _count(plan, server, type_) for plan in (comparison.before, comparison.after))
            if had == has:
                continue
            stays, lost = _what_stays(comparison, nodes, server)
            moves = (Told(what=f"{kind}-{'more' if has > had else 'fewer'}"),)
            by_hand = [Told(what=f"{kind}-by-hand")] if has > had or kind == "nodes" else []
            yield Growth(
                node=server.name, kind=kind, before=had, after=has,
                stays=stays, moves=(*moves, *lost), by_hand=tuple(by_hand),
            )  # fmt: skip


def _count(plan: Plan, server: PlannedResource, type_: str) -> int:
    return sum(each.parent == server.urn for each in plan.of_type(type_))


def _what_stays(
    comparison: Comparison, nodes: Nodes, server: PlannedResource
) -> tuple[tuple[Told, ...], tuple[Told, ...]]:
    """Of keys, usage, vectors, address and certificate what stays with the first machine, and what the change loses."""
    gone = {each.resource.urn for each in comparison.steps if each.operation in GONE}
    own = [each for each in comparison.before.resources if nodes.of(each) == server.name]
    stays: list[Told] = []
    lost: list[Told] = []

    def tell(what: str, rows: Iterable[PlannedResource], names: tuple[str, ...] = ()) -> None:
        urns = {each.urn for each in rows}
        if urns:
            (lost if urns & gone else stays).append(Told(what=f"{what}{'-lost' if urns & gone else ''}", names=names))

    keys = [each for each in own if _key_name(each, server.name)]
    kept = [each for each in keys if each.urn not in gone]
    tell("keys", kept, tuple(sorted(_key_name(each, server.name) for each in kept)))
    anew = [each for each in keys if each.urn in gone]
    tell("keys", anew, tuple(sorted(_key_name(each, server.name) for each in anew)))
    disks = [each for each in own if role_of(each) == "disk"]
    tell("usage", disks)
    if server.inputs.get("vectors") is True:
        tell("vectors", disks)
    tell("address", (each for each in own if role_of(each) == "address"))
    tell("authority", (each for each in own if each.type.endswith(":SelfSignedCert")))
    return tuple(stays), tuple(lost)


def _key_name(resource: PlannedResource, node: str) -> str:
    """The name of the gateway's key that a resource is, else nothing."""
    prefix = f"{node}-key-"
    is_key = resource.type.endswith(":RandomPassword") and resource.name.startswith(prefix)
    return resource.name.removeprefix(prefix) if is_key else ""


def _of_fleets(comparison: Comparison, nodes: Nodes) -> Iterator[Growth]:
    before, after = comparison.before.by_urn(), comparison.after.by_urn()
    served = callers.services(comparison.before, nodes)
    for fleet in comparison.after.of_type(FLEET):
        for server in comparison.before.of_type(SERVER):
            goes = server.urn not in after
            if server.name not in served or (fleet.urn in before and not goes):
                continue
            yield _to_a_fleet(comparison, server, fleet, served[server.name], goes=goes)


def _to_a_fleet(
    comparison: Comparison, server: PlannedResource, fleet: PlannedResource, served: callers.Service, *, goes: bool
) -> Growth:
    made = {_key_name(each, fleet.name) for each in comparison.after.resources} - {""}
    has = set(_mapping(fleet, "keys") or {"default": {}})
    carried = sorted(set(served.keys) & has - made)
    fresh = sorted(has & made)
    lacking = sorted(set(served.keys) - has)
    models = sorted(set(served.models) - {*_mapping(fleet, "models"), *_mapping(fleet, "routes")})
    vectors = server.inputs.get("vectors") is True
    stays = [
        *([Told(what="fleet-keys", names=tuple(carried))] if carried else []),
        *([Told(what="fleet-vectors-stay")] if vectors and not goes else []),
    ]
    by_hand = [
        *([Told(what="fleet-keys-new", names=tuple(fresh))] if fresh else []),
        *([Told(what="fleet-keys-lacking", names=tuple(lacking))] if lacking else []),
        *([Told(what="fleet-models", names=tuple(models))] if models else []),
        Told(what="fleet-address"),
        Told(what="fleet-usage-goes" if goes else "fleet-usage", names=(comparison.after.stack,)),
        *([Told(what="fleet-vectors-go", names=(comparison.after.stack,))] if vectors and goes else []),
    ]
    parts = tuple(name for name in LACKING if server.inputs.get(name) and name != "vectors")
    if parts:
        by_hand.append(Told(what="fleet-lacks", names=parts))
    count = _mapping(fleet, "nodes").get("count", 0)
    return Growth(
        node=server.name,
        kind="fleet-instead" if goes else "fleet-beside",
        before=0,
        after=int(count) if isinstance(count, int | float) else 0,
        stays=tuple(stays),
        moves=(Told(what="fleet-gone" if goes else "fleet-both", names=(fleet.name,)),),
        by_hand=tuple(by_hand),
    )


def _mapping(resource: PlannedResource, name: str) -> Mapping[str, Any]:
    found = resource.inputs.get(name)
    return found if isinstance(found, Mapping) else {}
