"""A machine stops by itself when nobody asks it and when its hours are over, and never else."""

from __future__ import annotations

import fcntl
import json
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import jsonschema
import pytest

from pulumi_llm import _nodes, catalog
from pulumi_llm._stopping import no_notice
from pulumi_llm.clouds.capabilities import Capability
from pulumi_llm.spec import ServerSpec, parse
from tests.leave.conftest import DENIALS, MACHINE, TEMPLATES, Time, World

IDLE = {"idle_minutes": 30}
PAUSE = 2.0
"""Seconds between two looks of the program."""
SCHEMA = json.loads((TEMPLATES / "node" / "status.schema.json").read_text())


class Stopped(Exception):  # noqa: N818 - it is what was waited for
    """The machine is off."""


def leaving(node: Any, world: World, passing: Time, config: dict[str, Any]) -> Any:
    """The program; where a stop is taken, the machine is gone with the next second."""
    program = node.leave.Leave({"cloud": world.cloud, **config}, passing.clock(node))
    # Thousands of looks: the port itself is asked in a test of its own.
    node.leave.gateway = lambda: (
        None if world.used is None else node.leave.Use(world.used["active"], world.used["idle_seconds"])
    )

    def pause(seconds: float) -> None:
        if world.stops and world.answer[0] == 200 and "Error" not in str(world.answer[1]):
            raise Stopped
        Time.pause(passing, seconds)

    passing.pause = pause  # type: ignore[method-assign]
    program.clock = passing.clock(node)
    return program


def runs(program: Any, passing: Time, seconds: float) -> float | None:
    """Look for so long; the second in which the machine went off, or None.

    Each minute where the rest is long, as nothing is to happen there; then as often as the program itself does.
    """
    begun = passing.now
    try:
        while (left := seconds - (passing.now - begun)) > 0:
            program.look()
            passing.pause(60 if left > 300 else PAUSE)
    except Stopped:
        return passing.now - begun
    return None


def served(node: Any) -> dict[str, Any]:
    """The status document as it is served."""
    return dict(json.loads(node.status.document()))


def told(node: Any) -> dict[str, Any]:
    return dict(served(node)["leave"])


def drained(node: Any) -> bool:
    return bool((node.root / "run/llm/drain.json").exists())


def test_it_stops_within_five_seconds_of_its_time_after_the_last_request(
    node: Any, world: World, passing: Time
) -> None:
    program = leaving(node, world, passing, IDLE)

    def ask() -> None:
        world.used = {"active": 0, "idle_seconds": 0.0}

    passing.at(600, ask)
    assert runs(program, passing, 600 + 1790) is None
    at = runs(program, passing, 60)
    assert at is not None
    assert 10 <= at <= 10 + 5
    assert program.clock.wall() == passing.now
    assert node.leave.PAUSE == PAUSE
    assert len(world.stops) == 1
    assert MACHINE in json.dumps(world.stops)
    assert told(node)["state"] == "stopping"
    assert told(node)["reason"] == "idle"
    assert drained(node)


def test_it_does_not_stop_while_a_request_runs_nor_before_its_time_after_it(
    node: Any, world: World, passing: Time
) -> None:
    program = leaving(node, world, passing, IDLE)
    world.used = {"active": 1, "idle_seconds": 4000.0}
    assert runs(program, passing, 4000) is None
    world.used = {"active": 0, "idle_seconds": 0.0}
    assert runs(program, passing, 1790) is None
    assert runs(program, passing, 15) is not None


def test_it_does_not_stop_while_the_node_starts_and_waits_its_time_from_then(
    node: Any, world: World, passing: Time
) -> None:
    (node.root / "run/llm/status.json").write_text('{"ready": false}')
    program = leaving(node, world, passing, IDLE)
    assert runs(program, passing, 7200) is None
    (node.root / "run/llm/status.json").write_text('{"ready": true}')
    assert runs(program, passing, 1790) is None
    at = runs(program, passing, 60)
    assert at is not None
    assert at <= 15


def test_it_does_not_stop_while_a_change_is_put_in_force(node: Any, world: World, passing: Time) -> None:
    program = leaving(node, world, passing, {**IDLE, "hours": NIGHT})
    with (node.root / "run/llm/apply.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert runs(program, passing, 7200) is None


def test_it_does_not_stop_while_a_backup_is_made_or_put_back(
    node: Any, world: World, passing: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    from llm_node import backup

    program = leaving(node, world, passing, {**IDLE, "hours": NIGHT})
    stopped: list[float | None] = []
    monkeypatch.setattr(backup, "_work", lambda: stopped.append(runs(program, passing, 7200)))
    backup.work()  # what the unit runs, be it for the timer or for the command
    assert stopped == [None]
    assert runs(program, passing, 1805) is not None


def test_it_does_not_stop_while_the_gateway_does_not_say_how_it_is_used(node: Any, world: World, passing: Time) -> None:
    world.used = None
    assert runs(leaving(node, world, passing, IDLE), passing, 7200) is None


@pytest.mark.parametrize("name", ["tcp", "tcp6"])
def test_whoever_is_connected_to_another_service_keeps_it(node: Any, world: World, passing: Time, name: str) -> None:
    program = leaving(node, world, passing, {**IDLE, "ports": [22, 18080]})
    table = node.root / "proc" / "net" / name
    table.parent.mkdir(parents=True)
    address = "0100007F" if name == "tcp" else "00000000000000000000000001000000"
    row = "   0: {0}:{1:04X} {0}:C350 {2} 00000000:00000000 00:00000000 00000000     0        0 1 1 0 20 4 30 10 -1\n"
    table.write_text("  sl  local_address rem_address   st\n" + row.format(address, 18080, "01"))
    assert runs(program, passing, 4000) is None
    table.write_text("  sl  local_address rem_address   st\n" + row.format(address, 18080, "0A"))  # it listens
    assert runs(program, passing, 1805) is not None


def test_the_gateway_is_asked_on_its_own_port(node: Any, world: World) -> None:
    world.used = {"active": 2, "idle_seconds": 3.5}
    assert node.leave.gateway() == node.leave.Use(2, 3.5)
    world.used = None
    assert node.leave.gateway() is None


def test_a_request_that_came_just_before_the_refusal_is_served_and_the_machine_stays(
    node: Any, world: World, passing: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = leaving(node, world, passing, IDLE)
    world.used = {"active": 0, "idle_seconds": 1e6}
    program.kept = passing.now - 1e6
    real = node.leave.drain

    def late(reason: str) -> None:
        world.used = {"active": 1, "idle_seconds": 0.0}
        passing.at(20, lambda: world.used.update(active=0, idle_seconds=0.0))
        real(reason)

    monkeypatch.setattr(node.leave, "drain", late)
    program.look()
    assert not world.stops
    assert not drained(node)
    assert told(node)["state"] == "watching"


@pytest.mark.parametrize("config", ["idle", "hours"])
def test_a_change_that_begins_while_it_drains_keeps_the_machine(
    node: Any, world: World, passing: Time, monkeypatch: pytest.MonkeyPatch, config: str
) -> None:
    program = leaving(node, world, passing, IDLE if config == "idle" else {"hours": NIGHT})
    world.used = {"active": 0, "idle_seconds": 1e6}
    program.kept = passing.now - 1e6
    real, begun = node.leave.drain, list[str]()

    def meanwhile(reason: str) -> None:
        begun.append(reason)
        monkeypatch.setattr(node.leave, "at_work", lambda: True)
        real(reason)

    monkeypatch.setattr(node.leave, "drain", meanwhile)
    program.leave(config)
    assert begun
    assert not world.stops
    assert not drained(node)


def test_what_runs_when_its_hours_end_comes_to_its_end_first(node: Any, world: World, passing: Time) -> None:
    program = leaving(node, world, passing, {"hours": NIGHT})
    world.used = {"active": 1, "idle_seconds": 0.0}
    passing.at(100, lambda: world.used.update(active=0))
    at = runs(program, passing, 200)
    assert at is not None
    assert 100 <= at <= 103
    assert told(node)["reason"] == "hours"


def test_a_stop_that_is_denied_is_a_code_in_the_status_and_nothing_else(node: Any, world: World, passing: Time) -> None:
    world.answer = DENIALS[world.cloud]
    program = leaving(node, world, passing, IDLE)
    assert runs(program, passing, 1810) is None
    assert len(world.stops) == 1
    said = told(node)
    assert (said["state"], said["code"], said["hint"]) == ("failed", "leave.denied", "put its policy back")
    assert not drained(node)
    document = served(node)
    assert document["ready"]
    assert document["code"] is None
    jsonschema.validate(document["leave"], {**SCHEMA["properties"]["leave"], "$defs": SCHEMA["$defs"]})
    assert runs(program, passing, 1700) is None
    assert len(world.stops) == 1
    runs(program, passing, 200)
    assert len(world.stops) == 2


@pytest.mark.parametrize("lacks", ["role", "credentials"])
def test_a_machine_without_its_role_says_so(node: Any, world: World, passing: Time, lacks: str) -> None:
    if lacks == "role":
        del world.meta[world.roles]
    else:
        world.meta[world.roles + world.meta[world.roles]] = '{"Code": "Failed"}'
    program = leaving(node, world, passing, IDLE)
    assert runs(program, passing, 1810) is None
    assert told(node)["code"] == "leave.no-role"
    assert not drained(node)
    assert not world.stops


def test_a_machine_that_runs_on_after_its_stop_was_taken_says_so(node: Any, world: World, passing: Time) -> None:
    program = node.leave.Leave({"cloud": world.cloud, **IDLE}, passing.clock(node))
    world.used = {"active": 0, "idle_seconds": 1e6}
    program.kept = passing.now - 1e6
    program.look()
    assert told(node)["code"] == "leave.still-here"
    assert not drained(node)


NOTICES = {
    "aliyun": ("meta-data/instance/spot/termination-time", "2026-11-28T12:05:33Z"),
    "tencent": ("meta-data/spot/termination-time", "2026-11-28 12:05:33"),
    "aws": ("meta-data/spot/instance-action", '{"action": "terminate", "time": "2026-11-28T12:05:33Z"}'),
    "gcp": ("instance/preempted", "TRUE"),
}
QUIET = {"gcp": "FALSE"}
"""What is there before, where something is."""


@pytest.mark.parametrize(
    "cloud", sorted(name for name, row in catalog.load().clouds.items() if Capability.SPOT in row.can)
)
def test_on_each_cloud_that_sells_them_a_spot_machine_reads_its_notice_or_has_no_such_program(
    node: Any, monkeypatch: pytest.MonkeyPatch, cloud: str
) -> None:
    row = catalog.load().cloud(cloud)
    wanted = parse(
        ServerSpec,
        {"model": "01-ai/Yi-6B-Chat", "gpu": "T4", "cloud": cloud, "region": row.default_region, "spot": True},
    )
    role = _nodes.leaving(wanted)
    assert (role is not None) == (Capability.NOTICE in row.can) == (cloud in NOTICES) == (not no_notice(wanted))
    if role is None:
        return
    world, (path, text) = World(cloud), NOTICES[cloud]
    monkeypatch.setenv("LLM_METADATA", world.url)
    passing = Time(world)
    try:
        program = node.leave.Leave({"cloud": cloud, "spot": role.spot}, passing.clock(node))
        if cloud in QUIET:
            world.meta[path] = QUIET[cloud]
        program.look()
        assert not drained(node)
        world.meta[path] = text
        program.look()
        said = told(node)
        assert (said["state"], said["code"]) == ("draining", "leave.spot-notice")
        assert drained(node)
        assert not world.stops
        if cloud == "gcp":
            assert said["message"] == "the cloud takes this machine at any moment, within 30 seconds"
    finally:
        world.close()


def test_a_spot_notice_drains_and_is_told_and_nothing_is_stopped(node: Any, world: World, passing: Time) -> None:
    program = leaving(node, world, passing, {"spot": True})
    assert runs(program, passing, 60) is None
    assert not drained(node)
    path, text = NOTICES[world.cloud]
    world.meta[path] = text
    assert runs(program, passing, 4) is None
    said = told(node)
    assert (said["state"], said["reason"], said["code"]) == ("draining", "spot", "leave.spot-notice")
    assert "12:05:33" in said["message"]
    assert drained(node)
    assert not world.stops


def test_a_machine_that_is_no_spot_machine_is_not_asked_for_notices(node: Any, world: World, passing: Time) -> None:
    path, text = NOTICES[world.cloud]
    world.meta[path] = text
    assert runs(leaving(node, world, passing, IDLE), passing, 60) is None
    assert not drained(node)


# Monday to Friday, eight to eight.
WORK = [[day * 1440 + 8 * 60, day * 1440 + 20 * 60] for day in range(5)]
# A window that a machine with the tests' clock (2027-01-15 08:00 UTC, a Friday) is out of, and was in an hour ago.
NIGHT = {"zone": "UTC", "windows": [[4 * 1440 + 6 * 60, 4 * 1440 + 8 * 60]]}


def instant(zone: str, *parts: int, fold: int = 0) -> float:
    return datetime(*parts, tzinfo=ZoneInfo(zone), fold=fold).timestamp()  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Asia/Shanghai", (2026, 11, 27), 12),
        ("Europe/Berlin", (2026, 3, 29), 11),  # the clock goes forward at two
        ("Europe/Berlin", (2026, 10, 25), 13),  # and back at three
        ("America/New_York", (2026, 3, 8), 11),
    ],
)
def test_hours_end_by_the_wall_clock_summer_time_or_not(
    node: Any, world: World, passing: Time, zone: str, day: tuple[int, int, int], hours: int
) -> None:
    """A window from midnight to noon of a day, which has an hour more or less where the clock is changed."""
    weekday = datetime(*day).weekday()
    passing.booted = instant(zone, *day) + 60
    passing.now = instant(zone, *day) + hours * 3600 - 100
    config = {"hours": {"zone": zone, "windows": [[weekday * 1440, weekday * 1440 + 720]]}}
    program = leaving(node, world, passing, config)
    at = runs(program, passing, 200)
    assert at is not None
    assert 0 <= at - 100 <= 5


def test_over_a_week_it_runs_in_its_hours_alone(node: Any) -> None:
    hours = node.hours.Hours("Asia/Shanghai", WORK)
    monday = instant("Asia/Shanghai", 2026, 11, 23)
    inside = [hours.inside(monday + 60 * minute) for minute in range(7 * 1440)]
    assert sum(inside) == 5 * 12 * 60
    assert not inside[8 * 60 - 1]
    assert inside[8 * 60]
    assert inside[20 * 60 - 1]
    assert not inside[20 * 60]
    assert hours.ended(monday + 7 * 86400 - 1) == monday + 4 * 86400 + 20 * 3600


@pytest.mark.parametrize(("hour", "fold"), [(3, 0), (9, 0)])
def test_an_end_that_the_clock_leaps_over_is_when_it_leaps(node: Any, hour: int, fold: int) -> None:
    """Until half past two on the morning on which two o'clock is three o'clock."""
    hours = node.hours.Hours("Europe/Berlin", [[6 * 1440, 6 * 1440 + 150]])
    leap = instant("Europe/Berlin", 2026, 3, 29, 3)
    assert hours.inside(leap - 1)
    assert not hours.inside(leap)
    assert hours.ended(instant("Europe/Berlin", 2026, 3, 29, hour, 30, fold=fold)) == leap


def test_a_window_may_go_over_midnight_and_over_the_week_end(node: Any) -> None:
    hours = node.hours.Hours("UTC", [[6 * 1440 + 22 * 60, 7 * 1440 + 6 * 60]])
    monday = instant("UTC", 2026, 11, 23)
    assert hours.inside(monday)
    assert hours.inside(monday - 3600)
    assert not hours.inside(monday + 6 * 3600)


def test_a_machine_that_somebody_starts_outside_its_hours_is_stopped_when_nobody_asks_it(
    node: Any, world: World, passing: Time
) -> None:
    passing.now = instant("Asia/Shanghai", 2026, 11, 28, 12)  # a Saturday
    passing.booted = passing.now - 60
    program = leaving(node, world, passing, {"hours": {"zone": "Asia/Shanghai", "windows": WORK}})
    assert runs(program, passing, 1798) is None
    assert runs(program, passing, 10) is not None


def test_a_clock_that_is_set_right_after_the_start_takes_the_start_with_it(
    node: Any, world: World, passing: Time
) -> None:
    passing.now = instant("Asia/Shanghai", 2026, 11, 27, 19)  # within the hours, and wrong
    passing.booted = passing.now - 60
    program = leaving(node, world, passing, {"hours": {"zone": "Asia/Shanghai", "windows": WORK}})
    assert runs(program, passing, 60) is None
    set_forward = instant("Asia/Shanghai", 2026, 11, 28, 12) - passing.now
    passing.now, passing.booted = passing.now + set_forward, passing.booted + set_forward
    assert runs(program, passing, 1600) is None, "started by hand outside its hours, it was stopped for hours before"
    assert runs(program, passing, 200) is not None


def test_within_its_hours_only_idle_minutes_stop_it(node: Any, world: World, passing: Time) -> None:
    passing.now = instant("Asia/Shanghai", 2026, 11, 27, 9)
    hours = {"zone": "Asia/Shanghai", "windows": WORK}
    assert runs(leaving(node, world, passing, {"hours": hours}), passing, 7200) is None
    at = runs(leaving(node, world, passing, {"hours": hours, "idle_minutes": 5}), passing, 600)
    assert at is not None


def test_two_machines_of_one_stack_are_stopped_each_by_itself(
    node: Any, world: World, passing: Time, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is asked, one is not: the other's stop names the other alone."""
    other = World(world.cloud)
    other.meta["meta-data/instance-id"] = "i-other"
    try:
        busy = node.leave.Leave({"cloud": world.cloud, **IDLE}, passing.clock(node))
        world.used = {"active": 1, "idle_seconds": 0.0}
        for __ in range(40):
            busy.look()
            passing.pause(60)
        assert not world.stops
        monkeypatch.setenv("LLM_METADATA", other.url)
        monkeypatch.setenv("LLM_CLOUD_API", other.url)
        monkeypatch.setenv("LLM_GATE_MEASURED", other.url)
        passing.world = other
        idle = leaving(node, other, passing, IDLE)
        assert runs(idle, passing, 1810) is not None
        assert "i-other" in json.dumps(other.stops)
        assert not world.stops
    finally:
        other.close()
