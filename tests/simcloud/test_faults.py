from __future__ import annotations

import time
from pathlib import Path

import pytest

from pulumi_llm._simcloud import faults
from pulumi_llm._simcloud.rules.base import CloudError
from pulumi_llm._simcloud.store import open_store
from pulumi_llm.errors import Refusal

from .conftest import Cloud, cloud

VPC = "aws:ec2/vpc:Vpc"


def test_all_specs_are_read() -> None:
    found = faults.parse(
        "no-stock:us-east-1a; quota:* ;slow-create:2.5:ec2/instance;fail-delete:vpc;denied:getImages"
        ";image-date:20270131"
    )
    assert found.no_stock("g4dn.xlarge", "us-east-1a")
    assert not found.no_stock("g4dn.xlarge", "us-east-1b")
    assert found.over_quota("anything")
    assert found.slowness("aws:ec2/instance:Instance") == 2.5
    assert found.slowness(VPC) == 0
    assert found.failing_delete(VPC) is not None
    assert found.denied("alicloud:ecs/getImages:getImages")
    assert not found.denied("alicloud:ecs/getInstances:getInstances")
    assert found.image_date == "20270131"


def test_nothing_asked_for_is_nothing() -> None:
    found = faults.parse("")
    assert found.faults == ()
    assert found.image_date is None


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("no-stok:*", "did you mean no-stock?"),
        ("no-stock", "it does not say what it is about"),
        ("slow-create:soon", "'soon' is not a number of seconds"),
        ("image-date:20271301", "'20271301' is not a date"),
        ("fail-delete:", "fail-delete:<part of a type>[:once]"),
    ],
)
def test_a_malformed_fault_is_refused_with_what_would_work(spec: str, words: str) -> None:
    with pytest.raises(Refusal) as refused:
        faults.parse(spec)
    assert words in str(refused.value)
    assert refused.value.findings[0].code == "sim.unknown-fault"


def test_all_malformed_faults_are_reported_at_once() -> None:
    with pytest.raises(Refusal) as refused:
        faults.parse("no-stok:*;quota:*;image-date:x")
    assert len(refused.value.findings) == 2


def test_a_delete_fails_once_across_processes(tmp_path: Path) -> None:
    clouds: list[Cloud] = [cloud("aws", open_store(tmp_path), faults="fail-delete:vpc:once") for _ in range(2)]
    made = clouds[0].make(VPC, cidrBlock="10.0.0.0/16")
    with pytest.raises(CloudError, match="InternalError"):
        clouds[0].delete(made)
    clouds[1].delete(made)
    assert clouds[1].store.everything() == []


@pytest.mark.parametrize(
    ("package", "token", "given", "words"),
    [
        ("alicloud", "alicloud:ecs/ecsKeyPair:EcsKeyPair", {"keyPairName": "mine"}, "Code: ServiceUnavailable"),
        ("tencentcloud", "tencentcloud:Security/group:Group", {"name": "g"}, "Code=InternalError,"),
    ],
)
def test_a_failing_delete_is_worded_as_the_cloud_words_it(
    package: str, token: str, given: dict[str, str], words: str
) -> None:
    broken = cloud(package, faults="fail-delete:Key;fail-delete:Group")
    made = broken.make(token, **given)
    for _ in range(2):
        with pytest.raises(CloudError, match=words):
            broken.delete(made)


def test_a_slow_create_takes_its_time_after_the_cloud_has_accepted_it() -> None:
    slow = cloud("aws", faults="slow-create:0.2:vpc")
    start = time.monotonic()
    slow.make(VPC, cidrBlock="10.0.0.0/16")
    assert time.monotonic() - start >= 0.2


@pytest.mark.parametrize(
    ("package", "token", "words"),
    [
        ("aws", "aws:ec2/eip:Eip", "AddressLimitExceeded"),
        ("alicloud", "alicloud:ecs/eipAddress:EipAddress", "QuotaExceeded.Eip"),
        ("tencentcloud", "tencentcloud:Eip/instance:Instance", "AddressQuotaLimitExceeded"),
    ],
)
def test_the_quota_of_addresses_can_be_exceeded(package: str, token: str, words: str) -> None:
    assert words in cloud(package, faults="quota:eip").refuses(token)
