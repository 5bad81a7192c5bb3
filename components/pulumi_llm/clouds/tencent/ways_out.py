"""What a Tencent Cloud security group lets out: everything, or a few ports and no more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import tencentcloud_iac_pulumi as tencentcloud

if TYPE_CHECKING:
    from pulumi_llm.clouds.plans import WayOut

ANYWHERE = "0.0.0.0/0"


def rules(out: Sequence[WayOut] | None) -> list[tencentcloud.security.GroupRuleSetEgressArgs]:
    """The rules for what goes out, the first that fits first. Without any nothing would get out."""
    if out is None:
        return [_whole("ACCEPT", "Everything out")]
    accepted = [
        tencentcloud.security.GroupRuleSetEgressArgs(
            action="ACCEPT",
            protocol=each.protocol.upper(),
            port=str(each.port),
            cidr_block=each.to,
            description=each.description[:100],
        )
        for each in out
    ]
    return [*accepted, _whole("DROP", "Nothing else out")]


def _whole(action: str, text: str) -> tencentcloud.security.GroupRuleSetEgressArgs:
    return tencentcloud.security.GroupRuleSetEgressArgs(
        action=action, protocol="ALL", port="ALL", cidr_block=ANYWHERE, description=text
    )
