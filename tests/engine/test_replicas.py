"""A server with replicas under the real engine and the simulated clouds: made, grown, shrunk, changed in turn, gone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.engine.sim import Sim

pytestmark = pytest.mark.engine

PLACES = {"aws": "ap-northeast-1", "aliyun": "cn-hangzhou", "tencent": "ap-guangzhou"}
PROGRAM = """\
import pulumi, pulumi_llm as llm
server = llm.ModelServer("chat", {{
    "cloud": "{cloud}", "region": "{region}", "gpu": "T4", "model": "01-ai/Yi-6B-Chat",
    "context_length": {context}, "replicas": {replicas}, "allowed_cidrs": ["203.0.113.0/24"],
}})
pulumi.export("endpoint", server.endpoint)
pulumi.export("price", server.hourly_price)
if hasattr(server, "replica_machines"):
    pulumi.export("machines", server.replica_machines)
"""


@pytest.fixture
def sim(tmp_path: Path) -> Sim:
    project = tmp_path / "project"
    project.mkdir()
    (project / "Pulumi.yaml").write_text("name: mine\nruntime: python\n")
    (project / "Pulumi.dev.yaml").write_text("{}\n")
    return Sim(project, tmp_path / "home", "dev")


def write(sim: Sim, cloud: str, replicas: int, context: int = 4096) -> None:
    text = PROGRAM.format(cloud=cloud, region=PLACES[cloud], replicas=replicas, context=context)
    (sim.project / "__main__.py").write_text(text)


def named(sim: Sim) -> dict[str, dict[str, Any]]:
    return {urn.rsplit("::", 1)[1]: each for urn, each in sim.state().items()}


def settings(state: dict[str, dict[str, Any]], name: str) -> dict[str, Any]:
    return dict(json.loads(state[f"{name}-settings"]["inputs"]["stdin"]))


def routes(state: dict[str, dict[str, Any]], name: str) -> dict[str, Any]:
    files = {row["path"]: row["content"] for row in settings(state, name)["files"]}
    return dict(json.loads(files["/opt/llm/gateway/routes.json"]))


@pytest.mark.parametrize("cloud", PLACES)
def test_a_server_grows_from_one_machine_to_three_and_back_and_its_first_machine_stays(sim: Sim, cloud: str) -> None:
    write(sim, cloud, 1)
    sim.up()
    one, price = named(sim), sim.outputs()["price"]
    write(sim, cloud, 3)
    grown = sim.up()
    three, told = named(sim), sim.outputs()
    assert not {"delete", "replace"} & set(grown)
    machines = {name for name in one if "machine" in name}
    assert {one[name]["id"] for name in machines} == {three[name]["id"] for name in machines}
    assert told["price"] == pytest.approx(3 * price, abs=0.001)
    assert set(told["machines"]) == {"2", "3"}
    assert told["endpoint"].startswith("https://")
    # The first machine's gateway knows where the others are, by the addresses that the cloud gave them.
    asked = routes(three, "chat")["upstreams"]
    for number in ("2", "3"):
        assert told["machines"][number]["private_address"] in asked[f"replica.{number}"]["base_url"]
    assert {"replica_key", "replica_2_authority"} <= set(settings(three, "chat")["secrets"]["required"])
    write(sim, cloud, 2)
    sim.up()
    two = named(sim)
    assert list(routes(two, "chat")["upstreams"]) == ["vllm", "replica.2"]
    assert not [name for name in two if name.startswith("chat-replica-3")]
    write(sim, cloud, 1)
    sim.up()
    again = named(sim)
    assert set(again) == set(one)
    assert settings(again, "chat") == settings(one, "chat")


def test_a_change_of_the_model_is_put_in_force_on_one_machine_after_the_other(sim: Sim) -> None:
    write(sim, "aws", 3)
    sim.up()
    write(sim, "aws", 3, context=2048)
    done = sim.run("up", "-s", "dev", "--yes", "--skip-preview", "--json")
    order: list[tuple[str, str]] = []
    for line in done.stdout.splitlines():
        event = json.loads(line) if line.startswith("{") else {}
        for kind, what in (("resourcePreEvent", "begins"), ("resOutputsEvent", "is done")):
            metadata = event.get(kind, {}).get("metadata", {})
            name = metadata.get("urn", "").rsplit("::", 1)[-1]
            if name.endswith("-apply") and metadata.get("op") == "update":
                order.append((name, what))
    names = ["chat-replica-2-apply", "chat-replica-3-apply", "chat-apply"]
    assert order == [(name, what) for name in names for what in ("begins", "is done")]
    sim.destroy()
    assert sim.state() == {}


@pytest.mark.parametrize("cloud", PLACES)
def test_a_list_of_zones_that_grows_moves_no_machine_that_runs(sim: Sim, cloud: str) -> None:
    zones = {"aws": ("a", "c", "d"), "aliyun": ("-i", "-j", "-h"), "tencent": ("-3", "-4", "-6")}[cloud]
    first, second, third = (PLACES[cloud] + each for each in zones)
    program = sim.project / "__main__.py"

    def spread(count: int, *further: str) -> None:
        write(sim, cloud, count)
        said = f'"zone": "{first}", "replica_zones": {json.dumps(further)}, "replicas"'
        program.write_text(program.read_text().replace('"replicas"', said))

    def there() -> dict[str, str]:
        kinds = ("machine", "disk", "subnet", "vpc")
        rows = {name: row["id"] for name, row in named(sim).items() if row.get("id")}
        return {name: rows[name] for name in rows if set(name.split("-")) & set(kinds) and "attachment" not in name}

    spread(2, second)
    sim.up()
    before = there()
    spread(3, second, third)
    assert not {"replace", "delete"} & sim.preview().changes.keys()
    sim.up()
    after = there()
    assert after | before == after
    told = [row["inputs"] for name, row in named(sim).items() if "-machine-" in name and "attachment" not in name]
    assert sorted(each["availabilityZone"] for each in told) == sorted((first, second, third))
    assert len({each.get("subnetId") or each.get("vswitchId") for each in told}) == 3
    assert not sim.preview().summary
    sim.destroy()
    assert sim.state() == {}


def test_machines_stop_when_nobody_needs_them_by_a_change_in_place_and_the_first_stays(sim: Sim) -> None:
    write(sim, "aws", 2)
    sim.up()
    before = {name: row["id"] for name, row in named(sim).items() if "-machine" in name}
    program = sim.project / "__main__.py"
    program.write_text(program.read_text().replace('"replicas"', '"idle_stop": {"keep": 1}, "replicas"'))
    assert "replace" not in sim.preview().changes.values()
    sim.up()
    state = named(sim)
    assert {name: row["id"] for name, row in state.items() if "-machine" in name} == before
    (row,) = json.loads(state["chat-replica-2-role-policy"]["inputs"]["policy"])["Statement"]
    assert row["Action"] == ["ec2:StopInstances"]
    assert [each.rpartition("/")[2] for each in row["Resource"]] == [
        value for name, value in before.items() if name.startswith("chat-replica-2-machine")
    ]
    assert "chat-role-policy" not in state
    assert not sim.preview().summary
    sim.destroy()


def test_each_machine_stops_by_itself_and_is_started_by_the_clouds_scheduler(sim: Sim) -> None:
    write(sim, "aws", 2)
    program = sim.project / "__main__.py"
    hours = '"hours": "Mon-Fri 08:00-20:00 Asia/Shanghai", "started_by": "cloud", "replicas"'
    program.write_text(program.read_text().replace('"replicas"', hours))
    sim.up()
    state = named(sim)
    for name in ("chat", "chat-replica-2"):
        (machine,) = [each for key, each in state.items() if key.startswith(f"{name}-machine")]
        target = state[f"{name}-start-0800"]["inputs"]["target"]
        assert json.loads(target["input"]) == {"InstanceIds": [machine["id"]]}
        for role in ("role", "start"):
            (row,) = json.loads(state[f"{name}-{role}-policy"]["inputs"]["policy"])["Statement"]
            assert [each.rpartition("/")[2] for each in row["Resource"]] == [machine["id"]]
    assert not sim.preview().summary
    sim.destroy()
