"""Machines near each other on Tencent Cloud: a high performance computing cluster, for the types that must be in one.

Placement groups spread machines there, and do nothing else.
"""

# mypy: no-warn-return-any
# The SDK's types are not read when this is checked (see pyproject.toml), so what it gives is Any.
from __future__ import annotations

from collections.abc import Mapping

import pulumi
import tencentcloud_iac_pulumi as tencentcloud

from pulumi_llm.clouds import support
from pulumi_llm.clouds.base import Scope

NAME_LIMIT = 60


def group(name: str, zone: str, tags: Mapping[str, str], scope: Scope) -> pulumi.Output[str]:
    """A cluster in a zone. The provider refuses another zone, so that is in its name; it knows of no tags."""
    made = tencentcloud.cvm.HpcCluster(
        f"{name}-{zone}",
        zone=zone,
        name=support.fitted(name, NAME_LIMIT),
        remark="Machines of pulumi-llm with one model",
        opts=scope.options(),
    )
    return made.id
