"""What is wrong with the machine itself: its disks, its GPU, its power."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from llm_boot.faults import Fault
from llm_boot.support import run
from llm_boot.world import World
from pulumi_llm._bootstrap import NodeRequest
from tests.boot.node import Node, quiet_node
from tests.boot.test_faults_supply import MAKE, images_node, make, model_node, whole
from tests.bootstrap.samples import gpu_node, vllm_of, without

__all__ = ["make"]
pytestmark = [pytest.mark.boot, pytest.mark.boot_all]


def test_a_disk_that_is_not_there_is_named_and_found_once_it_is_plugged_in(make: MAKE, world: World) -> None:
    node = make(quiet_node()).boot(disk=False)
    node.until("disk", "running", "disk.absent")
    node.machine.attach_disk(world.disk("late", node.request.data_disk_gib))
    node.until("disk", "done")


def test_two_empty_disks_of_the_same_size_are_not_guessed_between(make: MAKE, world: World) -> None:
    node = make(quiet_node())
    for name in ("one", "two"):
        node.machine.attach_disk(world.disk(name, node.request.data_disk_gib))
    node.boot()
    node.until("disk", "running", "disk.ambiguous")


def test_a_disk_with_somebody_elses_data_is_not_formatted(make: MAKE, world: World) -> None:
    node = make(quiet_node())
    disk = world.disk("theirs", node.request.data_disk_gib)
    run("mkfs.ext4", "-q", "-L", "theirs", disk)
    node.machine.attach_disk(disk)
    node.boot()
    node.until("disk", "running", "disk.not-empty")
    assert 'LABEL="theirs"' in run("blkid", "-p", disk)


def driver_node() -> NodeRequest:
    """A node with a GPU; what is after its driver is not waited for."""
    return without(gpu_node(), "weaviate")


def test_a_machine_without_a_gpu_is_named(make: MAKE) -> None:
    node = make(driver_node(), gpus=0).boot()
    done = node.apply()
    assert done.code == 1
    assert "[driver.no-gpu]" in done.said
    assert node.stage("driver")["hint"]


def test_a_driver_that_is_too_old_and_not_the_archives_is_named(make: MAKE) -> None:
    done = make(driver_node(), preinstalled_driver="470.82.01").boot().apply()
    assert done.code == 1
    assert "[driver.too-old]" in done.said


def test_fewer_gpus_than_the_model_is_spread_over_are_named(make: MAKE) -> None:
    request = driver_node()
    node = make(request.having(replace(vllm_of(request), tensor_parallel_size=2)), gpus=1).boot()
    done = node.apply()
    assert done.code == 1
    assert "[driver.too-few-gpus]" in done.said


def test_a_driver_that_wants_a_reboot_gets_one_and_the_node_goes_on_by_itself(make: MAKE) -> None:
    node = make(driver_node())
    mark = node.machine.path("/etc/llm-boot/reboot-first")
    mark.parent.mkdir(parents=True)
    mark.touch()
    node.boot()
    first = node.machine.leader
    with node.applying():
        node.until("driver", "done")
    assert node.machine.leader != first, "it never rebooted"
    assert node.machine.inside("journalctl", "--list-boots", "--quiet", "--no-pager").count("\n") == 2


def test_power_cut_in_the_middle_of_a_download_ends_with_whole_weights(make: MAKE, world: World) -> None:
    world.break_with(Fault(do="slow", path=r"model\.safetensors", rate=200_000))
    node = make(model_node("modelscope")).boot()
    node.wait(lambda: (node.stage("weights").get("progress") or {}).get("percent", 0) > 20, "a fifth of the weights")
    node.machine.kill()
    world.break_with()
    node.machine.start()
    node.until("weights", "done")
    assert whole(node)
    resumed = [each["range"] for each in world.requests(fault=None) if "safetensors" in each["path"]]
    assert resumed[-1], "the download began from the start"


@pytest.mark.parametrize("stage", ["disk", "base", "services"])
def test_power_cut_in_a_stage_and_the_same_end(make: MAKE, stage: str) -> None:
    node = make(quiet_node()).boot()
    with node.applying():
        node.wait(lambda: node.stage(stage).get("state") in ("running", "done"), f"{stage} to begin")
        node.machine.kill()
    node.machine.start()
    done = node.apply()
    assert done.code == 0, done.said
    assert node.stage("serve")["state"] == "done"


@pytest.mark.parametrize("stage", ["driver", "python", "gateway", "images"])
def test_power_cut_in_a_stage_that_settings_began_and_it_goes_on_by_itself(make: MAKE, stage: str) -> None:
    node = make(images_node() if stage == "images" else driver_node()).boot()
    with node.applying():
        node.until(stage, "running")
        node.machine.kill()
    node.machine.start()
    node.until(stage, "done")


@pytest.mark.parametrize("stage", ["disk", "weights"])
def test_a_stage_of_the_first_boot_that_is_killed_is_started_again_by_apply(
    make: MAKE, world: World, stage: str
) -> None:
    world.break_with(Fault(do="slow", path=r"model\.safetensors", rate=100_000))
    node = make(model_node("modelscope")).boot(disk=stage != "disk")
    node.until(stage, "running")
    node.machine.inside("systemctl", "kill", "--signal=KILL", f"llm-{stage}")
    node.wait(lambda: "failed" in node.machine.inside("systemctl", "is-failed", f"llm-{stage}", check=False), "its end")
    if stage == "disk":
        node.machine.attach_disk(world.disk("late", node.request.data_disk_gib))
    world.break_with()
    with node.applying():
        node.until("weights", "done")
    assert whole(node)


@pytest.mark.parametrize("stage", ["base", "services"])
def test_a_stage_that_is_killed_while_apply_waits_for_it_is_started_again(make: MAKE, stage: str) -> None:
    node = make(quiet_node()).boot()
    with node.applying() as apply:
        node.until(stage, "running")
        node.machine.inside("systemctl", "kill", "--signal=KILL", f"llm-{stage}")
        node.until("serve", "done")
        assert apply.wait(60) == 0


def test_a_reboot_of_a_ready_node_ends_ready_without_anybody(make: MAKE, tmp_path: Path) -> None:
    node = make(quiet_node()).boot()
    assert node.apply().code == 0
    first = node.machine.leader
    node.machine.inside("systemctl", "reboot", check=False)
    node.wait(lambda: node.machine.leader not in (None, first), "the reboot")
    node.until("serve", "done")


def test_a_port_that_another_program_took_is_named(make: MAKE) -> None:
    node: Node = make(quiet_node()).boot()
    node.wait(lambda: node.stage("disk").get("state") == "done", "the disk")
    take = "import socket,time; s=socket.create_server(('0.0.0.0', 18443)); time.sleep(900)"
    node.machine.inside("systemd-run", "--unit=other-program", "python3", "-c", take)
    done = node.apply()
    assert done.code == 1
    assert "[caddy.port-taken]" in done.said
    node.machine.inside("systemctl", "stop", "other-program")
    assert node.apply().code == 0
