"""Machines of simulated clouds that stop by themselves, made and changed by the real engine."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from llm_boot import compute, roles
from llm_boot.compute import Row
from pulumi_llm._simcloud.store import FILE, Store
from tests.engine.sim import Sim

pytestmark = pytest.mark.engine

POLICIES = {
    "aliyun": ("alicloud:ram/policy:Policy", "policyDocument"),
    "tencent": ("tencentcloud:Cam/policy:Policy", "document"),
    "aws": ("aws:iam/rolePolicy:RolePolicy", "policy"),
}
MACHINES = {
    "aliyun": "alicloud:ecs/instance:Instance",
    "tencent": "tencentcloud:Instance/instance:Instance",
    "aws": "aws:ec2/instance:Instance",
}


def of_type(sim: Sim, type_: str) -> list[dict[str, Any]]:
    return [each for each in sim.state().values() if each["type"] == type_ and "-server-" in each["urn"]]


def told_to_booted(sim: Sim, id_: str) -> Row:
    """What the machine would be told of itself, were it booted."""
    machines = {id_: SimpleNamespace(address="203.0.113.77")}
    world: Any = SimpleNamespace(folder=sim.home, find_machine=machines.get)
    roles.tell(world, Store(sim.home / FILE))
    (row,) = compute.read(sim.home).values()
    return row


@pytest.mark.parametrize("cloud", POLICIES)
def test_a_machine_is_given_its_role_and_loses_it_in_place(tmp_path: Path, cloud: str) -> None:
    sim = Sim.of_stack(tmp_path, f"{cloud}-t4")
    sim.up()
    (before,) = of_type(sim, MACHINES[cloud])
    sim.edit("server.idle_stop", {"minutes": 30})
    sim.edit("server.hours", "Mon-Fri 08:00-20:00 Asia/Shanghai")
    assert "replace" not in sim.preview().changes.values()
    sim.up()
    (after,) = of_type(sim, MACHINES[cloud])
    assert after["id"] == before["id"]
    type_, key = POLICIES[cloud]
    (policy,) = of_type(sim, type_)
    document = json.loads(policy["inputs"][key])
    statement = document.get("Statement", document.get("statement"))
    assert len(statement) == 1
    row = {name.lower(): value for name, value in statement[0].items()}
    assert row["resource"][0].endswith(f"instance/{before['id']}")
    assert row["action"] in (["ecs:StopInstance"], ["cvm:StopInstances"], ["ec2:StopInstances"])
    assert not sim.preview().summary
    told = told_to_booted(sim, before["id"])
    own, other = compute.RESOURCES[cloud](told), compute.RESOURCES[cloud](replace(told, id="another"))
    assert told.role
    assert [compute.lets(told.policies, row["action"][0], each) for each in (own, other)] == [True, False]
    sim.edit("server.idle_stop", None)
    sim.edit("server.hours", None)
    sim.up()
    assert not of_type(sim, type_)
    assert told_to_booted(sim, before["id"]).role == ""
    (last,) = of_type(sim, MACHINES[cloud])
    assert last["id"] == before["id"]
    sim.destroy()


def test_awss_own_scheduler_starts_the_machine_that_is_there_and_goes_with_the_hours(tmp_path: Path) -> None:
    schedule, policy = "aws:scheduler/schedule:Schedule", "aws:iam/rolePolicy:RolePolicy"
    sim = Sim.of_stack(tmp_path, "aws-t4")
    sim.edit("server.hours", "Mon-Fri 08:00-20:00 Asia/Shanghai")
    sim.edit("server.started_by", "cloud")
    sim.up()
    (machine,), (made,) = of_type(sim, MACHINES["aws"]), of_type(sim, schedule)
    assert json.loads(made["inputs"]["target"]["input"]) == {"InstanceIds": [machine["id"]]}
    (role,) = [each for each in of_type(sim, "aws:iam/role:Role") if "-start-role" in each["urn"]]
    assert made["inputs"]["target"]["roleArn"] == role["outputs"]["arn"]
    allowed = [json.loads(each["inputs"]["policy"])["Statement"] for each in of_type(sim, policy)]
    assert sorted(row["Action"][0] for (row,) in allowed) == ["ec2:StartInstances", "ec2:StopInstances"]
    assert {row["Resource"][0].rpartition("/")[2] for (row,) in allowed} == {machine["id"]}
    assert not sim.preview().summary
    sim.edit("server.hours", "Mon-Fri 09:00-20:00 Asia/Shanghai")
    sim.up()
    (later,) = of_type(sim, schedule)
    assert later["inputs"]["scheduleExpression"] == "cron(0 9 ? * MON,TUE,WED,THU,FRI *)"
    assert [each["id"] for each in of_type(sim, MACHINES["aws"])] == [machine["id"]]
    sim.edit("server.started_by", "hand")
    sim.up()
    assert not of_type(sim, schedule)
    sim.destroy()


@pytest.mark.parametrize("cloud", ["aliyun", "tencent"])
def test_a_function_starts_the_machine_that_is_there_and_goes_with_its_role(tmp_path: Path, cloud: str) -> None:
    kinds = {
        "aliyun": ("alicloud:fc/v3Function:V3Function", "environmentVariables", "alicloud:ram/role:Role"),
        "tencent": ("tencentcloud:Scf/function:Function", "environment", "tencentcloud:Cam/role:Role"),
    }
    function, variables, role = kinds[cloud]
    type_, key = POLICIES[cloud]
    sim = Sim.of_stack(tmp_path, f"{cloud}-t4")
    sim.edit("server.hours", "Mon-Fri 08:00-20:00 Asia/Shanghai")
    sim.edit("server.started_by", "cloud")
    sim.up()
    (machine,), (made,) = of_type(sim, MACHINES[cloud]), of_type(sim, function)
    told = json.loads(made["inputs"][variables]["LLM_START"])
    assert (told["machine"], told["starts"][:2]) == (machine["id"], [480, 1920])
    documents = [json.loads(each["inputs"][key]) for each in of_type(sim, type_)]
    rows = [
        {name.lower(): value for name, value in each.get("Statement", each.get("statement"))[0].items()}
        for each in documents
    ]
    assert sorted(row["action"][0].partition(":")[2][:4] for row in rows) == ["Star", "Stop"]
    assert {row["resource"][0].rpartition("/")[2] for row in rows} == {machine["id"]}
    assert not sim.preview().summary
    sim.edit("server.hours", "Mon-Fri 09:30-20:00 Europe/Berlin")
    sim.up()
    (later,) = of_type(sim, function)
    told = json.loads(later["inputs"][variables]["LLM_START"])
    assert (told["starts"][0], told["minutes"], told["zone"]) == (570, [30], "CET-1CEST,M3.5.0,M10.5.0/3")
    assert later["id"] == made["id"]
    assert [each["id"] for each in of_type(sim, MACHINES[cloud])] == [machine["id"]]
    sim.edit("server.started_by", "hand")
    sim.up()
    assert not of_type(sim, function)
    assert not [each for each in of_type(sim, role) if "-start-" in each["urn"]]
    sim.destroy()
