"""What a shipped stack's file says that it costs is what `pulumi-llm bill` says."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pytest

from pulumi_llm import catalog
from pulumi_llm._review.bill import Usage, make_bill
from pulumi_llm.preflight import placement
from pulumi_llm.spec import ServerSpec, parse
from tests.plans import plan_of
from tests.shipped import EVERY, FLEET
from tests.test_stacks import platform_of

ROOT = Path(__file__).parents[1]


def cost_line(stack: str) -> str:
    """The line that belongs at the head of the stack's file."""
    bill = make_bill(plan_of(stack), catalog.load(), Usage(), today=date(2026, 11, 24))
    hour, month = bill.per_hour, bill.per_month
    line = (
        f"# COST: {'at least ' if bill.at_least else ''}{hour.cny:,.2f} CNY ({hour.usd:,.2f} USD) an hour, "
        f"{month.cny:,.0f} CNY ({month.usd:,.0f} USD) a month of 730 hours, by `pulumi-llm bill -s {stack}`"
    )
    if stack == FLEET:
        return f"{line}."
    server = parse(ServerSpec, platform_of(stack)["server"])
    return line + (
        "." if placement.place_server(server).price else ",\n#       WITHOUT THE GPU MACHINE: its price is unknown."
    )


@pytest.mark.parametrize("stack", EVERY)
def test_the_cost_in_a_stacks_file_is_what_the_bill_says(stack: str) -> None:
    path = ROOT / "stacks" / f"Pulumi.{stack}.yaml"
    text = path.read_text()
    if os.environ.get("UPDATE_GOLDEN"):
        before, rest = text.split("# COST:", 1)
        path.write_text(f"{before}{cost_line(stack)}\n#       List prices{rest.split('List prices', 1)[1]}")
        text = path.read_text()
    assert f"{cost_line(stack)}\n#       List prices" in text
