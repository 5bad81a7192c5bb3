"""The public subnets of a VPC: the first one, and one in each further zone."""

# mypy: no-warn-return-any
# The SDK's types are not read when this is checked (see pyproject.toml), so what it gives is Any.
from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws

from pulumi_llm.clouds import support

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_llm.clouds.base import NetworkRequest, Scope


def made(
    name: str,
    vpc_id: pulumi.Output[str],
    ways_out: tuple[aws.ec2.RouteTable, aws.ec2.Route],
    request: NetworkRequest,
    scope: Scope,
) -> Mapping[str, pulumi.Output[str]]:
    """Their ids, by zone. ``ways_out``: the table of routes, and the route that leads out of the VPC."""
    table, route = ways_out
    found = {}
    for zone, cidr in ((request.zone, request.subnet_cidr), *request.more.items()):
        called = "subnet" if zone == request.zone else f"subnet-{zone}"
        subnet = aws.ec2.Subnet(
            f"{name}-{called}",
            vpc_id=vpc_id,
            cidr_block=cidr,
            availability_zone=zone,
            # A machine asks for its own public address; whatever else is started here gets none by accident.
            map_public_ip_on_launch=False,
            tags={**request.tags, **request.subnet_tags, "Name": name},
            opts=scope.options(),
        )
        # A machine must find its way out at first boot, and the gateway cannot go while it has a public address.
        association = aws.ec2.RouteTableAssociation(
            f"{name}-routes-{called}", route_table_id=table.id, subnet_id=subnet.id, opts=scope.options()
        )
        found[zone] = support.after(subnet.id, [route, association])
    return found
