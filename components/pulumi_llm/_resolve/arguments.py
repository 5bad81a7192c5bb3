"""The arguments of a component that is used alone, as the parts of the spec that they stand for.

Each function takes the arguments that have the declared types and are known by now, and what is wrong with the others.
What may be known only later (an existing network, an address, secrets) is given to the component and is not needed here
beyond whether it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, TypeVar

from pulumi_llm import spec
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._findings import all_or_none, gather, pick, refuse
from pulumi_llm._resolve.choices import of_subnet, tied
from pulumi_llm._resolve.graph import Foreign
from pulumi_llm._resolve.parts import Shared
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.preflight import stores
from pulumi_llm.spec import (
    VECTORS_BESIDE,
    AccessSpec,
    MachineSpec,
    NetworkSpec,
    PriceSpec,
    ProxySpec,
    ServerSpec,
    VectorsSpec,
)
from pulumi_llm.spec.fields import Part

T = TypeVar("T")
VECTORS_NETWORK = "10.62.0.0/16"
"""The range of the network that is made for a vector store's own machine."""

SERVERS: Mapping[str, str] = {"models": spec.FURTHER_MODELS}
VECTORS: Mapping[str, str] = {name: f"vectors_{name}" for name in VECTORS_BESIDE}
"""Keys of a part of the spec that ``ModelServer`` has as arguments of another name."""


def named_as(arguments: Mapping[str, str], task: Callable[[], T]) -> T:
    """What ``task`` gives; what it refuses is placed at the ``arguments``, by the keys that it knows them by."""
    try:
        return task()
    except Refusal as refusal:
        found = []
        for each in refusal.findings:
            key, dot, rest = each.where.partition(".")
            found.append(replace(each, where=arguments.get(key, key) + dot + rest))
        raise Refusal(found) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerArguments:
    """A model server's, with a vector store beside the model where ``vectors`` is not None."""

    server: ServerSpec
    shared: Shared
    vectors: VectorsSpec | None
    foreign: Foreign | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorsArguments:
    """Of a vector store on a machine of its own."""

    place: MachineSpec
    vectors: VectorsSpec
    shared: Shared


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyArguments:
    """An overseas proxy's."""

    proxy: ProxySpec
    shared: Shared


def of_server(given: Mapping[str, Any], known: Mapping[str, Any], beside: Iterable[Finding] = ()) -> ServerArguments:
    """A model server's arguments: ``given``, and those of them that are ``known`` by now.

    Raises:
        Refusal: with every mistake in them, and what is wrong ``beside`` them, at once.
    """
    asked = {name: given.get(f"vectors_{name}") for name in VECTORS_BESIDE}
    prices: Mapping[str, Any] = given.get("proxy_prices") or {}
    server, access, vectors, network, tags, of_models, proxied, *__ = gather(
        lambda: named_as(SERVERS, lambda: spec.parse(ServerSpec, spec.server_arguments(known))),
        lambda: _access(given),
        lambda: named_as(VECTORS, lambda: spec.parse(VectorsSpec, pick(asked, *asked))),
        lambda: spec.parse(NetworkSpec, pick({"cidr": given.get("network_cidr")}, "cidr")),
        lambda: spec.parse(spec.TagsSpec, pick(given, "tags")),
        lambda: spec.parse_each(PriceSpec, prices, where="proxy_prices"),
        lambda: all_or_none(given, "proxy_endpoint", "proxy_key", "proxy_certificate_authority", "proxy_models"),
        lambda: all_or_none(given, "address_id", "address"),
        lambda: check_existing(given),
        lambda: _backed_up(given),
        beside=beside,
    )
    if given.get("vectors"):
        named_as(VECTORS, lambda: stores.refuse_mistakes(server, vectors))
    return ServerArguments(
        server=server,
        shared=Shared(access=access, network=network, tags=tags.tags, protect=_protection(given)),
        vectors=vectors if given.get("vectors") else None,
        foreign=Foreign(models=tuple(given["proxy_models"]), prices=MappingProxyType(of_models)) if proxied else None,
    )


def of_vectors(given: Mapping[str, Any], known: Mapping[str, Any], beside: Iterable[Finding] = ()) -> VectorsArguments:
    """The arguments of a vector store on a machine of its own; as :func:`of_server`."""
    asked = {key: value for key, value in _of(VectorsSpec, given).items() if key != "image_id"}
    place, vectors, access, network, tags, __ = gather(
        lambda: spec.parse(MachineSpec, _of(MachineSpec, known)),
        lambda: spec.parse(VectorsSpec, {"placement": "own", **asked}),
        lambda: _access(given),
        lambda: spec.parse(NetworkSpec, {"cidr": given.get("network_cidr") or VECTORS_NETWORK}),
        lambda: spec.parse(spec.TagsSpec, pick(given, "tags")),
        lambda: check_existing(given),
        beside=beside,
    )
    return VectorsArguments(
        place=place,
        vectors=vectors,
        shared=Shared(access=access, network=network, tags=tags.tags, protect=_protection(given)),
    )


def of_proxy(given: Mapping[str, Any], known: Mapping[str, Any], beside: Iterable[Finding] = ()) -> ProxyArguments:
    """An overseas proxy's arguments; as :func:`of_server`."""
    cidr = given.get("network_cidr")
    proxy, access, network, tags, __ = gather(
        lambda: spec.parse(ProxySpec, _of(ProxySpec, known)),
        lambda: _access(given),
        lambda: spec.parse(NetworkSpec, {"cidr": cidr}) if cidr else None,
        lambda: spec.parse(spec.TagsSpec, pick(given, "tags")),
        lambda: check_existing(given),
        beside=beside,
    )
    return ProxyArguments(
        proxy=proxy,
        shared=Shared(access=access, network=network or proxy.network, tags=tags.tags, protect=_protection(given)),
    )


def check_existing(given: Mapping[str, Any]) -> None:
    """Refuse an existing network that is named by halves, or one whose subnet is in a zone that may be left."""
    alternatives = list(enumerate(given.get("alternatives") or (), 1))
    named = [name for name in ("vpc_id", "address_id") if given.get(name) is not None]
    region = given.get("region")
    moved = [number for number, each in alternatives if each.get("region") not in (None, region)]
    if away := [tied(number, name, str(region)) for number in moved for name in named]:
        raise Refusal(away)
    if not all_or_none(given, "vpc_id", "subnet_id"):
        return
    ids, here = given.get("subnet_ids"), given.get("zone")
    for zone in given.get("replica_zones") or ():
        if zone != here and (ids is None or (isinstance(ids, Mapping) and zone not in ids)):
            refuse(
                "spec.replica-zones",
                _("an existing network is named, and no subnet of it in {zone}", zone=zone),
                _("subnet_ids: the subnet's id, by its zone"),
                where="replica_zones",
            )
    if given.get("zone") is None:
        refuse("spec.zone-needed", _("an existing subnet is named, but not its zone"), _("zone: the subnet's zone"))
    if beyond := [of_subnet(number) for number, each in alternatives if each.get("zone") not in (None, given["zone"])]:
        raise Refusal(beyond)


def _backed_up(given: Mapping[str, Any]) -> None:
    """Refuse backups of a vector store that is not there: nobody should believe that there are any."""
    if given.get("vectors_backup") is not None and not given.get("vectors"):
        refuse(
            "vectors.backup-of-nothing",
            _("vectors_backup is given, and no vector store runs beside the model: nothing would be backed up"),
            _("vectors: true; or `backup` of the VectorStore that has the vectors"),
        )


def _of(kind: type[Part], given: Mapping[str, Any]) -> dict[str, Any]:
    """Those arguments that are fields of that part of the spec."""
    return {key: value for key, value in given.items() if key in kind.model_fields}


def _access(given: Mapping[str, Any]) -> AccessSpec:
    return spec.parse(AccessSpec, _of(AccessSpec, given))


def _protection(given: Mapping[str, Any]) -> bool:
    return bool(given.get("protect"))
