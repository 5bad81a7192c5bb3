"""Machines of one group on Alibaba Cloud: a security group that names itself."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_alicloud as alicloud

from pulumi_llm.clouds import support
from pulumi_llm.clouds.base import Scope
from pulumi_llm.clouds.peers import TEXT

NAME_LIMIT = 128


def group(
    name: str, vpc_id: pulumi.Input[str], ports: tuple[int, int], tags: Mapping[str, str], scope: Scope
) -> pulumi.Output[str]:
    """A security group: its members reach each other at ``ports``, and not at others, as they would by default."""
    made = alicloud.ecs.SecurityGroup(
        name,
        security_group_name=support.fitted(name, NAME_LIMIT),
        security_group_type="normal",
        inner_access_policy="Drop",
        vpc_id=vpc_id,
        description="Machines of pulumi-llm with one model",
        tags=dict(tags),
        opts=scope.options(),
    )
    rule = alicloud.ecs.SecurityGroupRule(
        f"{name}-in",
        security_group_id=made.id,
        source_security_group_id=made.id,
        type="ingress",
        policy="accept",
        priority=1,
        ip_protocol="tcp",
        port_range=f"{ports[0]}/{ports[1]}",
        nic_type="intranet",
        description=TEXT,
        opts=scope.options(),
    )
    return support.after(made.id, [rule])
