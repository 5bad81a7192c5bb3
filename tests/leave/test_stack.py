"""What a machine that stops by itself is made of on each cloud, what is refused, and what the bill counts."""

from __future__ import annotations

import json
import re
from datetime import date
from decimal import Decimal
from importlib import import_module
from typing import Any

import pytest

import pulumi_llm as llm
from pulumi_llm import catalog
from pulumi_llm._plan.model import Plan
from pulumi_llm._review.bill import make_bill
from pulumi_llm._review.bill_text import bill_text
from pulumi_llm._review.item import Usage
from pulumi_llm.errors import Refusal
from pulumi_llm.spec import windows_of
from tests.test_components import SERVER, WITH_PROXY, codes, plan_of, settings

HOURS = "Mon-Fri 08:00-20:00 Asia/Shanghai"
PLACES = {
    "aliyun": {"cloud": "aliyun", "region": "cn-hangzhou"},
    "tencent": {"cloud": "tencent", "region": "ap-guangzhou"},
    "aws": {"cloud": "aws", "region": "us-east-1"},
}
ELSEWHERE = {"volcengine": {"cloud": "volcengine", "region": "cn-beijing", "gpu": "A10"}}
ROLE_TYPES = {
    "aliyun": {
        "alicloud:ram/role:Role",
        "alicloud:ram/policy:Policy",
        "alicloud:ram/rolePolicyAttachment:RolePolicyAttachment",
        "alicloud:ecs/ramRoleAttachment:RamRoleAttachment",
    },
    "tencent": {
        "tencentcloud:Cam/role:Role",
        "tencentcloud:Cam/policy:Policy",
        "tencentcloud:Cam/rolePolicyAttachment:RolePolicyAttachment",
    },
    "aws": {"aws:iam/role:Role", "aws:iam/instanceProfile:InstanceProfile", "aws:iam/rolePolicy:RolePolicy"},
}


def server(cloud: str, **more: Any) -> dict[str, Any]:
    return {**SERVER, **(PLACES | ELSEWHERE)[cloud], **more}


def types(plan: Plan) -> set[str]:
    return {each.type for each in plan.resources}


@pytest.mark.parametrize("cloud", PLACES)
@pytest.mark.parametrize("more", [{"idle_stop": {"minutes": 30}}, {"hours": HOURS}])
def test_a_machine_that_stops_by_itself_has_a_role_and_no_other_has(cloud: str, more: dict[str, Any]) -> None:
    assert not ROLE_TYPES[cloud] & types(plan_of(llm.ModelServer, server(cloud)))
    assert ROLE_TYPES[cloud] <= types(plan_of(llm.ModelServer, server(cloud, **more)))


def test_the_oldest_version_of_aliyuns_policy_makes_room_for_another_machine() -> None:
    """RAM keeps five and refuses a sixth: the sixth machine in the place of others could not be made."""
    found = plan_of(llm.ModelServer, server("aliyun", hours=HOURS)).resources
    (policy,) = [each for each in found if each.type == "alicloud:ram/policy:Policy"]
    assert policy.inputs["rotateStrategy"] == "DeleteOldestNonDefaultVersionWhenLimitExceeded"


def test_its_settings_say_when_it_stops_and_who_keeps_it() -> None:
    args = server("aws", idle_stop={"minutes": 20}, hours=HOURS, vectors=True)
    files = {each["path"]: each for each in settings(plan_of(llm.ModelServer, args))["files"]}
    found = json.loads(files["/opt/llm/leave.json"]["content"])
    assert (found["cloud"], found["idle_minutes"], found["spot"]) == ("aws", 20, False)
    assert found["hours"]["zone"] == "Asia/Shanghai"
    assert found["hours"]["windows"][0] == [480, 1200]
    assert 22 in found["ports"]
    assert 18443 not in found["ports"]
    assert 443 not in found["ports"]
    assert len(found["ports"]) > 2  # the vector store's
    assert files["/opt/llm/leave.json"]["restart"] == ["llm-leave.service"]


def test_a_machine_that_does_not_stop_by_itself_has_nothing_of_it() -> None:
    document = settings(plan_of(llm.ModelServer, server("aws")))
    assert "leave" not in json.dumps([document["services"], [each["path"] for each in document["files"]]])
    assert not [each for each in document["code"] if "leave" in each]


def test_a_spot_machine_watches_for_its_notice_and_has_no_role() -> None:
    plan = plan_of(llm.ModelServer, server("aws", spot=True))
    files = {each["path"]: each for each in settings(plan)["files"]}
    assert json.loads(files["/opt/llm/leave.json"]["content"])["spot"] is True
    assert not ROLE_TYPES["aws"] & types(plan)


def test_where_a_cloud_tells_a_spot_machine_nothing_the_plan_says_so_and_nothing_watches() -> None:
    plan = plan_of(llm.ModelServer, server("volcengine", spot=True))
    assert "/opt/llm/leave.json" not in {each["path"] for each in settings(plan)["files"]}
    (note,) = [each for each in plan.notes if each.code == "power.no-notice"]
    assert "Volcengine tells a spot machine nothing" in note.message
    quiet = plan_of(llm.ModelServer, server("aws", spot=True))
    assert not [each for each in quiet.notes if each.code == "power.no-notice"]


@pytest.mark.parametrize("cloud", ["volcengine"])
def test_alternatives_are_refused_where_the_cloud_has_no_known_word_for_none_left(cloud: str) -> None:
    args = server(cloud, spot=True, alternatives=[{"spot": False}])
    with pytest.raises(Refusal) as refused:
        plan_of(llm.ModelServer, args)
    (finding,) = refused.value.findings
    assert (finding.code, str(finding.where).rpartition(".")[2]) == ("cloud.cannot", "alternatives")


@pytest.mark.parametrize("cloud", ["tencent", "aws"])
def test_a_spot_machine_that_cannot_be_stopped_is_refused(cloud: str) -> None:
    assert codes(llm.ModelServer, server(cloud, spot=True, idle_stop={"minutes": 30})) == ["power.cannot-stop"]


@pytest.mark.parametrize(
    ("text", "windows"),
    [
        (HOURS, [(480, 1200), (1920, 2640), (3360, 4080), (4800, 5520), (6240, 6960)]),
        ("Sat 10:00-24:00 UTC", [(7800, 8640)]),
        ("Sun 22:00-06:00 UTC", [(9960, 10440)]),
        ("Mon 08:00-12:00, Mon 12:00-18:00 UTC", [(480, 1080)]),
        ("Fri-Mon 08:00-09:00 UTC", [(480, 540), (6240, 6300), (7680, 7740), (9120, 9180)]),
        ("Sun 20:00-24:00, Mon 00:00-06:00 UTC", [(9840, 10440)]),
    ],
)
def test_hours_are_minutes_of_the_week(text: str, windows: list[tuple[int, int]]) -> None:
    assert list(windows_of(text)[0]) == windows


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("08:00-20:00", "spec.bad-hours"),
        ("always UTC", "spec.bad-hours"),
        ("Mon 08:00-08:00 UTC", "spec.bad-hours"),
        ("Mon 08:00-08:20 UTC", "spec.bad-hours"),
        ("Mon 25:00-26:00 UTC", "spec.bad-hours"),
        ("00:00-24:00 UTC", "spec.bad-hours"),
        ("Mo-Fr 08:00-20:00 UTC", "spec.bad-hours"),
        ("Mon-Fri 08:00-20:00 Asia/Shangai", "spec.unknown-time-zone"),
        ("Mon-Fri 08:00-20:00 localtime", "spec.unknown-time-zone"),
        ("Mon-Fri 08:00-20:00", "spec.bad-hours"),
    ],
)
def test_hours_that_make_no_sense_are_refused(text: str, code: str) -> None:
    assert codes(llm.ModelServer, server("aws", hours=text)) == [code]


@pytest.mark.parametrize("more", [{}, {"hours": HOURS}, {"idle_stop": {"minutes": 30}}])
def test_a_start_by_the_first_request_is_refused_with_its_reason(more: dict[str, Any]) -> None:
    assert codes(llm.ModelServer, server("aws", started_by="request", **more)) == ["spec.started-by-request"]


@pytest.mark.parametrize("cloud", PLACES)
def test_the_bill_counts_the_hours_of_the_week_and_no_more(cloud: str) -> None:
    plan = plan_of(llm.ModelServer, server(cloud, hours=HOURS))
    data, today = catalog.load(), date(2026, 11, 28)
    region = {data.cloud(cloud).pulumi_package: PLACES[cloud]["region"]}

    def machine(hours: str) -> Any:
        bill = make_bill(plan, data, Usage(running=Decimal(hours)), today=today, default_regions=region)
        assert not [each for each in bill.unknown if re.search("(?i)role|policy|profile", each.type)]
        return next(each for each in bill.lines if each.kind == "machine")

    assert machine("730").hours == Decimal("260.71")  # 60 of 168 hours
    assert HOURS in str(machine("730").note)
    assert machine("100").hours == Decimal(100)
    always = plan_of(llm.ModelServer, server(cloud))
    whole = make_bill(always, data, Usage(), today=today, default_regions=region)
    line = next(each for each in whole.lines if each.kind == "machine")
    if line.per_month is not None:
        part = machine("730").per_month.of("USD") / line.per_month.of("USD")
        assert abs(part - Decimal(60) / 168) < Decimal("0.001")


def test_the_bill_counts_the_servers_address_as_idle_outside_its_hours_and_no_others() -> None:
    place = {**WITH_PROXY["server"], "hours": HOURS}
    plan = plan_of(llm.Platform, {**WITH_PROXY, "server": place})
    bill = make_bill(plan, catalog.load(), Usage(), today=date(2026, 11, 28))
    slots = {(each.resource.rsplit("-", 1)[0], each.slot): each.hours for each in bill.lines if "address" in each.slot}
    mine = {slot: hours for (name, slot), hours in slots.items() if "proxy" not in name}
    assert mine == {"address": Decimal("260.71"), "address-idle": Decimal(730) - Decimal("260.71")}
    assert {hours for (name, slot), hours in slots.items() if "proxy" in name} == {Decimal(730)}
    assert "no longer than their own hours say" in bill_text(bill, "USD")


@pytest.mark.parametrize("cloud", PLACES)
def test_the_role_may_stop_this_one_machine_and_nothing_else(cloud: str) -> None:
    adapter = import_module(f"pulumi_llm.clouds.{cloud}.adapter")
    arn = "arn:aws:ec2:us-east-1:123456789012:instance/i-7"
    given = [arn] if cloud == "aws" else [PLACES[cloud]["region"], "i-7"]
    assert json.loads(adapter.stop_policy(*given)) == ALLOWED[cloud]


@pytest.mark.parametrize("cloud", PLACES)
def test_roles_of_two_stacks_and_two_regions_have_names_of_their_own(cloud: str) -> None:
    key = {"aliyun": "roleName"}.get(cloud, "name")
    plan = plan_of(llm.ModelServer, server(cloud, idle_stop={"minutes": 30}))
    (role,) = [each for each in plan.resources if each.type.casefold().endswith("/role:role")]
    assert role.inputs[key] == f"{plan.project}-{plan.stack}-x-role-{PLACES[cloud]['region']}"


ALLOWED: dict[str, Any] = {
    "aws": {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["ec2:StopInstances"],
                "Resource": ["arn:aws:ec2:us-east-1:123456789012:instance/i-7"],
            }
        ],
    },
    "aliyun": {
        "Version": "1",
        "Statement": [
            {"Effect": "Allow", "Action": ["ecs:StopInstance"], "Resource": ["acs:ecs:cn-hangzhou:*:instance/i-7"]}
        ],
    },
    "tencent": {
        "version": "2.0",
        "statement": [
            {
                "effect": "allow",
                "action": ["cvm:StopInstances"],
                "resource": ["qcs::cvm:ap-guangzhou::instance/i-7"],
            }
        ],
    },
}
