"""Machines of which no public source tells where they are sold, and what is told of one that is asked for all the same.

Some types are sold on request only, or are too new for the lists that the catalogue is made from. A vendor tells its
customer the zone; the catalogue does not know it. Such a type is taken where its zone is named with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pulumi_llm import catalog
from pulumi_llm._texts import _
from pulumi_llm.catalog import Offer
from pulumi_llm.errors import Finding, Refusal, UnknownName

if TYPE_CHECKING:
    from pulumi_llm.catalog import Instance
    from pulumi_llm.preflight.placement import Placement
    from pulumi_llm.spec import ServerSpec


def may_be_sold(row: Instance, region: str) -> bool:
    """Whether the type may be sold in a region of which no source says so.

    The zones of what is sold to everybody are listed, so a region that the list lacks has it not.
    """
    return region not in row.regions and (not row.regions or row.access != "self-service")


def offers(server: ServerSpec) -> list[Offer]:
    """The type that the server names as an offer of its region, without a zone; none where it is listed there already.

    None either where it carries something else or cannot be sold there. Raises UnknownName for an unknown type.
    """
    data = catalog.load()
    row = data.instance(server.cloud, server.instance_type or "")
    carries = (row.role, row.gpu, row.gpu_count) == ("gpu", data.gpu(server.gpu).name, server.cards)
    if not carries or row.fractional or not may_be_sold(row, server.region):
        return []
    price = data.price(row.cloud, row.instance_type, server.region, spot=server.spot)
    return [Offer(instance=row, region=server.region, zones=(), price=price)]


def is_zone_open(found: Offer, zone: str | None) -> bool:
    """Whether the zone of a GPU type is the asker's to say: no source tells one, or it is sold on request.

    What a vendor sells on request it sells where it agreed to, so another zone than the one that is known may be right.
    """
    row = found.instance
    return row.role == "gpu" and (
        not found.zones or (zone not in (None, *found.zones) and row.access != "self-service")
    )


def check_zone(found: Offer, zone: str | None) -> str:
    """The zone in which a GPU type is taken that has none, or not this one, in the catalogue.

    Raises Refusal ``placement.no-zone`` where none is named, UnknownName ``placement.zone-not-offered`` for one of
    another region.
    """
    row = found.instance
    if zone is None:
        what = _(
            "no public source tells in which zone of {region} {instance_type} is sold",
            region=found.region,
            instance_type=row.instance_type,
        )
        raise Refusal([Finding("placement.no-zone", what, _("name the zone"), where="zone")])
    if not catalog.lies_in(zone, found.region):
        known = catalog.load().region(row.cloud, found.region).zones
        kind = _("zone of {region} that offers {instance_type}", region=found.region, instance_type=row.instance_type)
        raise UnknownName("placement.zone-not-offered", kind, zone, known, where="zone")
    return zone


def told(placed: Placement) -> Iterator[Finding]:
    """The warnings about a GPU machine that has a place: what of it no source could tell."""
    row = catalog.load().instance(placed.cloud, placed.instance_type)
    if placed.zone not in row.regions.get(placed.region, ()):
        yield Finding(
            "placement.not-verified",
            _(
                "no public source tells that {zone} sells {instance_type}: it is taken as you ask for it",
                zone=placed.zone,
                instance_type=row.instance_type,
            ),
            _("see in the cloud's console that your account can buy it there, before you deploy"),
            severity="warning",
            where="zone",
        )
    if row.bare_metal:
        yield Finding(
            "placement.bare-metal",
            _(
                "{instance_type} is bare metal, and nothing of this was tried on such a machine",
                instance_type=row.instance_type,
            ),
            _(
                "a virtual machine with the same GPUs; or an image that boots there (image_id), and "
                "patience: it starts more slowly"
            ),
            severity="warning",
            where="instance_type",
        )
