"""Further subnets of a VPC, one in each zone: machines of one server may stand apart."""

# mypy: no-warn-return-any
# The SDK's types are not read when this is checked (see pyproject.toml), so what it gives is Any.
from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
import tencentcloud_iac_pulumi as tencentcloud

from pulumi_llm.clouds import support

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_llm.clouds.base import NetworkRequest, Scope

NAME_LIMIT = 60


def further(
    name: str, vpc_id: pulumi.Output[str], request: NetworkRequest, scope: Scope
) -> Mapping[str, pulumi.Output[str]]:
    """Their ids, by zone. An EIP needs neither gateway nor route."""
    return {
        zone: tencentcloud.subnet.Instance(
            f"{name}-subnet-{zone}",
            name=support.fitted(f"{name}-{zone}", NAME_LIMIT),
            vpc_id=vpc_id,
            cidr_block=cidr,
            availability_zone=zone,
            is_multicast=False,
            tags=dict(request.tags),
            # As the first one: named by us, and nothing can be deleted that a machine is in.
            opts=scope.options(delete_before_replace=False),
        ).id
        for zone, cidr in request.more.items()
    }
