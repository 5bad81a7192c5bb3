"""Machines of simulated clouds that stop by themselves, made and changed by the real engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

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
    sim.edit("server.idle_stop", None)
    sim.edit("server.hours", None)
    sim.up()
    assert not of_type(sim, type_)
    (last,) = of_type(sim, MACHINES[cloud])
    assert last["id"] == before["id"]
    sim.destroy()
