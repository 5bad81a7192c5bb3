"""What costs and is no resource of a cloud's: machines that exist, and the nodes of a cluster."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from pulumi_llm import catalog
from pulumi_llm._plan.model import PlannedResource
from pulumi_llm._review.item import Item, Usage
from pulumi_llm._review.table import CostRule, NotInPlan, look
from pulumi_llm._texts import _, sentences
from pulumi_llm.catalog import Price
from pulumi_llm.preflight import clusters, fleets
from pulumi_llm.spec.store import FleetVectorsSpec

FLEET = "llm:index:Fleet"
"""The component whose nodes somebody pays for, whoever bought them."""


def existing(server: PlannedResource, host: Mapping[str, Any], usage: Usage) -> Item:
    """A machine that nobody buys here: an hour of it costs what its owner says."""
    price, inputs = host.get("price"), server.inputs
    cards = _("{count} x {gpu}, a machine that exists", count=_cards(inputs), gpu=inputs.get("gpu"))
    item = Item(
        urn=server.urn,
        type=server.type,
        resource=server.name,
        slot="machine",
        kind="machine",
        what=cards,
        cloud=str(inputs.get("cloud")),
        region=str(inputs.get("region")),
        hours=usage.running,
    )
    if not isinstance(price, Mapping):
        return replace(item, unknown=_("nobody says what it costs: host.price"))
    told = Price(
        cloud=str(inputs.get("cloud")),
        instance_type="",
        region=str(inputs.get("region")),
        amount=float(price["amount"]),
        currency=price["currency"],
        source="host.price",
        source_date=datetime.now(UTC).date().isoformat(),
    )
    return replace(item, told=told)


def of_fleet(fleet: PlannedResource, usage: Usage) -> Iterator[Item]:
    """The nodes of a fleet's cluster, all of which are paid for, whether or not a model lies on each of them."""
    nodes = fleet.inputs.get("nodes")
    if not isinstance(nodes, Mapping):
        return
    said = {_snake(key): value for key, value in nodes.items()}
    managed = _managed(fleet.inputs)
    count, cloud, region, name = (said.get(key) for key in ("count", "cloud", "region", "instance_type"))
    item = Item(
        urn=fleet.urn,
        type=fleet.type,
        resource=fleet.name,
        slot="nodes",
        kind="machine",
        what=_("{count} nodes, {name}", count=_whole(count), name=name or said.get("gpu")),
        cloud=cloud if isinstance(cloud, str) else None,
        region=region if isinstance(region, str) else None,
        name=name if isinstance(name, str) else "",
        quantity=Decimal(_whole(count)),
        hours=usage.running,
        note=""
        if managed is not None
        else _("the cluster's other machines, and what its cloud asks for the cluster itself, come on top"),
    )
    least = said.get("min_count")
    if managed is not None and isinstance(least, (int, float)) and least < _whole(count):
        item = replace(item, note=_at_most(_whole(least), item.cloud, managed), fewest=Decimal(_whole(least)))
    if held := _held(fleet.inputs, said):
        took = _("engines follow the load, and take {least} to {most} of them", least=held[0], most=held[1])
        item = replace(item, note=sentences(item.note, took))
    price = said.get("price")
    if isinstance(price, Mapping):
        yield replace(item, told=_told(price, "nodes.price"))
    elif cloud is None:
        yield replace(item, unknown=_("nobody says what it costs: nodes.price"))
    else:
        yield item
    if managed is not None and isinstance(cloud, str) and isinstance(region, str):
        yield from _of_the_cluster(item, cloud, region, managed)
    if isinstance(vectors := fleet.inputs.get("vectors"), Mapping):
        yield _disk_of_the_store(item, {_snake(key): value for key, value in vectors.items()})


def _disk_of_the_store(nodes: Item, vectors: Mapping[str, Any]) -> Item:
    """A claim that its chart makes, so that it is no resource of the plan; unknown as the gateway's claim is."""
    gib = _whole(vectors.get("disk_gib", FleetVectorsSpec.model_fields["disk_gib"].default))
    return replace(
        nodes, slot="vectors", kind="other", name="", quantity=Decimal(1), told=None, note="", fewest=None,
        what=_("the vector store's disk, {gib} GiB", gib=gib),
        unknown=_("its storage class says whose disk it is, and the plan does not know that"),
    )  # fmt: skip


def _held(inputs: Mapping[str, Any], nodes: Mapping[str, Any]) -> tuple[int, int] | None:
    """How many nodes engines take at least and at most; None where none of them follow the load."""
    rows = [{_snake(key): value for key, value in each.items()} for each in (inputs.get("models") or {}).values()]
    if not any(isinstance(each.get("scaling"), Mapping) for each in rows):
        return None
    has = _whole(nodes.get("gpus") or _gpus(nodes) or 1)

    def taken(end: str) -> int:
        return fleets.nodes_for(
            has, [(_engines(each, end), _whole(each.get("nodes", 1)), _whole(each.get("gpus", 1))) for each in rows]
        )

    return taken("least"), taken("most")


def _engines(model: Mapping[str, Any], end: str) -> int:
    scaling = model.get("scaling")
    return _whole(scaling.get(end, 1) if isinstance(scaling, Mapping) else model.get("copies", 1))


def _gpus(nodes: Mapping[str, Any]) -> int | None:
    """Of a cloud's machine, where one is named."""
    known = catalog.load().instances_of(str(nodes.get("cloud"))).get(str(nodes.get("instance_type")))
    return known.gpu_count if known is not None else None


BESIDES = {
    "nat": _("a NAT gateway, and what passes through it"),
    "balancer": _("the load balancer of the cluster's API"),
    "key": _("a key that secrets are encrypted with"),
}
"""What a made cluster costs besides, of which the catalogue has no price."""


def is_counted(fleet: PlannedResource, resource: PlannedResource) -> bool:
    """Whether what a resource costs is told with its fleet: a part of the cluster that is made for it."""
    return _managed(fleet.inputs) is not None and not resource.type.startswith("kubernetes:")


def _managed(inputs: Mapping[str, Any]) -> Mapping[str, Any] | None:
    cluster = inputs.get("cluster")
    managed = cluster.get("managed") if isinstance(cluster, Mapping) else None
    return managed if isinstance(managed, Mapping) else None


def _of_the_cluster(nodes: Item, cloud: str, region: str, managed: Mapping[str, Any]) -> Iterator[Item]:
    """The control plane and the nodes without GPUs of a cluster that is made, and what else it costs."""
    service = clusters.service_of(cloud)
    if service is None:
        return
    said = {_snake(key): value for key, value in managed.items()}
    plain = replace(nodes, name="", quantity=Decimal(1), told=None, unknown=None, note="", kind="other")
    price = service.price(region)
    plane = replace(plain, slot="control-plane", what=_("{service}, the control plane", service=service.title))
    yield (
        replace(plane, told=price)
        if price is not None
        else replace(plane, unknown=_("what {service} asks for a cluster is not known here", service=service.title))
    )
    count, name = _whole(said.get("system_count", 2)), str(said.get("system_type") or service.system_type)
    yield replace(
        plain, slot="system", kind="machine", name=name, quantity=Decimal(count),
        what=_("{count} nodes, {name}", count=count, name=name),
    )  # fmt: skip
    reason = _("it costs extra, and the catalogue has no price of it")
    for each in service.costs_besides:
        if not (each == "nat" and said.get("vpc_id")) and not (each == "key" and said.get("secrets_key")):
            yield replace(plain, slot=each, what=BESIDES[each], unknown=reason)


def of_nodes(disk: Item, pool: Mapping[str, Any], rule: CostRule, usage: Usage, fleet: PlannedResource) -> Item:
    """A disk that each node of a pool has, as many times as there are nodes at most."""
    try:
        most = next((number for path in rule.count if (number := _number(look(pool, path)))), 0)
        least = _number(look(pool, rule.least))
    except NotInPlan as missing:
        return replace(disk, unknown=str(missing))
    if not most:
        return replace(disk, unknown=_("the plan does not say how many nodes there are"))
    if least is not None and least < most:
        note = _at_most(least, disk.cloud, _managed(fleet.inputs) or {})
        disk = replace(disk, fewest=disk.quantity * least, note=note)
    return replace(
        disk,
        what=_("{count} x {what}", count=most, what=disk.what),
        quantity=disk.quantity * most,
        hours=usage.running,
    )


def _at_most(least: int, cloud: str | None, managed: Mapping[str, Any]) -> str:
    """What a pool with two bounds costs is told at its upper one."""
    service = clusters.service_of(cloud or "")
    if service is not None and service.autoscaler:
        return _("at most; {least} at least, and the cloud adds the others as pods need them", least=least)
    if service is not None and service.autoscalers and managed.get("operators", True):
        return _("at most; {least} at least, and the cluster-autoscaler adds the others as pods need them", least=least)
    return _("all of them stay until an autoscaler of yours takes some away; {least} at least", least=least)


def _number(told: object) -> int | None:
    """A number of nodes, which some SDKs have as a text."""
    return int(told) if isinstance(told, (int, float)) or (isinstance(told, str) and told.isdecimal()) else None


def _told(price: Mapping[str, Any], source: str) -> Price:
    return Price(
        cloud="",
        instance_type="",
        region="",
        amount=float(price["amount"]),
        currency=price["currency"],
        source=source,
        source_date=datetime.now(UTC).date().isoformat(),
    )


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()


def _whole(count: object) -> int:
    return int(count) if isinstance(count, (int, float)) else 1


def _cards(server: Mapping[str, Any]) -> int:
    """GPUs of a server's machine: the main model's, and those that further models have for themselves.

    A program in Python registers the component with its arguments' own names, a host of components in camel case.
    """
    further = server.get("further_models", server.get("furtherModels"))
    each = [row.get("gpus") for row in further.values()] if isinstance(further, Mapping) else []
    return _whole(server.get("gpu_count", server.get("gpuCount"))) + sum(_whole(count) for count in each if count)
