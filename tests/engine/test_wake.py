"""A first machine that starts the others for a request, made and changed on simulated clouds by the real engine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.engine.sim import Sim
from tests.engine.test_leave import MACHINES, POLICIES, of_type

pytestmark = pytest.mark.engine


@pytest.mark.parametrize("cloud", POLICIES)
def test_the_first_machine_is_told_of_the_other_may_start_it_and_loses_that_in_place(
    tmp_path: Path, cloud: str
) -> None:
    type_, key = POLICIES[cloud]
    sim = Sim.of_stack(tmp_path, f"{cloud}-t4")
    sim.edit("server.replicas", 2)
    sim.edit("server.idle_stop", {"minutes": 30, "keep": 1})
    sim.up()
    before = {each["urn"]: each["id"] for each in of_type(sim, MACHINES[cloud])}
    assert len(before) == 2
    (other,) = [id_ for urn, id_ in before.items() if "-replica-2-" in urn]
    sim.edit("server.started_by", "request")
    assert "replace" not in sim.preview().changes.values()
    sim.up()
    assert {each["urn"]: each["id"] for each in of_type(sim, MACHINES[cloud])} == before
    own = [each for each in of_type(sim, type_) if "-replica-2-" not in each["urn"]]
    ((policy, statement),) = [(each, json.loads(each["inputs"][key])) for each in own]
    (row,) = statement.get("Statement", statement.get("statement"))
    row = {name.lower(): value for name, value in row.items()}
    assert row["action"] in (["ecs:StartInstance"], ["cvm:StartInstances"], ["ec2:StartInstances"])
    assert len(row["resource"]) == 1
    assert row["resource"][0].endswith(f"instance/{other}")
    (told,) = [
        each
        for each in sim.state().values()
        if each["urn"].endswith("-server-settings") and "replica" not in each["urn"].rpartition("::")[2]
    ]
    files = {each["path"]: each["content"] for each in json.loads(told["inputs"]["stdin"])["files"]}
    assert json.loads(files["/opt/llm/wake.json"])["machines"] == {"replica.2": other}
    assert not sim.preview().summary
    sim.edit("server.started_by", "hand")
    sim.up()
    assert [each["urn"] for each in of_type(sim, type_)] != [policy["urn"]]
    assert {each["urn"]: each["id"] for each in of_type(sim, MACHINES[cloud])} == before
    sim.destroy()
