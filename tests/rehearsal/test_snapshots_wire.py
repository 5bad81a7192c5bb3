"""Schedules of snapshots at the wires of ECS and CBS, spoken to by the clouds' own SDKs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from pulumi_llm._rehearsal.server import serving
from pulumi_llm._simcloud.store import Record, Store
from pulumi_llm.clouds.aliyun.simulated import common as aliyun_types
from pulumi_llm.clouds.aliyun.wire import FACE as ALIYUN
from pulumi_llm.clouds.aliyun.wire import PROTOCOL as RPC
from pulumi_llm.clouds.tencent.simulated import common as tencent_types
from pulumi_llm.clouds.tencent.wire import FACE as TENCENT
from pulumi_llm.clouds.tencent.wire import PROTOCOL as API

pytest.importorskip("alibabacloud_ecs20140526", reason="the wire is spoken to by Aliyun's own ECS client")
pytest.importorskip("tencentcloud.cbs", reason="the wire is spoken to by Tencent Cloud's own CBS client")

from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_ecs20140526.client import Client as Ecs
from alibabacloud_tea_openapi.models import Config
from tencentcloud.cbs.v20170312 import models as cbs
from tencentcloud.cbs.v20170312.cbs_client import CbsClient
from tencentcloud.common.credential import Credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile

HERE, THERE = "cn-shanghai", "ap-shanghai"


def disk(store: Store, token: str, id_: str, region: str, **properties: Any) -> None:
    """A disk that is there already."""
    urn = f"urn:pulumi:test::test::{token}::{id_}"
    store.put(Record(token.partition(":")[0], token, id_, region, urn, properties))


class Aliyun:
    def __init__(self, port: int) -> None:
        config = Config(access_key_id="id", access_key_secret="never-sent", protocol="HTTP")
        config.endpoint = f"127.0.0.1:{port}"
        self.client = Ecs(config)

    def __call__(self, name: str, **fields: Any) -> Any:
        asked = getattr(ecs, "".join(each.title() for each in name.split("_")) + "Request")(region_id=HERE, **fields)
        return getattr(self.client, name)(asked).body

    def schedules(self) -> list[Any]:
        return list(self("describe_auto_snapshot_policy_ex").auto_snapshot_policies.auto_snapshot_policy)

    def disks(self, **fields: Any) -> list[tuple[str, str]]:
        found = self("describe_disks", **fields).disks.disk
        return [(each.disk_id, each.auto_snapshot_policy_id) for each in found]


class Tencent:
    def __init__(self, port: int) -> None:
        profile = ClientProfile(httpProfile=HttpProfile(protocol="http", endpoint=f"127.0.0.1:{port}"))
        self.client = CbsClient(Credential("id", "never-sent"), THERE, profile)

    def __call__(self, action: str, **fields: Any) -> Any:
        asked = getattr(cbs, f"{action}Request")()
        asked.from_json_string(json.dumps(fields))
        return json.loads(getattr(self.client, action)(asked).to_json_string())


@pytest.fixture
def aliyun() -> Iterator[Aliyun]:
    store = Store(None)
    for id_ in ("d-1", "d-2"):
        disk(store, aliyun_types.DISK, id_, HERE, size=100, zoneId=f"{HERE}-l")
        held = {"diskId": id_, "instanceId": "i-1"}
        disk(store, aliyun_types.DISK_ATTACHMENT, f"{id_}:i-1", HERE, **held)
    with serving(ALIYUN(store, pace=0), RPC) as port:
        yield Aliyun(port)


@pytest.fixture
def tencent() -> Iterator[Tencent]:
    store = Store(None)
    disk(store, tencent_types.DISK, "disk-1", THERE, storageSize=100, availabilityZone=f"{THERE}-2")
    with serving(TENCENT(store, pace=0), API) as port:
        yield Tencent(port)


def scheduled(cloud: Aliyun) -> str:
    tags = [ecs.CreateAutoSnapshotPolicyRequestTag(key="stack", value="t4")]
    when = {"repeat_weekdays": '["1","7"]', "time_points": '["3"]', "retention_days": 7}
    made = cloud("create_auto_snapshot_policy", auto_snapshot_policy_name="daily", tag=tags, **when)
    return str(made.auto_snapshot_policy_id)


def test_a_schedule_of_aliyun_is_read_as_it_was_made_and_changed(aliyun: Aliyun) -> None:
    id_ = scheduled(aliyun)
    (made,) = aliyun.schedules()
    assert (made.auto_snapshot_policy_id, made.auto_snapshot_policy_name, made.region_id) == (id_, "daily", HERE)
    assert (json.loads(made.repeat_weekdays), json.loads(made.time_points)) == (["1", "7"], ["3"])
    assert (made.retention_days, made.enable_cross_region_copy, made.status) == (7, False, "Normal")
    assert [(each.tag_key, each.tag_value) for each in made.tags.tag] == [("stack", "t4")]
    aliyun("modify_auto_snapshot_policy_ex", auto_snapshot_policy_id=id_, retention_days=30, time_points='["4"]')
    (changed,) = aliyun.schedules()
    assert (changed.retention_days, json.loads(changed.time_points)) == (30, ["4"])
    assert json.loads(changed.repeat_weekdays) == ["1", "7"]


def test_a_disk_of_aliyun_has_one_schedule_and_says_which(aliyun: Aliyun) -> None:
    first, second = scheduled(aliyun), scheduled(aliyun)
    for id_ in (first, second):
        aliyun("apply_auto_snapshot_policy", auto_snapshot_policy_id=id_, disk_ids='["d-1"]')
    assert aliyun.disks() == [("d-1", second), ("d-2", "")]
    assert aliyun.disks(auto_snapshot_policy_id=second) == [("d-1", second)]
    assert sorted(each.disk_nums for each in aliyun.schedules()) == [0, 1]
    aliyun("cancel_auto_snapshot_policy", disk_ids='["d-1"]')
    assert aliyun.disks() == [("d-1", ""), ("d-2", "")]
    for id_ in (first, second):
        aliyun("delete_auto_snapshot_policy", auto_snapshot_policy_id=id_)
    assert aliyun.schedules() == []


@pytest.mark.parametrize(
    ("name", "fields", "code"),
    [
        (
            "create_auto_snapshot_policy",
            {"repeat_weekdays": '["1"]', "time_points": '["3"]', "retention_days": 0},
            "InvalidParameterValue.RetentionDays",
        ),
        (
            "apply_auto_snapshot_policy",
            {"auto_snapshot_policy_id": "sp-none", "disk_ids": '["d-1"]'},
            "InvalidAutoSnapshotPolicy.NotFound",
        ),
        ("delete_auto_snapshot_policy", {"auto_snapshot_policy_id": "sp-none"}, "InvalidAutoSnapshotPolicy.NotFound"),
    ],
)
def test_aliyun_refuses_what_is_not_there(aliyun: Aliyun, name: str, fields: dict[str, Any], code: str) -> None:
    with pytest.raises(Exception) as caught:
        aliyun(name, **fields)
    assert getattr(caught.value, "code", "") == code


def test_a_disk_of_aliyun_is_not_copied_on_a_schedule_that_is_none(aliyun: Aliyun) -> None:
    id_ = scheduled(aliyun)
    with pytest.raises(Exception) as caught:
        aliyun("apply_auto_snapshot_policy", auto_snapshot_policy_id=id_, disk_ids='["d-none"]')
    assert getattr(caught.value, "code", "") == "InvalidDiskId.NotFound"


def test_a_schedule_of_tencent_is_bound_to_a_disk_changed_and_taken_away(tencent: Tencent) -> None:
    policy = [{"DayOfWeek": [0, 1], "Hour": [3]}]
    made = tencent("CreateAutoSnapshotPolicy", AutoSnapshotPolicyName="daily", Policy=policy, RetentionDays=5)
    id_ = made["AutoSnapshotPolicyId"]
    tencent("BindAutoSnapshotPolicy", AutoSnapshotPolicyId=id_, DiskIds=["disk-1"])
    (found,) = tencent("DescribeAutoSnapshotPolicies", AutoSnapshotPolicyIds=[id_])["AutoSnapshotPolicySet"]
    assert (found["AutoSnapshotPolicyName"], found["RetentionDays"], found["DiskIdSet"]) == ("daily", 5, ["disk-1"])
    assert [(each["DayOfWeek"], each["Hour"]) for each in found["Policy"]] == [([0, 1], [3])]
    tencent("ModifyAutoSnapshotPolicyAttribute", AutoSnapshotPolicyId=id_, RetentionDays=9)
    (of_disk,) = tencent("DescribeDiskAssociatedAutoSnapshotPolicy", DiskId="disk-1")["AutoSnapshotPolicySet"]
    assert (of_disk["AutoSnapshotPolicyId"], of_disk["RetentionDays"]) == (id_, 9)
    tencent("UnbindAutoSnapshotPolicy", AutoSnapshotPolicyId=id_, DiskIds=["disk-1"])
    assert tencent("DescribeDiskAssociatedAutoSnapshotPolicy", DiskId="disk-1")["AutoSnapshotPolicySet"] == []
    tencent("DeleteAutoSnapshotPolicies", AutoSnapshotPolicyIds=[id_])
    assert tencent("DescribeAutoSnapshotPolicies")["TotalCount"] == 0


@pytest.mark.parametrize(
    ("action", "fields", "code"),
    [
        ("DeleteAutoSnapshotPolicies", {"AutoSnapshotPolicyIds": ["asp-none"]}, "InvalidAutoSnapshotPolicyId.NotFound"),
        (
            "BindAutoSnapshotPolicy",
            {"AutoSnapshotPolicyId": "asp-none", "DiskIds": ["disk-1"]},
            "InvalidAutoSnapshotPolicyId.NotFound",
        ),
        (
            "UnbindAutoSnapshotPolicy",
            {"AutoSnapshotPolicyId": "asp-none", "DiskIds": ["disk-1"]},
            "InvalidAutoSnapshotPolicyId.NotFound",
        ),
    ],
)
def test_tencent_refuses_what_is_not_there(tencent: Tencent, action: str, fields: dict[str, Any], code: str) -> None:
    with pytest.raises(TencentCloudSDKException) as caught:
        tencent(action, **fields)
    assert caught.value.get_code() == code
