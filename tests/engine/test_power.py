"""Machines of simulated clouds that are stopped and started, with the real engine's state."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.engine.sim import ROOT, Sim, said

pytestmark = pytest.mark.engine

PROPERTIES = {
    "aliyun": ("status", "Stopped"),
    "tencent": ("instanceStatus", "STOPPED"),
    "aws": ("instanceState", "stopped"),
}
TYPES = {"aliyun": "alicloud:ecs/instance", "tencent": "tencentcloud:Instance/instance", "aws": "aws:ec2/instance"}


@pytest.fixture(params=["aliyun", "tencent", "aws"])
def up(request: pytest.FixtureRequest, tmp_path: Path) -> Sim:
    sim = Sim.of_stack(tmp_path, f"{request.param}-t4")
    sim.up()
    return sim


def server_of(sim: Sim) -> dict[str, Any]:
    cloud = sim.stack.partition("-")[0]
    (found,) = [
        each
        for each in sim.state().values()
        if each["type"].startswith(TYPES[cloud]) and "-server-" in each["urn"].rsplit("::", 1)[-1]
    ]
    return found


def test_a_stack_is_stopped_seen_by_a_refresh_and_started(up: Sim) -> None:
    cloud = up.stack.partition("-")[0]
    name, stopped = PROPERTIES[cloud]
    before = server_of(up)["outputs"][name]
    done = up.run("stop", "-s", up.stack, "--yes")
    assert "stopped, and not charged for any more" in done.stdout
    assert "stands still already" in up.run("stop", "-s", up.stack).stdout
    up.run("refresh", "-s", up.stack, "--yes", "--skip-preview")
    assert server_of(up)["outputs"][name] == stopped
    changes = up.preview().changes
    # The program of a stack on Tencent Cloud says that its machine runs: the next `up` after a refresh starts it.
    assert [*changes.values()] == (["update"] if cloud == "tencent" else []), changes
    if cloud == "tencent":
        up.up()
        assert server_of(up)["outputs"][name] == before
        assert "runs already" in up.run("start", "-s", up.stack).stdout
        return
    up.faults = ["no-stock:*"]
    refused = up.run("start", "-s", up.stack, "--yes", check=False)
    assert refused.returncode == 1
    assert "[power.sold-out]" in said(refused)
    up.faults = []
    up.run("start", "-s", up.stack, "--yes")
    up.run("refresh", "-s", up.stack, "--yes", "--skip-preview")
    assert server_of(up)["outputs"][name] == before


def test_the_job_of_a_ci_starts_what_stands_still(tmp_path: Path) -> None:
    """The script of docs/ci/github-start.yml, word for word, on a simulated stack."""
    sim = Sim.of_stack(tmp_path, "aws-t4")
    sim.up()
    sim.run("stop", "-s", sim.stack, "--yes")
    workflow = yaml.safe_load((ROOT / "docs/ci/github-start.yml").read_text())
    (script,) = [each["run"] for each in workflow["jobs"]["start"]["steps"] if each.get("name") == "Start"]
    (sim.project / ".venv").symlink_to(Path(sys.prefix))
    variables = {"STACKS": sim.stack, "OPTIONS": "--sim --no-wait", "PULUMI_LLM_SIM_HOME": str(sim.home)}

    def job(**more: str) -> subprocess.CompletedProcess[str]:
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
        environment = {**os.environ, **variables, **more}
        return subprocess.run(
            command, cwd=sim.project, env=environment, capture_output=True, text=True, check=False, timeout=300
        )

    sold_out = job(PULUMI_LLM_SIM_FAULTS="no-stock:*")
    assert (sold_out.returncode, "[power.sold-out]" in sold_out.stderr) == (1, True)
    assert job().returncode == 0
    assert "runs already" in sim.run("start", "-s", sim.stack).stdout
