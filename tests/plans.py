"""The shipped stacks' plans, each made once for all tests that read one."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pulumi_llm._plan.capture import capture_stack
from pulumi_llm._plan.model import Plan

ROOT = Path(__file__).parents[1]


@cache
def plan_of(stack: str) -> Plan:
    """The plan of a shipped stack, to be read and not changed."""
    return capture_stack(ROOT, stack)
