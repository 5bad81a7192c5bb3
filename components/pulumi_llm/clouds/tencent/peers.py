"""Machines of one group on Tencent Cloud: a security group that names itself."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import tencentcloud_iac_pulumi as tencentcloud

from pulumi_llm.clouds import support
from pulumi_llm.clouds.base import Scope
from pulumi_llm.clouds.peers import TEXT

NAME_LIMIT = 60


def group(
    name: str, vpc_id: pulumi.Input[str], ports: tuple[int, int], tags: Mapping[str, str], scope: Scope
) -> pulumi.Output[str]:
    """A security group: its members reach each other at ``ports``. Groups belong to no VPC here.

    It ends without a rule for everything else, as a machine's own group comes after it, and refuses that.
    """
    made = tencentcloud.security.Group(
        name,
        name=support.fitted(name, NAME_LIMIT),
        description="Machines of pulumi-llm with one model",
        tags=dict(tags),
        opts=scope.options(delete_before_replace=False),
    )
    rules = tencentcloud.security.GroupRuleSet(
        f"{name}-rules",
        security_group_id=made.id,
        ingresses=[
            tencentcloud.security.GroupRuleSetIngressArgs(
                action="ACCEPT",
                protocol="TCP",
                port=f"{ports[0]}-{ports[1]}",
                source_security_id=made.id,
                description=TEXT,
            )
        ],
        egresses=[
            tencentcloud.security.GroupRuleSetEgressArgs(
                action="ACCEPT", protocol="ALL", port="ALL", cidr_block="0.0.0.0/0", description="Everything out"
            )
        ],
        opts=scope.options(),
    )
    return support.after(made.id, [rules])
