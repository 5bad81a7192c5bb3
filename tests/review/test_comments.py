"""Golden comments: a change that everybody makes some day, on each cloud, with what it does there."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from pulumi_llm import catalog
from pulumi_llm._plan.comparison import Comparison
from pulumi_llm._plan.model import Plan
from pulumi_llm._review.comment import render
from pulumi_llm._review.stack_review import StackReview, review
from pulumi_llm._simcloud.faults import VARIABLE
from pulumi_llm.errors import Finding
from pulumi_llm.roles import registry
from tests.review.cases import (
    CASES,
    CLOUDS,
    PROXIES,
    PROXY_CASES,
    TPU_CASES,
    TPUS,
    Case,
    Platform,
    base,
    case_on,
    compared,
    setting,
)

TODAY = date(2026, 11, 25)


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Plan]:
    """What stands on a cloud before any change, captured once."""
    found: dict[str, Plan] = {}

    def of(cloud: str) -> Plan:
        if cloud not in found:
            found[cloud] = base(tmp_path_factory.mktemp(cloud), cloud)
        return found[cloud]

    return of


@pytest.fixture
def compare(
    standing: Callable[[str], Plan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Case, str], Comparison]:
    def run(case: Case, cloud: str) -> Comparison:
        before = standing(cloud)
        with monkeypatch.context() as patch:
            patch.setenv(VARIABLE, case.faults)
            if case.vllm:
                pins = registry.role("vllm").manifest.install.environments
                newer = {"version": case.vllm, "requirement": f"vllm=={case.vllm}"}
                patch.setitem(pins, "vllm", replace(pins["vllm"], **newer))
            return compared(tmp_path, cloud, before, case.edit)

    return run


def reviewed(comparison: Comparison) -> StackReview:
    return review(comparison, catalog.load(), today=TODAY, environment={})


@pytest.mark.parametrize(
    ("name", "cloud"),
    [
        (name, cloud)
        for cases, clouds in ((CASES, CLOUDS), (PROXY_CASES, PROXIES), (TPU_CASES, TPUS))
        for name in cases
        for cloud in clouds
        if cloud not in cases[name].refused_on
    ],
)
def test_a_change_is_told_with_its_impact_on_that_cloud(
    name: str,
    cloud: str,
    compare: Callable[[Case, str], Comparison],
    golden: Callable[[Path, str], None],
) -> None:
    case = case_on(name, cloud)
    found = reviewed(compare(case, cloud))
    worst = found.changes.worst.code if found.changes.worst else "in-place" if found.opened else None
    text = render([found])
    golden(Path("comments") / cloud / f"{name}.md", text)
    assert worst == case.worst_on(cloud)
    for each in case.words:
        assert each in text


def test_of_an_input_that_is_ignored_in_part_the_rest_is_told_with_what_it_does(
    compare: Callable[[Case, str], Comparison],
) -> None:
    """The image in a boot disk of Google's is ignored, and its size is not; the same with a machine's metadata."""

    def edit(platform: Platform, cloud: str) -> None:
        for key in ("system_disk_gib", "disk_gib"):  # the second is among the boot instructions
            setting(f"proxy.{key}", 60)(platform, cloud)

    text = render([reviewed(compare(Case(edit, "in-place"), "gcp-proxy"))])
    (size,) = [line for line in text.splitlines() if "`bootDisk.initializeParams.size`: `40` → `60`" in line]
    assert "in place" in size
    (boot,) = [line for line in text.splitlines() if "`metadata.user-data`" in line]
    assert "no effect until re-created" in boot


@pytest.mark.parametrize("name", ["gpu", "region"])
def test_the_chinese_comment_says_the_same_in_chinese(
    name: str, compare: Callable[[Case, str], Comparison], golden: Callable[[Path, str], None]
) -> None:
    found = reviewed(compare(CASES[name], "aliyun"))
    text = render([found], "zh")
    golden(Path("comments") / "aliyun" / f"{name}.zh.md", text)
    english = render([found])
    assert re.findall(r"`[^`\n]+`", text)  # names and values are the same in both
    assert sorted(set(re.findall(r"`llm-[^`\n]+`", text))) == sorted(set(re.findall(r"`llm-[^`\n]+`", english)))


def test_nothing_changed_is_one_line(compare: Callable[[Case, str], Comparison]) -> None:
    found = reviewed(compare(Case(lambda platform, cloud: None, ""), "aws"))
    assert not found.changed
    text = render([found])
    assert "No change." in text
    assert "###" not in text


@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_error_is_named_also_where_nothing_changed(language: str) -> None:
    wrong = Finding("policy.plain-secret", "secretId of the provider is in plain text", "mark it as a secret")
    small = Finding("bill.price-old", "the price is old", severity="warning")
    text = render([StackReview("dev", findings=[wrong, small]), StackReview("prod", findings=[small])], language)
    assert "`policy.plain-secret`" in text
    assert wrong.message in text
    assert "`dev`" in text.split("###")[1]
    assert text.count("###") == 1, "a warning alone opens nothing"


def test_an_error_that_does_not_fit_is_named_by_its_code() -> None:
    many = [Finding(f"policy.number-{number}", "x" * 900) for number in range(75)]
    text = render([StackReview("dev", findings=many)])
    assert all(f"policy.number-{number}" in text for number in range(len(many)))
