"""The program of the shipped stacks: what it says of values that a stack's file gets wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pulumi_llm._plan.capture import capture_stack
from pulumi_llm.errors import Finding, Refusal

ROOT = Path(__file__).parents[1]


def findings(folder: Path, **changed: Any) -> list[Finding]:
    """What is found of the stack aws-t4 with its config keys changed (None: taken out)."""
    (folder / "stacks").mkdir()
    for name in ("Pulumi.yaml", "stacks/__main__.py"):
        (folder / name).write_text((ROOT / name).read_text())
    content = yaml.safe_load((ROOT / "stacks/Pulumi.aws-t4.yaml").read_text())
    for key, value in changed.items():
        content["config"][key] = value
    content["config"] = {key: value for key, value in content["config"].items() if value is not None}
    (folder / "stacks/Pulumi.aws-t4.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(Refusal) as refused:
        capture_stack(folder, "aws-t4")
    return list(refused.value.findings)


def test_a_misspelt_config_key_is_refused_with_the_key_that_was_meant(tmp_path: Path) -> None:
    found = findings(tmp_path, **{"pulumi-llm:openAiApiKy": "x"})
    assert [each.code for each in found] == ["stack.unknown-key"]
    assert "pulumi-llm:openAiApiKy" in found[0].message
    assert "did you mean pulumi-llm:openaiApiKey" in found[0].hint


def test_a_misspelt_platform_is_named_beside_the_platform_that_is_missing(tmp_path: Path) -> None:
    platform = yaml.safe_load((ROOT / "stacks/Pulumi.aws-t4.yaml").read_text())["config"]["pulumi-llm:platform"]
    found = findings(tmp_path, **{"pulumi-llm:platform": None, "pulumi-llm:platfrom": platform})
    assert [each.code for each in found] == ["stack.unknown-key", "stack.no-platform"]
    assert "did you mean pulumi-llm:platform?" in found[0].hint


def test_an_unknown_config_key_is_told_with_every_other_mistake(tmp_path: Path) -> None:
    wrong = {"server": {"cloud": "aws", "gpuu": "T4"}, "access": {"allowed_cidrs": ["x"]}}
    found = findings(tmp_path, **{"pulumi-llm:platform": wrong, "pulumi-llm:zzz": 1})
    assert {"stack.unknown-key", "spec.unknown-key", "spec.bad-cidr", "spec.missing-key"} <= {x.code for x in found}
    unknown = next(each for each in found if each.code == "stack.unknown-key")
    assert "there are: platform, openaiApiKey" in unknown.hint


def test_values_of_other_namespaces_are_left_alone(tmp_path: Path) -> None:
    found = findings(tmp_path, **{"aws:region": "ap-northeast-1", "mine:platfrom": 1, "pulumi-llm:platform": None})
    assert [each.code for each in found] == ["stack.no-platform"]


@pytest.mark.parametrize("value", ["aliyun", "{", 5, True, ["server"]])
def test_a_platform_of_another_type_is_a_finding_and_no_exception(tmp_path: Path, value: object) -> None:
    found = findings(tmp_path, **{"pulumi-llm:platform": value})
    assert "spec.wrong-type" in {each.code for each in found}
