"""Where things go: the instance type and zone for a request, from the catalogue, or why there is none."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pulumi_llm import catalog
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._texts import _, either, listed
from pulumi_llm.clouds.capabilities import Capability
from pulumi_llm.errors import Finding, Refusal, UnknownName
from pulumi_llm.preflight import beside, capabilities, unlisted, weights

if TYPE_CHECKING:
    from pulumi_llm.catalog import Model, Offer, Price
    from pulumi_llm.preflight.beside import Beside
    from pulumi_llm.spec import HostSpec, ProxySpec, ServerSpec


SYSTEM_GIB = 2
"""Host memory besides vLLM's own and that of services, for the system, Docker, Caddy and the gateway."""

OWN = "ssh"
"""The cloud that is none: a machine that exists."""


@dataclass(frozen=True, slots=True)
class Placement:
    """An instance type in a zone, and its price per hour (None: unknown)."""

    cloud: str
    region: str
    zone: str
    instance_type: str
    price: Price | None
    exists: bool = False
    """The machine is there, and no row of the catalogue is about it."""
    memory_gib: float | None = None
    """GiB of a machine that exists, as its owner says; None: not known."""


@dataclass(frozen=True, slots=True)
class Placing:
    """What came of looking for a place: the place, or why there is none. Looked for once, and read by many."""

    place: Placement | None
    findings: tuple[Finding, ...] = ()


def attempt(place: Callable[[], Placement]) -> Placing:
    """What comes of ``place``, a look for a place that may raise :class:`Refusal`."""
    try:
        return Placing(place())
    except Refusal as refusal:
        return Placing(None, refusal.findings)


def place_server(server: ServerSpec) -> Placement:
    """The cheapest instance type of the region that has the GPUs, or the one that is named.

    Bare metal only by its name, and so what no source lists there, with its zone (:mod:`.unlisted`). Raises
    :class:`Refusal` with ``cloud.cannot``, ``placement.gpu-not-offered`` (naming the regions and counts that exist),
    ``placement.type-mismatch``, ``placement.no-zone`` or ``placement.zone-not-offered``.
    """
    if server.host is not None:
        return _existing(server, server.host)
    capabilities.demand(server.cloud, capabilities.of_host(spot=server.spot, nodes=server.nodes))
    data = catalog.load()
    offers = data.offers(
        gpu=server.gpu, gpu_count=server.cards, cloud=server.cloud, region=server.region, spot=server.spot
    )
    if server.instance_type is None:
        offers = [offer for offer in offers if not offer.instance.bare_metal]
    else:
        beyond = unlisted.offers(server)
        offers = [offer for offer in (*offers, *beyond) if offer.instance.instance_type == server.instance_type]
        if not offers:
            raise Refusal(
                [
                    Finding(
                        "placement.type-mismatch",
                        _(
                            "{instance_type} does not carry {gpu_count} x {gpu} in {region}",
                            instance_type=server.instance_type,
                            gpu_count=server.cards,
                            gpu=server.gpu,
                            region=server.region,
                        ),
                        _("leave instance_type out to get the cheapest type that does"),
                        where="instance_type",
                    )
                ]
            )
    if not offers:
        raise Refusal([_not_offered(server)])
    return _placed(offers[0], server.zone)


def place_further(server: ServerSpec, first: Placement | None) -> tuple[Placement, ...]:
    """Where the further machines stand, in the zones that are named for them: the ``first`` one's type in each.

    Raises :class:`Refusal` with why the type is not in each zone that does not have it, or ``cloud.cannot``.
    """
    if server.replica_zones:
        capabilities.demand(server.cloud, [Capability.ZONES])
    if first is None:
        return ()  # why there is none is told already
    found, findings = [], []
    for number, zone in enumerate(server.replica_zones):
        there = server.model_copy(update={"zone": zone, "instance_type": first.instance_type})
        placing = attempt(lambda there=there: place_server(there))  # type: ignore[misc]
        if placing.place is not None:
            found.append(placing.place)
        findings += [replace(each, where=f"replica_zones.{number}") for each in placing.findings]
    if findings:
        raise Refusal(findings)
    return tuple(found)


def apart(first: Placement | None, further: Sequence[Placement]) -> list[Finding]:
    """A note that what goes between zones may be charged."""
    zones = sorted({each.zone for each in (first, *further) if each is not None})
    if len(zones) < 2:
        return []
    message = _(
        "calls go between {zones}, and what some clouds charge for that is not in the bill", zones=listed(zones)
    )
    hint = _("AWS: USD 0.01 per GB each way; Tencent Cloud charges too; see docs/user-guide.md")
    return [Finding("placement.zones-apart", message, hint, severity="warning", where="replica_zones")]


def _existing(server: ServerSpec, host: HostSpec) -> Placement:
    """A machine that its owner describes. Its price is what the owner says."""
    name = f"{server.cards} x {server.gpu}"
    price = None
    if host.price is not None:
        price = catalog.Price(
            cloud=server.cloud,
            instance_type=name,
            region=server.region,
            amount=host.price.amount,
            currency=host.price.currency,
            source="server.host.price",
            source_date="undated",
        )
    return Placement(server.cloud, server.region, server.region, name, price, exists=True, memory_gib=host.memory_gib)


def place_host(
    cloud: str,
    region: str,
    zone: str | None,
    *,
    min_vcpu: int,
    min_memory_gib: float,
    instance_type: str | None = None,
) -> Placement:
    """The cheapest CPU host of the region with at least so many vCPU and GiB, or the one that is named."""
    capabilities.demand(cloud, capabilities.of_host())
    data = catalog.load()
    offers = data.hosts(cloud=cloud, region=region, min_vcpu=min_vcpu, min_memory_gib=min_memory_gib)
    if instance_type is not None:
        _check_size(cloud, instance_type, min_vcpu, min_memory_gib)
        offers = [offer for offer in offers if offer.instance.instance_type == instance_type]
    if not offers:
        wanted = instance_type or _(
            "a CPU host with {min_vcpu} vCPU and {min_memory_gib:g} GiB",
            min_vcpu=min_vcpu,
            min_memory_gib=min_memory_gib,
        )
        regions = sorted(
            {
                name
                for (of_cloud, name) in data.regions
                if of_cloud == cloud
                and data.hosts(cloud=cloud, region=name, min_vcpu=min_vcpu, min_memory_gib=min_memory_gib)
            }
        )
        raise Refusal(
            [
                Finding(
                    "placement.host-not-offered",
                    _(
                        "the catalogue has no offer of {wanted} on {cloud} in {region}",
                        wanted=wanted,
                        cloud=cloud,
                        region=region,
                    ),
                    _("a region that has it: {regions}", regions=listed(regions[:8]))
                    if regions
                    else _("another cloud"),
                    where="region",
                )
            ]
        )
    return _placed(offers[0], zone)


def place_proxy(proxy: ProxySpec) -> Placement:
    """A small host for the gateway: with its system it takes under 1 GiB (measured); one vCPU is Caddy's."""
    return place_host(
        proxy.cloud, proxy.region, proxy.zone, min_vcpu=2, min_memory_gib=2, instance_type=proxy.instance_type
    )


def place_vectors(cloud: str, region: str, zone: str | None, memory_gib: int, instance_type: str | None) -> Placement:
    """A host for a vector store alone, with that many GiB of memory for it and what the system takes besides."""
    return place_host(
        cloud, region, zone, min_vcpu=2, min_memory_gib=memory_gib + SYSTEM_GIB, instance_type=instance_type
    )


def model_disk_gib(weights: float | None, services: Sequence[Beside] = ()) -> int:
    """GiB of a data disk that nobody asked a size of: room for the weights twice over (a model is changed in place).

    ``weights``: GiB of the model's files, None where that is not known. With ``services`` beside them that write no
    more when the disk is nearly full, these have their room even while both models are there.
    """
    room = beside.disk_gib(services)
    if weights is None:
        return max(200 + room, disk_gib(0.0, services))
    plain = max(60, _tens(2.1 * weights + 20)) + room
    return max(plain, _tens(disk_gib(2 * weights, services))) if beside.disk_percent(services) < 100 else plain


def disk_gib(weights_gib: float, services: Sequence[Beside] = ()) -> int:
    """The least GiB of a disk that holds weights of that size, and the data of services beside them.

    A tenth more than the weights, and 5 GiB for keys, logs, images and the file system.
    """
    used, percent = weights_gib * 1.1 + 5 + beside.disk_gib(services), beside.disk_percent(services)
    # Where nothing is left out nothing is divided, which might round up.
    return math.ceil(used if percent == 100 else used / (percent / 100))


def _tens(gib: float) -> int:
    return math.ceil(gib / 10) * 10


def download_gib(model: Model) -> float | None:
    """GiB of the weights' files: as a server's log showed them, else by the memory model; None where neither can say.

    By how the files are, not by what vLLM makes of them while it loads them.
    """
    return weights.weights_gib(model, model.quantization, model.quantization_bits)


def sold_size(cloud: str, kind: str, gib: int, largest: int | None = None) -> int:
    """The smallest disk in GiB that ``cloud`` sells and that holds ``gib``; ``kind``: ``system`` or ``data``.

    Raises :class:`Refusal` (``cloud.disk-too-large``) above the cloud's largest disk, or the ``largest`` of a machine
    that brings its own.
    """
    facts = catalog.load().cloud(cloud)
    disk = facts.system_disk if kind == "system" else facts.data_disk
    size = disk.round_up(gib)
    max_gib = disk.max_gib if largest is None else min(largest, disk.max_gib)
    if size > max_gib:
        raise Refusal(
            [
                Finding(
                    "cloud.disk-too-large",
                    _(
                        "a {kind} disk of {gib} GiB is asked for; the largest {type} on {title} has {max_gib} GiB",
                        kind=_("system") if kind == "system" else _("data"),
                        gib=gib,
                        # Where a machine brings it along, it has no kind of its own to be ordered by.
                        type=_("disk of a machine itself") if " own" in disk.type else disk.type,
                        title=facts.title,
                        max_gib=max_gib,
                    ),
                    _("{max_gib} GiB or less", max_gib=max_gib),
                )
            ]
        )
    return size


def _check_size(cloud: str, instance_type: str, min_vcpu: int, min_memory_gib: float) -> None:
    """Refuse a type by name that is smaller than what runs on it needs."""
    row = catalog.load().instance(cloud, instance_type)
    if row.vcpu < min_vcpu or row.memory_gib < min_memory_gib:
        raise Refusal(
            [
                Finding(
                    "placement.host-too-small",
                    _(
                        "{instance_type} has {vcpu} vCPU and {memory_gib:g} GiB of memory, and {min_vcpu} "
                        "vCPU and {min_memory_gib:g} GiB are needed",
                        instance_type=instance_type,
                        vcpu=row.vcpu,
                        memory_gib=row.memory_gib,
                        min_vcpu=min_vcpu,
                        min_memory_gib=min_memory_gib,
                    ),
                    _("leave instance_type out to get the cheapest type that is large enough"),
                    where="instance_type",
                )
            ]
        )


def _placed(offer: Offer, zone: str | None) -> Placement:
    instance = offer.instance
    if unlisted.is_zone_open(offer, zone):
        zone = unlisted.check_zone(offer, zone)
        return Placement(instance.cloud, offer.region, zone, instance.instance_type, offer.price)
    if zone is None and not offer.zones:
        what = _("the catalogue knows no zone of {cloud} {region}", cloud=instance.cloud, region=offer.region)
        raise Refusal([Finding("placement.no-zone", what, _("name the zone"), where="zone")])
    if zone is not None and offer.zones and zone not in offer.zones:
        raise UnknownName(
            "placement.zone-not-offered",
            _(
                "zone of {region} that offers {instance_type}",
                region=offer.region,
                instance_type=instance.instance_type,
            ),
            zone,
            offer.zones,
            where="zone",
        )
    return Placement(instance.cloud, offer.region, zone or offer.zones[0], instance.instance_type, offer.price)


def _not_offered(server: ServerSpec) -> Finding:
    data = catalog.load()
    here = sorted(
        {offer.instance.gpu_count for offer in data.offers(gpu=server.gpu, cloud=server.cloud, region=server.region)}
    )
    if here:
        counts = either(str(count) for count in here)
        return Finding(
            "placement.gpu-not-offered",
            _(
                "{cloud} has no type with {gpu_count} x {gpu} in {region}",
                cloud=server.cloud,
                gpu_count=server.cards,
                gpu=server.gpu,
                region=server.region,
            ),
            _("gpu_count: {counts} (that is how many {gpu} a type there carries)", counts=counts, gpu=server.gpu),
            where="gpu_count",
        )
    on_cloud = sorted(
        {offer.region for offer in data.offers(gpu=server.gpu, gpu_count=server.cards, cloud=server.cloud)}
    )
    if on_cloud:
        hint = _("a region that has it: {regions}", regions=listed(on_cloud[:8]))
    else:
        elsewhere = sorted({offer.instance.cloud for offer in data.offers(gpu=server.gpu, gpu_count=server.cards)})
        on_sale = sorted({str(offer.instance.gpu_count) for offer in data.offers(gpu=server.gpu, cloud=server.cloud)})
        hint = either(
            [
                *([_("gpu_count: {counts}", counts=either(on_sale))] if on_sale else []),
                *([_("cloud: {names}", names=either(elsewhere))] if elsewhere else []),
            ]
        )
    there = sorted(
        {str(o.instance.gpu) for o in data.offers(cloud=server.cloud, region=server.region) if o.instance.gpu}
    )
    return Finding(
        "placement.gpu-not-offered",
        _(
            "the catalogue has no offer of {gpu_count} x {gpu} on {cloud} in {region}{note}",
            gpu_count=server.cards,
            gpu=server.gpu,
            cloud=server.cloud,
            region=server.region,
            note=_(" (there it has {there})", there=listed(there)) if there else "",
        ),
        hint,
        where="gpu",
    )
