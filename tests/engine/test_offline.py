"""No network, no engine, a port that is taken: what works all the same, and one message where it cannot."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.engine.sim import Sim, said

pytestmark = pytest.mark.engine

ALONE = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
"""Runs a command on a machine whose only network is its own loopback."""


@pytest.fixture
def sim(tmp_path: Path) -> Sim:
    return Sim.of_stack(tmp_path, "aws-t4")


@pytest.fixture
def alone() -> list[str]:
    if subprocess.run([*ALONE, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this user may make no network namespace, or there is no `ip`")
    return ALONE


def test_without_network_a_stack_is_previewed_all_the_same(sim: Sim, alone: list[str]) -> None:
    command = [*alone, *sim.command("preview", "-s", sim.stack)]
    done = subprocess.run(command, cwd=sim.project, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, said(done)
    assert "to create" in done.stdout


def test_without_network_an_engine_that_cannot_be_had_is_told_once_and_nothing_is_made(
    sim: Sim, alone: list[str], tmp_path: Path
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("unshare", "sh", "ip", "env", "bash", "grep", "mkdir"):
        found = shutil.which(name)
        assert found is not None
        (programs / name).symlink_to(found)
    bare = {"PATH": str(programs), "PULUMI_LLM_TOOLS": str(tmp_path / "none"), "HOME": str(tmp_path)}
    command = [*alone, *sim.command("up", "-s", sim.stack, "--yes")]
    done = subprocess.run(command, cwd=sim.project, env=bare, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 1
    assert done.stderr.count("[engine.unavailable]") == 1
    assert "Traceback" not in done.stderr
    assert not (sim.home / "state").exists()


def test_a_port_that_is_taken_is_refused_before_anything_is_made(sim: Sim) -> None:
    sim.edit("vectors", {"memory_gib": 2})
    sim.edit("access.https_port", 18444)
    done = sim.run("up", "-s", sim.stack, "--yes", "--skip-preview", check=False)
    assert done.returncode != 0
    assert "[spec.port-taken]" in said(done)
    assert "Traceback" not in said(done)
