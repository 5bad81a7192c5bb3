"""A network of one's own: a VPC with one subnet in one zone of one cloud."""

from collections.abc import Mapping
from typing import Any, Optional

import pulumi

from pulumi_llm import _component as support
from pulumi_llm import catalog, spec
from pulumi_llm._args import NetworkArgs
from pulumi_llm._arguments import checked
from pulumi_llm._findings import gather, pick, refuse
from pulumi_llm._resolve import ResolvedMachine
from pulumi_llm._texts import _
from pulumi_llm.clouds.base import NetworkHandle, NetworkRequest, Scope
from pulumi_llm.clouds.capabilities import Capability
from pulumi_llm.preflight import capabilities


class Network(pulumi.ComponentResource):
    """A VPC with one subnet, and what that cloud needs for outbound traffic. Nothing is let in by it."""

    vpc_id: pulumi.Output[str]
    """The VPC's id."""
    subnet_id: pulumi.Output[str]
    """The id of the subnet (a vSwitch on Aliyun)."""
    zone: pulumi.Output[str]
    """The zone that the subnet is in."""
    subnet_ids: pulumi.Output[Optional[dict[str, str]]]
    """The ids of the subnets in ``zones``, by zone, where there are any."""

    def __init__(self, name: str, args: NetworkArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        """Make the network. A wrong argument ends the program with every mistake named, and no traceback."""
        with support.refusing(name):
            given = checked(args, NetworkArgs)
            place, wanted, tags, asked = gather(
                lambda: spec.parse(spec.PlaceSpec, pick(given.fit, "cloud", "region", "zone")),
                lambda: spec.parse(spec.NetworkSpec, pick(given.fit, "cidr")),
                lambda: spec.parse(spec.TagsSpec, pick(given.fit, "tags")),
                lambda: spec.parse(spec.NetworksOwn, pick(given.fit, "zones")),
                beside=given.findings,
            )
            support.check_name(name, place.cloud)
            zone = place.zone or _first_zone(place.cloud, place.region)
            cloud = support.adapter(place.cloud)
            more = {each: wanted.subnet_in(each) for each in dict.fromkeys(asked.zones) if each != zone}
            capabilities.demand(place.cloud, [Capability.PRIVATE_NET, *([Capability.ZONES] if more else [])])
        super().__init__(f"{support.PACKAGE}:index:Network", name, support.recorded(args), opts)
        scope = support.scope_of(self, name, cloud, place.region)
        handle = cloud.network(
            name,
            NetworkRequest(
                cidr=wanted.cidr, subnet_cidr=wanted.subnet_cidr, zone=zone, more=more, tags=dict(tags.tags)
            ),
            scope,
        )
        outputs: dict[str, Any] = {
            "vpc_id": pulumi.Output.from_input(handle.vpc_id),
            "subnet_id": pulumi.Output.from_input(handle.subnet_id),
            "zone": pulumi.Output.from_input(zone),
        }
        if handle.more:
            outputs["subnet_ids"] = pulumi.Output.all(**handle.more)
        support.publish(self, outputs)


def network_for(scope: Scope, name: str, args: Mapping[str, Any], machine: ResolvedMachine) -> NetworkHandle:
    """The existing network that ``args`` name, or one made beside the other children, in the machine's zone."""
    place = machine.site.place
    if place.exists:  # it is in whatever network it is in
        return NetworkHandle(vpc_id="", subnet_id="", zone=place.zone)
    if args.get("vpc_id") is not None:
        given = pulumi.Output.from_input(args.get("subnet_ids") or {})
        ids = _by_zone(given, machine)
        return NetworkHandle(vpc_id=args["vpc_id"], subnet_id=args["subnet_id"], zone=place.zone, more=ids)
    network = Network(
        f"{name}-network",
        network_args(machine),
        # With the same provider: another one of its own would be the second for one region.
        pulumi.ResourceOptions(parent=scope.parent, providers=[scope.provider]),
    )
    ids = _by_zone(network.subnet_ids, machine) if _more(machine) else {}
    return NetworkHandle(vpc_id=network.vpc_id, subnet_id=network.subnet_id, zone=place.zone, more=ids)


def _by_zone(ids: pulumi.Output[Any], machine: ResolvedMachine) -> dict[str, pulumi.Output[str]]:
    """The ids of the subnets in the zones of a machine's further ones."""

    def of(zone: str) -> pulumi.Output[str]:
        return ids.apply(lambda told: str(told[zone]))

    return {zone: of(zone) for zone in _more(machine)}


def _more(machine: ResolvedMachine) -> list[str]:
    return [each for each in dict.fromkeys(machine.zones) if each != machine.site.place.zone]


def network_args(machine: ResolvedMachine) -> NetworkArgs:
    """The network that is made for a machine, in its zone and with its tags."""
    place = machine.site.place
    args: NetworkArgs = {
        "cloud": place.cloud,
        "region": place.region,
        "zone": place.zone,
        "cidr": machine.network.cidr,
        "tags": dict(machine.tags),
    }
    if more := _more(machine):
        args["zones"] = more
    return args


def _first_zone(cloud: str, region: str) -> str:
    zones = catalog.load().region(cloud, region).zones
    if not zones:
        refuse(
            "placement.no-zone",
            _("the catalogue knows no zone of {cloud} {region}", cloud=cloud, region=region),
            _("name the zone"),
            where="zone",
        )
    return sorted(zones)[0]
