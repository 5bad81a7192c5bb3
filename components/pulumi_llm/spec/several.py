"""A server on several machines: what cannot be together with that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pulumi_llm import catalog
from pulumi_llm._texts import _, listed
from pulumi_llm.spec.fields import invalid

if TYPE_CHECKING:
    from pulumi_llm.spec.server import ServerSpec


def refuse_apart(server: ServerSpec) -> None:
    """Refuse what would reach one of a server's machines alone, and what one model on several machines cannot have."""
    idle = server.idle_stop
    if idle is not None and idle.keep >= server.replicas:
        raise invalid(
            "spec.replicas-stop",
            _("keep: {keep} has every machine stay, of {count}, so idle_stop stops none", keep=idle.keep,
              count=server.replicas),
            _("keep: fewer than replicas; or leave out idle_stop"),
        )  # fmt: skip
    if idle is not None and idle.fill is not None and server.replicas == 1:
        raise invalid(
            "spec.replicas-stop",
            _("idle_stop.fill says when the next machine is used, and there is one"),
            _("replicas: 2 or more; or leave out fill"),
        )
    _refuse_starts(server)
    if server.replica_zones:
        _refuse_zones(server)
    if server.nodes == 1 and server.nodes_backend == "ray":
        raise invalid(
            "spec.nodes-backend",
            _("nodes_backend: ray is about several machines with one model, and there is one"),
            _("nodes: 2 or more; or leave out nodes_backend"),
        )
    if server.nodes == 1 and server.nodes_near:
        raise invalid(
            "spec.nodes-near",
            _("nodes_near: true is about several machines with one model, and there is one"),
            _("nodes: 2 or more; or leave out nodes_near"),
        )
    stopped = [name for name in ("idle_stop", "hours") if getattr(server, name) is not None]
    beside = [*stopped, *_not_with_nodes(server)]
    if server.nodes > 1 and beside:
        raise invalid(
            "spec.nodes-and",
            _("{count} machines have one model together, and that cannot be with {beside}", count=server.nodes,
              beside=listed(beside)),
            _("leave out {beside}, or nodes: 1", beside=listed(beside)),
        )  # fmt: skip


def _refuse_starts(server: ServerSpec) -> None:
    """Refuse starts by a request where no machine that is on would hear of it, or none would be off."""
    idle, code = server.idle_stop, "spec.started-by-request"
    if server.started_by != "request":
        if idle is not None and idle.starts_per_day is not None:
            message = _("idle_stop.starts_per_day limits starts by requests, and no request starts a machine")
            raise invalid(code, message, _("started_by: request; or leave starts_per_day out"))
        return
    if server.replicas == 1:
        raise invalid(
            code,
            _("a request is to start the machine, and callers call that machine, which is off"),
            _("replicas: 2 with idle_stop: {keep: 1}, where the first machine stays on and starts the others; "
              "or started_by: cloud with hours, or `pulumi-llm start -s STACK`"),
        )  # fmt: skip
    if idle is None or not idle.keep:
        message = _("a request is to start further machines, and the first one, which hears of it, has to stay on")
        raise invalid(code, message, _("idle_stop: {keep: 1}"))
    if server.hours is not None:
        message = _("the first machine stays on to start the others, and hours would stop it")
        raise invalid(code, message, _("leave hours out: idle_stop stops what nobody needs; or started_by: hand"))


def _refuse_zones(server: ServerSpec) -> None:
    """Refuse zones that would leave open where a machine stands, or move one that runs when another is added."""
    if len(server.replica_zones) != server.replicas - 1:
        raise invalid(
            "spec.replica-zones",
            _("{count} further machines are asked for, and {zones} zones for them", count=server.replicas - 1,
              zones=len(server.replica_zones)),
            _("replica_zones: one zone for each, the first one's zone for those that are to stay beside it"),
        )  # fmt: skip
    for zone in server.replica_zones:
        if not catalog.lies_in(zone, server.region):
            message = _("zone {value!r} is not in region {region!r}", value=zone, region=server.region)
            raise invalid("spec.zone-of-other-region", message, _("a zone of that region"))
    if server.alternatives:
        raise invalid(
            "spec.replica-zones",
            _("replica_zones name where the further machines are, and alternatives move all of them"),
            _("leave out replica_zones, or alternatives"),
        )


def _not_with_nodes(server: ServerSpec) -> Iterator[str]:
    if server.replicas > 1:
        yield "replicas"
    if server.model_change == "beside":
        yield "model_change: beside"
    if server.models:
        yield "models"


def known_change(value: object) -> object:
    """Raise ``spec.no-second-machine`` for a change of the model by way of a machine that takes the other's place."""
    if value == "second-machine":
        raise invalid(
            "spec.no-second-machine",
            _("a second machine would take the address over in the midst of calls, without what was counted so far"),
            _("replicas: 2, which change one after the other behind one address; or model_change: beside"),
        )
    return value
