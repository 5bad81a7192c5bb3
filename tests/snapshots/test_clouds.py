"""What each cloud tells of its snapshots, read by its own SDK: from answers of a server on this machine, and moto's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from pulumi_llm._refresh.calls import Failure
from pulumi_llm._snapshots.base import Copy
from pulumi_llm.clouds.aliyun import snapshots as of_aliyun
from pulumi_llm.clouds.aws import snapshots as of_aws
from pulumi_llm.clouds.tencent import snapshots as of_tencent
from pulumi_llm.errors import Refusal
from tests.refresh.conftest import Server, no_account, server

__all__ = ["no_account", "server"]

TAKEN = datetime(2026, 11, 28, 19, 0, 11, tzinfo=UTC)


@pytest.fixture
def aliyun(server: Server, monkeypatch: pytest.MonkeyPatch) -> Any:
    from alibabacloud_ecs20140526.client import Client
    from alibabacloud_tea_openapi.utils_models import Config

    def connector(*codes: str) -> Any:
        keys = {"access_key_id": "LTAIconfidential", "access_key_secret": "confidential"}
        return lambda region: Client(Config(region_id=region, endpoint=server.address, protocol="HTTP", **keys))

    monkeypatch.setattr("pulumi_llm.clouds.aliyun.account.connector", connector)
    return of_aliyun.connect("cn-hangzhou")


def row_of_aliyun(identity: str, **more: Any) -> dict[str, Any]:
    """As DescribeSnapshots answers (API reference, 2014-05-26): its example, with these values."""
    return {
        "SnapshotId": identity,
        "SourceDiskId": "d-1",
        "SourceDiskSize": "100",
        "SourceDiskType": "data",
        "CreationTime": "2026-11-28T19:00:11Z",
        "Status": "accomplished",
        "Progress": "100%",
        "RetentionDays": 7,
        "SnapshotType": "timer",
        "Usage": "none",
        **more,
    }


def test_aliyuns_snapshots_come_page_by_page(server: Server, aliyun: Any) -> None:
    pages = {
        None: {"NextToken": "more", "Snapshots": {"Snapshot": [row_of_aliyun("s-1")]}},
        "more": {
            "NextToken": "",
            "Snapshots": {
                "Snapshot": [
                    row_of_aliyun("s-2", Status="progressing", RetentionDays=-1, SnapshotType="user"),
                    row_of_aliyun("s-3", Status="failed", RetentionDays=None),
                ]
            },
        },
    }
    server.replies["DescribeSnapshots"] = lambda asked: (200, {"RequestId": "1", **pages[asked.get("NextToken")]})
    first, second, third = aliyun.of_disk("d-1")
    assert first == Copy(
        id="s-1",
        disk="d-1",
        taken=TAKEN,
        gib=100,
        state="whole",
        expires=TAKEN.replace(month=12, day=5),
        by_schedule=True,
    )
    assert (second.state, second.expires, second.by_schedule) == ("under way", None, False)
    assert third.state == "failed"
    assert [asked["DiskId"] for _, asked in server.asked] == ["d-1", "d-1"]


def test_a_snapshot_that_aliyun_does_not_have_is_none(server: Server, aliyun: Any) -> None:
    server.answers("DescribeSnapshots", {"RequestId": "1", "NextToken": "", "Snapshots": {"Snapshot": []}})
    assert aliyun.find("s-9") is None
    assert server.asked[0][1]["SnapshotIds"] == '["s-9"]'


def test_a_denied_question_at_aliyun_is_a_failure_of_that_kind(server: Server, aliyun: Any) -> None:
    words = {"RequestId": "1", "HostId": "ecs", "Code": "Forbidden.RAM", "Message": "not authorized"}
    server.answers("DescribeSnapshots", words, 403)
    with pytest.raises(Failure) as caught:
        aliyun.of_disk("d-1")
    assert (caught.value.kind, caught.value.code) == ("denied", "Forbidden.RAM")


@pytest.fixture
def tencent(server: Server, monkeypatch: pytest.MonkeyPatch) -> Any:
    from tencentcloud.cbs.v20170312.cbs_client import CbsClient
    from tencentcloud.common import credential
    from tencentcloud.common.profile.client_profile import ClientProfile
    from tencentcloud.common.profile.http_profile import HttpProfile

    def connector(without_sdk: str, without_credentials: str, service: str) -> Any:
        assert service == "cbs"
        profile = ClientProfile(httpProfile=HttpProfile(protocol="http", endpoint=server.address))
        return lambda region: CbsClient(credential.Credential("id", "key"), region, profile)

    monkeypatch.setattr("pulumi_llm.clouds.tencent.account.connector", connector)
    return of_tencent.connect("ap-guangzhou")


def row_of_tencent(identity: str, **more: Any) -> dict[str, Any]:
    """As DescribeSnapshots answers (API reference, 2017-03-12): its example, with these values."""
    return {
        "SnapshotId": identity,
        "DiskId": "disk-1",
        "DiskSize": 100,
        "DiskUsage": "DATA_DISK",
        "SnapshotState": "NORMAL",
        "Percent": 100,
        "CreateTime": "2026-11-29 03:00:11",
        "DeadlineTime": "2026-12-06 03:00:11",
        "IsPermanent": False,
        "AutoSnapshotPolicyId": "asp-1",
        **more,
    }


def test_tencents_snapshots_come_page_by_page_and_their_times_are_chinas(server: Server, tencent: Any) -> None:
    rows = [
        row_of_tencent("snap-1"),
        row_of_tencent("snap-2", SnapshotState="CREATING", IsPermanent=True, AutoSnapshotPolicyId=None),
        row_of_tencent("snap-3", SnapshotState="ROLLBACKING", DeadlineTime=None),
    ]

    def answer(asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        page = rows[asked["Offset"] : asked["Offset"] + 2]
        return 200, {"Response": {"TotalCount": len(rows), "SnapshotSet": page, "RequestId": "1"}}

    server.replies["DescribeSnapshots"] = answer
    first, second, third = tencent.of_disk("disk-1")
    assert (first.taken, first.expires) == (TAKEN, TAKEN.replace(month=12, day=5))
    assert (first.gib, first.state, first.by_schedule) == (100, "whole", True)
    assert (second.state, second.expires, second.by_schedule) == ("under way", None, False)
    assert (third.state, third.expires) == ("whole", None)
    assert server.asked[0][1]["Filters"] == [{"Name": "disk-id", "Values": ["disk-1"]}]


def test_a_snapshot_that_tencent_does_not_have_is_none(server: Server, tencent: Any) -> None:
    server.answers("DescribeSnapshots", {"Response": {"TotalCount": 0, "SnapshotSet": [], "RequestId": "1"}})
    assert tencent.find("snap-9") is None


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "planted")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "plantedsecret")
    with mock_aws():
        yield of_aws.connect("us-east-1")


def test_awss_snapshots_of_a_volume_are_found_while_it_is_there_and_afterwards(aws: Any) -> None:
    ec2 = boto3.client("ec2", region_name="us-east-1")
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=30)["VolumeId"]
    other = ec2.create_volume(AvailabilityZone="us-east-1a", Size=10)["VolumeId"]
    made = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    ec2.create_snapshot(VolumeId=other)
    ec2.delete_volume(VolumeId=volume)
    (found,) = aws.of_disk(volume)
    assert (found.id, found.disk, found.gib, found.state) == (made, volume, 30, "whole")
    assert (found.by_schedule, found.expires) == (False, None)
    assert aws.find(made) == found
    assert aws.find("snap-0123456789abcdef0") is None


def test_what_a_policy_of_awss_made_says_so_and_when_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "planted")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "plantedsecret")
    made = of_aws.connect("us-east-1")
    tags = [
        {"Key": "aws:dlm:lifecycle-policy-id", "Value": "policy-0123456789abcdef0"},
        {"Key": "aws:dlm:expirationtime", "Value": "2026-12-05T19:00:11Z"},
    ]
    row = {"SnapshotId": "snap-1", "VolumeId": "vol-1", "VolumeSize": 30, "State": "pending", "StartTime": TAKEN}
    with Stubber(made.client) as answers:
        answers.add_response("describe_snapshots", {"Snapshots": [{**row, "Tags": tags}]})
        (found,) = made.of_disk("vol-1")
    assert (found.state, found.by_schedule) == ("under way", True)
    assert found.expires == TAKEN.replace(month=12, day=5)


@pytest.mark.parametrize("cloud", ["aliyun", "tencent", "aws"])
@pytest.mark.usefixtures("no_account")
def test_without_credentials_nobody_is_asked(cloud: str) -> None:
    with pytest.raises(Refusal) as caught:
        import_module(f"pulumi_llm.clouds.{cloud}.snapshots").connect("us-east-1")
    assert [each.code for each in caught.value.findings] == ["snapshots.no-credentials"]
