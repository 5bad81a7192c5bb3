"""What a run leaves that was killed is taken away by the next one, whole, and nothing of anybody else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from llm_boot import cgroups, network
from llm_boot.support import run
from llm_boot.world import REGISTER, World, reap

pytestmark = [pytest.mark.boot, pytest.mark.boot_all]

ROOT = Path(__file__).parents[2]
RUN = """
import os, sys, time
from pathlib import Path
sys.path.append("tools/boot")
from llm_boot.world import World
from tests.boot.node import Node, quiet_node
place = Path(sys.argv[1])
world = World.make(place / "world", owner=os.getpid() if sys.argv[2] == "owned" else None)
node = Node(world, place, quiet_node()).boot()
node.until("disk", "done")
world.place("client", "203.0.113.200")
print(world.name, flush=True)
time.sleep(900)
"""


def killed_run(place: Path, whose: str) -> str:
    """Boot a machine in a process of its own, and kill that; the world's name."""
    place.mkdir()
    argv = [sys.executable, "-c", RUN, str(place), whose]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        name = process.stdout.readline().strip()
        process.kill()
    assert name
    return name


def traces(name: str, place: Path) -> list[str]:
    """All that is left of a world."""
    mounts = [line for line in Path("/proc/mounts").read_text().splitlines() if f" {place}/" in line]
    loops = [line for line in run("losetup", "--list", "--noheadings").splitlines() if f"{place}/" in line]
    groups = [str(root / name) for root in cgroups.hierarchies() if (root / name).exists()]
    files = [each for each in (place / "world", REGISTER / f"{name}.json") if each.exists()]
    return [*mounts, *loops, *groups, *map(str, [*network.NAMESPACES.glob(f"{name}*"), *files])]


def test_a_world_whose_run_was_killed_is_taken_away_whole_and_a_living_one_stays(world: World, tmp_path: Path) -> None:
    name = killed_run(tmp_path / "dead", "owned")
    assert cgroups.processes(name), "nothing ran on, so that nothing is shown"
    reap()
    assert cgroups.processes(name) == set()
    assert traces(name, tmp_path / "dead") == []
    assert world.is_alive
    assert cgroups.processes(f"{world.name}/edge")


def test_a_world_that_belongs_to_nobody_outlives_the_run_that_made_it(tmp_path: Path) -> None:
    name = killed_run(tmp_path / "kept", "free")
    assert name not in reap()
    kept = World.find(tmp_path / "kept/world")
    assert kept is not None
    assert [each.is_running for each in kept.machines()] == [True]
    kept.destroy()
    assert traces(name, tmp_path / "kept") == []
