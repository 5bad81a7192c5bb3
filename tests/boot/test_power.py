"""A stack whose GPU host stops itself by the role that `up` made, and is started again by `pulumi-llm start`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from llm_boot import compute
from llm_boot.machine import Machine
from tests.boot.stack import BootedStack, booted

pytestmark = [pytest.mark.boot, pytest.mark.boot_all]

IDLE = 12.0
MODES = {"aliyun-t4": "StopCharging", "tencent-t4": "STOP_CHARGING", "aws-t4": ""}


def stops_itself(file: Path) -> None:
    """The GPU host alone, which stops when nobody asks it."""
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    platform = document["config"]["pulumi-llm:platform"]
    platform["server"]["idle_stop"] = {"minutes": 30}
    for part in ("proxy", "vectors"):
        platform.pop(part, None)
    file.write_text(yaml.safe_dump(document), encoding="utf-8")


@pytest.fixture(scope="module", params=MODES)
def stack(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[BootedStack]:
    with booted(tmp_path_factory.mktemp("power"), request.param, stops_itself) as made:
        yield made


def waits(machine: Machine, minutes: float) -> None:
    """So long without a call, and the machine has itself stopped."""
    file = machine.path("/opt/llm/leave.json")
    told = json.loads(file.read_text())
    file.write_text(json.dumps(told | {"idle_minutes": minutes}))
    if machine.is_running:
        machine.inside("systemctl", "restart", "llm-leave")


def asks(stack: BootedStack) -> float:
    return float(stack.client("first_token", **stack.access, model=stack.outputs["model"]))


def test_it_stops_itself_by_the_role_that_up_made_and_start_brings_it_back(stack: BootedStack) -> None:
    server, access = stack.machine("server"), dict(stack.access)
    (row,) = compute.read(stack.world.folder).values()
    assert (row.machine, row.id) == (server.spec.name, server.spec.name)
    (policy,) = row.policies
    assert server.spec.name in json.dumps(policy)
    waits(server, IDLE / 60)
    last = asks(stack)
    server.until(lambda: bool(stack.world.orders()), "a stop", 60)
    (order,) = stack.world.orders()
    assert (order["refused"], order["machines"], order["mode"]) == (None, [server.spec.name], MODES[stack.sim.stack])
    assert IDLE - 0.5 <= order["time"] - last <= IDLE + 10
    server.until(lambda: not server.is_running, "the end", 120)
    waits(server, 30)
    stack.world.forget_requests()
    started = stack.sim.run("start", "-s", stack.sim.stack, "--yes").stdout
    assert "running" in started
    asks(stack)
    assert stack.access == access
    assert [each for each in stack.world.requests(method="GET") if "safetensors" in each["path"]] == []


def test_stop_and_start_reach_a_booted_machine(stack: BootedStack) -> None:
    server = stack.machine("server")
    waits(server, 30)
    stack.sim.run("stop", "-s", stack.sim.stack, "--yes")
    assert not server.is_running
    again = stack.sim.run("stop", "-s", stack.sim.stack, "--yes")
    assert "already" in again.stdout + again.stderr
    begun = time.time()
    stack.sim.run("start", "-s", stack.sim.stack, "--yes")
    assert server.is_running
    assert asks(stack) > begun
