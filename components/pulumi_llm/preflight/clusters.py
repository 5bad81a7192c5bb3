"""A cluster that is made: which version, where, on which machines; and what of it no cloud would make."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from datetime import date
from typing import TYPE_CHECKING, Any

from pulumi_llm import catalog, clouds
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._texts import _, listed
from pulumi_llm.errors import Finding

if TYPE_CHECKING:
    from pulumi_llm.spec.fleet import FleetSpec
    from pulumi_llm.spec.managed import ManagedSpec

FILE = "clusters.json"
SOON_DAYS = 60
"""So many days before a version's last one a new cluster in it is warned of."""
MOST_ZONES = 2
"""Zones that nodes are spread over, where none are named: engines of one model need not be near each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version of Kubernetes that a cloud sells. ``until``: its last day, if known. ``whole``: all of its name."""

    version: str
    until: str | None
    whole: str | None = None
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What is known of a cloud's managed Kubernetes."""

    cloud: str
    title: str
    versions: tuple[Version, ...]
    ended: tuple[Version, ...]
    as_of: str
    system_type: str
    control_zones: int
    allow_list: bool
    """Whether its API can be opened to some addresses alone."""
    makes_key: bool
    chooses_driver: bool
    has_admins: bool
    taint: bool
    """Whether what the cloud runs on GPU nodes is known to tolerate their taint."""
    autoscaler: bool
    """Whether the cloud itself adds nodes; otherwise a program in the cluster has to."""
    autoscalers: Mapping[str, str]
    """That program's version for each minor version of Kubernetes, where it is installed here; else empty."""
    storage: Mapping[str, Any]
    costs_besides: tuple[str, ...]
    """What else costs, of which no price is known here: nat, balancer, key."""
    _prices: Sequence[Mapping[str, Any]] = field(default=(), repr=False)
    _sources: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)

    def price(self, region: str) -> catalog.Price | None:
        """What an hour of the control plane costs; None: not known."""
        in_china = catalog.load().region(self.cloud, region).in_china
        for row in self._prices:
            if row["china"] == in_china:
                source = self._sources[row["source"]]
                return catalog.Price(
                    cloud=self.cloud, instance_type="", region=region, amount=row["amount"], currency=row["currency"],
                    source=source["title"], source_date=source["date"],
                )  # fmt: skip
        return None


def service_of(cloud: str) -> Service | None:
    """The managed Kubernetes of a cloud; None where nothing here makes one."""
    folder = clouds.folders().get(cloud)
    found = folder.read(FILE) if folder is not None else {}
    if not found:
        return None
    named = {row["source"] for row in found["versions"]}
    return Service(
        cloud=cloud,
        title=found["service"],
        versions=tuple(_version(row, found["sources"]) for row in found["versions"]),
        ended=tuple(_version(row, found["sources"]) for row in found["ended"]),
        as_of=max(found["sources"][each]["date"] for each in named),
        _prices=tuple(found["control_plane"]),
        _sources=found["sources"],
        costs_besides=tuple(found["costs_besides"]),
        autoscalers=found.get("autoscaler_chart", {}).get("versions", {}),
        **{key: found[key] for key in (
            "system_type", "control_zones", "allow_list", "makes_key", "chooses_driver", "has_admins", "taint",
            "autoscaler", "storage",
        )},
    )  # fmt: skip


def _version(row: Mapping[str, Any], sources: Mapping[str, Mapping[str, str]]) -> Version:
    title = sources[row["source"]]["title"]
    return Version(version=row["version"], until=row["until"], whole=row.get("whole"), source=title)


def makers() -> list[str]:
    """The clouds that clusters are made on."""
    return [name for name in clouds.names() if service_of(name) is not None]


def zones_of(fleet: FleetSpec, managed: ManagedSpec) -> tuple[str, ...]:
    """Where the GPU nodes stand: as named, or where the machine is sold; none where nobody knows."""
    if managed.zones:
        return managed.zones
    row = catalog.load().instance(fleet.nodes.cloud or "", fleet.nodes.instance_type or "")
    sold = sorted(row.regions.get(fleet.nodes.region or "", ()))
    if managed.subnets:
        sold = [each for each in sold if each in managed.subnets]
    return tuple(sold[:MOST_ZONES])


def ending_of(cloud: str, wanted: str | None) -> tuple[Service, Version] | None:
    """The version that a cluster is made in, and its cloud's service; None where its last day is not known."""
    service = service_of(cloud)
    if service is None:
        return None
    row = _row(service, _minor(whole_version(service, wanted)[0]))
    return None if row is None or row.until is None else (service, row)


def whole_version(service: Service, wanted: str | None) -> tuple[str, bool]:
    """What the cloud is asked for, and whether that is all of its name."""
    if wanted is None:
        first = service.versions[0]
        return (first.whole, True) if first.whole else (first.version, False)
    wanted = wanted.removeprefix("v")
    if wanted.count(".") > 1:
        return wanted, True
    known = next((each for each in service.versions if each.version == wanted), None)
    return (known.whole, True) if known is not None and known.whole else (wanted, False)


def mistakes(fleet: FleetSpec, managed: ManagedSpec, today: date) -> Iterator[Finding]:
    """What the cloud would refuse, and what would leave the cluster out of reach."""
    cloud, region = fleet.nodes.cloud or "", fleet.nodes.region or ""
    service = service_of(cloud)
    if service is None:
        yield Finding(
            "managed.no-maker",
            _("clusters are not made on {cloud} here", cloud=cloud),
            _("one of {names}, or a cluster that is there, by its kubeconfig", names=listed(makers())),
            where="cluster.managed",
        )
        return
    yield from _of_the_version(service, fleet.cluster.version, today)
    yield from _of_the_place(fleet, managed, service, region)
    yield from _of_its_abilities(managed, service)
    if bounded(fleet) and not adds_nodes(fleet):
        yield Finding(
            "managed.no-autoscaler",
            _("{service} adds no nodes by itself: {count} are made, and stay until a program in the cluster says "
              "otherwise", service=service.title, count=fleet.nodes.count),
            _("leave operators out, or install the cluster-autoscaler, or leave min_count out"),
            severity="warning",
            where="nodes.min_count",
        )  # fmt: skip


def bounded(fleet: FleetSpec) -> bool:
    """Whether the pool of GPU nodes has two bounds."""
    least = fleet.nodes.min_count
    return fleet.cluster.managed is not None and least is not None and least < fleet.nodes.count


def adds_nodes(fleet: FleetSpec) -> bool:
    """Whether nodes are added to such a pool, and taken away: by the cloud, or by what is installed in the cluster."""
    service, managed = service_of(fleet.nodes.cloud or ""), fleet.cluster.managed
    if service is None or managed is None:
        return False
    return service.autoscaler or (managed.operators and bool(service.autoscalers))


def autoscaler_of(fleet: FleetSpec) -> str | None:
    """The version of the cluster-autoscaler to install in the cluster that is made; None: none is.

    It knows the scheduler of one minor version of Kubernetes; a newer cluster has the newest that is known here.
    """
    service = service_of(fleet.nodes.cloud or "")
    if service is None or service.autoscaler or not (bounded(fleet) and adds_nodes(fleet)):
        return None
    known = service.autoscalers
    version = _minor(whole_version(service, fleet.cluster.version)[0])
    return known.get(version) or known[max(known, key=_number)]


def _of_the_version(service: Service, wanted: str | None, today: date) -> Iterator[Finding]:
    named = _minor(whole_version(service, wanted)[0])
    sold = [each.version for each in service.versions]
    row = _row(service, named)
    if row is None and _number(named) < _number(sold[-1]):
        yield _too_old(service, named, None, sold)
    elif row is not None and row.until is not None and date.fromisoformat(row.until) < today:
        yield _too_old(service, named, row.until, sold)
    elif row is not None and row.until is not None and (date.fromisoformat(row.until) - today).days < SOON_DAYS:
        yield Finding(
            "managed.version-ends-soon",
            _("{service} supports Kubernetes {version} until {day}", service=service.title, version=named,
              day=row.until),
            _("a newer one, of {names}, before that day", names=listed(sold)),
            severity="warning",
            where="cluster.version",
        )  # fmt: skip
    elif row is None:
        yield Finding(
            "managed.version-not-known",
            _("{service} with Kubernetes {version} is not known here, as of {day}", service=service.title,
              version=named, day=service.as_of),
            _("known: {names}", names=listed(sold)),
            severity="warning",
            where="cluster.version",
        )  # fmt: skip


def _minor(version: str) -> str:
    found = re.match(r"\d+\.\d+", version)
    return found[0] if found else version


def _row(service: Service, minor: str) -> Version | None:
    return next((each for each in (*service.versions, *service.ended) if each.version == minor), None)


def _too_old(service: Service, version: str, until: str | None, sold: Sequence[str]) -> Finding:
    told = (
        _("{service} with Kubernetes {version} is supported no more since {day}", service=service.title,
          version=version, day=until)
        if until is not None
        else _("{service} sells Kubernetes {version} no more", service=service.title, version=version)
    )  # fmt: skip
    return Finding("managed.version-ended", told, _("one of {names}", names=listed(sold)), where="cluster.version")


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(each) for each in re.findall(r"\d+", version))


def _of_the_place(fleet: FleetSpec, managed: ManagedSpec, service: Service, region: str) -> Iterator[Finding]:
    data = catalog.load()
    name = fleet.nodes.instance_type or ""
    row = data.instance(service.cloud, name)
    sold = row.regions.get(region, ())
    if not sold:
        yield Finding(
            "managed.no-gpu-in-region",
            _("{type} is not sold in {region}, as far as the catalogue knows", type=name, region=region),
            _("`pulumi-llm offers --gpu {gpu}` lists where there is one", gpu=row.gpu or "-"),
            where="nodes.region",
        )
    elif strange := [each for each in managed.zones if each not in sold]:
        yield Finding(
            "managed.no-gpu-in-zone",
            _("{type} is not sold in {zone}, as far as the catalogue knows", type=name, zone=strange[0]),
            _("one of {names}", names=listed(sorted(sold))),
            where="cluster.managed.zones",
        )
    elif not zones_of(fleet, managed):
        yield Finding(
            "managed.no-gpu-in-zone",
            _("{type} is sold in none of the zones that subnets are named for", type=name),
            _("subnets in one of {names}", names=listed(sorted(sold))),
            where="cluster.managed.subnets",
        )
    elif managed.subnets and len(managed.subnets) < service.control_zones:
        yield Finding(
            "managed.too-few-zones",
            _("{service} wants subnets in {least} zones, and {count} is named", service=service.title,
              least=service.control_zones, count=len(managed.subnets)),
            _("subnets in another zone of {region} too", region=region),
            where="cluster.managed.subnets",
        )  # fmt: skip
    system = managed.system_type or service.system_type
    machine = data.find_instance(service.cloud, system)
    if machine is not None and machine.gpu:
        yield Finding(
            "managed.gpu-for-the-rest",
            _("{type} has a GPU, and what runs there needs none", type=system),
            _("system_type: {type}", type=service.system_type),
            where="cluster.managed.system_type",
        )


def _of_its_abilities(managed: ManagedSpec, service: Service) -> Iterator[Finding]:
    if managed.api_cidrs and not service.allow_list:
        yield Finding(
            "managed.no-allow-list",
            _("{service} opens its API to all of the internet or to its network alone, as far as is known here",
              service=service.title),
            _("leave api_cidrs out, and run `up` inside the network: vpc_id and subnets of the one it runs in"),
            where="cluster.managed.api_cidrs",
        )  # fmt: skip
    if managed.gpu_driver and not service.chooses_driver:
        yield Finding(
            "managed.driver-of-the-image",
            _("on {service} the nodes' image brings the driver", service=service.title),
            _("leave gpu_driver out"),
            where="cluster.managed.gpu_driver",
        )
    if managed.admins and not service.has_admins:
        yield Finding(
            "managed.no-admins",
            _("who may administer a cluster of {service} is said in its own console, not here", service=service.title),
            _("leave admins out"),
            where="cluster.managed.admins",
        )
    if not managed.api_cidrs and not managed.vpc_id:
        yield Finding(
            "managed.out-of-reach",
            _("the cluster's API answers in a network that is made with it, where `up` cannot run yet"),
            _("api_cidrs: where `up` runs; or vpc_id and subnets of the network that it runs in")
            if service.allow_list
            else _("vpc_id and subnets of the network that `up` runs in"),
            where="cluster.managed",
        )
    if managed.secrets_key is None and not service.makes_key:
        yield Finding(
            "managed.secrets-not-encrypted",
            _("{service} keeps Kubernetes' secrets without a key of yours", service=service.title),
            _("secrets_key: the id of a key in the cloud's key service"),
            severity="warning",
            where="cluster.managed.secrets_key",
        )
