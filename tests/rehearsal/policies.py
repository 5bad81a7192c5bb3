"""The policies of docs/real-account.md: what the recorded rehearsals called, all reads, and what was not rehearsed."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import NamedTuple

from tests.rehearsal.record import GOLDEN

READS = {
    "alicloud": ("ecs:Describe*", "ecs:ListTagResources", "vpc:Describe*", "vpc:ListTagResources"),
    "tencentcloud": ("cvm:Describe*", "cbs:Describe*", "vpc:Describe*", "tag:DescribeResourceTags*"),
}
"""Reading is allowed as a whole: a provider's next version may ask for more, and a read changes nothing."""

NOT_REHEARSED = {
    "alicloud": {
        "another name or description of what stands": (
            *("vpc:ModifyVpcAttribute", "vpc:ModifyVSwitchAttribute", "vpc:ModifyEipAddressAttribute"),
            *("ecs:ModifySecurityGroupAttribute", "ecs:ModifyInstanceAttribute"),
        ),
        "other tags": ("ecs:TagResources", "ecs:UntagResources", "vpc:UnTagResources"),
        "a rule of a security group in place": ("ecs:ModifySecurityGroupRule", "ecs:ModifySecurityGroupEgressRule"),
        "a key pair, security group, subnet or disk category of a machine that stays": (
            *("ecs:AttachKeyPair", "ecs:DetachKeyPair", "ecs:JoinSecurityGroup", "ecs:LeaveSecurityGroup"),
            *("ecs:ModifyInstanceVpcAttribute", "ecs:ModifyDiskSpec"),
        ),
        "a restart": ("ecs:RebootInstance",),
        "machines near each other": (
            *("ecs:CreateDeploymentSet", "ecs:ModifyDeploymentSetAttribute", "ecs:DeleteDeploymentSet"),
        ),
    },
    "tencentcloud": {
        "another name or bandwidth of what stands": (
            *("vpc:ModifyVpcAttribute", "vpc:ModifySecurityGroupAttribute", "vpc:ModifyAddressAttribute"),
            *("vpc:ModifyAddressesBandwidth", "cvm:ModifyInstancesAttribute", "cvm:ModifyKeyPairAttribute"),
            "cbs:ModifyDiskAttributes",
        ),
        "rules one by one": ("vpc:CreateSecurityGroupPolicies", "vpc:DeleteSecurityGroupPolicies"),
        "another route table, subnet or charge of what stands": (
            *("vpc:ReplaceRouteTableAssociation", "cvm:ModifyInstancesVpcAttribute", "cvm:ModifyInstancesChargeType"),
            "cvm:ResizeInstanceDisks",
        ),
        "addresses by the older API": (
            *("cvm:AllocateAddresses", "cvm:ReleaseAddresses", "cvm:AssociateAddress", "cvm:DisassociateAddress"),
        ),
        "machines near each other, but in an addition": (
            *("cvm:CreateHpcCluster", "cvm:ModifyHpcClusterAttribute", "cvm:DeleteHpcClusters"),
        ),
        "a start, a stop, other keys": (
            *("cvm:StartInstances", "cvm:StopInstances"),
            *("cvm:AssociateInstancesKeyPairs", "cvm:DisassociateInstancesKeyPairs"),
        ),
    },
}
"""What a provider's source calls for changes that ``changes.py`` does not make, by the change."""


class Policy(NamedTuple):
    """A policy's actions by where they come from."""

    recorded: tuple[str, ...]
    reserve: tuple[str, ...]
    reads: tuple[str, ...]

    @property
    def actions(self) -> tuple[str, ...]:
        """All of them: reads first, then by service and name, each once."""
        return (*self.reads, *sorted({*self.recorded, *self.reserve}))


def recorded(package: str) -> set[str]:
    """The actions that were called and answered in any recorded rehearsal."""
    found: set[str] = set()
    for file in sorted(GOLDEN.glob("*.json")):
        for phase in json.loads(file.read_text(encoding="utf-8"))["phases"]:
            found |= {each["action"] for each in phase["calls"] if each["package"] == package and not each["refused"]}
    return found


def policy(package: str) -> Policy:
    """The policy of a cloud."""
    reads = READS[package]
    called = {each for each in recorded(package) if not any(fnmatchcase(each, one) for one in reads)}
    reserve = [each for names in NOT_REHEARSED[package].values() for each in names]
    return Policy(tuple(sorted(called)), tuple(reserve), reads)


def written(actions: Iterable[str]) -> str:
    """Actions as they stand in the guide: a line or more for each service."""
    by_service: dict[str, list[str]] = {}
    for each in actions:
        by_service.setdefault(each.partition(":")[0], []).append(each)
    lines: list[str] = []
    for names in by_service.values():
        text = ", ".join(json.dumps(each) for each in names)
        lines.append(textwrap.fill(text, 130, initial_indent=" " * 8, subsequent_indent=" " * 8))
    return ",\n".join(lines)


ACTION = {"alicloud": '"Action"', "tencentcloud": '"action"'}
RUN = {"alicloud": "ecs:RunInstances", "tencentcloud": "cvm:RunInstances"}


def block(page: str, package: str) -> re.Match[str]:
    """The actions of a cloud's policy in a page of the guide: ``[2]`` is their text."""
    for found in re.finditer(r"(\"[Aa]ction\": \[\n)(.*?)(\n      \])", page, re.DOTALL):
        if f'"{RUN[package]}"' in found[2]:
            return found
    raise AssertionError(f"the page has no policy of {package}")
