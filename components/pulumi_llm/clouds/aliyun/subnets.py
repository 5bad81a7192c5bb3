"""Further vSwitches of a VPC, one in each zone: machines of one server may stand apart."""

# mypy: no-warn-return-any
# The SDK's types are not read when this is checked (see pyproject.toml), so what it gives is Any.
from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
import pulumi_alicloud as alicloud

from pulumi_llm.clouds import support

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_llm.clouds.base import NetworkRequest, Scope

NAME_LIMIT = 128


def further(
    name: str, vpc_id: pulumi.Output[str], request: NetworkRequest, scope: Scope
) -> Mapping[str, pulumi.Output[str]]:
    """Their ids, by zone. An EIP needs neither gateway nor route."""
    return {
        zone: alicloud.vpc.Switch(
            f"{name}-subnet-{zone}",
            vswitch_name=support.fitted(f"{name}-{zone}", NAME_LIMIT),
            vpc_id=vpc_id,
            cidr_block=cidr,
            zone_id=zone,
            tags=dict(request.tags),
            opts=scope.options(),
        ).id
        for zone, cidr in request.more.items()
    }
