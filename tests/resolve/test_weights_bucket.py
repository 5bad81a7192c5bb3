"""A server whose weights are kept in a bucket: its node, its secrets, what is refused, and what bill and status say."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

import pulumi_llm as llm
from pulumi_llm import catalog, spec
from pulumi_llm._commands import _status_text
from pulumi_llm._review.bill import make_bill
from pulumi_llm._review.item import Usage
from pulumi_llm.errors import Refusal
from tests.leave.test_stack import server
from tests.test_components import codes, plan_of, settings

PLACE = {"bucket": "oss://kept/weights"}


def with_key(cloud: str = "aliyun", **weights: Any) -> dict[str, Any]:
    keys = {"weights_access_key_id": "AKID", "weights_access_key_secret": "never-shown"}
    return server(cloud, weights={**PLACE, **weights}, **keys)


@pytest.mark.parametrize(
    ("cloud", "weights", "url", "region"),
    [
        ("aliyun", {}, "https://kept.s3.oss-cn-hangzhou.aliyuncs.com", "cn-hangzhou"),
        ("tencent", {"bucket": "cos://kept-125/a/b"}, "https://kept-125.cos.ap-guangzhou.myqcloud.com", "ap-guangzhou"),
        ("aws", {"bucket": "s3://kept"}, "https://kept.s3.us-east-1.amazonaws.com", "us-east-1"),
        ("aws", {"region": "cn-beijing"}, "https://kept.s3.oss-cn-beijing.aliyuncs.com", "cn-beijing"),
        ("aws", {"bucket": "s3://kept", "endpoint": "http://10.0.0.9:7070"}, "http://10.0.0.9:7070/kept", "us-east-1"),
    ],
)
def test_the_node_is_told_where_the_bucket_is_in_the_servers_region(
    cloud: str, weights: dict[str, str], url: str, region: str
) -> None:
    document = settings(plan_of(llm.ModelServer, with_key(cloud, **weights)))
    files = {each["path"]: each["content"] for each in document["files"]}
    told = json.loads(files["/opt/llm/supply.json"])["bucket"]
    assert (told["url"], told["region"]) == (url, region)
    assert "bucket" in document["stages"]
    assert "weights" not in document["stages"]
    assert "llm_node/backup_send.py" in document["code"]
    assert {"weights_access_key_id", "weights_access_key_secret"} <= set(document["secrets"]["required"])
    assert "never-shown" not in json.dumps(document)


def test_a_server_without_a_bucket_has_nothing_of_it() -> None:
    document = settings(plan_of(llm.ModelServer, server("aliyun")))
    assert "bucket" not in json.dumps([document["stages"], [each["path"] for each in document["files"]]])
    assert "llm_node/bucket.py" not in document["code"]


def test_a_bucket_without_a_key_to_it_is_refused_with_what_to_set() -> None:
    with pytest.raises(Refusal) as caught:
        plan_of(llm.ModelServer, server("aliyun", weights=PLACE))
    (finding,) = caught.value.findings
    assert finding.code == "secret.missing"
    assert "pulumi config set --secret weightsAccessKeySecret" in finding.hint


@pytest.mark.parametrize(
    ("cloud", "weights", "code"),
    [
        ("aliyun", {"bucket": "kept"}, "spec.bad-bucket"),
        ("aliyun", {"bucket": "gs://kept"}, "spec.bad-bucket"),
        ("aliyun", {"endpoint": "kept.example.com"}, "spec.bad-bucket"),
        ("aws", {}, "spec.bucket-region"),
    ],
)
def test_what_is_no_bucket_is_refused(cloud: str, weights: dict[str, str], code: str) -> None:
    assert codes(llm.ModelServer, with_key(cloud, **weights)) == [code]


def test_a_stack_asks_for_the_secrets_that_its_bucket_needs() -> None:
    platform = {"server": {"weights": PLACE}}
    assert set(spec.secret_keys_of(platform)) == {"weightsAccessKeyId", "weightsAccessKeySecret"}
    assert spec.secret_keys_of({"server": {}}) == []


def test_the_bill_has_a_line_for_it_whose_price_is_unknown_and_not_0() -> None:
    plan = plan_of(llm.ModelServer, with_key())
    bill = make_bill(plan, catalog.load(), Usage(), today=date(2026, 11, 29))
    (line,) = [each for each in bill.lines if each.slot == "weights"]
    assert "oss://kept/weights" in str(line.what)
    assert line.per_month is None
    assert line.unknown


def test_the_status_says_where_weights_came_from_and_what_is_wrong_with_the_bucket() -> None:
    entry = {"source": "hub", "kept": False, "code": "bucket.refused", "message": "403", "hint": "check the key"}
    document = {"weights": {"bucket": "s3://kept", "models": {"/srv/llm/models/yi": entry}}}
    lines = list(_status_text._kept(document))
    assert lines[0] == "weights yi: from a hub; not kept yet in s3://kept"
    assert lines[1] == "[bucket.refused] 403"
    assert "check the key" in lines[2]
    assert list(_status_text._kept({"weights": {"models": {"x": 1}}})) == []
    assert list(_status_text._kept({})) == []
