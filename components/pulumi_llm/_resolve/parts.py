"""One part of the spec, and what the catalogue and the fit check make of it: looked up and worked out here, once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pulumi_llm import catalog, preflight
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._findings import keep
from pulumi_llm._flags import flags_of
from pulumi_llm._resolve import choices
from pulumi_llm._resolve.graph import Foreign, ResolvedModel, ResolvedProxy, ResolvedServer, ResolvedVectors, Site
from pulumi_llm._snapshots import notes, schedule
from pulumi_llm._texts import _
from pulumi_llm.catalog.abilities import abilities_of
from pulumi_llm.catalog.pooling import task_of
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.preflight import apps, beside, placement, stores
from pulumi_llm.spec import PriceSpec, domain_mistakes, served_by, vendor_of
from pulumi_llm.spec.models import TASKS

if TYPE_CHECKING:
    from pulumi_llm.catalog import Model
    from pulumi_llm.preflight.memory import Memory
    from pulumi_llm.preflight.placement import Placement, Placing
    from pulumi_llm.preflight.sharing import Seat
    from pulumi_llm.spec import AccessSpec, NetworkSpec, ProxySpec, ServerSpec, UpstreamSpec, VectorsSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What is said of a machine beside its own part of the spec: who may call, its network, tags, protection."""

    access: AccessSpec
    network: NetworkSpec
    tags: Mapping[str, str]
    protect: bool

    def fields(self) -> dict[str, Any]:
        """As fields of a resolved machine."""
        return {
            "access": self.access,
            "network": self.network,
            "tags": MappingProxyType(dict(self.tags)),
            "protect": self.protect,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """A machine's place, its disks as the cloud sells them, and what the fit check warns of."""

    place: Placement
    system_disk_gib: int
    data_disk_gib: int
    model: Model | None = None
    weights_gib: float | None = None
    warnings: tuple[Finding, ...] = ()
    memory: Memory | None = None
    max_num_seqs: int | None = None
    server: ServerSpec | None = None
    """Of a model server: what was asked, with each model's share of a card told."""
    seats: tuple[Seat, ...] = ()
    """Of a model server with further models: each with its share, the main one first."""
    further: tuple[Placement, ...] = ()
    """Of a model server whose further machines are in zones of their own: where each stands."""
    choices: tuple[choices.Choice, ...] = ()
    """Of a model server with alternatives: all that may be made, the one that is written first."""

    def fields(self) -> dict[str, Any]:
        """As fields of a resolved machine."""
        data, place = catalog.load(), self.place
        return {
            "site": Site(cloud=data.cloud(place.cloud), region=data.region(place.cloud, place.region), place=place),
            "system_disk_gib": self.system_disk_gib,
            "data_disk_gib": self.data_disk_gib,
        }


def stand_of_server(server: ServerSpec, vectors: VectorsSpec | None, placing: Placing | None = None) -> Stand:
    """Where a model server stands, with ``vectors`` beside the model or on a machine of their own.

    ``placing``: what came of looking for its place, where somebody has looked already.

    Raises:
        Refusal: with all that the catalogue and the fit check have against it, at once.
    """
    placing = placing or placement.attempt(lambda: placement.place_server(server))
    findings = [*placing.findings, *apps.mistakes(server, vectors), *schedule.mistakes(server.disk, server.cloud)]
    further = keep(findings, lambda: placement.place_further(server, placing.place))
    verdict = preflight.judge(server, vectors, placing)
    if verdict.seats or server.model_change == "beside":
        from pulumi_llm.preflight import sharing  # most servers have one model

        server = sharing.settled(server, verdict.seats)
    told = keep(findings, lambda: preflight.require(verdict.findings, server.override))
    model = catalog.load().models.get(server.model)
    weights = placement.download_gib(model) if model is not None else None
    asked = server.model_disk_gib
    if asked is None:
        asked = placement.model_disk_gib(weights, beside.of_server(server, vectors))
    disks = keep(findings, lambda: _sold(server.cloud, server.system_disk_gib, asked))
    if findings or placing.place is None or disks is None or told is None:
        raise Refusal(dict.fromkeys(findings))
    return Stand(
        place=placing.place,
        system_disk_gib=disks[0],
        data_disk_gib=disks[1],
        model=model,
        weights_gib=weights,
        warnings=(
            *told,
            *(stores.warnings_of(vectors) if _beside(vectors) and vectors is not None else ()),
            *apps.warnings_of(server, vectors),
            *notes.of(server.disk, server.cloud),
            *placement.apart(placing.place, further or ()),
        ),
        further=further or (),
        memory=verdict.memory,
        max_num_seqs=verdict.max_num_seqs,
        server=server,
        seats=verdict.seats,
    )


def looking(written: ServerSpec, vectors: VectorsSpec | None, access: AccessSpec | None) -> choices.Look:
    """How an alternative to ``written`` is looked at: as the server itself is, with the same ``vectors``."""

    def look(server: ServerSpec) -> Stand:
        store = choices.store_of(vectors, written, server)
        stand = stand_of_server(server, store)
        if server.region != written.region and access is not None:
            wrong = domain_mistakes(server.domain, server.cloud, server.region, access)
            if wrong:
                raise Refusal(wrong)
        if store is not None and store.placement == "own" and not stand.place.exists:
            stand_of_vectors(stand.place.cloud, stand.place.region, stand.place.zone, store)
        return stand

    return look


def with_alternatives(
    stand: Stand,
    written: ServerSpec,
    vectors: VectorsSpec | None,
    network: NetworkSpec | None,
    access: AccessSpec | None,
) -> Stand:
    """The stand with what may be made in its place, and a note of that. Raises Refusal for what cannot be made."""
    if not written.alternatives:
        return stand
    found = choices.choices_of(written, looking(written, vectors, access), network)
    return replace(stand, warnings=(*stand.warnings, choices.note_of(written, found)), choices=tuple(found))


def stand_of_vectors(cloud: str, region: str, zone: str | None, vectors: VectorsSpec) -> Stand:
    """Where a vector store of its own machine stands. Raises Refusal where there is no such place or disk."""
    if found := list(schedule.mistakes(vectors.disk, cloud)):
        raise Refusal(found)
    place = placement.place_vectors(cloud, region, zone, vectors.memory_gib, vectors.instance_type)
    system, data = _sold(cloud, vectors.system_disk_gib, vectors.disk_gib)
    return Stand(
        place=place,
        system_disk_gib=system,
        data_disk_gib=data,
        warnings=(*stores.warnings_of(vectors), *notes.of(vectors.disk, cloud)),
    )


def stand_of_proxy(proxy: ProxySpec) -> Stand:
    """Where an overseas proxy stands. Raises Refusal where there is no such place or disk."""
    place = placement.place_proxy(proxy)
    system, data = _sold(proxy.cloud, proxy.system_disk_gib, proxy.disk_gib)
    return Stand(place=place, system_disk_gib=system, data_disk_gib=data)


def resolve_server(
    server: ServerSpec,
    shared: Shared,
    *,
    vectors: VectorsSpec | None = None,
    foreign: Foreign | None = None,
    stand: Stand | None = None,
) -> ResolvedServer:
    """A model server. ``stand``: where it stands, as :func:`stand_of_server` found.

    Raises Refusal as that does, and where a page asks for a model that is not served.
    """
    from pulumi_llm.preflight.engine import engine
    from pulumi_llm.preflight.request import context_of, dtype_on

    if stand is None:  # else the platform has looked at it
        _settle_name(server, shared)
        written, server = server, server.choice(server.alternative)
        given, vectors = vectors, choices.store_of(vectors, written, server)
        stand = stand_of_server(server, vectors)
        stand = with_alternatives(stand, written, given, shared.network, shared.access)
    data, model = catalog.load(), stand.model
    server = stand.server or server
    resolved = ResolvedServer(
        **shared.fields(),
        **stand.fields(),
        spec=server,
        model=model,
        abilities=abilities_of(server.model, model.base_model if model else None),
        dtype=dtype_on(server.dtype, model, data.gpus[server.gpu], engine()),
        context_length=context_of(server.context_length, model),
        weights_gib=stand.weights_gib,
        port=_port(server, shared),
        vectors=_beside(vectors),
        store=vectors if vectors is not None and vectors.placement == "own" and vectors.vectorizer else None,
        foreign=foreign,
        warnings=stand.warnings,
        memory=stand.memory,
        max_num_seqs=stand.max_num_seqs,
        prices=MappingProxyType(prices_of(server.upstreams)),
        models=tuple(_further(server, stand.seats)),
        choices=stand.choices,
        further=stand.further,
    )
    _check_subnets(resolved)
    if found := list(apps.unserved(server, {*resolved.served, *server.routes})):
        raise Refusal(found)
    return resolved


def _check_subnets(server: ResolvedServer) -> None:
    """Refuse zones without a subnet in a network that exists, or without room for one in the network that is made."""
    network, here = server.network, server.site.place.zone
    for zone in dict.fromkeys(each for each in server.zones if each != here):
        if not network.exists:
            network.subnet_in(zone)
        elif zone not in network.subnets:
            message = _("an existing network is named, and no subnet of it in {zone}", zone=zone)
            hint = _("network.subnets: the subnet's id, by its zone")
            raise Refusal([Finding("spec.replica-zones", message, hint, where="replica_zones")])


def _further(server: ServerSpec, seats: Sequence[Seat]) -> Iterator[ResolvedModel]:
    """The further models: those that share the first card start before those that have cards of their own; those on the
    CPU are the last."""
    from pulumi_llm.preflight.engine import engine
    from pulumi_llm.preflight.request import context_of, dtype_on

    data, free = catalog.load(), server.gpu_count
    memories = {seat.name: seat.memory for seat in seats[1:]}
    on_cpu = [name for name, each in server.models.items() if each.device == "cpu"]
    for name in (*memories, *on_cpu):
        wanted = server.models[name]
        model = data.models.get(wanted.model)
        cards = (0,) if wanted.gpus is None else tuple(range(free, free + wanted.gpus))
        dtype = dtype_on(wanted.dtype, model, data.gpus[server.gpu], engine())
        if name in on_cpu:
            cards, dtype = (), "bfloat16" if wanted.dtype == "bfloat16" else "float32"
        free += wanted.gpus or 0
        yield ResolvedModel(
            name=name,
            spec=wanted,
            model=model,
            abilities=abilities_of(wanted.model, model.base_model if model else None),
            task=TASKS[wanted.kind] if wanted.kind else task_of(wanted.model, model, flags_of(wanted.extra_args)),
            dtype=dtype,
            context_length=context_of(wanted.context_length, model),
            weights_gib=placement.download_gib(model) if model is not None else None,
            cards=cards,
            memory=memories.get(name),
        )


def resolve_vectors(vectors: VectorsSpec, shared: Shared, stand: Stand) -> ResolvedVectors:
    """A vector store on a machine of its own, which stands where :func:`stand_of_vectors` found."""
    return ResolvedVectors(**shared.fields(), **stand.fields(), spec=vectors, warnings=stand.warnings)


def resolve_proxy(proxy: ProxySpec, shared: Shared, stand: Stand | None = None) -> ResolvedProxy:
    """An overseas proxy. ``stand``: where it stands, as :func:`stand_of_proxy` found. Raises Refusal as that does."""
    if stand is None:  # else the platform has looked at it
        _settle_name(proxy, shared)
        stand = stand_of_proxy(proxy)
    data = catalog.load()
    return ResolvedProxy(
        **shared.fields(),
        **stand.fields(),
        spec=proxy,
        models=tuple(served_by(proxy.upstreams)),
        prices=MappingProxyType(prices_of(proxy.upstreams)),
        port=shared.access.port(in_china=data.region(proxy.cloud, proxy.region).in_china),
    )


def _port(server: ServerSpec, shared: Shared) -> int:
    """The gateway's: where a container has one port that others reach, that one, unless another is asked for."""
    if server.host is not None and server.host.public_port is not None and shared.access.https_port is None:
        return server.host.public_port
    return shared.access.port(in_china=catalog.load().region(server.cloud, server.region).in_china)


def prices_of(upstreams: Mapping[str, UpstreamSpec]) -> dict[str, PriceSpec]:
    """What each model costs, by what callers ask for: as the spec says, else as the catalogue has it of its vendor.

    A model without a price is left out.
    """
    found: dict[str, PriceSpec] = {}
    known = catalog.load().token_prices
    for name, upstream in upstreams.items():
        for served, model in upstream.served.items():
            row = known.get((vendor_of(name, upstream), model))
            if model in upstream.prices:
                found[served] = upstream.prices[model]
            elif row is not None:
                found[served] = PriceSpec(input=row.input, output=row.output)
    return found


def _settle_name(part: ServerSpec | ProxySpec, shared: Shared) -> None:
    if mistakes := domain_mistakes(part.domain, part.cloud, part.region, shared.access):
        raise Refusal(mistakes)


def _beside(vectors: VectorsSpec | None) -> VectorsSpec | None:
    return vectors if vectors is not None and vectors.placement == "server" else None


def _sold(cloud: str, system_gib: int, data_gib: int) -> tuple[int, int]:
    # The node knows its disk by its size, and a cloud sells disks in steps.
    return placement.sold_size(cloud, "system", system_gib), placement.sold_size(cloud, "data", data_gib)
