"""The settings file and the exceptions in it."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm._review import policy
from pulumi_llm._review.policy_settings import CONFIG_KEY, FILE
from pulumi_llm.errors import Refusal
from tests.policy.samples import plan_of, resource

OPEN = resource(
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
    {"ipProtocol": "tcp", "fromPort": 443, "toPort": 443, "cidrIpv4": "0.0.0.0/0"},
    name="web-https",
)
TODAY = date(2026, 11, 25)
DOCS = Path(__file__).parents[2] / "docs"


def excepted(**exception: Any) -> policy.Settings:
    return policy.Settings.model_validate({"exceptions": [{"rule": "policy.open-to-world", **exception}]})


def project(folder: Path, file: str | None, config: str = "") -> Path:
    (folder / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    (folder / "Pulumi.dev.yaml").write_text(f"config:\n{config}" if config else "{}\n")
    if file is not None:
        (folder / FILE).write_text(file)
    return folder


def refused(folder: Path, stack: str | None = "dev") -> list[tuple[str, str]]:
    with pytest.raises(Refusal) as caught:
        policy.of_stack(folder, stack)
    return [(each.code, f"{each.where} {each.message} {each.hint}") for each in caught.value.findings]


@pytest.mark.parametrize("pattern", ["web-https", "web-*", "*::web-https", "urn:pulumi:*::shop::*Rule::web-https", "*"])
def test_an_exception_names_resources_by_name_or_urn_and_its_reason_is_shown(pattern: str) -> None:
    settings = excepted(resource=pattern, reason="the shop's front door, ticket SEC-12")
    (found,) = policy.check(plan_of(OPEN), settings, today=TODAY)
    assert found.severity == "info"
    assert "SEC-12" in found.message
    assert "0.0.0.0/0" in found.message


def test_an_exception_for_another_resource_excepts_nothing_and_is_told_as_unused() -> None:
    found = policy.check(plan_of(OPEN), excepted(resource="api-*", reason="the API"), today=TODAY)
    assert [(each.code, each.severity) for each in found] == [
        ("policy.open-to-world", "error"),
        ("policy.exception-unused", "info"),
    ]


@pytest.mark.parametrize(("day", "holds"), [(date(2026, 11, 24), False), (TODAY, True), (date(2027, 1, 1), True)])
def test_an_exception_ends_after_its_day(day: date, holds: bool) -> None:
    found = policy.check(plan_of(OPEN), excepted(reason="until the move", expires=day), today=TODAY)
    by_code = {each.code: each.severity for each in found}
    if holds:
        assert by_code == {"policy.open-to-world": "info"}
    else:
        assert by_code == {"policy.open-to-world": "error", "policy.exception-expired": "warning"}


@pytest.mark.parametrize("page", ["policy.md", "policy.zh.md", "review.md", "review.zh.md"])
def test_the_exceptions_that_the_pages_show_are_read_with_their_day(tmp_path: Path, page: str) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)
    (shown,) = (block for block in blocks if "exceptions:" in block)
    (exception,) = policy.of_stack(project(tmp_path, shown), "dev").exceptions
    assert exception.expires is not None
    assert f"expires: {exception.expires}\n" in shown


@pytest.mark.parametrize("day", ["2027-03-31", '"2027-03-31"'])
def test_the_day_of_an_exception_may_stand_in_quotes_or_not(tmp_path: Path, day: str) -> None:
    rules = f"{{rule: policy.open-to-world, reason: moving, expires: {day}}}"
    file = project(tmp_path, f"exceptions: [{rules}]\n", f"  {CONFIG_KEY}: {{exceptions: [{rules}]}}\n")
    assert policy.of_stack(file, "dev").exceptions[0].expires == date(2027, 3, 31)
    (tmp_path / FILE).unlink()
    assert policy.of_stack(file, "dev").exceptions[0].expires == date(2027, 3, 31)


def test_an_exception_without_a_reason_is_refused(tmp_path: Path) -> None:
    folder = project(tmp_path, "exceptions: [{rule: policy.open-to-world}, {rule: policy.no-firewall, reason: ''}]\n")
    assert [code for code, _ in refused(folder)] == ["spec.missing-key", "spec.bad-text"]


def test_a_severity_can_be_changed() -> None:
    settings = policy.Settings.model_validate({"severity": {"policy.open-to-world": "warning"}})
    (found,) = policy.check(plan_of(OPEN), settings)
    assert found.severity == "warning"


def test_the_worst_is_told_first() -> None:
    disk = resource("aws:ebs/volume:Volume", {"encrypted": True}, name="a")
    assert [each.severity for each in policy.check(plan_of(disk, OPEN))] == ["error", "warning"]


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    assert policy.of_stack(project(tmp_path, None), "dev") == policy.Settings()


def test_an_empty_file_is_no_mistake(tmp_path: Path) -> None:
    assert policy.of_stack(project(tmp_path, "# nothing yet\n"), "dev") == policy.Settings()


def test_a_stacks_configuration_comes_over_the_file(tmp_path: Path) -> None:
    config = f"  {CONFIG_KEY}:\n    required_tags: [owner]\n"
    folder = project(tmp_path, "required_tags: [team]\nbudget: {per_month: 100}\n", config)
    assert policy.of_stack(folder).required_tags == ("team",)
    settings = policy.of_stack(folder, "dev")
    assert settings.required_tags == ("owner",)
    assert settings.budget is not None


def test_a_configuration_that_was_set_as_text_is_read_too(tmp_path: Path) -> None:
    folder = project(tmp_path, None, f'  {CONFIG_KEY}: \'{{"required_tags": ["owner"]}}\'\n')
    assert policy.of_stack(folder, "dev").required_tags == ("owner",)


def test_every_mistake_in_a_file_is_told_at_once_with_what_was_meant(tmp_path: Path) -> None:
    file = """\
required_tag: [team]
allowed_regions: {azure: [westeurope]}
budget: {per_month: -1}
severity: {policy.open-to-wrold: warning}
exceptions:
- {rule: no-such-rule, reason: because}
"""
    found = refused(project(tmp_path, file))
    assert {code for code, _ in found} == {"spec.unknown-key", "spec.wrong-value", "policy.unknown-rule"}
    text = "\n".join(words for _, words in found)
    assert "did you mean required_tags?" in text
    assert "did you mean policy.open-to-world?" in text
    assert FILE in text


@pytest.mark.parametrize(
    "file", ["- a list\n", "a: [\n", "just text\n", "a: !!int x\n", pytest.param("[" * 20_000, id="nested")]
)
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, file: str) -> None:
    assert [code for code, _ in refused(project(tmp_path, file))] == ["policy.unreadable"]


def test_a_configuration_that_is_no_mapping_is_refused(tmp_path: Path) -> None:
    folder = project(tmp_path, None, f"  {CONFIG_KEY}: strict\n")
    assert [code for code, _ in refused(folder)] == ["policy.unreadable"]


def test_a_file_that_was_named_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(Refusal) as caught:
        policy.read(tmp_path / "none.yaml")
    assert [each.code for each in caught.value.findings] == ["policy.unreadable"]
