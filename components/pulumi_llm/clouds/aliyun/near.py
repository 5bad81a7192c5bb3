"""Machines near each other on Alibaba Cloud: a deployment set of the strategy for low latency."""

# mypy: no-warn-return-any
# The SDK's types are not read when this is checked (see pyproject.toml), so what it gives is Any.
from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_alicloud as alicloud

from pulumi_llm.clouds import support
from pulumi_llm.clouds.base import Scope

NAME_LIMIT = 128


def group(name: str, zone: str, tags: Mapping[str, str], scope: Scope) -> pulumi.Output[str]:
    """A deployment set, which has no tags. Its machines are all in one zone, so another zone is another set."""
    made = alicloud.ecs.EcsDeploymentSet(
        f"{name}-{zone}",
        deployment_set_name=support.fitted(name, NAME_LIMIT),
        strategy="LowLatency",
        description="Machines of pulumi-llm with one model",
        opts=scope.options(),
    )
    return made.id
