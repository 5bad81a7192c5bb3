"""What costs and is no resource of a cloud's: machines that exist, a bucket of one's own, the nodes of a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from pulumi_llm._plan.model import PlannedResource
from pulumi_llm._review.item import Item, Usage
from pulumi_llm._texts import _
from pulumi_llm.catalog import Price

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


def kept(server: PlannedResource, weights: Mapping[str, Any]) -> Item:
    """The bucket of weights, which is somebody's own: a cloud charges for what lies in it, by its own price."""
    return Item(
        urn=server.urn,
        type=server.type,
        resource=server.name,
        slot="weights",
        kind="other",
        what=_("weights kept in {bucket}", bucket=str(weights.get("bucket"))),
        cloud=None,
        region=None,
        unknown=_("the catalogue has no price of what lies in a bucket; within its region nothing is paid to fetch it"),
    )


def of_fleet(fleet: PlannedResource, usage: Usage) -> Iterator[Item]:
    """The nodes of a fleet's cluster, all of which are paid for, whether or not a model lies on each of them."""
    nodes = fleet.inputs.get("nodes")
    if not isinstance(nodes, Mapping):
        return
    said = {_snake(key): value for key, value in nodes.items()}
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
        note=_("the cluster's other machines, and what its cloud asks for the cluster itself, come on top"),
    )
    price = said.get("price")
    if isinstance(price, Mapping):
        yield replace(item, told=_told(price, "nodes.price"))
    elif cloud is None:
        yield replace(item, unknown=_("nobody says what it costs: nodes.price"))
    else:
        yield item


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
    return "instance_type" if name == "instanceType" else name


def _whole(count: object) -> int:
    return int(count) if isinstance(count, (int, float)) else 1


def _cards(server: Mapping[str, Any]) -> int:
    """GPUs of a server's machine: the main model's, and those that further models have for themselves.

    A program in Python registers the component with its arguments' own names, a host of components in camel case.
    """
    further = server.get("further_models", server.get("furtherModels"))
    each = [row.get("gpus") for row in further.values()] if isinstance(further, Mapping) else []
    return _whole(server.get("gpu_count", server.get("gpuCount"))) + sum(_whole(count) for count in each if count)
