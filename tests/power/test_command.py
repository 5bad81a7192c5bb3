"""`pulumi-llm stop` and `start` as they are called: what they say before, what they ask, what they refuse."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import cli
from pulumi_llm._commands import _power as command
from pulumi_llm._commands._status_ask import Answer, Target
from pulumi_llm._power import act
from pulumi_llm._power.base import Seen
from pulumi_llm._refresh.calls import Failure
from pulumi_llm.clouds.aliyun import power as aliyun
from pulumi_llm.clouds.aws import power as aws
from pulumi_llm.clouds.tencent import power as tencent
from pulumi_llm.errors import Finding
from tests.power import states

CHECKOUT = Path(__file__).parents[2]
STACK = ("-s", "aliyun-t4")


class Fake:
    """A cloud that does at once what it is asked, and keeps what that was."""

    def __init__(self) -> None:
        self.states: dict[str, str] = {}
        self.unfit = ""
        self.charged = False
        self.orders: list[tuple[str, str]] = []
        self.fails: Failure | None = None
        self.regions: list[str] = []

    def connect(self, region: str) -> Fake:
        self.regions.append(region)
        return self

    def look(self, machine: str) -> Seen | None:
        state: Any = self.states.get(machine, "running")
        charged = self.charged and state == "stopped"
        return None if state == "gone" else Seen(state=state, charged=charged, unfit=self.unfit)

    def stop(self, machine: str) -> None:
        self._order("stop", machine, "stopped")

    def start(self, machine: str) -> None:
        self._order("start", machine, "running")

    def _order(self, word: str, machine: str, state: str) -> None:
        self.orders.append((word, machine))
        if self.fails:
            raise self.fails
        self.states[machine] = state


Called = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Fake:
    made = Fake()
    for module in (aliyun, aws, tencent):
        monkeypatch.setattr(module, "connect", made.connect)
    monkeypatch.setattr(act, "EVERY", 0.0)
    return made


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Called:
    """Call the program in a project whose `pulumi` tells a state; a keyboard answers with ``answer``."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.chdir(CHECKOUT)

    def called(*words: str, state: dict[str, Any] | None = None, script: str = "") -> tuple[int, str, str]:
        known = state or states.state(states.aliyun(), states.aws())
        program = programs / "pulumi"
        export = f"[[ \"$*\" == *'stack export'* ]] && echo {shlex.quote(json.dumps(known))} || echo '{{}}'"
        program.write_text(f"#!/bin/bash\n{script or export}\n")
        program.chmod(0o755)
        code = cli.main([*words])
        told = capsys.readouterr()
        return code, told.out, told.err

    return called


def test_the_server_alone_is_stopped_where_nothing_else_is_said(cloud: Fake, call: Called) -> None:
    code, out, err = call("stop", *STACK, "--yes")
    assert (code, err) == (0, "")
    assert cloud.orders == [("stop", "i-aliserver")]
    assert cloud.regions == ["cn-hangzhou"]
    assert out.endswith("server i-aliserver: stopped, and not charged for any more\n")


def test_before_it_stops_it_says_what_ends_and_what_goes_on_in_money(cloud: Fake, call: Called) -> None:
    _, out, _ = call("stop", *STACK, "--yes")
    ends, goes_on = out.split("this goes on costing")
    assert "server-machine: ecs.gn6i-c4g1.xlarge, on demand  11.6300" in ends
    assert "server-disk: data disk, 100 GiB cloud_essd-PL1" in goes_on
    assert "proxy-machine: t3.small, on demand" in goes_on
    assert "proxy-address: public address" in goes_on
    assert "machine stopped" not in goes_on
    assert "its type may be sold out (https://help.aliyun.com/" in out
    assert out.index("sold out") < out.index("server i-aliserver: running")


def test_the_address_of_a_machine_that_is_stopped_is_counted_as_idle(cloud: Fake, call: Called) -> None:
    _, out, _ = call("stop", *STACK, "--yes", "--at", "proxy")
    assert "proxy-address: public address, machine stopped" in out
    assert cloud.orders == [("stop", "i-awsproxy")]


def test_all_machines_are_stopped_where_that_is_asked_for(cloud: Fake, call: Called) -> None:
    assert call("stop", *STACK, "--yes", "--at", "all")[0] == 0
    assert sorted(cloud.orders) == [("stop", "i-aliserver"), ("stop", "i-awsproxy")]


def test_a_start_says_what_it_costs_again(cloud: Fake, call: Called) -> None:
    cloud.states["i-aliserver"] = "stopped"
    code, out, _ = call("start", *STACK, "--yes", "--no-wait")
    assert code == 0
    assert "this costs again" in out
    assert "11.6300" in out
    assert cloud.orders == [("start", "i-aliserver")]


def test_a_node_that_cannot_be_asked_is_no_failure_and_it_is_said_how_to_look(cloud: Fake, call: Called) -> None:
    cloud.states["i-aliserver"] = "stopped"
    code, out, _ = call("start", *STACK, "--yes")
    assert code == 0
    assert "`pulumi-llm status -s aliyun-t4 --watch`" in out


def test_what_is_stopped_already_is_done_and_nobody_is_asked(cloud: Fake, call: Called) -> None:
    cloud.states["i-aliserver"] = "stopped"
    code, out, _ = call("stop", *STACK)
    assert (code, cloud.orders) == (0, [])
    assert "stands still already" in out


def test_what_runs_already_is_done(cloud: Fake, call: Called) -> None:
    code, out, _ = call("start", *STACK, "--no-wait")
    assert (code, cloud.orders) == (0, [])
    assert "runs already" in out


def test_where_nobody_can_be_asked_yes_has_to_be_given(cloud: Fake, call: Called) -> None:
    code, out, err = call("stop", *STACK)
    assert (code, cloud.orders) == (2, [])
    assert "this stops costing" in out
    assert "[power.not-confirmed]" in err


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("YES\n", 0), ("是\n", 0), ("n\n", 1), ("\n", 1), ("", 1)])
def test_only_a_yes_is_a_yes(
    cloud: Fake, call: Called, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    import io

    keyboard = io.StringIO(answer)
    monkeypatch.setattr(keyboard, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", keyboard)
    assert call("stop", *STACK)[0] == code
    assert bool(cloud.orders) == (code == 0)


@pytest.mark.parametrize("part", [states.aws("server", type_="g4dn.xlarge", spot=True), states.tencent(spot=True)])
def test_a_spot_machine_that_cannot_be_stopped_is_refused_before_anything_is_called(
    cloud: Fake, call: Called, part: list[dict[str, Any]]
) -> None:
    code, out, err = call("stop", *STACK, "--yes", state=states.state(part))
    assert (code, out) == (1, "")
    assert "[power.cannot-stop]" in err
    assert "spot: false" in err
    assert (cloud.regions, cloud.orders) == ([], [])


def test_a_spot_machine_of_aliyun_is_stopped_in_the_economical_mode(cloud: Fake, call: Called) -> None:
    assert call("stop", *STACK, "--yes", state=states.state(states.aliyun(spot=True)))[0] == 0
    assert cloud.orders == [("stop", "i-aliserver")]


@pytest.mark.parametrize("type_", ["ecs.gn5-c4g1.xlarge", "ecs.i2.xlarge", "ecs.re6p-redis.large"])
def test_a_type_with_local_disks_is_refused_before_anything_is_called(cloud: Fake, call: Called, type_: str) -> None:
    code, _, err = call("stop", *STACK, "--yes", state=states.state(states.aliyun(type_=type_)))
    assert code == 1
    assert "[power.cannot-stop]" in err
    assert "economical" in err
    assert cloud.regions == []


def test_what_the_cloud_tells_against_it_is_refused_before_it_is_stopped(cloud: Fake, call: Called) -> None:
    cloud.unfit = "it is in the classic network"
    code, _, err = call("stop", *STACK, "--yes")
    assert (code, cloud.orders) == (1, [])
    assert "classic network" in err


def test_one_that_stands_still_in_the_wrong_mode_is_told_with_what_helps(cloud: Fake, call: Called) -> None:
    cloud.states["i-aliserver"], cloud.charged = "stopped", True
    code, _, err = call("stop", *STACK, "--yes")
    assert (code, cloud.orders) == (1, [])
    assert "[power.still-charged]" in err


def test_sold_out_is_told_with_other_types_and_zones_and_their_prices(cloud: Fake, call: Called) -> None:
    cloud.states["i-aliserver"] = "stopped"
    cloud.fails = Failure("failed", "OperationDenied.NoStock", "The resource is out of stock.")
    code, _, err = call("start", *STACK, "--yes")
    assert code == 1
    assert "[power.sold-out]" in err
    assert "ecs.gn6i-c8g1.2xlarge (14.00 CNY per hour)" in err
    assert "another zone (" in err


def test_on_tencent_another_type_is_of_another_family(cloud: Fake, call: Called) -> None:
    cloud.states["ins-1"] = "stopped"
    cloud.fails = Failure("failed", "ResourcesSoldOut.SpecifiedInstanceType", "sold out")
    _, _, err = call("start", *STACK, "--yes", state=states.state(states.tencent()))
    assert "[power.sold-out]" in err
    assert "GN7." not in err.split("try: ")[1]


def test_what_is_found_out_before_keeps_everything_as_it_is(cloud: Fake, call: Called) -> None:
    cloud.states["i-awsproxy"] = "gone"
    code, _, err = call("stop", *STACK, "--yes", "--at", "all")
    assert code == 1
    assert "[power.gone] proxy-machine" in err
    assert cloud.orders == []


def test_a_place_that_the_stack_does_not_have_is_told_with_those_that_it_has(cloud: Fake, call: Called) -> None:
    code, _, err = call("stop", *STACK, "--yes", "--at", "vectors")
    assert code == 1
    assert "[power.no-machine]" in err
    assert "--at proxy or server" in err


def test_a_stack_that_is_not_up_has_no_machine(cloud: Fake, call: Called) -> None:
    code, _, err = call("stop", *STACK, "--yes", "--at", "all", state={"version": 3, "deployment": {"manifest": {}}})
    assert code == 1
    assert "pulumi up -s aliyun-t4" in err


def test_an_unknown_stack_is_a_wrong_call_with_what_was_meant(cloud: Fake, call: Called) -> None:
    code, _, err = call(
        "stop", "-s", "aliyun-t5", script="echo \"error: no stack named 'aliyun-t5' found\" >&2; exit 255"
    )
    assert code == 2
    assert "[stack.unknown]" in err
    assert "aliyun-t4" in err


@pytest.mark.parametrize("resources", ["x", [1], [{"urn": 1}], [{}]])
def test_a_state_that_is_none_is_refused(cloud: Fake, call: Called, resources: Any) -> None:
    code, _, err = call("stop", *STACK, "--yes", state={"deployment": {"resources": resources}})
    assert code == 1
    assert "[state.unreadable]" in err


def test_what_is_to_be_deleted_is_no_machine_of_the_stack(cloud: Fake, call: Called) -> None:
    old = [{**each, "delete": True, "id": "i-old"} for each in states.aliyun() if each["custom"]]
    assert call("stop", *STACK, "--yes", state=states.state(states.aliyun(), old))[0] == 0
    assert cloud.orders == [("stop", "i-aliserver")]


OUTPUTS = {"endpoint": "https://192.0.2.7:18443/v1", "api_keys": {"default": "sk-x"}, "certificate_authority": ""}


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> list[Answer]:
    """What a stack's node answers, one look after the other; the last answer stays."""
    answers: list[Answer] = []
    monkeypatch.setattr(command, "LOOK_AT_STATUS", 0.0)
    monkeypatch.setattr(command, "ask", lambda target: answers.pop(0) if len(answers) > 1 else answers[0])
    monkeypatch.setattr(command.outputs, "read", lambda *_, **__: OUTPUTS)
    return answers


def answer(*, ready: bool = False, state: str = "running") -> Answer:
    stage = {"stage": "model", "state": state, "code": "node.x", "message": "the node's words", "hint": ""}
    document = {"node": "n", "ready": ready, "state": state, "stage": "model", "updated": "", "stages": [stage]}
    document |= {"code": "node.x", "message": "the node's words"} if state == "failed" else {}
    return Answer(TARGET, document)


TARGET = Target("server", "https://192.0.2.7:18443/v1", "sk-x", "")
UNREACHABLE = Answer(TARGET, problem=Finding("status.unreachable", "no route"))


def test_a_start_waits_until_the_node_is_ready(cloud: Fake, call: Called, nodes: list[Answer]) -> None:
    nodes += [UNREACHABLE, answer(), answer(ready=True)]
    code, out, _ = call("start", *STACK, "--yes")
    assert code == 0
    assert out.splitlines()[-1] == "server: ready"
    assert len(nodes) == 1


def test_a_node_that_fails_after_a_start_is_exit_code_1_with_its_code(
    cloud: Fake, call: Called, nodes: list[Answer]
) -> None:
    nodes += [answer(), answer(state="failed")]
    code, _, err = call("start", *STACK, "--yes")
    assert code == 1
    assert "[node.x]" in err


def test_a_node_that_does_not_answer_from_here_is_left_to_status(
    cloud: Fake, call: Called, nodes: list[Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "BOOT", 0.0)
    nodes += [UNREACHABLE]
    code, out, _ = call("start", *STACK, "--yes")
    assert code == 0
    assert out.endswith("`pulumi-llm status -s aliyun-t4 --watch` tells when it is ready\n")
