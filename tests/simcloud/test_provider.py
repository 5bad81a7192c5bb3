from __future__ import annotations

from typing import Any

import pytest

from pulumi_llm._simcloud.rules.base import CloudError
from pulumi_llm._simcloud.simulator import Simulator, for_package
from pulumi_llm._simcloud.store import Store


def problems(package: str, **news: Any) -> list[str]:
    return [each.reason for each in Simulator(package, Store(None)).check_config(news)[1]]


@pytest.mark.parametrize(
    ("package", "region", "words"),
    [
        ("aws", "us-est-1", "invalid AWS Region: us-est-1 (did you mean"),
        ("alicloud", "cn-atlantis", "Invalid Alibaba Cloud region: cn-atlantis. You can skip checking"),
        ("tencentcloud", "ap-atlantis", "Code=UnsupportedRegion"),
    ],
)
def test_a_region_that_is_not_there_is_refused(package: str, region: str, words: str) -> None:
    assert words in problems(package, region=region)[0]
    with pytest.raises(CloudError):
        Simulator(package, Store(None)).configure({"region": region})


def test_aws_needs_a_region_and_takes_it_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    assert "Missing region information" in problems("aws")[0]
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert problems("aws") == []
    simulator = Simulator("aws", Store(None))
    simulator.configure({})
    assert simulator.region == "eu-west-1"


def test_an_unknown_setting_is_refused_with_the_nearest_one() -> None:
    assert "did you mean 'region'" in problems("aws", regoin="us-east-1", region="us-east-1")[0]


def test_settings_that_are_not_strings_come_as_json_and_are_checked() -> None:
    good = {"region": "cn-shanghai", "features": '{"ecsInstance": {"replaceOnImageUpdate": true}}'}
    assert problems("alicloud", **good) == []
    simulator = Simulator("alicloud", Store(None))
    simulator.configure(good)
    assert simulator.config["features"] == {"ecsInstance": {"replaceOnImageUpdate": True}}
    snake = {**good, "features": '{"ecs_instance": {}}'}
    assert "did you mean 'ecsInstance'" in problems("alicloud", **snake)[0]


def test_a_simulator_needs_no_plugin_no_engine_and_no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PULUMI_LLM_SIM_FAULTS", raising=False)
    simulator = for_package("random")
    token = "random:index/randomUuid:RandomUuid"
    inputs, failures = simulator.check(token, f"urn:pulumi:d::p::{token}::n", {}, {})
    assert failures == []
    assert simulator.create(token, f"urn:pulumi:d::p::{token}::n", inputs)[0]
