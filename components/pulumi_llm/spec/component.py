"""What each component takes: whole parts of the spec or single keys of them, and what is the component's own.

Nothing imports this at run time: tools/arguments writes the components' TypedDicts (``_args.py``) from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from pydantic import BaseModel, Field

from pulumi_llm._dataclasses import dataclass
from pulumi_llm.spec.access import AccessSpec
from pulumi_llm.spec.fields import Flag, Part, Text
from pulumi_llm.spec.fleet import FleetSpec
from pulumi_llm.spec.models import FURTHER_MODELS
from pulumi_llm.spec.network import NetworksOwn, NetworkSpec
from pulumi_llm.spec.place import MachineSpec, PlaceSpec
from pulumi_llm.spec.platform import PlatformSpec
from pulumi_llm.spec.proxy import ProxySpec
from pulumi_llm.spec.server import ServerSpec
from pulumi_llm.spec.tags import TagsSpec
from pulumi_llm.spec.upstreams import PriceSpec
from pulumi_llm.spec.vectors import VECTORS_BESIDE, VectorsSpec
from pulumi_llm.spec.vendors import (
    BACKUP_SECRETS,
    CARRIED_KEYS,
    HOST_KEY,
    HUB,
    KUBECONFIG,
    MODERATORS,
    OWN_KEYS,
    SECRETS,
    VENDORS,
    WEIGHTS_SECRETS,
    Secret,
)
from pulumi_llm.spec.worker import WorkerSpec


class ServersOwn(Part):
    """What only ``ModelServer`` takes."""

    vectors: Flag = False
    """Run a vector store on the same host."""
    address_id: Text | None = None
    """The id of a public address that exists; ``address`` must then be given too. Left out: one is made."""
    address: Text | None = None
    """The public IPv4 address that ``address_id`` stands for."""
    proxy_endpoint: Text | None = None
    """The ``endpoint`` of an ``OverseasProxy``: its models are then served here too."""
    proxy_key: Text | None = None
    """A key of that proxy. Keep it secret."""
    proxy_certificate_authority: Text | None = None
    """The certificate authority of that proxy (PEM)."""
    proxy_models: tuple[Text, ...] = ()
    """The models of that proxy."""
    proxy_prices: dict[str, PriceSpec] = Field(default_factory=dict)
    """What those models cost, by model, for keys with a budget in USD."""


class UpstreamKeys(Part):
    """The keys of upstreams that no vendor's argument is for."""

    upstream_api_keys: dict[str, Text] = Field(default_factory=dict)
    """The keys of upstreams that have names of your own, by those names. Keep them secret."""


class FleetsOwn(Part):
    """What only ``Fleet`` takes."""

    carried_keys: dict[str, Text] = Field(default_factory=dict)
    """Keys that callers have already, by their names among ``keys``, such as a ``ModelServer``'s ``api_keys``. The
    others are made. Keep them secret."""


class ProxysOwn(Part):
    """What only ``OverseasProxy`` takes."""

    client_address: Text | None = None
    """The public IPv4 address of a machine that may call too, such as a ``ModelServer``'s ``address``."""


LATE = frozenset(
    {
        *("image_id", "vpc_id", "subnet_id", "subnet_ids", "address_id", "address", "client_address"),
        *("proxy_endpoint", "proxy_key", "proxy_certificate_authority"),
        *(OWN_KEYS, CARRIED_KEYS, KUBECONFIG.argument, *(each.argument for each in SECRETS)),
    }
)
"""Arguments that may be Outputs: none of them decides which resources there are. Inside a part nothing is late."""


@dataclass(frozen=True)
class Taken:
    """What of a part becomes arguments: all keys but ``without``, or those of ``names``, by the argument's name.

    ``defaults``: where the component's own default is another one than the part's.
    """

    part: type[BaseModel]
    without: tuple[str, ...] = ()
    names: Mapping[str, str] | None = None
    defaults: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Component:
    """A component's arguments, and a sentence about them."""

    doc: str
    taken: tuple[Taken, ...]
    secrets: tuple[Secret, ...] = ()


_OF_VENDORS = tuple(each.secret for each in VENDORS.values())
_OF_MODERATORS = tuple(secret for each in MODERATORS.values() for secret in each.secrets.values())


def _network(cidr: str) -> Taken:
    names = {"vpc_id": "vpc_id", "subnet_id": "subnet_id", "cidr": "network_cidr"}
    return Taken(NetworkSpec, names=names, defaults={"cidr": cidr})


_PROTECT = Taken(PlatformSpec, names={"protect": "protect"})

COMPONENTS: Mapping[str, Component] = {
    "Network": Component(
        "Where the network is made, and its range.",
        (Taken(PlaceSpec), Taken(NetworkSpec, names={"cidr": "cidr"}), Taken(NetworksOwn), Taken(TagsSpec)),
    ),
    "ModelServer": Component(
        "Which model, on which GPU, and who may call it.",
        (
            Taken(ServerSpec, without=("models",)),
            Taken(ServerSpec, names={"models": FURTHER_MODELS}),
            Taken(AccessSpec),
            Taken(VectorsSpec, names={name: f"vectors_{name}" for name in VECTORS_BESIDE}),
            Taken(ServersOwn),
            Taken(UpstreamKeys),
            _network("10.60.0.0/16"),
            Taken(NetworkSpec, names={"subnets": "subnet_ids"}),
            _PROTECT,
            Taken(TagsSpec),
        ),
        (*_OF_VENDORS, *_OF_MODERATORS, HUB, HOST_KEY, *BACKUP_SECRETS, *WEIGHTS_SECRETS),
    ),
    "VectorStore": Component(
        "Which vector store, where it runs, how big it is, and who may call it.",
        (
            Taken(MachineSpec),
            Taken(AccessSpec, without=("https_port",)),
            Taken(VectorsSpec, without=("placement", "image_id", "vectorizer")),
            _network("10.62.0.0/16"),
            _PROTECT,
            Taken(TagsSpec),
        ),
        BACKUP_SECRETS,
    ),
    "OverseasProxy": Component(
        "Where the proxy stands, what it serves, and who may call it.",
        (
            Taken(ProxySpec, without=("network",)),
            Taken(AccessSpec),
            Taken(ProxysOwn),
            Taken(UpstreamKeys),
            _network("10.61.0.0/16"),
            _PROTECT,
            Taken(TagsSpec),
        ),
        (*_OF_VENDORS, *_OF_MODERATORS),
    ),
    "WorkerProxy": Component(
        "Which account the proxy runs in, what it serves, and who may call it.",
        (
            Taken(WorkerSpec),
            Taken(AccessSpec, names={"allowed_cidrs": "allowed_cidrs", "public": "public"}),
            Taken(UpstreamKeys),
        ),
        _OF_VENDORS,
    ),
    "Fleet": Component(
        "Which models, on which nodes of which cluster, and who may call them.",
        (Taken(FleetSpec), Taken(FleetsOwn)),
        (HUB, KUBECONFIG),
    ),
    "Platform": Component(
        "The spec of a platform (see docs/user-guide.md), and the secrets that it needs.",
        (Taken(PlatformSpec), Taken(UpstreamKeys)),
        SECRETS,
    ),
}
