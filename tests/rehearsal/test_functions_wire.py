"""The functions that start machines, at the wire of SCF, spoken to by Tencent Cloud's own SDK."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from pulumi_llm._rehearsal import policy
from pulumi_llm._rehearsal.server import serving
from pulumi_llm._simcloud.store import Store
from pulumi_llm.clouds import functions
from pulumi_llm.clouds.tencent import starts
from pulumi_llm.clouds.tencent.wire import FACE, PROTOCOL

pytest.importorskip("tencentcloud.scf", reason="the wire is spoken to by Tencent Cloud's own SCF client")

from tencentcloud.cam.v20190116 import models as cam
from tencentcloud.cam.v20190116.cam_client import CamClient
from tencentcloud.common.credential import Credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.scf.v20180416 import errorcodes, models
from tencentcloud.scf.v20180416.scf_client import ScfClient
from tencentcloud.tag.v20180813 import models as tag
from tencentcloud.tag.v20180813.tag_client import TagClient

Fields = dict[str, Any]
NAME = {"FunctionName": "starts", "Namespace": "default"}
ONE = {
    **NAME,
    "Handler": functions.HANDLER,
    "Runtime": starts.RUNTIME,
    "Description": functions.ABOUT,
    "MemorySize": functions.MEMORY_MIB,
    "Timeout": functions.SECONDS,
    "Role": "starter",
    "Type": "Event",
    "Code": {"ZipFile": functions.code_text()},
    "Environment": {"Variables": [{"Key": functions.VARIABLE, "Value": "{}"}]},
    "PublicNetConfig": {"PublicNetStatus": "ENABLE", "EipConfig": {"EipStatus": "DISABLE"}},
    "Tags": [{"Key": "stack", "Value": "t4"}],
}
TIMER = {**NAME, "TriggerName": "begins", "Type": "timer", "TriggerDesc": "0 0,30 * * * * *", "Enable": "OPEN"}


class Cloud:
    def __init__(self, port: int) -> None:
        profile = ClientProfile(httpProfile=HttpProfile(protocol="http", endpoint=f"127.0.0.1:{port}"))
        account = Credential("id", "never-sent")
        self.scf, self.cam = ScfClient(account, "ap-shanghai", profile), CamClient(account, "ap-shanghai", profile)
        self.tag = TagClient(account, "ap-shanghai", profile)

    def __call__(self, action: str, fields: Fields, client: Any = None, of: Any = models) -> Any:
        asked = getattr(of, f"{action}Request")()
        asked.from_json_string(json.dumps(fields))
        return json.loads(getattr(client or self.scf, action)(asked).to_json_string())

    def refused(self, action: str, fields: Fields) -> str:
        with pytest.raises(TencentCloudSDKException) as caught:
            self(action, fields)
        return str(caught.value.code)


def opened(pace: float = 0) -> Any:
    return serving(FACE(Store(None), pace=pace, region="ap-shanghai"), PROTOCOL)


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with opened() as port:
        made = Cloud(port)
        trusted(made)
        yield made


def trusted(cloud: Cloud) -> None:
    cloud("CreateRole", {"RoleName": "starter", "PolicyDocument": starts.trust()}, cloud.cam, cam)


def test_a_function_is_read_as_it_was_made(cloud: Cloud) -> None:
    cloud("CreateFunction", ONE)
    cloud("CreateTrigger", TIMER)
    found = cloud("GetFunction", NAME)
    asked = {key: ONE[key] for key in ("Handler", "Runtime", "Description", "MemorySize", "Timeout", "Role", "Type")}
    assert {key: found[key] for key in asked} == asked
    assert found["Environment"]["Variables"] == [{"Key": functions.VARIABLE, "Value": "{}"}]
    assert found["PublicNetConfig"]["PublicNetStatus"] == "ENABLE"
    assert found["Tags"] == [{"Key": "stack", "Value": "t4"}]
    assert found["CodeSize"] == len(base64.b64decode(functions.code_text()))
    (timer,) = found["Triggers"]
    assert (timer["TriggerName"], timer["Enable"]) == ("begins", 1)
    assert json.loads(timer["TriggerDesc"]) == {"cron": "0 0,30 * * * * *"}


def test_a_function_is_not_ready_at_once_and_takes_no_trigger_before() -> None:
    with opened(pace=3600) as port:
        cloud = Cloud(port)
        trusted(cloud)
        cloud("CreateFunction", ONE)
        assert cloud("GetFunction", NAME)["Status"] == "Creating"
        assert cloud.refused("CreateTrigger", TIMER) == "FailedOperation.FunctionStatusError"


def test_settings_code_and_tags_are_changed_and_the_rest_stays(cloud: Cloud) -> None:
    cloud("CreateFunction", ONE)
    variables = [{"Key": functions.VARIABLE, "Value": "another"}]
    cloud("UpdateFunctionConfiguration", {**NAME, "Environment": {"Variables": variables}, "Timeout": 60})
    cloud("UpdateFunctionCode", {**NAME, "Handler": functions.HANDLER, "Code": ONE["Code"]})
    change: Fields = {"Resource": "qcs::scf:ap-shanghai:uin/:namespace/default/function/starts"}
    change |= {"ReplaceTags": [{"TagKey": "team", "TagValue": "llm"}], "DeleteTags": [{"TagKey": "stack"}]}
    cloud("ModifyResourceTags", change, cloud.tag, tag)
    found = cloud("GetFunction", NAME)
    assert (found["Environment"]["Variables"], found["Timeout"], found["Role"]) == (variables, 60, "starter")
    assert found["Tags"] == [{"Key": "team", "Value": "llm"}]
    cloud("UpdateFunctionConfiguration", {**NAME, "Environment": {"Variables": [{"Key": "", "Value": ""}]}})
    assert cloud("GetFunction", NAME)["Environment"]["Variables"] == []


def test_another_timer_takes_the_place_of_the_first_and_both_go_with_the_function(cloud: Cloud) -> None:
    cloud("CreateFunction", ONE)
    cloud("CreateTrigger", TIMER)
    gone = {key: TIMER[key] for key in ("FunctionName", "Namespace", "TriggerName", "Type", "TriggerDesc")}
    cloud("DeleteTrigger", gone)
    assert cloud.refused("DeleteTrigger", gone) == "ResourceNotFound.Trigger"
    cloud("CreateTrigger", {**TIMER, "TriggerDesc": "0 15 * * * * *"})
    (timer,) = cloud("GetFunction", NAME)["Triggers"]
    assert json.loads(timer["TriggerDesc"]) == {"cron": "0 15 * * * * *"}
    cloud("DeleteFunction", NAME)
    assert cloud.refused("GetFunction", NAME) == "ResourceNotFound.Function"


MADE = [
    ("CreateFunction", ONE, "ResourceInUse.FunctionName"),
    ("CreateFunction", {**ONE, "FunctionName": "other", "Role": "nobody"}, "ResourceNotFound.Role"),
    ("CreateFunction", {**ONE, "FunctionName": "other", "Code": {"ZipFile": "eA=="}}, "InvalidParameterValue.Code"),
    ("CreateFunction", {**ONE, "FunctionName": "other", "Code": {}}, "InvalidParameterValue.Code"),
    ("CreateFunction", {**ONE, "FunctionName": "other", "Handler": "x.y"}, "InvalidParameterValue.Handler"),
    (
        "CreateFunction",
        {**ONE, "FunctionName": "other", "PublicNetConfig": {"PublicNetStatus": "DISABLE"}},
        "InvalidParameterValue.PublicNetConfig",
    ),
    ("UpdateFunctionConfiguration", {**NAME, "Runtime": "Python3.9"}, "InvalidParameterValue.Runtime"),
    ("CreateTrigger", {**TIMER, "TriggerName": "x", "TriggerDesc": "every hour"}, "InvalidParameterValue.TriggerDesc"),
    ("CreateTrigger", TIMER, "ResourceInUse.Trigger"),
    ("CreateTrigger", {**TIMER, "FunctionName": "nothing"}, "ResourceNotFound.Function"),
    ("DeleteFunction", {**NAME, "FunctionName": "nothing"}, "ResourceNotFound.Function"),
]


@pytest.mark.parametrize(("action", "fields", "code"), MADE, ids=[f"{each[0]}-{each[2]}" for each in MADE])
def test_scf_refuses_with_codes_that_its_sdk_lists(cloud: Cloud, action: str, fields: Fields, code: str) -> None:
    cloud("CreateFunction", ONE)
    cloud("CreateTrigger", TIMER)
    assert cloud.refused(action, fields) == code
    assert code in vars(errorcodes).values()


def test_the_printed_policy_has_the_right_to_hand_the_role_over() -> None:
    face = FACE(Store(None), pace=0, region="ap-shanghai")
    with serving(face, PROTOCOL) as port:
        cloud = Cloud(port)
        trusted(cloud)
        cloud("CreateFunction", ONE)
    (statement,) = policy.least(face.package, face.record.calls)["statement"]
    assert statement["action"] == ["cam:CreateRole", "cam:PassRole", "scf:CreateFunction"]
