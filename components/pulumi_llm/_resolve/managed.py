"""The cluster that is made for a fleet, settled: what its cloud is asked for."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from pulumi_llm import _day as day
from pulumi_llm import catalog
from pulumi_llm._dataclasses import dataclass
from pulumi_llm.clouds.clusters import ClusterRequest, Pool
from pulumi_llm.errors import Finding
from pulumi_llm.preflight import clusters, fleets
from pulumi_llm.spec.namespaces import SCALER

if TYPE_CHECKING:
    from pulumi_llm.spec.fleet import FleetSpec

OF_IMAGES = 80
"""GiB of a GPU node's disk for its system and vLLM's image, which is some 10 GiB packed."""
SYSTEM_DISK = 60
"""GiB of the disk of a node without GPUs."""
TAGS = {"managed-by": "pulumi-llm"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedCluster:
    """A cluster to make, and what is known of its cloud's service."""

    cloud: str
    region: str
    service: clusters.Service
    request: ClusterRequest


def resolve_cluster(fleet: FleetSpec, weights_gib: Mapping[str, int]) -> tuple[ResolvedCluster | None, list[Finding]]:
    """The cluster and what is to be said of it; None where none is to be made, or cannot be.

    ``weights_gib``: what the files of each model take on a node's disk.
    """
    managed = fleet.cluster.managed
    if managed is None:
        return None, []
    findings = list(clusters.mistakes(fleet, managed, day.today()))
    if any(each.severity == "error" for each in findings):
        return None, findings
    nodes = fleet.nodes
    cloud, region, machine = nodes.cloud or "", nodes.region or "", nodes.instance_type or ""
    service = clusters.service_of(cloud)
    assert service is not None  # noqa: S101 - refused above
    version, whole = clusters.whole_version(service, fleet.cluster.version)
    zones = clusters.zones_of(fleet, managed)
    system = managed.system_type or service.system_type
    others = _system_zones(cloud, region, system, zones, tuple(managed.subnets))
    least = nodes.count if nodes.min_count is None else nodes.min_count
    return (
        ResolvedCluster(
            cloud=cloud,
            region=region,
            service=service,
            request=ClusterRequest(
                version=version,
                whole_version=whole,
                cidr=managed.cidr,
                vpc_id=managed.vpc_id,
                subnets=managed.subnets or _ranges(managed.cidr, _all_zones(cloud, region, (*zones, *others), service)),
                system=Pool(
                    kind="system",
                    instance_type=system,
                    first=managed.system_count,
                    least=managed.system_count,
                    most=managed.system_count,
                    disk_gib=SYSTEM_DISK,
                    zones=others,
                ),
                gpus=Pool(
                    kind="gpu",
                    instance_type=machine,
                    # Where the cloud itself adds nodes it begins with the fewest. Elsewhere all are there at first: a
                    # later change of the bounds sends this number again, and no machine at work may go by that.
                    first=least if service.autoscaler else nodes.count,
                    least=least,
                    most=nodes.count,
                    disk_gib=OF_IMAGES + _weights_of_a_node(fleet, weights_gib),
                    zones=zones,
                    taint=service.taint,
                ),
                api_cidrs=managed.api_cidrs,
                secrets_key=managed.secrets_key,
                gpu_driver=managed.gpu_driver,
                admins=managed.admins,
                autoscaler=SCALER if clusters.autoscaler_of(fleet) is not None else None,
                protect=managed.protect,
                tags={**TAGS, **managed.tags},
            ),
        ),
        findings,
    )


def _system_zones(
    cloud: str, region: str, machine: str, zones: tuple[str, ...], named: tuple[str, ...]
) -> tuple[str, ...]:
    """Where the nodes without GPUs stand: with the others where their machine is sold there, else in one zone where it
    is. Where nobody knows, with the others."""
    row = catalog.load().find_instance(cloud, machine)
    sold = set(row.regions.get(region, ())) if row is not None else set()
    together = tuple(each for each in zones if each in sold)
    elsewhere = sorted(sold & set(named) if named else sold)[:1]
    return together or tuple(elsewhere) or zones


def _all_zones(cloud: str, region: str, zones: Iterable[str], service: clusters.Service) -> list[str]:
    """The nodes' zones, and as many others as the control plane wants."""
    found = list(dict.fromkeys(zones))
    others = [each for each in sorted(catalog.load().region(cloud, region).zones) if each not in found]
    return found + others[: max(0, service.control_zones - len(found))]


def _ranges(cidr: str, zones: Iterable[str]) -> dict[str, str]:
    """A /19 of the network for each zone, the first left for what is no node."""
    parts = list(ipaddress.IPv4Network(cidr).subnets(new_prefix=19))
    return {zone: str(parts[1 + number]) for number, zone in enumerate(zones)}


def _weights_of_a_node(fleet: FleetSpec, weights_gib: Mapping[str, int]) -> int:
    """GiB of weights that a node may have to hold: as many copies as its GPUs hold, of the largest model."""
    if fleet.storage_class is not None:
        return 0
    gpus = fleets.node_of(fleet).gpus
    return max(
        math.ceil(weights_gib[name] / each.nodes) * max(1, gpus // each.gpus) for name, each in fleet.models.items()
    )
