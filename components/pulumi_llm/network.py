"""A network of one's own: a VPC with one subnet in one zone of one cloud."""

from collections.abc import Mapping
from typing import Any, NotRequired, Optional, TypedDict

import pulumi

from pulumi_llm import _component as support
from pulumi_llm import catalog, spec
from pulumi_llm._arguments import checked
from pulumi_llm.clouds.base import NetworkHandle, NetworkRequest, Scope
from pulumi_llm.preflight.placement import Placement
from pulumi_llm.texts import _


class NetworkArgs(TypedDict):
    """Where the network is made, and its range."""

    cloud: str
    """``aliyun``, ``tencent`` or ``aws``."""
    region: str
    """The cloud's own name of the region, such as ``cn-hangzhou``."""
    zone: NotRequired[str]
    """The zone of the subnet; default: the first zone of the region that the catalogue knows."""
    cidr: NotRequired[str]
    """A private range between /16 and /24; the subnet is its first /24. Default: ``10.60.0.0/16``."""
    tags: NotRequired[dict[str, str]]
    """Tags for everything that takes them."""


class Network(pulumi.ComponentResource):
    """A VPC with one subnet, and what that cloud needs for outbound traffic. Nothing is let in by it."""

    vpc_id: pulumi.Output[str]
    """The VPC's id."""
    subnet_id: pulumi.Output[str]
    """The id of the subnet (a vSwitch on Aliyun)."""
    zone: pulumi.Output[str]
    """The zone that the subnet is in."""

    def __init__(self, name: str, args: NetworkArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        """Make the network. A wrong argument ends the program with every mistake named, and no traceback."""
        with support.refusing(name):
            given = checked(args, NetworkArgs)
            place, wanted, tags = support.gather(
                lambda: spec.parse(spec.PlaceSpec, support.pick(given.fit, "cloud", "region", "zone")),
                lambda: spec.parse(spec.NetworkSpec, support.pick(given.fit, "cidr")),
                lambda: spec.parse(spec.TagsSpec, support.pick(given.fit, "tags")),
                beside=given.findings,
            )
            support.check_name(name, place.cloud)
            zone = place.zone or _first_zone(place.cloud, place.region)
            cloud = support.adapter(place.cloud)
        super().__init__(f"{support.PACKAGE}:index:Network", name, support.recorded(args), opts)
        scope = support.scope_of(self, name, cloud, place.region)
        handle = cloud.network(
            name,
            NetworkRequest(cidr=wanted.cidr, subnet_cidr=wanted.subnet_cidr, zone=zone, tags=dict(tags.tags)),
            scope,
        )
        support.publish(
            self,
            {
                "vpc_id": pulumi.Output.from_input(handle.vpc_id),
                "subnet_id": pulumi.Output.from_input(handle.subnet_id),
                "zone": pulumi.Output.from_input(zone),
            },
        )


def network_for(scope: Scope, name: str, args: Mapping[str, Any], place: Placement, cidr: str) -> NetworkHandle:
    """The existing network that ``args`` name, or one made beside the other children, in the placement's zone."""
    if args.get("vpc_id") is not None:
        return NetworkHandle(vpc_id=args["vpc_id"], subnet_id=args["subnet_id"], zone=place.zone)
    network = Network(
        f"{name}-network",
        {
            "cloud": place.cloud,
            "region": place.region,
            "zone": place.zone,
            "cidr": cidr,
            "tags": dict(args.get("tags") or {}),
        },
        # With the same provider: another one of its own would be the second for one region.
        pulumi.ResourceOptions(parent=scope.parent, providers=[scope.provider]),
    )
    return NetworkHandle(vpc_id=network.vpc_id, subnet_id=network.subnet_id, zone=place.zone)


def check_existing(args: Mapping[str, Any]) -> None:
    """Refuse an existing network that is named by halves."""
    if support.all_or_none(args, "vpc_id", "subnet_id") and args.get("zone") is None:
        support.refuse(
            "spec.zone-needed", _("an existing subnet is named, but not its zone"), _("zone: the subnet's zone")
        )


def _first_zone(cloud: str, region: str) -> str:
    zones = catalog.load().region(cloud, region).zones
    if not zones:
        support.refuse(
            "placement.no-zone",
            _("the catalogue knows no zone of {cloud} {region}", cloud=cloud, region=region),
            _("name the zone"),
            where="zone",
        )
    return sorted(zones)[0]
