"""What no client of the clouds would send is refused, never dropped."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from pulumi_llm._rehearsal.server import serving
from pulumi_llm._simcloud.store import Store
from pulumi_llm.clouds.aliyun.wire import FACE as ALIYUN
from pulumi_llm.clouds.aliyun.wire import PROTOCOL as ALIYUN_PROTOCOL
from pulumi_llm.clouds.aws.wire import FACE as AWS
from pulumi_llm.clouds.aws.wire import PROTOCOL as AWS_PROTOCOL
from pulumi_llm.clouds.tencent.wire import FACE as TENCENT
from pulumi_llm.clouds.tencent.wire import PROTOCOL as TENCENT_PROTOCOL

TC3 = {"Authorization": "TC3-HMAC-SHA256 Credential=id/2026-11-28/{}/tc3_request, SignedHeaders=host, Signature=0"}


def _said(port: int, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> str:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, headers or {}, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        return error.read().decode()


def _ask(port: int, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_said(port, path, body, headers))
    return found


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "InvalidVersion"),
        ("Version=2016-04-28", "InvalidVersion"),
        ("Version=2016-04-28&Action=AssociateEipAddress", "InvalidParameter"),
        ("Version=2016-04-28&Action=CreateVpc&Tag.1=x", "InvalidParameter"),
        ("Version=2016-04-28&Action=CreateVpc&Tag=x&Tag.1.Key=y", "InvalidParameter"),
        ("Version=2014-05-26&Action=DescribeDisks&PageNumber=x", "InvalidParameter"),
        ("Version=2014-05-26&Action=DescribeInstances&InstanceIds=x", "InvalidParameter"),
        ("Version=2014-05-26&Action=RunInstances&SystemDisk.Size=x", "InvalidParameter"),
        ("Version=2014-05-26&Action=RunInstances", "InvalidVSwitchId.NotFound"),
    ],
)
def test_a_malformed_call_of_aliyun_is_refused_with_a_code(query: str, code: str) -> None:
    with serving(ALIYUN(Store(None), region="cn-hangzhou"), ALIYUN_PROTOCOL) as port:
        assert _ask(port, f"/?{query}")["Code"] == code


@pytest.mark.parametrize(
    ("service", "action", "body", "code"),
    [
        ("vpc", "", "{}", "AuthFailure.InvalidAuthorization"),
        ("vpc", "CreateVpc", "[]", "InvalidRequest"),
        ("vpc", "CreateVpc", "{", "InvalidRequest"),
        ("vpc", "CreateVpc", "{}", "InvalidParameter"),
        ("vpc", "DescribeVpcs", '{"Filters": [1]}', "InvalidParameter"),
        ("cbs", "CreateDisks", "{}", "InvalidParameter"),
        ("cvm", "RunInstances", '{"Placement": "x"}', "InvalidParameter"),
        ("tag", "ModifyResourceTags", "{}", "InvalidParameterValue.ResourceDescriptionError"),
    ],
)
def test_a_malformed_call_of_tencent_is_refused_with_a_code(service: str, action: str, body: str, code: str) -> None:
    headers = {"Authorization": TC3["Authorization"].format(service), "X-TC-Action": action}
    with serving(TENCENT(Store(None), region="ap-shanghai"), TENCENT_PROTOCOL) as port:
        answer = _ask(port, "/", body.encode(), headers)
    assert answer["Response"]["Error"]["Code"] == code


@pytest.mark.parametrize(
    ("service", "path", "body", "code"),
    [
        ("ec2", "/", "", "InvalidAction"),
        ("ec2", "/", "Action=RunInstances&Version=2016-11-15", "VPCIdNotSpecified"),
        ("ec2", "/", "Action=RunInstances&BlockDeviceMapping.1.Ebs.VolumeSize=x", "InvalidParameterValue"),
        ("ec2", "/", "Action=CreateVpc&Version=2016-11-15", "InvalidParameterValue"),
        ("ec2", "/", "Action=TerminateInstances&InstanceId.1=x", "InvalidInstanceID.NotFound"),
        ("route53", "/nowhere", "", "UnknownOperationException"),
        ("route53", "/2013-04-01/hostedzone/Z1/rrset", "<", "InvalidInput"),
        ("nosuch", "/", "", "UnknownOperationException"),
        ("ssm", "/", "[]", "SerializationException"),
        ("ssm", "/", "{}", "InvalidAction"),
    ],
)
def test_a_malformed_call_of_aws_is_refused_with_a_code(service: str, path: str, body: str, code: str) -> None:
    signed = f"AWS4-HMAC-SHA256 Credential=id/20261128/us-east-1/{service}/aws4_request, Signature=0"
    headers = {"Authorization": signed, "Content-Type": "application/x-www-form-urlencoded"}
    with serving(AWS(Store(None)), AWS_PROTOCOL) as port:
        said = _said(port, path, body.encode(), headers)
    assert f"<Code>{code}</Code>" in said or f'"{code}"' in said


def test_a_call_of_aws_that_nobody_signed_is_refused() -> None:
    with serving(AWS(Store(None)), AWS_PROTOCOL) as port:
        assert "<Code>MissingAuthenticationToken</Code>" in _said(port, "/")


def test_a_body_that_is_too_long_is_not_read() -> None:
    with serving(ALIYUN(Store(None)), ALIYUN_PROTOCOL) as port:
        request = urllib.request.Request(f"http://127.0.0.1:{port}/", b"", {"Content-Length": str(1 << 30)})
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request, timeout=10)
    assert caught.value.code == 413
