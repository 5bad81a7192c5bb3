"""One model on several machines, under the real engine and the simulated clouds: made, changed, grown, shrunk, gone."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm.roles import rayed, tied
from tests.engine.sim import Sim

pytestmark = pytest.mark.engine

PLACES = {"aws": "ap-northeast-1", "aliyun": "cn-hangzhou", "tencent": "ap-guangzhou"}
PROGRAM = """\
import pulumi, pulumi_llm as llm
server = llm.ModelServer("chat", {{
    "cloud": "{cloud}", "region": "{region}", "gpu": "T4", "model": "01-ai/Yi-6B-Chat",
    "context_length": 4096, "nodes": {nodes}, "nodes_backend": "{backend}", "allowed_cidrs": ["203.0.113.0/24"],
}})
pulumi.export("price", server.hourly_price)
if hasattr(server, "node_machines"):
    pulumi.export("machines", server.node_machines)
"""
UNIT = "/etc/systemd/system/llm-vllm.service"


@pytest.fixture
def sim(tmp_path: Path) -> Sim:
    project = tmp_path / "project"
    project.mkdir()
    (project / "Pulumi.yaml").write_text("name: mine\nruntime: python\n")
    (project / "Pulumi.dev.yaml").write_text("{}\n")
    return Sim(project, tmp_path / "home", "dev")


def write(sim: Sim, cloud: str, nodes: int, backend: str = "native") -> None:
    text = PROGRAM.format(cloud=cloud, region=PLACES[cloud], nodes=nodes, backend=backend)
    (sim.project / "__main__.py").write_text(text)


def named(sim: Sim) -> dict[str, dict[str, Any]]:
    return {urn.rsplit("::", 1)[1]: each for urn, each in sim.state().items()}


def unit(state: dict[str, dict[str, Any]], name: str) -> str:
    settings = json.loads(state[f"{name}-settings"]["inputs"]["stdin"])
    return str(next(row["content"] for row in settings["files"] if row["path"] == UNIT))


@pytest.mark.parametrize("cloud", PLACES)
def test_a_server_grows_from_one_machine_to_two_that_have_its_model_together_and_back(sim: Sim, cloud: str) -> None:
    write(sim, cloud, 1)
    sim.up()
    one, price = named(sim), sim.outputs()["price"]
    write(sim, cloud, 2)
    grown = sim.up()
    two, told = named(sim), sim.outputs()
    assert not {"delete", "replace"} & set(grown)
    machines = {name for name in one if "machine" in name}
    assert {one[name]["id"] for name in machines} == {two[name]["id"] for name in machines}
    assert told["price"] == pytest.approx(2 * price, abs=0.001)
    # Each is told the addresses that the cloud gave to both, in the same order.
    further = told["machines"]["2"]["private_address"]
    lines = [unit(two, name) for name in ("chat", "chat-node-2")]
    addresses = [line.split(f"{tied.TIE} ")[1].split()[:2] for line in lines]
    assert [rank for rank, __ in addresses] == ["0", "1"]
    assert len({known for __, known in addresses}) == 1
    assert addresses[0][1].split(",")[1] == further
    write(sim, cloud, 1)
    sim.up()
    again = named(sim)
    assert set(again) == set(one)
    assert unit(again, "chat") == unit(one, "chat")
    sim.destroy()
    assert sim.state() == {}


@pytest.mark.parametrize("cloud", PLACES)
def test_nodes_change_to_ray_and_back_on_the_machines_that_are_there(sim: Sim, cloud: str) -> None:
    write(sim, cloud, 2)
    sim.up()
    own, price = named(sim), sim.outputs()["price"]
    write(sim, cloud, 2, "ray")
    sim.up()
    ray = named(sim)
    assert set(ray) - set(own) == {"chat-ray-token"}
    machines = {name for name in own if "machine" in name}
    assert {own[name]["id"] for name in machines} == {ray[name]["id"] for name in machines}
    assert sim.outputs()["price"] == price
    for name in ("chat", "chat-node-2"):
        assert f" {rayed.OVER_RAY} " in unit(ray, name)
        assert rayed.OVER_RAY not in unit(own, name)
    write(sim, cloud, 2)
    sim.up()
    again = named(sim)
    assert set(again) == set(own)
    assert unit(again, "chat") == unit(own, "chat")


def test_machines_near_each_other_are_other_machines_and_their_group_goes_after_them(sim: Sim) -> None:
    """EC2 deletes no placement group with a machine in it, and tells itself which one that is in."""
    write(sim, "aws", 1)
    sim.up()
    one = named(sim)
    near = (sim.project / "__main__.py").read_text().replace('"nodes": 1', '"nodes": 2, "nodes_near": True')
    (sim.project / "__main__.py").write_text(near)
    sim.up()
    (machine,) = (name for name in one if name.startswith("chat-machine"))
    two = named(sim)
    assert machine not in two
    group = next(each for each in two.values() if each["type"].endswith(":PlacementGroup"))
    for name in (f"{machine}-near", machine.replace("chat-", "chat-node-2-") + "-near"):
        assert two[name]["inputs"]["placementGroup"] == group["outputs"]["name"]
    (disk,) = (name for name in one if re.fullmatch("chat-disk(-.*)?", name) and "attachment" not in name)
    assert two[disk]["id"] == one[disk]["id"]
    write(sim, "aws", 1)
    sim.up()
    assert set(named(sim)) == set(one)
    sim.destroy()
    assert sim.state() == {}
