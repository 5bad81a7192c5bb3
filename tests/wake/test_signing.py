"""A start is signed as each cloud's own SDK signs it."""

from __future__ import annotations

import datetime
import time
from typing import Any

import pytest

from tests.leave.test_signing import NOW, header, lent


def test_aws_is_signed_as_botocore_signs(node: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore import auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    ours = node.clouds.aws(lent(node), "us-east-1", "i-2", NOW, "Start")
    monkeypatch.setattr(auth, "get_current_datetime", lambda: datetime.datetime.fromtimestamp(NOW, datetime.UTC))
    kind = {"content-type": header(ours, "content-type")}
    theirs = AWSRequest(method="POST", url=ours.full_url, data=ours.data, headers=kind)
    auth.SigV4Auth(Credentials("AKIDexample", "secret/+=Example", "token/+=="), "ec2", "us-east-1").add_auth(theirs)
    assert header(ours, "authorization") == theirs.headers["authorization"]
    assert ours.data == b"Action=StartInstances&InstanceId.1=i-2&Version=2016-11-15"


def test_tencent_is_signed_as_its_sdk_signs(node: Any) -> None:
    from tencentcloud.common.credential import Credential
    from tencentcloud.common.http.request import RequestInternal
    from tencentcloud.cvm.v20170312.cvm_client import CvmClient
    from tencentcloud.cvm.v20170312.models import StartInstancesRequest

    ours = node.clouds.tencent(lent(node), "ap-guangzhou", "ins-2", NOW, "Start")
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
    assert header(ours, "x-tc-action") == "StartInstances"
    wanted = StartInstancesRequest()
    wanted.InstanceIds = ["ins-2"]
    assert ours.data.decode() == wanted.to_json_string()


def test_aliyun_is_signed_as_its_sdk_signs(node: Any) -> None:
    from alibabacloud_ecs20140526.models import StartInstanceRequest
    from alibabacloud_tea_openapi.utils import Utils
    from darabonba.request import DaraRequest

    ours = node.clouds.aliyun(lent(node), "cn-hangzhou", "i-2", NOW, "Start")
    theirs = DaraRequest()
    theirs.method, theirs.pathname = "POST", "/"
    theirs.query = StartInstanceRequest(instance_id="i-2").to_map()
    assert theirs.query == {"InstanceId": "i-2"}
    left_out = ("authorization", "content-length", "content-type")
    theirs.headers = {name.lower(): value for name, value in ours.header_items() if name.lower() not in left_out}
    expected = Utils.get_authorization(
        theirs, "ACS3-HMAC-SHA256", header(ours, "x-acs-content-sha256"), "AKIDexample", "secret/+=Example"
    )
    assert header(ours, "authorization") == expected
    assert header(ours, "x-acs-action") == "StartInstance"
