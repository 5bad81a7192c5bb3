"""A server whose weights are kept in a bucket: its node, its secrets, what is refused, and what bill and status say."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

import pulumi_llm as llm
from pulumi_llm import catalog, spec
from pulumi_llm._commands import _status_text
from pulumi_llm._plan.model import Plan
from pulumi_llm._resolve import resolve_platform
from pulumi_llm._review.bill import Line, make_bill
from pulumi_llm._review.item import Usage
from pulumi_llm.errors import Refusal
from pulumi_llm.preflight import beside
from tests.leave.test_stack import server
from tests.test_components import codes, plan_of, settings

DIGEST = "ab" * 32
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


@pytest.mark.parametrize(
    ("cloud", "weights", "url"),
    [
        ("aliyun", {}, "https://kept.s3.oss-cn-hangzhou-internal.aliyuncs.com"),
        ("aliyun", {"region": "cn-beijing"}, "https://kept.s3.oss-cn-beijing.aliyuncs.com"),
        ("aws", {"region": "cn-beijing"}, "https://kept.s3.oss-cn-beijing.aliyuncs.com"),
        ("tencent", {"bucket": "cos://kept-125/a/b"}, "https://kept-125.cos.ap-guangzhou.myqcloud.com"),
        ("aws", {"bucket": "s3://kept", "endpoint": "http://10.0.0.9:7070"}, "http://10.0.0.9:7070/kept"),
    ],
)
def test_a_machine_with_a_bundle_is_told_the_internal_address_within_a_region_and_no_other_place(
    cloud: str, weights: dict[str, str], url: str
) -> None:
    document = settings(plan_of(llm.ModelServer, with_key(cloud, bundle=DIGEST, **weights)))
    files = {each["path"]: each["content"] for each in document["files"]}
    supply = json.loads(files["/opt/llm/supply.json"])
    assert (supply["depot"]["url"], supply["depot"]["digest"]) == (url, DIGEST)
    assert supply["depot"]["prefix"].endswith("bundles")
    assert supply["bundle"] == "/srv/llm/bundle"
    assert not {"bucket", "weights"} & set(document["stages"])
    assert {"weights_access_key_id", "weights_access_key_secret"} <= set(document["secrets"]["required"])
    assert "never-shown" not in json.dumps(document)


def test_a_data_disk_that_nobody_sized_has_room_for_a_bundle() -> None:
    wanted = {"cloud": "aliyun", "region": "cn-hangzhou", "gpu": "A10", "model": "Qwen/Qwen2.5-7B-Instruct"}
    sizes = []
    for weights in (PLACE, {**PLACE, "bundle": DIGEST}):
        asked = {"server": {**wanted, "weights": weights}, "access": {"allowed_cidrs": ["203.0.113.0/24"]}}
        sizes.append(resolve_platform(asked).server.data_disk_gib)
    plain, bundled = sizes
    assert bundled - plain == beside.BUNDLE_GIB


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
        ("aliyun", {"bundle": "newest"}, "spec.bad-digest"),
    ],
)
def test_what_is_no_bucket_is_refused(cloud: str, weights: dict[str, str], code: str) -> None:
    assert codes(llm.ModelServer, with_key(cloud, **weights)) == [code]


def test_a_stack_asks_for_the_secrets_that_its_bucket_needs() -> None:
    platform = {"server": {"weights": PLACE}}
    assert set(spec.secret_keys_of(platform)) == {"weightsAccessKeyId", "weightsAccessKeySecret"}
    assert spec.secret_keys_of({"server": {}}) == []


def line_of(plan: Plan, slot: str) -> Line:
    bill = make_bill(plan, catalog.load(), Usage(), today=date(2026, 11, 29))
    (line,) = [each for each in bill.lines if each.slot == slot]
    return line


def test_the_bill_has_what_is_known_of_a_bundle() -> None:
    line = line_of(plan_of(llm.ModelServer, with_key(bundle=DIGEST)), "weights")
    assert str(line.what) == "a bundle, 15 GiB at least, in oss://kept/weights"
    assert line.per_month is not None
    assert "images and packages" in str(line.note)


def test_the_bill_has_a_line_for_it_whose_price_is_of_the_clouds_storage() -> None:
    plan = plan_of(llm.ModelServer, with_key())
    line = line_of(plan, "weights")
    assert str(line.what) == "weights, 11.3 GiB, in oss://kept/weights"
    assert (line.cloud, line.region, line.estimate) == ("aliyun", "cn-hangzhou", True)
    assert line.price is not None
    assert (line.price.amount, line.price.unit) == (Decimal("0.12"), "GiB-month")
    assert line.price.source_date == "2026-10-06"
    assert line.per_month is not None
    assert line.per_month.cny == round(Decimal("11.3") * Decimal("0.12"), 2)
    assert "within the region" in str(line.note)
    assert line_of(replace(plan, servers={}), "weights") == line, "the engine's own preview tells the same"


def test_a_bucket_without_a_public_price_is_a_line_that_says_so_and_not_0() -> None:
    elsewhere = line_of(plan_of(llm.ModelServer, with_key(region="cn-chengdu")), "weights")
    assert (elsewhere.region, elsewhere.per_month) == ("cn-chengdu", None)
    assert "no price" in str(elsewhere.unknown)
    own = {"bucket": "s3://kept/weights", "region": "x", "endpoint": "https://s3.example.com"}
    other = line_of(plan_of(llm.ModelServer, with_key(**own)), "weights")
    assert other.per_month is None
    assert "that server" in str(other.unknown)


def test_a_bucket_in_another_cloud_or_region_has_the_price_of_its_own_place() -> None:
    line = line_of(plan_of(llm.ModelServer, with_key(bucket="cos://kept/w", region="ap-shanghai")), "weights")
    assert (line.cloud, line.region) == ("tencent", "ap-shanghai")
    assert line.price is not None
    assert line.price.amount == Decimal("0.118")
    assert "another region" in str(line.note)


@pytest.mark.parametrize(
    ("backup", "gib"),
    [
        ({"to": "oss://copies/a"}, 140),
        ({"to": "oss://copies/a", "keep": 2}, 40),
        ({"to": "./folder"}, 0),
        ({}, 0),
    ],
)
def test_backups_in_a_bucket_are_a_line_of_as_much_as_is_ever_there(backup: dict[str, Any], gib: int) -> None:
    plan = plan_of(llm.ModelServer, server("aliyun", vectors=True, vectors_disk_gib=20, vectors_backup=backup))
    bill = make_bill(plan, catalog.load(), Usage(), today=date(2026, 11, 29))
    found = [each for each in bill.lines if each.slot == "backups"]
    assert [each.quantity for each in found] == ([gib] if gib else [])
    if gib:
        assert found[0].per_month is not None
        assert found[0].per_month.cny == round(Decimal(gib) * Decimal("0.12"), 2)


def test_the_status_says_where_weights_came_from_and_what_is_wrong_with_the_bucket() -> None:
    entry = {"source": "hub", "kept": False, "code": "bucket.refused", "message": "403", "hint": "check the key"}
    document = {"weights": {"bucket": "s3://kept", "models": {"/srv/llm/models/yi": entry}}}
    lines = list(_status_text._kept(document))
    assert lines[0] == "weights yi: from a hub; not kept yet in s3://kept"
    assert lines[1] == "[bucket.refused] 403"
    assert "check the key" in lines[2]
    assert list(_status_text._kept({"weights": {"models": {"x": 1}}})) == []
    assert list(_status_text._kept({})) == []
