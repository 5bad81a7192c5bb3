"""docs/policy.md lists every rule with its weight and every key of the settings, in both languages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from pulumi_llm._review import policy
from pulumi_llm._review.policy_settings import CODES

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [DOCS / "policy.md", DOCS / "policy.zh.md"]


@pytest.mark.parametrize("page", PAGES, ids=["en", "zh"])
def test_every_rule_is_listed_with_its_weight(page: Path) -> None:
    rows = re.findall(
        r"^\| \[`(policy\.[a-z-]+)`\]\([^)]+\) \| (\w+) \| [^|]{8,} \| [^|]{4,} \|$", page.read_text(), re.M
    )
    assert dict(rows) == CODES
    assert [code for code, _ in rows] == list(CODES)


@pytest.mark.parametrize("page", PAGES, ids=["en", "zh"])
def test_every_key_of_the_settings_is_explained(page: Path) -> None:
    assert re.findall(r"^\| `([a-z_]+)` \| ", page.read_text(), re.M) == list(policy.Settings.model_fields)


@pytest.mark.parametrize("page", PAGES, ids=["en", "zh"])
def test_the_settings_that_are_shown_can_be_read_and_the_test_that_is_shown_passes(page: Path) -> None:
    shown = re.findall(r"^```(\w+)\n(.*?)^```", page.read_text(), re.DOTALL | re.M)
    settings = policy.Settings.model_validate(yaml.safe_load(next(text for kind, text in shown if kind == "yaml")))
    assert settings.budget is not None
    assert settings.exceptions
    (example,) = [text for kind, text in shown if kind == "python"]
    names = {"__file__": str(DOCS.parent / "test_it.py")}
    exec(compile(example.replace('"prod"', '"aliyun-t4"'), page.name, "exec"), names)
    names["test_the_stack_keeps_the_rules"]()  # type: ignore[operator]
