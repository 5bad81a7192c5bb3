"""What lies in a stack's buckets, as things with a price: a model's weights, and the backups of a vector store.

A bucket is somebody's own and in no plan. What a stack puts there is known all the same, or bounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from pulumi_llm import catalog, spec
from pulumi_llm._plan.model import Plan, PlannedResource
from pulumi_llm._review.capacity import server_of
from pulumi_llm._review.item import Item
from pulumi_llm._review.money import exact, plain
from pulumi_llm._texts import _
from pulumi_llm.errors import Refusal
from pulumi_llm.preflight import placement
from pulumi_llm.roles import registry
from pulumi_llm.spec.backup import BUCKETS, bucket_of

STANDARD = "standard"
"""The storage class that a bucket has where nobody asks for another, as the rows of prices name it."""
WHEELS = ("vllm", "gate", "uv")
"""The environments that every model server has."""
OWNERS = {"llm:index:ModelServer": "vectors_backup", "llm:index:VectorStore": "backup"}
"""The components that keep backups, and the argument that says where."""


def in_buckets(plan: Plan, resource: PlannedResource) -> Iterator[Item]:
    """What a component of the plan keeps in buckets."""
    inputs = resource.inputs
    weights = inputs.get("weights")
    if resource.type == "llm:index:ModelServer" and isinstance(weights, Mapping):
        yield _weights(plan, resource, weights)
    argument = OWNERS.get(resource.type)
    backup = inputs.get(argument) if argument else None
    if isinstance(backup, Mapping):
        yield from _backups(resource, backup)


def _weights(plan: Plan, server: PlannedResource, weights: Mapping[str, Any]) -> Item:
    """One copy of each model's files, however many machines read it."""
    item = _item(server, weights, str(weights.get("bucket")), "weights")
    gib = _weights_gib(plan, server)
    if gib is None:
        what = _("weights kept in {bucket}", bucket=str(weights.get("bucket")))
        return replace(item, what=what, unknown=item.unknown or _("the size of the weights is not known"))
    if weights.get("bundle") is not None:
        return _bundle(item, gib)
    what = _("weights, {gib} GiB, in {bucket}", gib=plain(gib), bucket=str(weights.get("bucket")))
    elsewhere = item.region is not None and item.region != server.inputs.get("region")
    note = _("reading them from another region is paid for besides") if elsewhere else _("read within the region")
    return replace(item, what=what, quantity=gib, note="" if item.unknown else note)


def _bundle(item: Item, weights: Decimal) -> Item:
    """A bundle: its weights and wheels are known, and the least that is there; images and packages come to it."""
    pins = registry.environments()
    wheels = exact(round(sum(pins[each].wheels.download_bytes for each in WHEELS) / 2**30, 1))
    gib = weights + wheels
    what = _("a bundle, {gib} GiB at least, in {bucket}", gib=plain(gib), bucket=item.what)
    note = _("images and packages come to its weights and wheels")
    return replace(item, what=what, quantity=gib, note="" if item.unknown else note)


def _weights_gib(plan: Plan, server: PlannedResource) -> Decimal | None:
    """GiB of all models of a server, as its program resolved them, or else by its inputs."""
    resolved = plan.servers.get(server.urn)
    if resolved is not None:
        return _sum([resolved.weights_gib, *(each.weights_gib for each in resolved.models)])
    wanted = server_of(server)
    if wanted is None:
        return None
    known = catalog.load().models
    rows = [known.get(each) for each in (wanted.model, *(further.model for further in wanted.models.values()))]
    return _sum([placement.download_gib(row) if row is not None else None for row in rows])


def _sum(sizes: Iterable[float | None]) -> Decimal | None:
    found = list(sizes)
    known = [each for each in found if each is not None]
    return exact(round(sum(known), 1)) if len(known) == len(found) else None


def _backups(owner: PlannedResource, given: Mapping[str, Any]) -> Iterator[Item]:
    """As many copies as are kept, each of the whole room of the store: no more than that is ever there."""
    try:
        backup = spec.parse(spec.BackupSpec, given)
        size = owner.inputs.get("vectors_disk_gib" if owner.type == "llm:index:ModelServer" else "disk_gib")
        store = spec.parse(spec.VectorsSpec, {} if size is None else {"disk_gib": size})
    except Refusal:  # not known before it is made, or refused by the component itself
        return
    if backup.to is None or bucket_of(backup.to) is None:
        return
    item = _item(owner, given, backup.to, "backups")
    gib = exact(store.disk_gib) * backup.keep
    what = _("backups, {gib} GiB at most, in {bucket}", gib=plain(gib), bucket=backup.to)
    note = _("{count} of {size} GiB, where the store's room is full", count=backup.keep, size=store.disk_gib)
    yield replace(item, what=what, quantity=gib, note="" if item.unknown else note)


def _item(owner: PlannedResource, given: Mapping[str, Any], address: str, slot: str) -> Item:
    """A thing in the bucket with that address, in the region that is said or else its owner's."""
    bucket = bucket_of(address)
    region = given.get("region") or owner.inputs.get("region")
    item = Item(
        urn=owner.urn,
        type=owner.type,
        resource=owner.name,
        slot=slot,
        kind="storage",
        what=address,
        cloud=str(BUCKETS[bucket.scheme]["cloud"]) if bucket is not None else None,
        region=region if isinstance(region, str) else None,
        name=STANDARD,
    )
    if bucket is None or given.get("endpoint") is not None:
        return replace(item, cloud=None, region=None, unknown=_("nobody knows what that server charges"))
    return item
