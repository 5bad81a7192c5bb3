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
from pulumi_llm.clouds.tencent.wire import FACE as TENCENT
from pulumi_llm.clouds.tencent.wire import PROTOCOL as TENCENT_PROTOCOL

TC3 = {"Authorization": "TC3-HMAC-SHA256 Credential=id/2026-11-28/{}/tc3_request, SignedHeaders=host, Signature=0"}


def _ask(port: int, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> dict[str, Any]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, headers or {}, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
    except urllib.error.HTTPError as error:
        found = json.load(error)
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


def test_a_body_that_is_too_long_is_not_read() -> None:
    with serving(ALIYUN(Store(None)), ALIYUN_PROTOCOL) as port:
        request = urllib.request.Request(f"http://127.0.0.1:{port}/", b"", {"Content-Length": str(1 << 30)})
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request, timeout=10)
    assert caught.value.code == 413
