"""What a security group of AWS lets out: everything, or a few ports and no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pulumi
import pulumi_aws as aws

if TYPE_CHECKING:
    from pulumi_llm.clouds.base import Scope
    from pulumi_llm.clouds.plans import WayOut

ANYWHERE = "0.0.0.0/0"


def rules(
    name: str, group: pulumi.Input[str], out: Sequence[WayOut] | None, tags: Mapping[str, str], scope: Scope
) -> list[aws.vpc.SecurityGroupEgressRule]:
    """The rules of the group ``name`` for what goes out.

    Without any nothing gets out: the provider takes away the rule that the console would add. S3's addresses are a list
    that AWS keeps; names, clock and metadata pass by every security group.
    """

    def rule(label: str, text: str, **where: Any) -> aws.vpc.SecurityGroupEgressRule:
        return aws.vpc.SecurityGroupEgressRule(
            f"{name}-{label}",
            security_group_id=group,
            description=text,
            tags=dict(tags),
            opts=scope.options(),
            **where,
        )

    def to(way: WayOut) -> dict[str, Any]:
        if not way.listed:
            return {"cidr_ipv4": way.to}
        found = aws.ec2.get_prefix_list_output(name=way.to, opts=scope.invoke_options())
        return {"prefix_list_id": found.prefix_list_id}

    if out is None:
        return [rule("out", "Everything out", ip_protocol="-1", cidr_ipv4=ANYWHERE)]
    return [
        rule(f"out-{each.label}", each.description, ip_protocol=each.protocol, from_port=each.port, to_port=each.port,
             **to(each))
        for each in out
    ]  # fmt: skip
