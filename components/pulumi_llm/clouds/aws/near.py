"""Machines near each other on AWS: a cluster placement group."""

# mypy: no-warn-return-any
# The SDK's types are not read when this is checked (see pyproject.toml), so what it gives is Any.
from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_aws as aws

from pulumi_llm.clouds.base import Scope


def group(name: str, zone: str, tags: Mapping[str, str], scope: Scope) -> pulumi.Output[str]:
    """A placement group. Its machines are all in one zone, so another zone is another group."""
    made = aws.ec2.PlacementGroup(
        f"{name}-{zone}", strategy="cluster", tags={**tags, "Name": name}, opts=scope.options()
    )
    return made.name
