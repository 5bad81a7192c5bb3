"""Names of machines whose cards are sold beside them, and what of a plan says which machine that is."""

from __future__ import annotations

from typing import Any

import pytest

from pulumi_llm import catalog
from pulumi_llm._plan.comparison import Comparison
from pulumi_llm._plan.model import UNKNOWN, Plan, PlannedResource
from pulumi_llm._review.nodes import Nodes
from pulumi_llm._review.openings import openings_of
from pulumi_llm._review.table import NotInPlan, cost_table, sold_as
from pulumi_llm.clouds.cards import joined, parted

RULE = cost_table().rules["gcp:compute/instance:Instance"]


@pytest.mark.parametrize(
    "row", [row for row in catalog.load().instances if row.cloud == "gcp"], ids=lambda row: row.instance_type
)
def test_a_name_is_put_together_of_what_it_is_taken_apart_into(row: catalog.Instance) -> None:
    machine_type, cards = parted(row.instance_type)
    assert joined(machine_type, [cards] if cards else []) == row.instance_type
    assert "+" not in machine_type
    if cards:
        assert cards[1] == row.gpu_count


@pytest.mark.parametrize(
    ("machine_type", "cards", "name"),
    [
        ("e2-small", None, "e2-small"),
        ("g2-standard-4", [{"type": "nvidia-l4", "count": 1}], "g2-standard-4"),
        ("n1-standard-8", [], "n1-standard-8"),
        ("n1-standard-8", [{"type": "nvidia-tesla-t4", "count": 1}], "n1-standard-8+nvidia-tesla-t4"),
        ("n1-standard-16", [{"type": "nvidia-tesla-t4", "count": 2.0}], "n1-standard-16+nvidia-tesla-t4x2"),
        ("n1-standard-8", [{"type": "nvidia-tesla-p100", "count": 1}], "n1-standard-8+nvidia-tesla-p100"),
    ],
)
def test_a_machine_of_a_plan_is_what_the_catalogue_sells(machine_type: str, cards: Any, name: str) -> None:
    assert sold_as(RULE, {"machineType": machine_type, "guestAccelerators": cards}) == name


def test_cards_that_a_plan_does_not_know_leave_the_machine_unknown() -> None:
    with pytest.raises(NotInPlan, match="guestAccelerators"):
        sold_as(RULE, {"machineType": "n1-standard-8", "guestAccelerators": UNKNOWN})


def opened(**inputs: Any) -> set[tuple[str, str]]:
    wall = PlannedResource(
        urn="urn:pulumi:s::p::gcp:compute/firewall:Firewall::wall",
        type="gcp:compute/firewall:Firewall",
        name="wall",
        parent="",
        custom=True,
        inputs={"network": "net", **inputs},
    )
    plan = Plan("p", "s", [wall])
    return {(each.port, each.source) for each in openings_of(plan, Nodes(Comparison(plan, plan, [])), {})}


def test_each_port_that_a_rule_lists_is_told() -> None:
    allows = [{"protocol": "tcp", "ports": ["22", "8000-8010"]}]
    assert opened(sourceRanges=["192.0.2.0/24"], allows=allows) == {
        ("22", "192.0.2.0/24"),
        ("8000-8010", "192.0.2.0/24"),
    }


@pytest.mark.parametrize("allows", [[{"protocol": "all"}], [{"protocol": "tcp"}], [{"protocol": "tcp", "ports": []}]])
def test_a_rule_without_ports_opens_all_of_them(allows: list[dict[str, Any]]) -> None:
    assert opened(sourceRanges=["192.0.2.0/24"], allows=allows) == {("*", "192.0.2.0/24")}
