"""The roles of machines that stop themselves, at the wires of RAM and CAM, spoken to by the clouds' own SDKs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pulumi_llm._rehearsal import policy
from pulumi_llm._rehearsal.server import serving
from pulumi_llm._simcloud.store import Store
from pulumi_llm.clouds.aliyun.wire import FACE as ALIYUN
from pulumi_llm.clouds.aliyun.wire import PROTOCOL as RPC
from pulumi_llm.clouds.tencent.wire import FACE as TENCENT
from pulumi_llm.clouds.tencent.wire import PROTOCOL as API

pytest.importorskip("alibabacloud_ram20150501", reason="the wire is spoken to by Aliyun's own RAM client")
pytest.importorskip("tencentcloud.cam", reason="the wire is spoken to by Tencent Cloud's own CAM client")

from alibabacloud_ram20150501 import models as ram
from alibabacloud_ram20150501.client import Client as Ram
from alibabacloud_tea_openapi.models import Config
from tencentcloud.cam.v20190116 import models as cam
from tencentcloud.cam.v20190116.cam_client import CamClient
from tencentcloud.common.credential import Credential
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.tag.v20180813.tag_client import TagClient

TRUST = json.dumps({"Version": "1", "Statement": []})
Fields = dict[str, Any]


class Aliyun:
    """A call's name in small letters and its fields, as RAM's own client has them."""

    def __init__(self, port: int) -> None:
        config = Config(access_key_id="id", access_key_secret="never-sent", protocol="HTTP")
        config.endpoint = f"127.0.0.1:{port}"
        self.client = Ram(config)

    def __call__(self, name: str, **fields: Any) -> Any:
        asked = getattr(ram, "".join(each.title() for each in name.split("_")) + "Request")(**fields)
        return getattr(self.client, name)(asked).body


class Tencent:
    def __init__(self, port: int) -> None:
        profile = ClientProfile(httpProfile=HttpProfile(protocol="http", endpoint=f"127.0.0.1:{port}"))
        account = Credential("id", "never-sent")
        self.cam, self.tag = CamClient(account, "ap-shanghai", profile), TagClient(account, "ap-shanghai", profile)

    def __call__(self, action: str, **fields: Any) -> Any:
        asked = getattr(cam, f"{action}Request")()
        asked.from_json_string(json.dumps(fields))
        return json.loads(getattr(self.cam, action)(asked).to_json_string())


@pytest.fixture
def aliyun() -> Iterator[tuple[Aliyun, Any]]:
    face = ALIYUN(Store(None), pace=0, region="cn-shanghai")
    with serving(face, RPC) as port:
        yield Aliyun(port), face


@pytest.fixture
def tencent() -> Iterator[tuple[Tencent, Any]]:
    face = TENCENT(Store(None), pace=0, region="ap-shanghai")
    with serving(face, API) as port:
        yield Tencent(port), face


def refused(call: Callable[[], Any]) -> str:
    with pytest.raises(Exception) as caught:
        call()
    return str(getattr(caught.value, "code", "") or caught.value)


def granted(cloud: Aliyun) -> None:
    tags = [ram.CreateRoleRequestTag(key="stack", value="t4")]
    cloud("create_role", role_name="stops", assume_role_policy_document=TRUST, description="Stops itself.", tag=tags)
    cloud("create_policy", policy_name="stop", policy_document='{"Version": "1"}')
    cloud("attach_policy_to_role", role_name="stops", policy_name="stop", policy_type="Custom")


def test_a_role_of_ram_is_read_as_it_was_made(aliyun: tuple[Aliyun, Any]) -> None:
    cloud, __ = aliyun
    granted(cloud)
    role = cloud("get_role", role_name="stops").role
    assert (role.role_name, role.description, role.assume_role_policy_document) == ("stops", "Stops itself.", TRUST)
    assert role.arn.startswith("acs:ram::")
    (tag,) = cloud("list_tag_resources", resource_type="role", resource_names=["stops"]).tag_resources
    assert (tag.tag_key, tag.tag_value) == ("stack", "t4")
    (held,) = cloud("list_policies_for_role", role_name="stops").policies.policy
    assert (held.policy_name, held.policy_type) == ("stop", "Custom")
    (of,) = cloud("list_entities_for_policy", policy_name="stop", policy_type="Custom").roles.role
    assert of.role_name == "stops"


def test_tags_of_a_role_of_ram_are_added_and_taken_away(aliyun: tuple[Aliyun, Any]) -> None:
    cloud, __ = aliyun
    granted(cloud)
    more = [ram.TagResourcesRequestTag(key="team", value="llm")]
    cloud("tag_resources", resource_type="role", resource_names=["stops"], tag=more)
    cloud("untag_resources", resource_type="role", resource_names=["stops"], tag_keys=["stack"])
    (tag,) = cloud("list_tag_resources", resource_type="role", resource_names=["stops"]).tag_resources
    assert (tag.tag_key, tag.tag_value) == ("team", "llm")


def test_what_is_attached_in_ram_is_not_deleted(aliyun: tuple[Aliyun, Any]) -> None:
    cloud, __ = aliyun
    granted(cloud)
    assert refused(lambda: cloud("delete_role", role_name="stops")) == "DeleteConflict.Role.Policy"
    ends = {"policy_name": "stop", "cascading_delete": True}
    assert refused(lambda: cloud("delete_policy", **ends)) == "DeleteConflict.Role.Policy"
    cloud("detach_policy_from_role", role_name="stops", policy_name="stop", policy_type="Custom")
    cloud("delete_policy", **ends)
    cloud("delete_role", role_name="stops")
    assert refused(lambda: cloud("get_role", role_name="stops")) == "EntityNotExist.Role"
    assert refused(lambda: cloud("get_policy", policy_name="stop", policy_type="Custom")) == "EntityNotExist.Policy"


@pytest.mark.parametrize(
    ("name", "fields", "code"),
    [
        ("create_role", {"role_name": "stops", "assume_role_policy_document": TRUST}, "EntityAlreadyExists.Role"),
        ("create_policy", {"policy_name": "stop", "policy_document": "{}"}, "EntityAlreadyExists.Policy"),
        (
            "attach_policy_to_role",
            {"role_name": "none", "policy_name": "stop", "policy_type": "Custom"},
            "EntityNotExist.Role",
        ),
        (
            "attach_policy_to_role",
            {"role_name": "stops", "policy_name": "none", "policy_type": "Custom"},
            "EntityNotExist.Policy",
        ),
        (
            "attach_policy_to_role",
            {"role_name": "stops", "policy_name": "stop", "policy_type": "Custom"},
            "EntityAlreadyExists.Role.Policy",
        ),
        (
            "detach_policy_from_role",
            {"role_name": "stops", "policy_name": "none", "policy_type": "Custom"},
            "EntityNotExist.Role.Policy",
        ),
    ],
)
def test_ram_refuses_with_the_codes_that_the_provider_knows(
    aliyun: tuple[Aliyun, Any], name: str, fields: Fields, code: str
) -> None:
    cloud, __ = aliyun
    granted(cloud)
    assert refused(lambda: cloud(name, **fields)) == code


def test_a_sixth_version_of_a_policy_is_refused_unless_the_oldest_may_go(aliyun: tuple[Aliyun, Any]) -> None:
    cloud, __ = aliyun
    granted(cloud)
    for number in range(2, 6):
        cloud("create_policy_version", policy_name="stop", policy_document=f'{{"n": {number}}}', set_as_default=True)
    more = {"policy_name": "stop", "policy_document": '{"n": 6}', "set_as_default": True}
    assert refused(lambda: cloud("create_policy_version", **more)) == "LimitExceeded.Policy.Version"
    rotate = "DeleteOldestNonDefaultVersionWhenLimitExceeded"
    assert cloud("create_policy_version", **more, rotate_strategy=rotate).policy_version.version_id == "v6"
    found = cloud("list_policy_versions", policy_name="stop", policy_type="Custom").policy_versions.policy_version
    assert [each.version_id for each in found] == ["v6", "v5", "v4", "v3", "v2"]
    default = cloud("get_policy", policy_name="stop", policy_type="Custom").default_policy_version
    assert (default.version_id, default.policy_document) == ("v6", '{"n": 6}')


def test_older_versions_of_a_policy_go_one_by_one_or_with_it(aliyun: tuple[Aliyun, Any]) -> None:
    cloud, __ = aliyun
    cloud("create_policy", policy_name="stop", policy_document="{}")
    cloud("create_policy_version", policy_name="stop", policy_document='{"n": 2}', set_as_default=True)
    assert refused(lambda: cloud("delete_policy", policy_name="stop")) == "DeleteConflict.Policy.Version"
    cloud("delete_policy_version", policy_name="stop", version_id="v1")
    missing = {"policy_name": "stop", "version_id": "v1"}
    assert refused(lambda: cloud("delete_policy_version", **missing)) == "EntityNotExist.Policy.Version"
    cloud("delete_policy", policy_name="stop")


def test_the_printed_policy_names_what_was_asked_of_ram(aliyun: tuple[Aliyun, Any]) -> None:
    cloud, face = aliyun
    granted(cloud)
    made = policy.least("alicloud", face.record.calls)["Statement"][0]["Action"]
    assert made == ["ram:AttachPolicyToRole", "ram:CreatePolicy", "ram:CreateRole"]


def allowed(cloud: Tencent) -> tuple[str, int]:
    role = cloud("CreateRole", RoleName="stops", PolicyDocument=TRUST, Description="Stops itself.", ConsoleLogin=0)
    made = cloud("CreatePolicy", PolicyName="stop", PolicyDocument='{"version": "2.0"}')
    cloud("AttachRolePolicy", AttachRoleId=role["RoleId"], PolicyId=made["PolicyId"])
    return role["RoleId"], made["PolicyId"]


def test_a_role_of_cam_is_found_in_the_list_of_all_roles(tencent: tuple[Tencent, Any]) -> None:
    cloud, __ = tencent
    role, made = allowed(cloud)
    (row,) = cloud("DescribeRoleList", Page=1, Rp=200)["List"]
    assert (row["RoleId"], row["RoleName"], row["PolicyDocument"]) == (role, "stops", TRUST)
    assert (row["ConsoleLogin"], row["Description"]) == (0, "Stops itself.")
    assert cloud("DescribeRoleList", Page=2, Rp=200)["List"] == []
    (held,) = cloud("ListAttachedRolePolicies", Page=1, Rp=200, RoleId=role)["List"]
    # The provider takes all of these for given, and would end with a crash without one.
    assert (held["PolicyId"], held["PolicyName"], held["PolicyType"], held["CreateMode"]) == (made, "stop", "User", 2)
    assert held["AddTime"]
    found = cloud("GetPolicy", PolicyId=made)
    assert (found["PolicyName"], found["PolicyDocument"], found["Type"]) == ("stop", '{"version": "2.0"}', 1)


def test_a_role_of_cam_is_tagged_in_no_region(tencent: tuple[Tencent, Any]) -> None:
    from tencentcloud.tag.v20180813 import models as tag

    cloud, __ = tencent
    role, __ = allowed(cloud)
    asked = tag.ModifyResourceTagsRequest()
    tags = [{"TagKey": "stack", "TagValue": "t4"}]
    asked.from_json_string(json.dumps({"Resource": f"qcs::cam::uin/:role/{role}", "ReplaceTags": tags}))
    cloud.tag.ModifyResourceTags(asked)
    read = tag.DescribeResourceTagsByResourceIdsRequest()
    wanted = {"ServiceType": "cam", "ResourcePrefix": "role", "ResourceIds": [role], "ResourceRegion": ""}
    read.from_json_string(json.dumps(wanted))
    (row,) = cloud.tag.DescribeResourceTagsByResourceIds(read).Tags
    assert (row.TagKey, row.TagValue) == ("stack", "t4")


def test_a_role_of_cam_is_changed_and_goes_away(tencent: tuple[Tencent, Any]) -> None:
    cloud, __ = tencent
    role, made = allowed(cloud)
    cloud("UpdateRoleDescription", RoleId=role, Description="Another.")
    cloud("UpdateAssumeRolePolicy", RoleId=role, PolicyDocument="{}")
    cloud("UpdatePolicy", PolicyId=made, PolicyDocument='{"n": 2}')
    (row,) = cloud("DescribeRoleList", Page=1, Rp=200)["List"]
    assert (row["Description"], row["PolicyDocument"]) == ("Another.", "{}")
    assert cloud("GetPolicy", PolicyId=made)["PolicyDocument"] == '{"n": 2}'
    cloud("DetachRolePolicy", DetachRoleId=role, PolicyId=made)
    assert cloud("ListAttachedRolePolicies", Page=1, Rp=200, RoleId=role)["List"] == []
    cloud("DeletePolicy", PolicyId=[made])
    cloud("DeleteRole", RoleId=role)
    assert refused(lambda: cloud("GetPolicy", PolicyId=made)) == "ResourceNotFound.PolicyIdNotFound"
    assert refused(lambda: cloud("ListAttachedRolePolicies", Page=1, Rp=9, RoleId=role)) == (
        "InvalidParameter.RoleNotExist"
    )


@pytest.mark.parametrize(
    ("action", "fields", "code"),
    [
        ("CreateRole", {"RoleName": "stops", "PolicyDocument": TRUST}, "InvalidParameter.RoleNameInUse"),
        ("CreatePolicy", {"PolicyName": "stop", "PolicyDocument": "{}"}, "FailedOperation.PolicyNameInUse"),
        ("AttachRolePolicy", {"AttachRoleId": "0", "PolicyId": 1}, "InvalidParameter.RoleNotExist"),
    ],
)
def test_cam_refuses_with_its_own_codes(tencent: tuple[Tencent, Any], action: str, fields: Fields, code: str) -> None:
    cloud, __ = tencent
    allowed(cloud)
    assert refused(lambda: cloud(action, **fields)) == code
