"""What a server is made of whose first machine starts the others for a request, on each cloud, and what is refused."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

import pulumi_llm as llm
from pulumi_llm import _bootstrap as bootstrap
from pulumi_llm import _nodes
from tests.test_components import codes, plan_of
from tests.test_replicas import ADDRESSES, PLACES, needs, server
from tests.wake.allowed import ALLOWED

REQUEST: dict[str, Any] = {"started_by": "request", "idle_stop": {"minutes": 30, "keep": 1}}
IDS = ("i-2", "i-3")


def waking(cloud: str = "aws", **more: Any) -> dict[str, Any]:
    return server(cloud, **{**REQUEST, **more})


def told(plan: Any) -> dict[str, Any]:
    """The first machine's settings, with the others' addresses and ids, which a plan does not know."""
    (made,) = plan.servers.values()
    return bootstrap.settings(_nodes.server_node("x", made, None, ADDRESSES[:2], (), None, IDS))


@pytest.mark.parametrize("cloud", PLACES)
def test_the_first_machine_may_start_the_others_and_each_of_those_may_stop_itself(cloud: str) -> None:
    plan = plan_of(llm.ModelServer, waking(cloud))
    roles = {each.name for each in plan.resources if each.type.casefold().endswith("/role:role")}
    assert roles == {"x-role", "x-replica-2-role", "x-replica-3-role"}
    (policy,) = [each for each in plan.resources if each.name == "x-role-policy"]
    waits = " ".join(policy.dependencies)
    assert "x-replica-2-machine" in waits
    assert "x-replica-3-machine" in waits
    assert "::x-machine" not in waits
    abouts = {each.inputs["description"] for each in plan.resources if each.name == "x-role"}
    assert abouts == {"Lets one machine of pulumi-llm start the others of its server, and nothing else"}
    (applied,) = [each for each in plan.resources if each.name == "x-apply"]
    assert "x-role-policy" in needs(plan, applied)


@pytest.mark.parametrize("cloud", PLACES)
def test_the_policy_names_those_machines_and_one_action(cloud: str) -> None:
    from importlib import import_module

    starts = import_module(f"pulumi_llm.clouds.{cloud}.starts")
    arn = "arn:aws:ec2:us-east-1:123456789012:instance/"
    given = [f"{arn}{each}" for each in IDS] if cloud == "aws" else [PLACES[cloud]["region"], *IDS]
    assert json.loads(starts.policy(*given)) == ALLOWED[cloud]


def test_the_settings_name_the_machines_by_what_the_gateway_calls_them() -> None:
    plan = plan_of(llm.ModelServer, waking(idle_stop={"keep": 1, "starts_per_day": 3}))
    files = {each["path"]: each["content"] for each in told(plan)["files"]}
    found = json.loads(files["/opt/llm/wake.json"])
    assert found["machines"] == {"replica.2": "i-2", "replica.3": "i-3"}
    assert (found["cloud"], found["most"]) == ("aws", 3)
    routes = json.loads(files["/opt/llm/gateway/routes.json"])
    assert routes["starts"] is True
    assert set(found["machines"]) == {each for each in routes["upstreams"] if each.startswith("replica.")}
    assert "SocketUser=llm-gateway" in files["/etc/systemd/system/llm-wake.socket"]
    assert {"llm-wake.socket", "llm-wake.service"} <= set(told(plan)["services"])
    assert {"llm_node/wake.py", "llm_node/leave_clouds.py", "llm_node/leave_signing.py"} <= set(told(plan)["code"])
    assert "/opt/llm/leave.json" not in files  # it stays on


def test_the_others_start_nobody_and_a_server_without_it_has_nothing_of_it() -> None:
    plan = plan_of(llm.ModelServer, waking())
    for name in ("x-replica-2", "x-replica-3"):
        (row,) = [each for each in plan.resources if each.name == f"{name}-settings"]
        assert not of_it(json.loads(row.inputs["stdin"]))
    plain = plan_of(llm.ModelServer, server(idle_stop={"keep": 1}))
    assert "x-role" not in {each.name for each in plain.resources}
    assert not of_it(told(plain))
    assert len(of_it(told(plan))) == 7


def of_it(settings: dict[str, Any]) -> list[str]:
    """What a machine's settings have of the program that starts others."""
    names = [each["path"] for each in settings["files"]] + [*settings["services"], *settings["code"]]
    return [each for each in names if re.search(r"wake\b", each)]


@pytest.mark.parametrize(
    "more",
    [
        {"replicas": 1, "idle_stop": None},
        {"replicas": 1, "idle_stop": {"minutes": 30}},
        {"idle_stop": None},
        {"idle_stop": {"minutes": 30}},
        {"hours": "Mon-Fri 08:00-20:00 Asia/Shanghai"},
        {"started_by": "hand", "idle_stop": {"keep": 1, "starts_per_day": 3}},
    ],
)
def test_it_is_refused_where_no_machine_stays_on_to_hear_of_it(more: dict[str, Any]) -> None:
    given = {key: value for key, value in {**waking(), **more}.items() if value is not None}
    assert codes(llm.ModelServer, given) == ["spec.started-by-request"]
