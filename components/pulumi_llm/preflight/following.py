"""Engines of a fleet that follow the load: how many calls one takes, how long its start takes, what that means."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pulumi_llm._texts import _
from pulumi_llm.errors import Finding
from pulumi_llm.preflight import clusters, fleets

if TYPE_CHECKING:
    from pulumi_llm.spec.fleet import FleetSpec

DATA = Path(__file__).with_name("data") / "cold_start.json"


@cache
def _known() -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(DATA.read_text(encoding="utf-8"))
    return found


def nodes_go(fleet: FleetSpec) -> bool:
    """Whether nodes come and go with engines: in a cluster that is made, by an autoscaler of its cloud or in it."""
    return clusters.bounded(fleet) and clusters.adds_nodes(fleet)


def start_seconds(fleet: FleetSpec, weights_gib: float | None) -> int:
    """About how long an engine takes from its first call to its first answer, where none is there.

    The weights are fetched each time, as they go with the engine; the image too where its node is a new one.
    """
    if weights_gib is None:
        return fleet.ready_timeout_minutes * 60
    known = _known()
    gib = weights_gib + (known["image_gib"] if nodes_go(fleet) else 0)
    node = known["node_seconds"] if nodes_go(fleet) else 0
    seconds: float = gib / known["gib_per_second"] + known["engine_seconds"] + node
    return math.ceil(seconds)


def unmeasured(name: str) -> Finding:
    """Nobody can say when another engine of a model is needed."""
    return Finding(
        "fleet.calls-unknown",
        _("the engines of {name!r} are to follow the load, and it is not known how many calls one works on at once",
          name=name),
        _("max_num_seqs: as many as one is to work on, or copies"),
        where=f"models.{name}.scaling",
    )  # fmt: skip


def findings(fleet: FleetSpec, node: fleets.Node, weights_gib: Mapping[str, float | None]) -> Iterator[Finding]:
    """What whoever asks for it should know. ``weights_gib``: by the model's name; None: not known."""
    for name, each in fleet.models.items():
        if each.scaling is not None and each.least == 0:
            minutes = -(-start_seconds(fleet, weights_gib.get(name)) // 60)
            # What an engine takes to start is waited for too, whether one is starting or has been there for long.
            idle = each.scaling.idle_minutes + minutes
            yield Finding(
                "fleet.cold-start",
                _("after about {idle} minutes without a call (idle_minutes, and as long as a start takes) no engine of "
                  "{name!r} is left; whoever calls then is told 503 with Retry-After for about {minutes} minutes, "
                  "until one has started", idle=idle, name=name, minutes=minutes),
                _("least: 1, or a route whose fallback answers meanwhile"),
                severity="warning",
                where=f"models.{name}.scaling.least",
            )  # fmt: skip
    managed, bound = fleet.cluster.managed, fleet.nodes.min_count
    if not fleet.follows or any(each.gpus > node.gpus for each in fleet.models.values()):
        return  # of copies that no node holds that much is said elsewhere
    held = fleets.nodes_for(node.gpus, fleets.copies_of(fleet, least=True))
    if bound is not None and bound < held <= fleet.nodes.count:
        yield Finding(
            "fleet.nodes-held",
            _(
                "min_count: {bound}, and the engines that always run take {held} nodes, which stay",
                bound=bound,
                held=held,
            ),
            f"nodes.min_count: {held}",
            severity="warning",
            where="nodes.min_count",
        )
    if managed is not None and bound is None and held < fleet.nodes.count:
        yield Finding(
            "fleet.nodes-stay",
            _("engines follow the load, and all {count} nodes stay and are paid for", count=fleet.nodes.count),
            f"nodes.min_count: {held}",
            severity="warning",
            where="nodes.min_count",
        )
