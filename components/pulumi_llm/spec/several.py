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
    if server.replicas > 1 and server.idle_stop is not None:
        raise invalid(
            "spec.replicas-stop",
            _("{count} machines serve the model, and {stopped} stops one of them alone", count=server.replicas,
              stopped="idle_stop"),
            _("leave out {stopped}, or replicas: 1", stopped="idle_stop"),
        )  # fmt: skip
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


def known_change(value: object) -> object:
    """Raise ``spec.no-second-machine`` for a change of the model by way of a machine that takes the other's place."""
    if value == "second-machine":
        raise invalid(
            "spec.no-second-machine",
            _("a second machine would take the address over in the midst of calls, without what was counted so far"),
            _("replicas: 2, which change one after the other behind one address; or model_change: beside"),
        )
    return value
