"""What a disk's schedule is made of on each cloud, what is refused beforehand, and what the bill says of it."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

import pulumi_llm as llm
from pulumi_llm import catalog, clouds
from pulumi_llm._plan.model import Plan, PlannedResource
from pulumi_llm._review.bill import make_bill
from pulumi_llm._review.item import Usage
from pulumi_llm._snapshots import schedule
from pulumi_llm.clouds.aws import copies as of_aws
from pulumi_llm.spec import SnapshotsSpec
from tests.leave.test_stack import PLACES, server
from tests.test_components import codes, plan_of

DAILY = {"snapshots": {"at": "03:00 Asia/Shanghai"}}
IDS = {"aliyun": "s-bp1planted0000000000", "tencent": "snap-planted0", "aws": "snap-0123456789abcdef0"}


def only(plan: Plan, type_: str) -> PlannedResource:
    (found,) = [each for each in plan.resources if each.type == type_]
    return found


def facts(cloud: str) -> Any:
    return clouds.folders()[cloud].read("snapshots.json")


@pytest.mark.parametrize(
    ("every", "at", "cloud", "days", "hour", "minute"),
    [
        ("day", "03:00 Asia/Shanghai", "aliyun", (0, 1, 2, 3, 4, 5, 6), 3, 0),
        ("day", "03:00 Asia/Shanghai", "aws", (0, 1, 2, 3, 4, 5, 6), 19, 0),
        ("Mon", "03:00 Asia/Shanghai", "aws", (6,), 19, 0),
        ("Sun", "23:30 Asia/Kolkata", "aws", (6,), 18, 0),
        ("Sun", "20:00 UTC", "tencent", (0,), 4, 0),
        ("Fri-Mon", "12:00 UTC", "aliyun", (0, 4, 5, 6), 20, 0),
        ("Mon,Thu", "02:00 Europe/Berlin", "aws", (0, 3), 1, 0),
        # Summer in the south is in January.
        ("Mon", "02:00 Australia/Sydney", "aws", (6,), 16, 0),
        # Ireland's winter time is a summer time below its standard time.
        ("Mon", "02:00 Europe/Dublin", "aws", (0,), 2, 0),
        ("Wed", "03:10 Asia/Kolkata", "aws", (1,), 21, 40),
    ],
)
def test_a_schedule_is_told_to_each_cloud_by_its_own_clock(
    every: str, at: str, cloud: str, days: tuple[int, ...], hour: int, minute: int
) -> None:
    found = schedule.plan_of(SnapshotsSpec(every=every, at=at), cloud)
    assert (found.days, found.hour, found.minute) == (days, hour, minute)


def test_aliyuns_schedule_counts_days_from_monday_and_keeps_its_snapshots_when_the_disk_goes() -> None:
    plan = plan_of(
        llm.ModelServer,
        server("aliyun", disk={"snapshots": {"every": "Sun,Mon", "at": "03:00 Asia/Shanghai", "keep_days": 9}}),
    )
    made = only(plan, facts("aliyun")["schedule"]).inputs
    assert (made["repeatWeekdays"], made["timePoints"], made["retentionDays"]) == (["1", "7"], ["3"], 9)
    assert only(plan, "alicloud:ecs/ecsDisk:EcsDisk").inputs["deleteAutoSnapshot"] is False
    without = plan_of(llm.ModelServer, server("aliyun"))
    assert only(without, "alicloud:ecs/ecsDisk:EcsDisk").inputs["deleteAutoSnapshot"] is True


def test_aliyuns_schedule_waits_until_the_disk_is_attached() -> None:
    plan = plan_of(llm.ModelServer, server("aliyun", disk=DAILY))
    bound = only(plan, "alicloud:ecs/ecsAutoSnapshotPolicyAttachment:EcsAutoSnapshotPolicyAttachment")
    assert only(plan, "alicloud:ecs/ecsDiskAttachment:EcsDiskAttachment").urn in bound.dependencies


def test_tencents_schedule_counts_days_from_sunday() -> None:
    plan = plan_of(
        llm.ModelServer, server("tencent", disk={"snapshots": {"every": "Sat,Sun", "at": "03:00 Asia/Shanghai"}})
    )
    made = only(plan, facts("tencent")["schedule"]).inputs
    assert (made["repeatWeekdays"], made["repeatHours"], made["retentionDays"]) == ([0, 6], [3], 7)


def test_awss_policy_finds_this_one_volume_by_a_mark_that_no_other_stack_has() -> None:
    plan = plan_of(llm.ModelServer, server("aws", disk=DAILY))
    details = only(plan, facts("aws")["schedule"]).inputs["policyDetails"]
    mark = {"pulumi-llm-snapshots": f"{plan.project}-{plan.stack}-x-disk-us-east-1"}
    assert details["targetTags"] == mark
    assert mark.items() <= only(plan, "aws:ebs/volume:Volume").inputs["tags"].items()
    (made,) = details["schedules"]
    assert made["copyTags"] is True
    assert made["createRule"] == {"interval": 24, "intervalUnit": "HOURS", "times": "19:00"}
    assert made["retainRule"] == {"interval": 7, "intervalUnit": "DAYS"}


def test_awss_policy_of_some_days_is_a_cron_expression() -> None:
    plan = plan_of(llm.ModelServer, server("aws", disk={"snapshots": {"every": "Mon-Fri", "at": "02:15 UTC"}}))
    (made,) = only(plan, facts("aws")["schedule"]).inputs["policyDetails"]["schedules"]
    assert made["createRule"] == {"cronExpression": "cron(15 2 ? * MON,TUE,WED,THU,FRI *)"}


def test_awss_role_copies_one_volume_and_ends_only_what_has_its_mark() -> None:
    policy = json.loads(
        of_aws.policy("arn:aws-cn:ec2:cn-north-1:123456789012:volume/vol-7", "p-s-x-disk", "cn-north-1")
    )
    by_action = {action: row for row in policy["Statement"] for action in row["Action"]}
    copies = "arn:aws-cn:ec2:cn-north-1::snapshot/*"
    assert set(by_action) == {
        "ec2:DescribeSnapshots",
        "ec2:DescribeVolumes",
        "ec2:CreateSnapshot",
        "ec2:CreateTags",
        "ec2:DeleteSnapshot",
    }
    assert by_action["ec2:CreateSnapshot"]["Resource"] == [
        "arn:aws-cn:ec2:cn-north-1:123456789012:volume/vol-7",
        copies,
    ]
    ends = by_action["ec2:DeleteSnapshot"]
    assert ends["Resource"] == [copies]
    assert ends["Condition"] == {"StringEquals": {"aws:ResourceTag/pulumi-llm-snapshots": "p-s-x-disk"}}


@pytest.mark.parametrize("cloud", PLACES)
def test_a_stack_that_asks_for_none_has_nothing_of_it(cloud: str) -> None:
    types = {each.type for each in plan_of(llm.ModelServer, server(cloud)).resources}
    assert facts(cloud)["schedule"] not in types
    assert "aws:iam/role:Role" not in types


@pytest.mark.parametrize("cloud", PLACES)
def test_a_disk_from_a_snapshot_is_another_disk_with_another_machine_and_the_same_address(cloud: str) -> None:
    before = plan_of(llm.ModelServer, server(cloud, disk=DAILY))
    after = plan_of(llm.ModelServer, server(cloud, disk={**DAILY, "from_snapshot": IDS[cloud]}))
    names = {each.urn for each in before.resources}
    fresh = {each.type for each in after.resources if each.urn not in names}
    assert {facts(cloud)["disk"], clouds.folders()[cloud].read("power.json")["type"]} <= fresh
    assert clouds.folders()[cloud].read("simulated.json")["reach"]["address"] not in fresh
    assert only(after, facts(cloud)["disk"]).inputs["snapshotId"] == IDS[cloud]


@pytest.mark.parametrize(
    ("cloud", "disk", "found"),
    [
        ("aliyun", {"snapshots": {"at": "03:30 Asia/Shanghai"}}, ["snapshots.not-on-the-hour"]),
        ("tencent", {"snapshots": {"at": "03:00 Asia/Kolkata"}}, ["snapshots.not-on-the-hour"]),
        ("aws", {"snapshots": {"at": "03:10 Asia/Kolkata"}}, []),
        ("tencent", {"snapshots": {"at": "03:00 UTC", "keep_days": 31}}, ["snapshots.kept-too-long"]),
        ("aliyun", {"snapshots": {"at": "03:00 UTC", "keep_days": 1001}}, ["snapshots.kept-too-long"]),
        ("aliyun", {"snapshots": {"at": "03:00 UTC", "keep_days": 1001, "every": "Mon"}}, []),
        ("aws", {"snapshots": {"at": "03:00 UTC", "keep_days": 3650}}, []),
        ("aws", {"snapshots": {"at": "03:00 UTC", "keep_days": 6, "every": "Sun"}}, ["snapshots.kept-too-short"]),
        ("aliyun", {"from_snapshot": "snap-1"}, ["snapshots.bad-id"]),
        ("aws", {"snapshots": {"at": "25:00 UTC"}}, ["spec.bad-time"]),
        ("aws", {"snapshots": {"at": "03:00"}}, ["spec.bad-time"]),
        ("aws", {"snapshots": {"at": "03:00 Mars/Base"}}, ["spec.unknown-time-zone"]),
        ("aws", {"snapshots": {"at": "03:00 UTC", "every": "Monday"}}, ["spec.bad-days"]),
    ],
)
def test_what_a_cloud_would_refuse_is_refused_before(cloud: str, disk: dict[str, Any], found: list[str]) -> None:
    if found:
        assert codes(llm.ModelServer, server(cloud, disk=disk)) == found
    else:
        assert plan_of(llm.ModelServer, server(cloud, disk=disk)).resources


@pytest.mark.parametrize(("zone", "fit"), [("Asia/Kolkata", "03:30"), ("Asia/Kathmandu", "03:45")])
def test_the_time_that_would_do_is_named(zone: str, fit: str) -> None:
    disk = llm.spec.DiskSpec(snapshots=SnapshotsSpec(at=f"03:10 {zone}"))
    (finding,) = schedule.mistakes(disk, "aliyun")
    assert finding.hint == f"{fit} {zone}"
    again = llm.spec.DiskSpec(snapshots=SnapshotsSpec(at=finding.hint))
    assert list(schedule.mistakes(again, "aliyun")) == []


@pytest.mark.parametrize("cloud", PLACES)
def test_the_bill_has_one_whole_copy_with_its_price_and_says_what_it_does_not_know(cloud: str) -> None:
    plan = plan_of(llm.ModelServer, server(cloud, disk=DAILY))
    data = catalog.load()
    regions = {data.cloud(cloud).pulumi_package: PLACES[cloud]["region"]}
    bill = make_bill(plan, data, Usage(), today=date(2026, 11, 29), default_regions=regions)
    (line,) = [each for each in bill.lines if each.kind == "snapshots"]
    size = only(plan, facts(cloud)["disk"]).inputs[clouds.folders()[cloud].read("simulated.json")["reach"]["disk_size"]]
    assert line.quantity == Decimal(size)
    assert line.estimate
    assert "on top" in str(line.note)
    assert line.price is not None
    assert line.price.source_date
    assert not [each for each in bill.unknown if "napshot" in each.type or "olicy" in each.type]


def test_where_the_catalogue_has_no_price_of_snapshots_it_is_unknown_and_not_0() -> None:
    plan = plan_of(llm.ModelServer, {**server("aws", disk=DAILY), "region": "us-west-2"})
    bill = make_bill(plan, catalog.load(), Usage(), today=date(2026, 11, 29), default_regions={"aws": "us-west-2"})
    (line,) = [each for each in bill.lines if each.kind == "snapshots"]
    assert line.per_month is None
    assert line.unknown


def test_every_fact_about_snapshots_names_a_source_with_a_date() -> None:
    for cloud in PLACES:
        row = facts(cloud)
        for key in ("clock", "minutes", "keep_days", "most_kept", "after_destroy"):
            assert date.fromisoformat(row["sources"][row[key]["source"]]["date"]) <= date(2026, 11, 29)
