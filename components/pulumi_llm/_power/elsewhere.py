"""What to do where a cloud has no machine left of the type that is to be started."""

from __future__ import annotations

from pulumi_llm._power.machines import Machine, facts
from pulumi_llm._texts import _, any_of, either, listed
from pulumi_llm.catalog import Catalog, Offer

MOST = 3
"""How many types are named."""


def advice(machine: Machine, catalog: Catalog) -> str:
    """Other types with the same GPU in the region, with their prices, and the other zones of the type itself."""
    row = catalog.find_instance(machine.cloud, machine.instance_type)
    if row is None or (machine.cloud, machine.region) not in catalog.regions:
        return _(
            "try again later, or take another instance type (`pulumi-llm offers --cloud {cloud}`)", cloud=machine.cloud
        )
    offers = (
        catalog.offers(gpu=row.gpu, cloud=machine.cloud, region=machine.region)
        if row.gpu
        else catalog.hosts(
            cloud=machine.cloud, region=machine.region, min_vcpu=row.vcpu, min_memory_gib=row.memory_gib, arch=row.arch
        )
    )
    any_family = facts(machine.cloud)["within_family"]["is"]
    fit = [
        each
        for each in offers
        if each.instance.instance_type != machine.instance_type
        and each.instance.arch == row.arch
        and each.instance.gpu_count >= row.gpu_count
        and each.instance.access == "self-service"
        and (not each.zones or machine.zone in each.zones)
        and (any_family or _family(each.instance.instance_type) != _family(machine.instance_type))
    ]
    zones = [each for each in row.regions.get(machine.region, ()) if each != machine.zone]
    ways = [_("try again later, as the disks and the address are kept")]
    if fit:
        ways.append(
            _(
                "take another type in the same zone (`instance_type`, then `pulumi up`, then this again): {types}",
                types=listed(_priced(each) for each in fit[:MOST]),
            )
        )
    else:
        ways.append(
            _(
                "take a type with another GPU (`pulumi-llm offers --cloud {cloud} --region {region}`)",
                cloud=machine.cloud,
                region=machine.region,
            )
        )
    if zones:
        ways.append(
            _(
                "take another zone ({zones}), where machine and disks are made anew and what is on them is lost",
                zones=either(zones[:MOST]),
            )
        )
    return any_of(ways)


def _family(instance_type: str) -> str:
    return instance_type.rpartition(".")[0]


def _priced(offer: Offer) -> str:
    name, price = offer.instance.instance_type, offer.price
    if price is None:
        return _("{name} (price unknown)", name=name)
    return _("{name} ({amount:.2f} {currency} per hour)", name=name, amount=price.amount, currency=price.currency)
