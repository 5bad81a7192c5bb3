"""The shipped stacks keep the rules, and the file beside them says what it excepts."""

from __future__ import annotations

from pathlib import Path

import pytest

from pulumi_llm._review import policy
from tests.plans import plan_of
from tests.shipped import EVERY

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("stack", EVERY)
def test_a_shipped_stack_keeps_every_rule(stack: str) -> None:
    found = policy.check(plan_of(stack), policy.of_stack(ROOT, stack))
    assert [str(each) for each in found if each.severity != "info"] == []
    assert {each.code for each in found} <= {
        "policy.open-to-world",
        "policy.disk-not-protected",
        "policy.cannot-be-had",
    }


@pytest.mark.parametrize("stack", EVERY)
def test_what_is_only_told_of_a_shipped_stack_is_undecided_or_excepted_with_a_reason(stack: str) -> None:
    for each in policy.judge(plan_of(stack), policy.of_stack(ROOT, stack)):
        told = each.undecided or each.exemption is not None or each.finding.code == "policy.cannot-be-had"
        assert told, str(each.finding)


@pytest.mark.parametrize("stack", EVERY)
def test_the_shipped_exceptions_are_needed(stack: str) -> None:
    found = policy.check(plan_of(stack), policy.of_stack(ROOT, stack))
    assert not [each for each in found if each.code.startswith("policy.exception-")]
