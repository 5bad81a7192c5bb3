"""A booted node that stops by itself, by its own role and through its cloud's API; and one that its cloud takes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from llm_boot.faults import Fault
from llm_boot.world import World
from tests.boot.leaving import IDLE, IDS, OTHERS, Leaving, leaving, policy_of, row_of

pytestmark = [pytest.mark.boot, pytest.mark.boot_all]

MINUTES = {"idle_minutes": IDLE / 60}
MODES = {"aliyun": "StopCharging", "tencent": "STOP_CHARGING", "aws": ""}
CLOUDS = [*MODES]
NOTICES = {
    "aliyun": ("2026-11-30T15:00:00Z", "2026-11-30T15:00:00Z"),
    "tencent": ("2026-11-30 23:00:00", "2026-11-30 23:00:00 UTC+8"),
    "aws": ('{"action": "terminate", "time": "2026-11-30T15:00:00Z"}', "2026-11-30T15:00:00Z"),
    "gcp": ("TRUE", "any moment, within 30 seconds"),
}
"""What each cloud's metadata says of a spot machine that goes, and when that is."""


@pytest.fixture(scope="module")
def served(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Leaving]:
    with leaving(world, tmp_path_factory.mktemp("leaving") / "node") as node:
        yield node
    for file in (world.folder / "disks").glob("*.img"):
        file.unlink()


@pytest.fixture
def node(served: Leaving) -> Leaving:
    """The node, on and ready, with nothing that stops it yet."""
    served.world.break_with()
    served.configure(row_of("aws"), idle_minutes=30)
    if not served.machine.is_running:
        served.machine.start()
    served.until_ready()
    return served


def slow_answers(world: World) -> None:
    """A completion that is on its way for a good deal longer than the machine waits."""
    world.break_with(Fault(do="slow", host="api.openai.com", rate=40))


@pytest.mark.parametrize("cloud", CLOUDS)
def test_it_has_itself_stopped_after_the_last_request(node: Leaving, cloud: str) -> None:
    before = len(node.world.orders())
    node.configure(row_of(cloud), **MINUTES)
    time.sleep(3)
    assert node.ask()[0] == 200
    last = time.time()
    order = node.until_ordered(before + 1)
    assert IDLE - 0.5 <= order["time"] - last <= IDLE + 5
    assert (order["refused"], order["machines"], order["mode"]) == (None, [IDS[cloud]], MODES[cloud])
    node.until_off()
    assert len(node.world.orders()) == before + 1


def test_it_does_not_stop_while_it_starts_and_waits_its_time_from_then(node: Leaving) -> None:
    node.machine.shut_down()
    before = len(node.world.orders())
    node.configure(row_of("tencent"), **MINUTES)
    # Longer on its way up than the machine waits without a call.
    slow = node.machine.path("/etc/systemd/system/llm-caddy.service.d/slow.conf")
    slow.parent.mkdir(parents=True, exist_ok=True)
    slow.write_text(f"[Service]\nExecStartPre=/bin/sleep {2 * IDLE}\n")
    begun = time.time()
    node.machine.start()
    ready = node.until_ready()
    slow.unlink()
    assert ready - begun > 2 * IDLE
    assert len(node.world.orders()) == before, "it was stopped while it started"
    order = node.until_ordered(before + 1)
    assert order["time"] - ready >= IDLE - 3
    node.until_off()


def test_it_does_not_stop_while_a_request_runs(node: Leaving) -> None:
    before = len(node.world.orders())
    slow_answers(node.world)
    node.configure(row_of("aliyun"), **MINUTES)
    begun = time.time()
    asking = node.asking(stream=True)
    said, __ = asking.communicate(timeout=120)
    ended = time.time()
    assert said.rstrip().endswith("data: [DONE]"), said
    assert ended - begun > IDLE + 5, "the answer was too quick to tell anything"
    assert len(node.world.orders()) == before, "it was stopped while a request ran"
    order = node.until_ordered(before + 1)
    assert IDLE - 0.5 <= order["time"] - ended <= IDLE + 5
    node.until_off()


REFUSED = [*((each, "no policy") for each in CLOUDS), ("tencent", "another machine's policy"), ("aliyun", "no role")]


@pytest.mark.parametrize(("cloud", "why"), REFUSED)
def test_a_stop_that_is_refused_is_a_code_and_nothing_else_happens(node: Leaving, cloud: str, why: str) -> None:
    changes: dict[str, dict[str, Any]] = {
        "no policy": {"policies": ()},
        "another machine's policy": {"policies": (policy_of(cloud, OTHERS[cloud]),)},
        "no role": {"role": ""},
    }
    code, refused = ("leave.no-role", []) if why == "no role" else ("leave.denied", ["right"])
    before, leader = len(node.world.orders()), node.machine.leader
    node.configure(row_of(cloud, **changes[why]), **MINUTES)
    node.wait(lambda: node.state().get("state") == "failed", "the failure", 40)
    told = node.told()
    assert (told["code"], told["reason"]) == (code, "idle")
    assert told["hint"]
    assert node.ask()[0] == 200, "it does not serve on"
    time.sleep(3)
    assert [each["refused"] for each in node.world.orders()[before:]] == refused, "it does not wait for its next try"
    assert (node.machine.leader, node.is_ready()) == (leader, True)


def test_its_hours_end_by_the_clock_of_their_zone_on_the_day_when_summer_time_ends(node: Leaving) -> None:
    before, berlin = len(node.world.orders()), ZoneInfo("Europe/Berlin")
    start = datetime(2026, 10, 25, 0, 30, tzinfo=berlin).timestamp()
    end = datetime(2026, 10, 25, 12, 0, tzinfo=berlin).timestamp()
    assert end - start == 12.5 * 3600  # a day of 25 hours
    node.fast(start, 1800)
    sunday = 6 * 24 * 60
    node.configure(row_of("tencent"), hours={"zone": "Europe/Berlin", "windows": [[sunday, sunday + 12 * 60]]})
    order = node.until_ordered(before + 1)
    shown = node.fast_time(order["time"])
    assert 0 <= shown - end <= 20 * 60, datetime.fromtimestamp(shown, berlin)
    assert order["refused"] is None
    node.until_off()
    node.machine.path("/etc/systemd/system/llm-leave.service.d/fast.conf").unlink()


@pytest.mark.parametrize("cloud", [*NOTICES])
def test_a_spot_notice_refuses_what_is_new_and_lets_what_runs_end(node: Leaving, cloud: str) -> None:
    before = len(node.world.orders())
    written, when = NOTICES[cloud]
    node.configure(row_of(cloud))
    slow_answers(node.world)
    asking = node.asking(stream=True)
    time.sleep(2)
    node.world.break_with()
    node.world.tell(node.machine, row_of(cloud, notice=written))
    node.wait(lambda: node.state().get("code") == "leave.spot-notice", "the notice", 10)
    told = node.told()
    assert (told["state"], told["reason"]) == ("draining", "spot")
    assert when in told["message"]
    status, headers, body = node.ask()
    assert (status, headers["retry-after"]) == (503, "120")
    assert json.loads(body)["error"]["code"] == "server_stopping"
    said, __ = asking.communicate(timeout=120)
    assert said.rstrip().endswith("data: [DONE]"), said
    assert len(node.world.orders()) == before, "there is nothing to be stopped"


def test_after_it_was_taken_another_machine_has_keys_and_limits_from_the_disk(node: Leaving) -> None:
    for _attempt in range(20):
        status, _headers, body = node.ask("spent")
        if status != 200:
            break
    assert (status, json.loads(body)["error"]["code"]) == (429, "budget_exceeded")
    node.configure(row_of("aws"))
    node.world.tell(node.machine, row_of("aws", notice=NOTICES["aws"][0]))
    node.wait(lambda: node.state().get("code") == "leave.spot-notice", "the notice", 10)
    node.machine.kill()
    node.machine.destroy()
    with leaving(node.world, node.folder.parent / "again") as again:
        assert again.told()["state"] == "watching"
        assert again.ask("home")[0] == 200
        status, _headers, body = again.ask("spent")
        assert (status, json.loads(body)["error"]["code"]) == (429, "budget_exceeded")
