"""Machines of simulated clouds that are stopped and started, with the real engine's state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.engine.sim import Sim, said

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
