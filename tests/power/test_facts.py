"""What is known of stopping before a cloud is asked: data files, policies, clouds that know nothing of it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from fnmatch import fnmatchcase
from importlib import import_module
from pathlib import Path

import pytest

from pulumi_llm import catalog, clouds
from pulumi_llm._power import elsewhere, machines
from pulumi_llm._review.table import cost_table
from pulumi_llm.errors import Refusal
from tests.power.conftest import machine_at

CLOUDS = ("aliyun", "aws", "gcp", "tencent")
WITH_POLICIES = ("aliyun", "aws", "tencent")
"""Google Cloud's rights are roles, which the page names."""
PAGE = Path(__file__).parents[2] / "docs" / "real-account.md"


@pytest.mark.parametrize("cloud", WITH_POLICIES)
def test_the_policy_that_a_user_copies_allows_what_stop_and_start_call(cloud: str) -> None:
    blocks = [json.loads(each) for each in re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)]
    statements = [row for block in blocks for row in block.get("Statement", block.get("statement", []))]
    allowed = [one for row in statements for one in row.get("Action", row.get("action"))]
    for action in import_module(f"pulumi_llm.clouds.{cloud}.power").ACTIONS.values():
        assert any(fnmatchcase(action, pattern) for pattern in allowed), action


@pytest.mark.parametrize("cloud", CLOUDS)
def test_each_fact_has_a_source_of_its_file_and_patterns_are_patterns(cloud: str) -> None:
    facts = machines.facts(cloud)
    rows = [each for each in facts.values() if isinstance(each, dict) and "source" in each]
    assert len(rows) >= 5
    assert all(each["source"] in facts["sources"] for each in rows)
    assert all(re.compile(each["pattern"]) for each in rows if "pattern" in each)
    assert facts["type"] in cost_table().rules


@pytest.mark.parametrize(("cloud", "field"), [("aliyun", "MODE"), ("tencent", "MODE")])
def test_the_mode_that_is_asked_for_is_that_of_the_bill(cloud: str, field: str) -> None:
    asked = getattr(import_module(f"pulumi_llm.clouds.{cloud}.power"), field)
    facts = machines.facts(cloud)
    assert asked == facts["mode"] == cost_table().rules[facts["type"]].stop_mode


@pytest.mark.parametrize(("page", "first"), [("user-guide.md", "call"), ("user-guide.zh.md", "调用")])
def test_the_guides_table_of_what_stops_how_has_every_cloud_that_stops(page: str, first: str) -> None:
    head, __, row = re.search(
        rf"(?m)^(\| \| .*)\n(\|[ |-]+)\n(\| {first} .*)$", (PAGE.parent / page).read_text()
    ).groups()  # type: ignore[union-attr]
    assert head.count("|") == row.count("|") == len(CLOUDS) + 2
    assert {
        each for each in clouds.folders() if (clouds.folders()[each].path / "data" / "power.json").is_file()
    } == set(CLOUDS)
    for name in ("AWS", "Google Cloud"):
        assert name in head


def test_a_cloud_that_knows_nothing_of_it_is_told_as_that(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bare = replace(clouds.folders()["aws"], path=tmp_path, _files={})
    monkeypatch.setattr(clouds, "folders", lambda: {"aws": bare})
    with pytest.raises(Refusal) as refused:
        machines.facts("aws")
    assert refused.value.findings[0].code == "power.not-supported"


@pytest.mark.parametrize("cloud", ["aliyun", "aws"])
def test_elsewhere_is_a_type_of_that_zone_with_at_least_as_many_gpus(cloud: str) -> None:
    data = catalog.load()
    machine = machine_at(cloud, "i-1")
    said = elsewhere.advice(machine, data)
    named = [each for each in data.instances if each.cloud == cloud and re.search(rf"\b{each.instance_type} \(", said)]
    assert named
    own = data.instance(cloud, machine.instance_type)
    for each in named:
        assert (each.gpu, each.gpu_count >= own.gpu_count, each.instance_type != own.instance_type) == (
            own.gpu,
            True,
            True,
        )
        zones = each.regions[machine.region]
        assert not zones or machine.zone in zones


def test_where_another_type_has_to_be_of_another_family_and_there_is_none_the_offers_are_pointed_at() -> None:
    said = elsewhere.advice(machine_at("tencent", "ins-1"), catalog.load())
    assert "GN7." not in said
    assert "pulumi-llm offers --cloud tencent --region ap-guangzhou" in said


@pytest.mark.parametrize("other", [{"instance_type": "x9.huge"}, {"region": "xx-nowhere-1"}, {"region": ""}])
def test_for_what_the_catalogue_does_not_have_the_offers_are_pointed_at(other: dict[str, str]) -> None:
    said = elsewhere.advice(machine_at("aws", "i-1", **other), catalog.load())
    assert "pulumi-llm offers --cloud aws" in said


def test_a_machine_without_a_gpu_is_replaced_by_one_of_its_size() -> None:
    said = elsewhere.advice(machine_at("aws", "i-1", instance_type="t3.small", region="us-east-1"), catalog.load())
    assert "per hour)" in said
