"""Simulated placement groups: a name once in a region, and none goes while a machine is in it."""

from __future__ import annotations

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._simcloud.rules.base import Call
from pulumi_llm._simcloud.store import Record

from .common import INSTANCE, RULES, ec2

GROUP_OF_MACHINES = "aws:ec2/placementGroup:PlacementGroup"


@RULES.on_create(GROUP_OF_MACHINES)
def _placement_group(call: Call) -> Props:
    name = call.inputs.get("name")
    if call.list(GROUP_OF_MACHINES, name=name):
        message = f"The Placement Group '{name}' already exists."
        doing = f"creating EC2 Placement Group ({name})"
        raise ec2(doing, "CreatePlacementGroup", "InvalidPlacementGroup.Duplicate", message)
    return {}


@RULES.on_delete(GROUP_OF_MACHINES)
def _delete_placement_group(call: Call, record: Record) -> None:
    if call.list(INSTANCE, placementGroup=record.get("name")):
        message = f"The placement group '{record.get('name')}' is in use and may not be deleted."
        doing = f"deleting EC2 Placement Group ({record.id})"
        raise ec2(doing, "DeletePlacementGroup", "InvalidPlacementGroup.InUse", message)
