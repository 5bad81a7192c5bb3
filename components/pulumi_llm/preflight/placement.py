"""Where things go: the instance type and zone for a request, from the catalogue, or why there is none."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pulumi_llm import catalog
from pulumi_llm.errors import Finding, Refusal, UnknownName
from pulumi_llm.preflight import capabilities, memory, unlisted

if TYPE_CHECKING:
    from pulumi_llm.catalog import Offer, Price
    from pulumi_llm.spec import ProxySpec, ServerSpec


SYSTEM_GIB = 2
"""Host memory besides Weaviate's and vLLM's own, for the system, Docker, Caddy and the gateway."""

WEAVIATE_DISK_SHARE = 0.9
"""The share of its disk that Weaviate writes to: above it all is read-only.

Source: weaviate/weaviate, usecases/config/config_handler.go: DefaultDiskUseReadonlyPercentage, which the variable
DISK_USE_READONLY_PERCENTAGE would change (read 2026-11-28).
"""


@dataclass(frozen=True, slots=True)
class Placement:
    """An instance type in a zone, and its price per hour (None: unknown)."""

    cloud: str
    region: str
    zone: str
    instance_type: str
    price: Price | None


def place_server(server: ServerSpec) -> Placement:
    """The cheapest instance type of the region that has the GPUs, or the one that is named.

    Bare metal only by its name, and so what no source lists there, with its zone (:mod:`.unlisted`). Raises
    :class:`Refusal` with ``cloud.cannot``, ``placement.gpu-not-offered`` (naming the regions and counts that exist),
    ``placement.type-mismatch``, ``placement.no-zone`` or ``placement.zone-not-offered``.
    """
    capabilities.demand(server.cloud, capabilities.of_host(spot=server.spot))
    data = catalog.load()
    offers = data.offers(
        gpu=server.gpu, gpu_count=server.gpu_count, cloud=server.cloud, region=server.region, spot=server.spot
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
                        f"{server.instance_type} does not carry {server.gpu_count} x {server.gpu} in {server.region}",
                        "leave instance_type out, and the cheapest type that does is taken",
                        where="instance_type",
                    )
                ]
            )
    if not offers:
        raise Refusal([_not_offered(server)])
    return _placed(offers[0], server.zone)


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
        wanted = instance_type or f"a CPU host with {min_vcpu} vCPU and {min_memory_gib:g} GiB"
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
                    f"the catalogue has no offer of {wanted} on {cloud} in {region}",
                    f"a region that has: {', '.join(regions[:8])}" if regions else "another cloud",
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
    """A host for Weaviate alone, with that many GiB of memory for it and what the system takes besides."""
    return place_host(
        cloud, region, zone, min_vcpu=2, min_memory_gib=memory_gib + SYSTEM_GIB, instance_type=instance_type
    )


def model_disk_gib(server: ServerSpec, vectors_gib: int = 0) -> int:
    """GiB of the data disk: the one asked for, else room for the weights twice over (a model is changed in place).

    With vectors beside them, they have their room even while both models are there.
    """
    if server.model_disk_gib is not None:
        return server.model_disk_gib
    weights = download_gib(server)
    if weights is None:
        return max(200 + vectors_gib, disk_gib(0.0, vectors_gib))
    plain = max(60, _tens(2.1 * weights + 20)) + vectors_gib
    return max(plain, _tens(disk_gib(2 * weights, vectors_gib))) if vectors_gib else plain


def disk_gib(weights_gib: float, vectors_gib: int = 0) -> int:
    """The least GiB of a disk that holds weights of that size, and vectors beside them.

    A tenth more than the weights, and 5 GiB for keys, logs, Weaviate's image and the file system.
    """
    used = weights_gib * 1.1 + 5 + vectors_gib
    return math.ceil(used / WEAVIATE_DISK_SHARE if vectors_gib else used)


def _tens(gib: float) -> int:
    return math.ceil(gib / 10) * 10


def download_gib(server: ServerSpec) -> float | None:
    """GiB of the weights' files: as a server's log showed them, else by the memory model; None for an unknown model."""
    row = catalog.load().models.get(server.model)
    # By how the files are, not by what vLLM makes of them while it loads them.
    return memory.weights_gib(row, row.quantization, row.quantization_bits) if row else None


def _check_size(cloud: str, instance_type: str, min_vcpu: int, min_memory_gib: float) -> None:
    """Refuse a type by name that is smaller than what runs on it needs."""
    row = catalog.load().instance(cloud, instance_type)
    if row.vcpu < min_vcpu or row.memory_gib < min_memory_gib:
        raise Refusal(
            [
                Finding(
                    "placement.host-too-small",
                    f"{instance_type} has {row.vcpu} vCPU and {row.memory_gib:g} GiB of memory, and {min_vcpu} vCPU "
                    f"and {min_memory_gib:g} GiB are needed",
                    "leave instance_type out, and the cheapest type that is large enough is taken",
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
        what = f"the catalogue knows no zone of {instance.cloud} {offer.region}"
        raise Refusal([Finding("placement.no-zone", what, "name the zone", where="zone")])
    if zone is not None and offer.zones and zone not in offer.zones:
        raise UnknownName(
            "placement.zone-not-offered",
            f"zone of {offer.region} that offers {instance.instance_type}",
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
        counts = " or ".join(str(count) for count in here)
        return Finding(
            "placement.gpu-not-offered",
            f"{server.cloud} has no type with {server.gpu_count} x {server.gpu} in {server.region}",
            f"gpu_count: {counts} (that is how many {server.gpu} a type there carries)",
            where="gpu_count",
        )
    on_cloud = sorted(
        {offer.region for offer in data.offers(gpu=server.gpu, gpu_count=server.gpu_count, cloud=server.cloud)}
    )
    if on_cloud:
        hint = f"a region that has it: {', '.join(on_cloud[:8])}"
    else:
        elsewhere = sorted({offer.instance.cloud for offer in data.offers(gpu=server.gpu, gpu_count=server.gpu_count)})
        on_sale = sorted({str(offer.instance.gpu_count) for offer in data.offers(gpu=server.gpu, cloud=server.cloud)})
        hint = f"gpu_count: {' or '.join(on_sale)}" if on_sale else ""
        hint += (" or " if hint and elsewhere else "") + (f"cloud: {' or '.join(elsewhere)}" if elsewhere else "")
    there = sorted(
        {str(o.instance.gpu) for o in data.offers(cloud=server.cloud, region=server.region) if o.instance.gpu}
    )
    return Finding(
        "placement.gpu-not-offered",
        f"the catalogue has no offer of {server.gpu_count} x {server.gpu} on {server.cloud} in {server.region}"
        + (f" (there it has {', '.join(there)})" if there else ""),
        hint,
        where="gpu",
    )
