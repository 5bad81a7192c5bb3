"""What is signed by hand is signed as each cloud's own SDK signs it."""

from __future__ import annotations

import datetime
import json
import time
from typing import Any

import pytest

from tests.leave.conftest import MACHINE, REGIONS

NOW = 1_801_234_567.0


def lent(node: Any) -> Any:
    return node.signing.Credentials("AKIDexample", "secret/+=Example", "token/+==")


def header(request: Any, name: str) -> str:
    return str({key.lower(): value for key, value in request.header_items()}[name])


def test_aws_is_signed_as_botocore_signs(node: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore import auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    ours = node.clouds.aws(lent(node), "us-east-1", MACHINE, NOW)
    monkeypatch.setattr(auth, "get_current_datetime", lambda: datetime.datetime.fromtimestamp(NOW, datetime.UTC))
    theirs = AWSRequest(
        method="POST", url=ours.full_url, data=ours.data, headers={"content-type": header(ours, "content-type")}
    )
    auth.SigV4Auth(Credentials("AKIDexample", "secret/+=Example", "token/+=="), "ec2", "us-east-1").add_auth(theirs)
    assert ours.host == "ec2.us-east-1.amazonaws.com"
    for name in ("authorization", "x-amz-date", "x-amz-security-token"):
        assert header(ours, name) == theirs.headers[name]


def test_tencent_is_signed_as_its_sdk_signs(node: Any) -> None:
    from tencentcloud.common.credential import Credential
    from tencentcloud.common.http.request import RequestInternal
    from tencentcloud.cvm.v20170312.cvm_client import CvmClient

    ours = node.clouds.tencent(lent(node), "ap-guangzhou", MACHINE, NOW)
    client = CvmClient(Credential("AKIDexample", "secret/+=Example", "token/+=="), "ap-guangzhou")
    request = RequestInternal(header(ours, "host"), "POST", "/")
    request.data = ours.data
    request.header = {
        "Content-Type": header(ours, "content-type"),
        "Host": header(ours, "host"),
        "X-TC-Timestamp": str(int(NOW)),
    }
    day = time.strftime("%Y-%m-%d", time.gmtime(NOW))
    signature = client._get_tc3_signature({}, request, day, "cvm", "secret/+=Example")
    assert header(ours, "authorization").endswith(f"Signature={signature}")
    assert header(ours, "authorization").startswith(f"TC3-HMAC-SHA256 Credential=AKIDexample/{day}/cvm/tc3_request, ")
    assert (header(ours, "x-tc-action"), header(ours, "x-tc-version")) == ("StopInstances", "2017-03-12")
    assert header(ours, "host") == f"cvm.{client._endpoint.split('.', 1)[1]}"


def test_aliyun_is_signed_as_its_sdk_signs(node: Any) -> None:
    from alibabacloud_tea_openapi.utils import Utils
    from darabonba.request import DaraRequest

    ours = node.clouds.aliyun(lent(node), "cn-hangzhou", MACHINE, NOW)
    theirs = DaraRequest()
    theirs.method, theirs.pathname = "POST", "/"
    theirs.query = {"InstanceId": MACHINE, "StoppedMode": "StopCharging"}
    theirs.headers = {
        name.lower(): value
        for name, value in ours.header_items()
        if name.lower() not in ("authorization", "content-length", "content-type")
    }
    expected = Utils.get_authorization(
        theirs, "ACS3-HMAC-SHA256", header(ours, "x-acs-content-sha256"), "AKIDexample", "secret/+=Example"
    )
    assert header(ours, "authorization") == expected


def test_aliyun_is_called_where_its_sdk_calls(node: Any) -> None:
    from alibabacloud_ecs20140526.client import Client
    from alibabacloud_tea_openapi.utils_models import Config

    from pulumi_llm import catalog

    regions = [name for cloud, name in catalog.load().regions if cloud == "aliyun"]
    assert len(regions) > 5
    for region in regions:
        client = Client(Config(access_key_id="x", access_key_secret="x", region_id=region))
        assert node.clouds.aliyun(lent(node), region, MACHINE, NOW).host == client._endpoint, region


@pytest.mark.parametrize("cloud", ["tencent", "aliyun"])
def test_a_stop_asks_for_the_mode_that_ends_the_charge(node: Any, cloud: str) -> None:
    from importlib import import_module

    mode = import_module(f"pulumi_llm.clouds.{cloud}.power").MODE
    request = node.clouds.REQUESTS[cloud](lent(node), REGIONS[cloud], MACHINE, NOW)
    asked = json.loads(request.data) if request.data else {"query": request.full_url}
    assert mode in (asked.get("StoppedMode"), request.full_url.partition("StoppedMode=")[2])
