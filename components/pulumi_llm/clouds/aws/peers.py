"""Machines of one group on AWS: a security group that names itself."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_aws as aws

from pulumi_llm.clouds import support
from pulumi_llm.clouds.base import Scope
from pulumi_llm.clouds.peers import TEXT


def group(
    name: str, vpc_id: pulumi.Input[str], ports: tuple[int, int], tags: Mapping[str, str], scope: Scope
) -> pulumi.Output[str]:
    """A security group: its members reach each other at ``ports``. Going out is what their own group lets them."""
    made = aws.ec2.SecurityGroup(
        name,
        vpc_id=vpc_id,
        # Fixed for ever: another description replaces the group.
        description="Machines of pulumi-llm with one model",
        tags={**tags, "Name": name},
        opts=scope.options(),
    )
    rule = aws.vpc.SecurityGroupIngressRule(
        f"{name}-in",
        security_group_id=made.id,
        referenced_security_group_id=made.id,
        ip_protocol="tcp",
        from_port=ports[0],
        to_port=ports[1],
        description=TEXT,
        tags=dict(tags),
        opts=scope.options(),
    )
    return support.after(made.id, [rule])
