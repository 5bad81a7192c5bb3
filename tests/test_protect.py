"""`protect`: data disks are kept where the author says so, on each cloud, and whoever has decided is not reminded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pulumi_llm as llm
from pulumi_llm import spec
from pulumi_llm._arguments import checked
from pulumi_llm._plan.capture import capture_stack
from pulumi_llm._plan.model import Plan
from pulumi_llm._review import policy
from pulumi_llm._review.impact import role_of
from pulumi_llm.errors import Refusal
from tests.review.cases import CLOUDS, Platform, project, setting, stack_of

CODE = "policy.disk-not-protected"


def planned(folder: Path, cloud: str, edit: Callable[[Platform, str], None]) -> Plan:
    return capture_stack(project(folder, cloud, edit), stack_of(cloud))


def undecided(platform: Platform, cloud: str) -> None:
    platform.pop("protect", None)


def own_store(platform: Platform, cloud: str) -> None:
    platform["vectors"] = {"placement": "own", "memory_gib": 2}
    platform["protect"] = True


def protected(plan: Plan) -> dict[str, bool]:
    return {each.name: each.protect for each in plan.resources if role_of(each) == "disk"}


@pytest.mark.parametrize("cloud", CLOUDS)
def test_every_data_disk_is_protected_where_that_is_said_and_nothing_else_is(tmp_path: Path, cloud: str) -> None:
    plan = planned(tmp_path, cloud, own_store)
    assert protected(plan) == {"llm-server-disk": True, "llm-proxy-disk": True, "llm-vectors-disk": True}
    assert [each.name for each in plan.resources if each.protect and role_of(each) != "disk"] == []
    assert CODE not in {each.code for each in policy.check(plan)}


@pytest.mark.parametrize("cloud", CLOUDS)
def test_who_says_false_is_not_reminded(tmp_path: Path, cloud: str) -> None:
    plan = planned(tmp_path, cloud, setting("protect", False))
    assert set(protected(plan).values()) == {False}
    assert CODE not in {each.code for each in policy.check(plan)}


@pytest.mark.parametrize("cloud", CLOUDS)
def test_who_says_nothing_is_reminded_of_each_disk_with_the_key_that_answers(tmp_path: Path, cloud: str) -> None:
    plan = planned(tmp_path, cloud, undecided)
    assert set(protected(plan).values()) == {False}
    found = [each for each in policy.check(plan) if each.code == CODE]
    assert [each.where for each in found] == ["llm-proxy-disk", "llm-server-disk"]
    assert all("`protect: true`" in each.hint and "`protect: false`" in each.hint for each in found)


@pytest.mark.parametrize("value", ["yes", "false", 1])
def test_protect_is_true_or_false(value: Any) -> None:
    for component in (llm.ModelServer, llm.VectorStore, llm.OverseasProxy):
        arguments = getattr(llm, f"{component.__name__}Args")
        given: Any = {"protect": value}
        found = {(each.where, each.code) for each in checked(given, arguments).findings}
        assert ("protect", "spec.wrong-type") in found
    content = {"server": {}, "access": {}, "protect": value}
    with pytest.raises(Refusal) as refused:
        spec.parse(spec.PlatformSpec, content)
    assert "protect" in {each.where for each in refused.value.findings}
