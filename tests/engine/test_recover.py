"""A machine that is missing is made again: sold out here and there, or taken by its cloud, with the real engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pulumi_llm import clouds
from pulumi_llm._simcloud.faults import Faults
from pulumi_llm._simcloud.power import SimulatedPower
from pulumi_llm._simcloud.store import FILE, Record, Store
from tests.engine.sim import Sim, said

pytestmark = pytest.mark.engine

ZONES = {
    "aliyun": ("cn-hangzhou-b", "cn-hangzhou-h", "cn-hangzhou-i"),
    "tencent": ("ap-guangzhou-3", "ap-guangzhou-4", "ap-guangzhou-6"),
    "aws": ("us-east-1a", "us-east-1b", "us-east-1c"),
}
CODES = {
    "aliyun": "OperationDenied.NoStock",
    "tencent": "ResourceInsufficient.SpecifiedInstanceType",
    "aws": "InsufficientInstanceCapacity",
}
LARGER = {"aliyun": "ecs.gn6i-c16g1.4xlarge", "tencent": "GN7.5XLARGE80", "aws": "g4dn.4xlarge"}
DISKS = {
    "aliyun": "alicloud:ecs/ecsDisk:EcsDisk",
    "tencent": "tencentcloud:Cbs/storage:Storage",
    "aws": "aws:ebs/volume:Volume",
}


def written(sim: Sim, cloud: str, **server: Any) -> Sim:
    """The stack with the first of the zones, and these keys of its server."""
    sim.edit("server.region", ZONES[cloud][0].rpartition("-")[0] if cloud != "aws" else "us-east-1")
    sim.edit("server.zone", ZONES[cloud][0])
    for key, value in server.items():
        sim.edit(f"server.{key}", value)
    return sim


def store_of(sim: Sim) -> Store:
    return Store(sim.home / FILE)


def of_server(sim: Sim, type_: str) -> list[Record]:
    return [each for each in store_of(sim).list(type_) if "-server-" in each.name]


def machine_type(cloud: str) -> str:
    return str(clouds.folders()[cloud].read("power.json")["type"])


def alternative_of(sim: Sim) -> Any:
    text = (sim.home / "project" / f"Pulumi.{sim.stack}.yaml").read_text()
    return yaml.safe_load(text)["config"]["pulumi-llm:platform"]["server"].get("alternative")


@pytest.mark.parametrize("cloud", ["aliyun", "tencent", "aws"])
def test_sold_out_in_two_zones_the_third_is_taken_once(tmp_path: Path, cloud: str) -> None:
    first, second, third = ZONES[cloud]
    sim = written(Sim.of_stack(tmp_path, f"{cloud}-t4"), cloud, alternatives=[{"zone": second}, {"zone": third}])
    sim.faults = [f"no-stock:{first}", f"no-stock:{second}"]
    done = sim.run("recover", "-s", sim.stack, "--yes")
    assert [line.split()[1] for line in done.stdout.splitlines() if line.startswith("trying ")] == ["0:", "1:", "2:"]
    (machine,) = of_server(sim, machine_type(cloud))
    assert machine.get("availabilityZone") == third
    (disk,) = of_server(sim, DISKS[cloud])
    assert third in (disk.get("availabilityZone"), disk.get("zoneId"))
    assert alternative_of(sim) == 2
    assert sim.preview().changes == {}
    sim.faults = []
    assert "the server's machine is there" in sim.run("recover", "-s", sim.stack).stdout
    assert [each.id for each in of_server(sim, machine_type(cloud))] == [machine.id]


REGIONS = {
    "aliyun": ("cn-hangzhou", "cn-shanghai"),
    "tencent": ("ap-guangzhou", "ap-shanghai"),
    "aws": ("us-east-1", "us-west-2"),
}


@pytest.mark.parametrize("cloud", ["aliyun", "tencent", "aws"])
def test_where_a_region_has_none_left_the_next_has_all_of_it_and_nothing_stays_behind(
    tmp_path: Path, cloud: str
) -> None:
    (first, second, __), (home, away) = ZONES[cloud], REGIONS[cloud]
    sim = written(Sim.of_stack(tmp_path, f"{cloud}-t4"), cloud, alternatives=[{"zone": second}, {"region": away}])
    sim.faults = [f"no-stock:{first}", f"no-stock:{second}"]
    sim.run("recover", "-s", sim.stack, "--yes")
    (machine,) = of_server(sim, machine_type(cloud))
    assert str(machine.get("availabilityZone")).startswith(away)
    assert alternative_of(sim) == 2
    assert {each.region for each in store_of(sim).everything() if each.region.startswith(home[:3])} >= {away}
    assert home not in {each.region for each in store_of(sim).everything()}, "something stays, and costs"
    assert sim.preview().changes == {}
    take_spot_machine(sim, cloud)
    sim.faults = []
    done = sim.run("recover", "-s", sim.stack, "--yes")
    assert [line.split()[1] for line in done.stdout.splitlines() if line.startswith("trying ")] == ["2:"]
    assert f"are in {away} and do not move" in done.stdout
    sim.destroy()
    assert store_of(sim).everything() == []


@pytest.mark.parametrize("cloud", ["aliyun", "tencent", "aws"])
def test_all_refused_are_told_in_one_message_with_their_codes_and_leave_nothing(tmp_path: Path, cloud: str) -> None:
    sim = written(
        Sim.of_stack(tmp_path, f"{cloud}-t4"), cloud, alternatives=[{"zone": each} for each in ZONES[cloud][1:]]
    )
    sim.faults = [f"no-stock:{each}" for each in ZONES[cloud]]
    done = sim.run("recover", "-s", sim.stack, "--yes", check=False)
    assert done.returncode == 1
    (told,) = [line for line in said(done).splitlines() if line.startswith("[recover.sold-out]")]
    assert told.count(CODES[cloud]) == 3
    assert all(each in told for each in ZONES[cloud])
    assert "what the tries made is gone again" in said(done)
    assert store_of(sim).everything() == []
    assert alternative_of(sim) is None


def take_spot_machine(sim: Sim, cloud: str) -> Record:
    """What a cloud does that takes a spot machine back: it is gone, and what was attached to it is free."""
    store = store_of(sim)
    (machine,) = of_server(sim, machine_type(cloud))
    with store.transaction():
        for each in store.everything():
            bound = [value for key, value in each.properties.items() if key.startswith("instance")]
            if each.id == machine.id or (machine.id in bound and "ttach" in each.type + " Associat"):
                store.remove(each)
    return machine


@pytest.mark.parametrize("cloud", ["aliyun", "tencent", "aws"])
def test_a_spot_machine_that_was_taken_comes_back_with_its_disk_and_keys_and_on_demand_after_spot(
    tmp_path: Path, cloud: str
) -> None:
    other = {"zone": ZONES[cloud][1]}
    sim = Sim.of_stack(tmp_path, f"{cloud}-t4")
    written(sim, cloud, spot=True, alternatives=[other, {"instance_type": LARGER[cloud], "spot": False}])
    sim.up()
    before, (disk,) = sim.outputs(), of_server(sim, DISKS[cloud])
    taken = take_spot_machine(sim, cloud)
    done = sim.run("recover", "-s", sim.stack, "--yes")
    assert "does not move to another zone" in done.stdout
    (machine,) = of_server(sim, machine_type(cloud))
    assert machine.id != taken.id
    assert machine.get("instanceType") == taken.get("instanceType")
    assert alternative_of(sim) is None

    take_spot_machine(sim, cloud)
    sim.faults = [f"no-stock:{taken.get('instanceType')}"]
    sim.run("recover", "-s", sim.stack, "--yes")
    (machine,) = of_server(sim, machine_type(cloud))
    assert machine.get("instanceType") == LARGER[cloud]
    assert alternative_of(sim) == 2
    assert [each.id for each in of_server(sim, DISKS[cloud])] == [disk.id]
    after = sim.outputs()
    assert {key: after[key] for key in ("api_keys", "address", "endpoint")} == {
        key: before[key] for key in ("api_keys", "address", "endpoint")
    }


def test_a_spot_machine_that_google_stopped_is_started_again_and_on_demand_where_there_is_none_left(
    tmp_path: Path,
) -> None:
    sim = Sim.of_stack(tmp_path, "aliyun-t4")
    file = sim.project / "stacks" / f"Pulumi.{sim.stack}.yaml"
    content = yaml.safe_load(file.read_text())
    platform = content["config"]["pulumi-llm:platform"]
    for each in ("proxy", "vectors"):
        del platform[each]
    platform["server"] |= {"cloud": "gcp", "region": "us-central1", "zone": "us-central1-a", "gpu": "L4", "spot": True}
    platform["server"]["alternatives"] = [{"zone": "us-central1-b"}, {"instance_type": "g2-standard-12", "spot": False}]
    file.write_text(yaml.safe_dump(content))
    sim.up()
    type_ = machine_type("gcp")
    (machine,), (disk,) = of_server(sim, type_), of_server(sim, "gcp:compute/disk:Disk")
    take = SimulatedPower(store_of(sim), "gcp", Faults())
    take.stop(machine.id)
    done = sim.run("recover", "-s", sim.stack, "--yes")
    assert "the server's spot machine stands still" in done.stdout
    assert [line.split()[1] for line in done.stdout.splitlines() if line.startswith("trying ")] == ["0:"]
    (again,) = of_server(sim, type_)
    assert (again.id, again.get("currentStatus")) == (machine.id, "RUNNING")
    assert sim.preview().changes == {}
    take.stop(machine.id)
    sim.faults = [f"no-stock:{machine.get('machineType')}"]
    done = sim.run("recover", "-s", sim.stack, "--yes")
    assert "the data disk is in us-central1-a and does not move to another zone" in done.stdout
    assert [line.split()[1] for line in done.stdout.splitlines() if line.startswith("trying ")] == ["0:", "2:"]
    assert alternative_of(sim) == 2
    (other,) = of_server(sim, type_)
    assert other.get("scheduling")["provisioningModel"] == "STANDARD"
    assert [each.id for each in of_server(sim, "gcp:compute/disk:Disk")] == [disk.id]


def test_what_is_wrong_besides_stock_leads_to_no_other_alternative(tmp_path: Path) -> None:
    first, second, __ = ZONES["aliyun"]
    sim = written(Sim.of_stack(tmp_path, "aliyun-t4"), "aliyun", alternatives=[{"zone": second}])
    sim.faults = ["quota:*", f"no-stock:{first}"]
    done = sim.run("recover", "-s", sim.stack, "--yes", check=False)
    assert done.returncode == 1
    assert "[recover.failed]" in said(done)
    assert "trying 1" not in done.stdout
