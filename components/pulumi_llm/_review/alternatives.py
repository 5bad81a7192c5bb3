"""What may be made in place of a server, as things with a price: each beside the one that is taken, and how it fits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from pulumi_llm import spec
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._plan.model import Plan, PlannedResource
from pulumi_llm._resolve.choices import Choice, choices_of
from pulumi_llm._resolve.parts import looking
from pulumi_llm._review.capacity import Room, room_of
from pulumi_llm._review.hours import SERVER, of_month
from pulumi_llm._review.item import Item, Usage
from pulumi_llm._texts import _
from pulumi_llm.errors import Refusal
from pulumi_llm.preflight.request import context_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """One of a server's choices, numbered as `server.alternative` numbers them. ``room`` None: how it fits is not
    known. ``item`` is all of its machines, without disks and addresses.
    """

    number: int
    taken: bool
    zone: str
    spot: bool
    instance_type: str
    room: Room | None
    item: Item


def offered(plan: Plan, usage: Usage) -> Iterator[Offered]:
    """All that may be made, of each server of the plan that has alternatives; nothing of one that is not known."""
    by_urn = plan.by_urn()
    for each in plan.of_type(SERVER):
        resolved = plan.servers.get(each.urn)
        if resolved is not None:
            taken, found = resolved.spec.alternative, resolved.choices
        else:
            taken, found = _read(each, by_urn.get(each.parent))
        yield from (_offered(each, choice, taken, usage) for choice in found)


def _offered(server: PlannedResource, choice: Choice, taken: int, usage: Usage) -> Offered:
    place, wanted, stand = choice.place, choice.server, choice.stand
    words = choice.words
    count = wanted.replicas
    return Offered(
        number=choice.number,
        taken=choice.number == taken,
        zone=place.zone,
        spot=wanted.spot,
        instance_type=place.instance_type,
        room=room_of(context_of(wanted.context_length, stand.model), stand.memory),
        item=Item(
            urn=server.urn,
            type=server.type,
            resource=server.name,
            slot=f"alternative-{choice.number}",
            kind="machine",
            what=words if count == 1 else _("{count} x {words}", count=count, words=words),
            cloud=place.cloud,
            region=place.region,
            name=place.instance_type,
            quantity=Decimal(count),
            hours=min(usage.running, of_month(wanted.hours or "")),
            spot=wanted.spot,
        ),
    )


def _read(server: PlannedResource, parent: PlannedResource | None) -> tuple[int, tuple[Choice, ...]]:
    """Which is taken, and the choices, of a server that ran elsewhere: from what its platform or itself was asked."""
    given = parent.inputs if parent is not None else {}
    raw = given.get("server")
    whole = isinstance(raw, Mapping)
    if not whole:
        given, raw = server.inputs, spec.server_arguments(server.inputs)
    if not isinstance(raw, Mapping) or not raw.get("alternatives"):
        return 0, ()
    try:
        wanted = spec.parse(spec.ServerSpec, {key: value for key, value in raw.items() if value is not None})
        vectors = _vectors(given, whole=whole)
        access = spec.parse(spec.AccessSpec, given["access"]) if whole and given.get("access") else None
        found = choices_of(wanted, looking(wanted, vectors, access))
    except Refusal:  # not known before it is made, or refused by the component itself
        return 0, ()
    return wanted.alternative, tuple(found)


def _vectors(given: Mapping[str, object], *, whole: bool) -> spec.VectorsSpec | None:
    if whole:
        return spec.parse(spec.VectorsSpec, given["vectors"]) if given.get("vectors") else None
    asked = {key: given.get(f"vectors_{key}") for key in spec.VECTORS_BESIDE}
    known = {key: value for key, value in asked.items() if value is not None}
    return spec.parse(spec.VectorsSpec, known) if given.get("vectors") is True else None
