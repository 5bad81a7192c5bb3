"""What Tencent Cloud's official plugin did with hours, replicas, nodes and buckets, as it was recorded."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import pytest

from pulumi_llm.clouds.tencent import starts
from tests.rehearsal.changes import ONE_BY_ONE, Addition
from tests.rehearsal.record import ADDED

NAMED = {each.name: each for each in ONE_BY_ONE}
READ = re.compile(r":(Describe|Get|List)")


def phases(name: str) -> dict[str, dict[str, Any]]:
    found = json.loads((ADDED / f"{NAMED[name].file}.json").read_text(encoding="utf-8"))
    return {each["name"]: each for each in found["phases"]}


def written(phase: dict[str, Any]) -> list[dict[str, Any]]:
    """The calls that change something, in order."""
    return [each for each in phase["calls"] if not READ.search(each["action"]) and not each["refused"]]


def sent(phase: dict[str, Any], action: str) -> list[dict[str, Any]]:
    return [each["parameters"] for each in phase["calls"] if each["action"] == action and not each["refused"]]


def machines(phase: dict[str, Any]) -> Counter[str]:
    """What was done to machines."""
    return Counter(each["op"] for each in phase["steps"] if each["type"] == "tencentcloud:Instance/instance:Instance")


@pytest.mark.parametrize("each", ONE_BY_ONE, ids=lambda each: each.name)
def test_every_run_succeeded_every_preview_was_clean_and_nothing_was_left(each: Addition) -> None:
    found = json.loads((ADDED / f"{each.file}.json").read_text(encoding="utf-8"))
    middle = [name for edit in each.edits for name in (f"change {edit.name}", f"preview {edit.name}")]
    assert [one["name"] for one in found["phases"]] == ["up", "preview", *middle, "destroy"]
    assert all(one["succeeded"] and not one["errors"] for one in found["phases"])
    assert {len(one["steps"]) for one in found["phases"] if one["name"].startswith("preview")} == {0}
    assert (found["left"], found["unknown_actions"], found["asked_outside"]) == ([], [], [])


def test_a_function_begins_the_hours_with_a_role_that_is_its_own() -> None:
    made = phases("hours")["change hours"]
    (function,) = sent(made, "scf:CreateFunction")
    roles = {each["RoleName"]: json.loads(each["PolicyDocument"]) for each in sent(made, "cam:CreateRole")}
    assert roles[function["Role"]] == json.loads(starts.trust())
    (timer,) = sent(made, "scf:CreateTrigger")
    assert (timer["FunctionName"], timer["TriggerDesc"]) == (function["FunctionName"], "0 0 * * * * *")
    order = [each["action"] for each in written(made)]
    assert max(at for at, each in enumerate(order) if each == "cam:AttachRolePolicy") < order.index("scf:CreateTrigger")
    (variable,) = function["Environment"]["Variables"]
    (machine,) = (each["InstanceIds"][0] for each in sent(made, "cvm:ModifyInstancesAttribute"))
    assert json.loads(variable["Value"])["machine"] == machine
    assert machines(made) == {"update": 1}


def test_other_hours_are_told_the_function_and_its_timer_and_nothing_else() -> None:
    made = phases("hours")["change others"]
    actions = [each["action"] for each in written(made)]
    assert actions == ["scf:UpdateFunctionConfiguration", "scf:DeleteTrigger", "scf:CreateTrigger"]
    (timer,) = sent(made, "scf:CreateTrigger")
    assert timer["TriggerDesc"] == "0 30 * * * * *"


def test_another_tag_is_given_to_all_in_place_and_to_the_system_disks_too() -> None:
    made = phases("hours")["change tags"]
    assert {each["op"] for each in made["steps"]} == {"update"}
    assert {tuple(each["changed"]) for each in made["steps"] if each["type"].startswith("tencentcloud:")} == {("tags",)}
    # The provider's code names VPC and subnet anew with each change of their tags: their names are as before.
    again = {"vpc:ModifyVpcAttribute", "vpc:ModifySubnetAttribute"}
    assert {each["action"] for each in written(made)} == {"tag:ModifyResourceTags", *again}
    names = [each["Resource"].partition("uin/:")[2] for each in sent(made, "tag:ModifyResourceTags")]
    kinds = Counter(each.partition("/")[0] for each in names)
    # Two machines, each with a data disk and a system disk.
    assert kinds["instance"] == 2
    assert kinds["volume"] >= 4
    assert kinds["namespace"] == 1


def test_hours_that_nobody_begins_have_no_function_and_the_machine_stays() -> None:
    made = phases("hours")["change hand"]
    ended = {"scf:DeleteFunction", "cam:DetachRolePolicy", "cam:DeleteRole", "cam:DeletePolicy"}
    assert {each["action"] for each in written(made)} == ended
    assert machines(made) == {}


def test_a_second_machine_is_made_beside_the_first_and_moved_alone() -> None:
    found = phases("replicas")
    assert machines(found["change replicas"]) == {"create": 1}
    assert machines(found["change zone"]) == {"create": 1, "delete": 1}
    (place,) = (each["Placement"]["Zone"] for each in sent(found["change zone"], "cvm:RunInstances"))
    (subnet,) = (each["Zone"] for each in sent(found["change zone"], "vpc:CreateSubnet"))
    assert (place, subnet) == ("ap-guangzhou-4", "ap-guangzhou-4")
    assert machines(found["change one"]) == {"delete": 1}


def test_each_machine_of_a_server_is_begun_by_a_function_of_its_own() -> None:
    made = phases("replicas")["change hours"]
    told = [each["Environment"]["Variables"][0]["Value"] for each in sent(made, "scf:CreateFunction")]
    assert len({json.loads(each)["machine"] for each in told}) == len(told) == 2
    assert len(sent(phases("replicas")["change one"], "scf:DeleteFunction")) == 1


def test_the_nodes_of_one_model_reach_each_other_by_a_group_that_comes_before_their_own() -> None:
    found = phases("nodes")
    made = found["change nodes"]
    rules = [each for each in sent(made, "vpc:ModifySecurityGroupPolicies") if "SecurityGroupId" in json.dumps(each)]
    inner = [
        each["SecurityGroupId"]
        for each in rules
        for rule in each["SecurityGroupPolicySet"]["Ingress"]
        if rule.get("SecurityGroupId") == each["SecurityGroupId"]
    ]
    assert len(inner) == 1
    (first,) = (each["SecurityGroups"] for each in sent(made, "cvm:ModifyInstancesAttribute"))
    (second,) = (each["SecurityGroupIds"] for each in sent(made, "cvm:RunInstances"))
    assert (first[0], second[0], len(first), len(second)) == (inner[0], inner[0], 2, 2)
    assert machines(made) == {"create": 1, "update": 1}
    assert machines(found["change one"]) == {"update": 1, "delete": 1}
    (left,) = (each["SecurityGroups"] for each in sent(found["change one"], "cvm:ModifyInstancesAttribute"))
    assert left == first[1:]


def test_buckets_call_no_cloud() -> None:
    found = phases("buckets")
    for name in ("change weights", "change backup"):
        assert found[name]["steps"]
        assert written(found[name]) == []


def test_machines_of_high_performance_computing_are_in_one_cluster_that_goes_after_them() -> None:
    found = phases("near")
    made = found["change near"]
    order = [each["action"] for each in written(made)]
    assert order.index("cvm:CreateHpcCluster") < order.index("cvm:RunInstances")
    nodes = sent(made, "cvm:RunInstances")
    assert len(nodes) == 2
    (cluster,) = {each["HpcClusterId"] for each in nodes}
    (zone,) = {each["Placement"]["Zone"] for each in nodes}
    (asked,) = sent(made, "cvm:CreateHpcCluster")
    assert asked["Zone"] == zone
    gone = [each["action"] for each in written(found["change one"])]
    # The provider keeps a refusal of this to itself, so the order is what counts.
    (ended,) = sent(found["change one"], "cvm:DeleteHpcClusters")
    assert ended["HpcClusterIds"] == [cluster]
    last = max(at for at, each in enumerate(gone) if each == "cvm:TerminateInstances")
    assert last < gone.index("cvm:DeleteHpcClusters")
