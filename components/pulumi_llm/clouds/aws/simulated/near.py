"""Simulated placement groups: a name once in a region, and none goes while a machine is in it.

The codes are those of EC2's reference ("Error codes for the Amazon EC2 API"), read 2026-11-30.
"""

from __future__ import annotations

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._simcloud.rules.base import Call
from pulumi_llm._simcloud.store import Record
from pulumi_llm.clouds import near

from .common import GROUP_OF_MACHINES, INSTANCE, RULES, ec2


def placed(call: Call, zone: str, doing: str, operation: str) -> None:
    """Refuse a machine in a group that is not there, that takes no such type, or whose machines are in another zone.

    Which code EC2 has for a type that a cluster placement group does not take was not found: here it is the one for
    parameters that do not go together.
    """
    name = call.inputs.get("placementGroup")
    if not name:
        return
    found = call.list(GROUP_OF_MACHINES, name=name)
    if not found:
        raise ec2(doing, operation, "InvalidPlacementGroup.Unknown", f"The Placement Group '{name}' is unknown.")
    if found[0].get("strategy") != "cluster":
        return
    kind, group = str(call.inputs.get("instanceType")), near.group_of("aws")
    if group is None or not group.takes(kind):
        message = f"Instances of type {kind} may not be launched in the cluster placement group '{name}'."
        raise ec2(doing, operation, "InvalidParameterCombination", message)
    if any(each.get("availabilityZone") not in (None, zone) for each in call.list(INSTANCE, placementGroup=name)):
        message = f"The instances of the cluster placement group '{name}' are in another Availability Zone."
        raise ec2(doing, operation, "InvalidParameterCombination", message)


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
