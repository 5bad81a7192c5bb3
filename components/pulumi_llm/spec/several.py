"""A server on several machines: what cannot be together with that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

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
    stopped = [name for name in ("idle_stop", "hours") if getattr(server, name) is not None]
    beside = [*stopped, *_not_with_nodes(server)]
    if server.nodes > 1 and beside:
        raise invalid(
            "spec.nodes-and",
            _("{count} machines have one model together, and that cannot be with {beside}", count=server.nodes,
              beside=listed(beside)),
            _("leave out {beside}, or nodes: 1", beside=listed(beside)),
        )  # fmt: skip


def _not_with_nodes(server: ServerSpec) -> Iterator[str]:
    if server.replicas > 1:
        yield "replicas"
    if server.model_change == "beside":
        yield "model_change: beside"
    if server.models:
        yield "models"
