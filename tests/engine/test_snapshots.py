"""Snapshots of a data disk on a schedule, and the disk made anew from one, with the real engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from pulumi_llm import clouds
from pulumi_llm._simcloud.snapshots import moved_back
from pulumi_llm._simcloud.store import FILE, Record, Store
from tests.engine.sim import Sim, said
from tests.engine.test_recover import DISKS, ZONES, machine_type, of_server, store_of, take_spot_machine, written

pytestmark = pytest.mark.engine

DAILY = {"snapshots": {"at": "03:00 Asia/Shanghai", "keep_days": 5}}


def of_file(sim: Sim) -> Any:
    text = (sim.home / "project" / f"Pulumi.{sim.stack}.yaml").read_text()
    return yaml.safe_load(text)["config"]["pulumi-llm:platform"]["server"]


def copies(sim: Sim, cloud: str) -> list[Record]:
    return Store(sim.home / FILE).list(clouds.folders()[cloud].read("snapshots.json")["snapshot"])


def days_later(sim: Sim, days: float) -> None:
    store = store_of(sim)
    with store.transaction():
        for each in store.everything():
            moved_back(store, each, days)


@pytest.fixture(params=["aliyun", "tencent", "aws"])
def up(request: pytest.FixtureRequest, tmp_path: Path) -> Sim:
    sim = written(Sim.of_stack(tmp_path, f"{request.param}-t4"), request.param, disk=DAILY)
    sim.up()
    return sim


def listed(sim: Sim, *options: str) -> list[dict[str, Any]]:
    found = json.loads(sim.run("snapshots", "list", "-s", sim.stack, "--at", "server", "--json", *options).stdout)
    rows: list[dict[str, Any]] = found[0]["snapshots"]
    return rows


def test_snapshots_are_made_each_day_ended_after_theirs_and_one_is_made_a_disk_by_one_command(up: Sim) -> None:
    cloud = up.stack.partition("-")[0]
    assert "no snapshot yet" in up.run("snapshots", "list", "-s", up.stack).stdout
    refused = up.run("snapshots", "restore", "-s", up.stack, "--yes", check=False)
    assert (refused.returncode, "[snapshots.none]" in said(refused)) == (1, True)
    days_later(up, 9)
    found = listed(up)
    assert len(found) == 5, "a snapshot a day, each kept for five"
    assert all(each["taken"].startswith("20") and "T19:00" in each["taken"] for each in found)
    assert "the newest whole copy is " + found[0]["id"] in up.run("snapshots", "list", "-s", up.stack).stdout

    before, (disk,), (machine,) = up.outputs(), of_server(up, DISKS[cloud]), of_server(up, machine_type(cloud))
    done = up.run("snapshots", "restore", "-s", up.stack, "--snapshot", found[2]["id"], "--yes")
    assert found[2]["id"] in done.stdout
    (fresh,), (other,) = of_server(up, DISKS[cloud]), of_server(up, machine_type(cloud))
    assert fresh.get("snapshotId") == found[2]["id"]
    assert fresh.id != disk.id
    assert other.id != machine.id
    assert of_file(up)["disk"] == {**DAILY, "from_snapshot": found[2]["id"]}
    assert up.preview().changes == {}
    after = up.outputs()
    for same in ("address", "api_keys", "endpoint", "certificate_authority"):
        assert after[same] == before[same]

    again = up.run("snapshots", "restore", "-s", up.stack, "--snapshot", found[2]["id"], "--yes", check=False)
    assert "[snapshots.already]" in said(again)
    days_later(up, 2)
    assert len(listed(up)) == 2, "the new disk is copied too"
    old = listed(up, "--disk", disk.id)
    # AWS ends nothing of a volume that no policy knows any more; what the others made goes when its days are over.
    assert found[0]["id"] in {each["id"] for each in old}


def test_snapshots_outlive_their_stack(up: Sim) -> None:
    cloud = up.stack.partition("-")[0]
    days_later(up, 2)
    made = {each["id"] for each in listed(up)}
    (disk,) = of_server(up, DISKS[cloud])
    up.run("destroy", "-s", up.stack, "--yes", "--skip-preview")
    assert {each.id for each in copies(up, cloud)} == made
    assert {each.type for each in store_of(up).everything()} == {each.type for each in copies(up, cloud)}
    assert {each["id"] for each in listed(up, "--disk", disk.id)} == made
    (newest, *__) = listed(up, "--disk", disk.id)
    up.edit("server.disk", {**DAILY, "from_snapshot": newest["id"]})
    up.up()
    (fresh,) = of_server(up, DISKS[cloud])
    assert fresh.get("snapshotId") == newest["id"]


def test_a_machine_comes_back_in_another_zone_from_the_newest_snapshot(tmp_path: Path) -> None:
    first, second, third = ZONES["tencent"]
    sim = written(
        Sim.of_stack(tmp_path, "tencent-t4"),
        "tencent",
        disk=DAILY,
        spot=True,
        alternatives=[{"zone": second}, {"zone": third}],
    )
    sim.up()
    days_later(sim, 2)
    newest = listed(sim)[0]["id"]
    take_spot_machine(sim, "tencent")
    (disk,) = of_server(sim, DISKS["tencent"])

    sim.faults = [f"no-stock:{each}" for each in (first, second, third)]
    refused = sim.run("recover", "-s", sim.stack, "--snapshot", "newest", "--yes", check=False)
    assert "[recover.sold-out]" in said(refused)
    assert "from_snapshot" not in of_file(sim)["disk"]
    assert disk.id in {each.id for each in of_server(sim, DISKS["tencent"])}, "the disk with the data is there"

    sim.faults = [f"no-stock:{first}", f"no-stock:{second}"]
    done = sim.run("recover", "-s", sim.stack, "--snapshot", "newest", "--yes")
    assert f"with a data disk from {newest}" in done.stdout
    (machine,) = of_server(sim, machine_type("tencent"))
    (fresh,) = of_server(sim, DISKS["tencent"])
    assert (machine.get("availabilityZone"), fresh.get("availabilityZone")) == (third, third)
    assert fresh.get("snapshotId") == newest
    assert of_file(sim)["alternative"] == 2
    assert of_file(sim)["disk"]["from_snapshot"] == newest
    assert sim.preview().changes == {}


def test_where_no_second_machine_is_to_be_had_the_disk_with_the_data_stays(tmp_path: Path) -> None:
    """Were the disk replaced, the failed `up` would leave it marked for deletion, and the next one would delete it."""
    sim = written(Sim.of_stack(tmp_path, "aliyun-t4"), "aliyun", disk=DAILY)
    sim.up()
    days_later(sim, 2)
    newest = listed(sim)[0]["id"]
    (disk,), (machine,) = of_server(sim, DISKS["aliyun"]), of_server(sim, machine_type("aliyun"))
    sim.faults = ["no-stock:*"]
    refused = sim.run("snapshots", "restore", "-s", sim.stack, "--yes", check=False)
    assert "[snapshots.failed]" in said(refused)
    sim.faults = []
    sim.run("config", "rm", "--path", "platform.server.disk.from_snapshot", "-s", sim.stack)
    sim.run("up", "-s", sim.stack, "--yes", "--skip-preview")
    assert [each.id for each in of_server(sim, DISKS["aliyun"])] == [disk.id]
    assert [each.id for each in of_server(sim, machine_type("aliyun"))] == [machine.id]
    assert newest in {each.id for each in copies(sim, "aliyun")}


@pytest.mark.parametrize("cloud", ["aliyun", "tencent", "aws"])
def test_a_snapshot_that_is_not_there_or_too_large_is_refused(tmp_path: Path, cloud: str) -> None:
    sim = written(Sim.of_stack(tmp_path, f"{cloud}-t4"), cloud, disk=DAILY)
    sim.up()
    days_later(sim, 1)
    newest = listed(sim)[0]["id"]
    unknown = newest[:-1] + ("0" if newest[-1] != "0" else "1")
    refused = sim.run("snapshots", "restore", "-s", sim.stack, "--snapshot", unknown, "--yes", check=False)
    assert "[snapshots.unknown]" in said(refused)
    assert "from_snapshot" not in of_file(sim)["disk"]
    sim.edit("protect", True)
    sim.up()
    refused = sim.run("snapshots", "restore", "-s", sim.stack, "--yes", check=False)
    assert "[snapshots.protected]" in said(refused)
    assert "from_snapshot" not in of_file(sim)["disk"]
