"""One start at a time, so many a day, none for a while after a no; and all of that over a restart."""

from __future__ import annotations

import json
import socket
from typing import Any

import jsonschema
import pytest

from tests.leave.conftest import DENIALS, World
from tests.leave.test_leave import SCHEMA
from tests.wake.conftest import Front

HOUR = 3600.0
SOLD_OUT = {
    "aliyun": (403, {"Code": "OperationDenied.NoStock", "Message": "sold out"}),
    "tencent": (200, {"Response": {"Error": {"Code": "ResourceInsufficient.SpecifiedInstanceType", "Message": "no"}}}),
    "aws": (500, "<Response><Errors><Error><Code>InsufficientInstanceCapacity</Code></Error></Errors></Response>"),
}
NOT_STOPPED = {
    "aliyun": (403, {"Code": "IncorrectInstanceStatus", "Message": "it runs"}),
    "tencent": (200, {"Response": {"Error": {"Code": "UnsupportedOperation.InstanceStateStopping", "Message": ""}}}),
    "aws": (400, "<Response><Errors><Error><Code>IncorrectInstanceState</Code></Error></Errors></Response>"),
}


def test_it_starts_the_first_that_is_away_and_no_other_one_until_that_takes_calls(front: Front) -> None:
    assert front.ask("replica.2", "replica.3") == ["i-2"]
    assert (front.told()["state"], front.told()["machine"], front.told()["code"]) == ("started", "replica.2", None)
    for __ in range(1000):
        assert front.ask("replica.2", "replica.3", after=1) == []
    front.program.serves("replica.3")
    assert front.told()["state"] == "started"
    front.program.serves("replica.2")
    assert front.told()["state"] == "serving"
    assert front.ask("replica.3") == ["i-3"]


def test_one_that_has_served_and_stopped_itself_is_started_again_at_once(front: Front) -> None:
    assert front.ask("replica.2") == ["i-2"]
    front.program.serves("replica.2")
    assert front.ask("replica.2", after=400) == ["i-2"]


def test_so_many_starts_a_day_and_no_more_whatever_is_started_anew(front: Front) -> None:
    for number in range(4):
        assert front.ask("replica.2", after=HOUR) == ["i-2"], number
        front.program.serves("replica.2")
        front.again()
    assert front.ask("replica.2", after=HOUR) == []
    assert (front.told()["state"], front.told()["code"]) == ("refused", "wake.too-many")
    front.again()
    assert front.ask("replica.2", after=HOUR) == []
    front.now += 18 * HOUR
    assert front.ask("replica.2", after=HOUR + 1) == ["i-2"]  # the first one is a day ago
    front.program.serves("replica.2")
    assert front.ask("replica.2", after=60) == []


def test_more_starts_a_day_are_in_force_once_they_are_allowed(front: Front) -> None:
    for __ in range(4):
        front.ask("replica.2", after=HOUR)
        front.program.serves("replica.2")
    assert front.ask("replica.2", after=60) == []
    front.again()
    assert front.ask("replica.2", after=60) == []
    front.config["most"] = 5
    front.again()
    assert front.ask("replica.2", after=60) == ["i-2"]


def test_a_start_under_way_is_remembered_whatever_ends_the_program(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(*_: Any) -> None:
        raise SystemExit(0)

    with monkeypatch.context() as patched:
        patched.setattr(front.node.wake, "ask", ended)
        with pytest.raises(SystemExit):
            front.ask()
    front.again()
    assert front.ask(after=60) == []
    assert front.program.told["state"] == "started"


@pytest.mark.parametrize(
    ("answers", "code", "pause"),
    [(SOLD_OUT, "wake.sold-out", 600), (DENIALS, "wake.denied", 600), (NOT_STOPPED, "wake.not-stopped", 60)],
)
def test_after_a_no_nothing_is_asked_for_a_while_and_then_another_machine(
    front: Front, world: World, answers: dict[str, Any], code: str, pause: float
) -> None:
    world.answer = answers[world.cloud]
    assert front.ask() == ["i-2"]
    assert (front.told()["state"], front.told()["code"], front.told()["machine"]) == ("refused", code, "replica.2")
    for __ in range(5):
        assert front.ask(after=pause / 6) == []
        front.again()
    assert front.ask(after=pause / 6 + 1) == ["i-3"]
    assert front.ask(after=pause + 1) == ["i-2"]
    # What was refused is no start: all that a day has are left.
    assert json.loads((front.node.root / "srv/llm/wake/starts.json").read_text())["starts"] == []
    world.answer = (200, {})
    assert front.ask(after=pause + 1) == ["i-3"]


@pytest.mark.parametrize("before", ["running", "pending", "stopped"])
def test_ec2_takes_a_start_of_a_machine_that_runs_which_is_none(front: Front, world: World, before: str) -> None:
    if world.cloud != "aws":
        return
    state = "<{0}><code>0</code><name>{1}</name></{0}>"
    item = f"<item><instanceId>i-2</instanceId>{state.format('currentState', 'pending')}"
    rows = f"{item}{state.format('previousState', before)}</item>"
    world.answer = (200, f"<StartInstancesResponse><instancesSet>{rows}</instancesSet></StartInstancesResponse>")
    assert front.ask() == ["i-2"]
    told = (front.told()["state"], front.told()["code"])
    assert told == (("started", None) if before == "stopped" else ("refused", "wake.not-stopped"))


def test_a_start_that_nobody_answered_counts(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_CLOUD_API", "http://127.0.0.1:9")
    assert front.ask() == []
    assert front.told()["code"] == "wake.unreachable"
    assert len(json.loads((front.node.root / "srv/llm/wake/starts.json").read_text())["starts"]) == 1


def test_a_machine_without_a_role_says_so(front: Front, world: World) -> None:
    del world.meta[world.roles]
    assert front.ask() == []
    assert front.told()["code"] == "wake.no-role"


def test_one_that_never_takes_calls_is_told_and_another_one_comes_next(front: Front) -> None:
    assert front.ask() == ["i-2"]
    assert front.ask(after=1199) == []
    assert front.told()["state"] == "started"
    assert front.ask(after=2) == []
    assert (front.told()["code"], front.told()["machine"]) == ("wake.not-serving", "replica.2")
    assert front.ask(after=599) == []
    assert front.ask(after=2) == ["i-3"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"starts": 1}', '{"starts": ["x"]}', '{"last": {}}'])
def test_a_count_that_cannot_be_read_starts_nothing(front: Front, text: str) -> None:
    path = front.node.root / "srv/llm/wake/starts.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    front.again()
    assert front.ask(after=700) == []
    assert front.told()["code"] == "wake.no-count"


def test_a_count_that_cannot_be_written_starts_nothing(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, write = front.node.root / "srv/llm/wake/starts.json", front.node.wake.write

    def full(path: Any, *more: Any) -> Any:
        if path == kept:
            raise OSError(28, "No space left on device")
        return write(path, *more)

    monkeypatch.setattr(front.node.wake, "write", full)
    assert front.ask() == []
    assert front.told()["code"] == "wake.no-count"
    assert front.ask(after=60) == []


def test_a_clock_that_was_set_back_holds_nothing_up_for_long(front: Front, world: World) -> None:
    world.answer = SOLD_OUT[world.cloud]
    front.ask()
    world.answer = (200, {})
    front.now -= 90 * 24 * HOUR
    assert front.ask() == ["i-2"]
    front.now -= 90 * 24 * HOUR
    assert front.ask() == ["i-2"]  # a start that was far ahead is none either


def test_what_is_told_is_what_the_schema_says(front: Front, world: World) -> None:
    schema = {**SCHEMA["properties"]["wake"], "$defs": SCHEMA["$defs"]}
    front.ask()
    jsonschema.validate(front.told(), schema)
    front.program.serves("replica.2")
    jsonschema.validate(front.told(), schema)
    world.answer = SOLD_OUT[world.cloud]
    front.ask()
    jsonschema.validate(front.told(), schema)
    assert front.told()["hint"] == "wait"


def test_what_was_started_is_told_no_longer_once_the_role_is_taken_back(front: Front) -> None:
    front.ask()
    assert front.told()["state"] == "started"
    (front.node.root / "opt/llm/wake.json").unlink()  # as `apply` does
    assert "wake" not in json.loads(front.node.status.document())


def test_what_makes_no_sense_starts_nothing(front: Front, world: World) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        for each in (b"", b"{", b"[1]", b'{"away": "replica.2"}', b'{"away": [1, {}]}', b'{"away": ["i-9"]}', b"\xff"):
            theirs.send(each)
            front.node.wake.hear(front.program, ours)
        assert not world.stops
        for __ in range(20):
            theirs.send(b'{"away": ["replica.3"]}')
        front.node.wake.hear(front.program, ours)
        assert len(world.stops) == 1
