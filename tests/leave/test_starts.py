"""A machine whose cloud starts it when its hours begin: what is made for that, what it may do, and what is refused."""

from __future__ import annotations

import json
import re
from datetime import date
from typing import Any

import pytest

import pulumi_llm as llm
from pulumi_llm import catalog
from pulumi_llm._plan.model import Plan, PlannedResource
from pulumi_llm._review.bill import make_bill
from pulumi_llm._review.item import Usage
from pulumi_llm.clouds.aws import starts
from pulumi_llm.clouds.plans import StartPlan
from pulumi_llm.spec.hours import starts_of
from tests.leave.test_stack import HOURS, server
from tests.review.test_growth import comparison
from tests.test_components import codes, plan_of

SCHEDULE = "aws:scheduler/schedule:Schedule"
MACHINE = "arn:aws:ec2:us-east-1:123456789012:instance/i-7"


def schedules(plan: Plan) -> list[PlannedResource]:
    return [each for each in plan.resources if each.type == SCHEDULE]


def test_each_time_of_day_at_which_hours_begin_has_a_schedule_in_their_own_time_zone() -> None:
    hours = "Mon-Fri 08:00-12:00, Mon-Fri 13:30-20:00, Sun 22:00-02:00 Europe/Berlin"
    found = schedules(plan_of(llm.ModelServer, server("aws", hours=hours, started_by="cloud")))
    assert {each.name: each.inputs["scheduleExpression"] for each in found} == {
        "x-start-0800": "cron(0 8 ? * MON,TUE,WED,THU,FRI *)",
        "x-start-1330": "cron(30 13 ? * MON,TUE,WED,THU,FRI *)",
        "x-start-2200": "cron(0 22 ? * SUN *)",
    }
    assert {each.inputs["scheduleExpressionTimezone"] for each in found} == {"Europe/Berlin"}
    for each in found:
        assert each.inputs["target"]["arn"] == "arn:aws:scheduler:::aws-sdk:ec2:startInstances"
        assert each.inputs["flexibleTimeWindow"] == {"mode": "OFF"}
        assert re.fullmatch(r"[0-9A-Za-z_.-]{1,64}", each.inputs["name"])


@pytest.mark.parametrize(
    ("hours", "begins"),
    [
        (HOURS, ((tuple(range(5)), 480),)),
        ("08:00-20:00 UTC", ((tuple(range(7)), 480),)),
        ("Mon 00:00-24:00, Tue 00:00-24:00 UTC", (((0,), 0),)),
        ("Sun 20:00-24:00, Mon 00:00-06:00 UTC", (((6,), 1200),)),
    ],
)
def test_hours_that_go_on_begin_once(hours: str, begins: tuple[tuple[tuple[int, ...], int], ...]) -> None:
    assert starts_of(hours) == begins


def test_every_day_is_every_day() -> None:
    assert starts.begins(StartPlan(days=tuple(range(7)), hour=8, minute=5, zone="UTC")) == "cron(5 8 ? * * *)"


def test_the_role_may_start_this_one_machine_for_schedules_of_its_own_account_and_nothing_else() -> None:
    assert json.loads(starts.policy(MACHINE)) == {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": ["ec2:StartInstances"], "Resource": [MACHINE]}],
    }
    (statement,) = json.loads(starts.trust(MACHINE))["Statement"]
    assert statement["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}
    assert json.loads(starts.asked("i-7")) == {"InstanceIds": ["i-7"]}
    assert starts.target("cn-north-1").startswith("arn:aws-cn:scheduler:::")


def test_awss_own_sdk_takes_what_the_scheduler_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both calls, by botocore's models of the two services: the schedule's, and the one that it makes."""
    boto3, moto = pytest.importorskip("boto3"), pytest.importorskip("moto")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    (made,) = schedules(plan_of(llm.ModelServer, server("aws", hours=HOURS, started_by="cloud")))
    given = made.inputs
    with moto.mock_aws():
        client = boto3.client("scheduler", region_name="us-east-1")
        age = given["target"]["retryPolicy"]["maximumEventAgeInSeconds"]
        client.create_schedule(
            Name=given["name"],
            ScheduleExpression=given["scheduleExpression"],
            ScheduleExpressionTimezone=given["scheduleExpressionTimezone"],
            FlexibleTimeWindow={"Mode": given["flexibleTimeWindow"]["mode"]},
            State=given["state"],
            Target={
                "Arn": given["target"]["arn"],
                "RoleArn": "arn:aws:iam::123456789012:role/x",
                "Input": starts.asked("i-7"),
                "RetryPolicy": {"MaximumEventAgeInSeconds": age},
            },
        )
        found = client.get_schedule(Name=given["name"])
    assert found["ScheduleExpressionTimezone"] == "Asia/Shanghai"
    call = found["Target"]["Arn"].rpartition(":")[2]
    operation = boto3.client("ec2", region_name="us-east-1").meta.service_model.operation_model(
        call[0].upper() + call[1:]
    )
    assert set(json.loads(found["Target"]["Input"])) <= set(operation.input_shape.members)


def test_a_machine_that_is_started_by_hand_has_nothing_of_it_and_says_who_could() -> None:
    plan = plan_of(llm.ModelServer, server("aws", hours=HOURS))
    assert not schedules(plan)
    (note,) = [each for each in plan.notes if each.code == "power.nobody-starts"]
    assert "started_by: cloud" in note.hint
    by_cloud = plan_of(llm.ModelServer, server("aws", hours=HOURS, started_by="cloud"))
    assert not [each for each in by_cloud.notes if each.code == "power.nobody-starts"]


def test_a_cloud_that_starts_nothing_is_refused_with_what_would_work() -> None:
    google = {**server("aws", hours=HOURS, started_by="cloud"), "cloud": "gcp", "region": "us-central1"}
    assert codes(llm.ModelServer, google) == ["cloud.cannot"]


def test_a_start_without_hours_is_refused() -> None:
    more: dict[str, Any] = {"idle_stop": {"minutes": 30}, "started_by": "cloud"}
    assert codes(llm.ModelServer, server("aws", **more)) == ["power.no-hours"]


def test_the_bill_has_no_line_of_it_and_the_same_hours() -> None:
    lines = []
    for more in ({}, {"started_by": "cloud"}):
        plan = plan_of(llm.ModelServer, server("aws", hours=HOURS, **more))
        bill = make_bill(plan, catalog.load(), Usage(), today=date(2026, 11, 29), default_regions={"aws": "us-east-1"})
        lines.append([(each.resource, each.slot, each.hours, each.per_month) for each in bill.lines])
    assert lines[0] == lines[1]


def test_a_change_of_a_stack_with_such_a_machine_is_compared_where_the_machine_has_no_arn_yet() -> None:
    args: Any = server("aws", hours=HOURS, started_by="cloud")

    def program() -> None:
        llm.ModelServer("x", args)

    assert comparison(program, program).steps is not None


def test_another_runtime_makes_another_function_as_scf_changes_none() -> None:
    """Its API says so of UpdateFunctionConfiguration (tencentcloud-sdk-python-scf 3.1.100)."""
    plan = plan_of(llm.ModelServer, server("tencent", hours=HOURS, started_by="cloud"))
    (function,) = (each for each in plan.resources if each.type == "tencentcloud:Scf/function:Function")
    assert function.replace_on_changes == ("runtime",)
