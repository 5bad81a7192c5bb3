"""What an Aliyun security group lets out: everything, or a few ports and no more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pulumi
import pulumi_alicloud as alicloud

if TYPE_CHECKING:
    from pulumi_llm.clouds.base import Scope
    from pulumi_llm.clouds.plans import WayOut

ANYWHERE = "0.0.0.0/0"
LAST = 100
"""The rule that is looked at after all others."""


def rules(name: str, group: pulumi.Input[str], out: Sequence[WayOut] | None, scope: Scope) -> list[pulumi.Resource]:
    """The rules of the group ``name`` for what goes out. A normal group lets out whatever none of them refuses."""

    def rule(label: str, policy: str, priority: int, protocol: str, ports: str, to: str, text: str) -> pulumi.Resource:
        made: pulumi.Resource = alicloud.ecs.SecurityGroupRule(
            f"{name}-{label}",
            security_group_id=group,
            type="egress",
            policy=policy,
            priority=priority,
            ip_protocol=protocol,
            port_range=ports,
            cidr_ip=to,
            nic_type="intranet",
            description=text[:512],
            opts=scope.options(),
        )
        return made

    if out is None:
        return [rule("out", "accept", 1, "all", "-1/-1", ANYWHERE, "Everything out")]
    made = [
        rule(f"out-{each.label}", "accept", 1, each.protocol, f"{each.port}/{each.port}", each.to, each.description)
        for each in out
    ]
    return [*made, rule("out-nothing", "drop", LAST, "all", "-1/-1", ANYWHERE, "Nothing else out")]
