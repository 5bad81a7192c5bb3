"""What a change costs."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from pulumi_llm._review.bill import Bill
from pulumi_llm._review.bill_text import difference_text
from pulumi_llm._review.difference import compare
from pulumi_llm._review.item import Usage
from pulumi_llm._review.money import Amounts
from pulumi_llm.catalog import Catalog
from tests.review.samples import DISK, INSTANCE, Program


def bill_with(catalog: Catalog, instance_type: str, disk: str | None = None, usage: Usage | None = None) -> Bill:
    program = Program()
    machine = {"instanceType": instance_type, "associatePublicIpAddress": False}
    machine["rootBlockDevice"] = {"volumeSize": 10, "volumeType": "gp3"}
    program.in_region("aws", INSTANCE["aws"], "m", machine)
    if disk:
        program.in_region("aws", DISK["aws"], "d", {"size": 100, "type": disk})
    return program.bill(catalog, usage)


def test_a_dearer_gpu_is_a_positive_difference_of_its_line_alone(round_prices: Catalog) -> None:
    found = compare(bill_with(round_prices, "g4dn.xlarge"), bill_with(round_prices, "g5.xlarge"))
    assert [(each.change, each.line.slot) for each in found.changes] == [("changed", "machine")]
    assert found.per_month == Amounts(Decimal("8760.00"), Decimal("1095.00"))
    text = difference_text(found, "main", "CNY")
    assert "g4dn.xlarge, on demand -> g5.xlarge, on demand" in text
    assert "+8,760.00" in text


def test_a_cheaper_gpu_is_a_negative_difference(round_prices: Catalog) -> None:
    found = compare(bill_with(round_prices, "g5.xlarge"), bill_with(round_prices, "g4dn.xlarge"))
    assert found.per_month.usd == Decimal("-1095.00")
    assert "-1,095.00" in difference_text(found, "main", "USD")


def test_what_is_added_costs_and_what_is_removed_saves(round_prices: Catalog) -> None:
    without, with_disk = bill_with(round_prices, "g4dn.xlarge"), bill_with(round_prices, "g4dn.xlarge", "gp3")
    assert [(each.change, each.per_month) for each in compare(without, with_disk).changes] == [
        ("added", Amounts(Decimal("58.40"), Decimal("7.30")))
    ]
    assert [(each.change, each.per_month) for each in compare(with_disk, without).changes] == [
        ("removed", Amounts(Decimal("-58.40"), Decimal("-7.30")))
    ]


def test_a_change_to_or_from_an_unknown_price_is_unknown_and_the_sum_says_so(round_prices: Catalog) -> None:
    known, unknown = bill_with(round_prices, "g4dn.xlarge", "gp3"), bill_with(round_prices, "g4dn.xlarge", "io2")
    for found in (compare(known, unknown), compare(unknown, known)):
        assert [each.per_month for each in found.changes] == [None]
        assert not found.complete
        assert "without what is unknown" in difference_text(found, "main", "CNY")


def test_the_same_thing_of_unknown_price_makes_no_difference(round_prices: Catalog) -> None:
    found = compare(*(bill_with(round_prices, "g4dn.xlarge", "io2") for _ in range(2)))
    assert found.changes == ()
    assert found.complete
    assert "no difference" in difference_text(found, "main", "CNY")


def test_a_thing_of_unknown_price_elsewhere_is_an_unknown_difference(round_prices: Catalog) -> None:
    here, there = bill_with(round_prices, "g4dn.xlarge", "io2"), bill_with(round_prices, "g4dn.xlarge", "io2")
    there.lines = [replace(line, region="us-west-2") if line.slot == "disk" else line for line in there.lines]
    assert [(each.line.slot, each.per_month) for each in compare(here, there).changes] == [("disk", None)]


def test_a_thing_of_the_same_price_elsewhere_makes_no_difference(round_prices: Catalog) -> None:
    here, there = bill_with(round_prices, "g4dn.xlarge"), bill_with(round_prices, "g4dn.xlarge")
    there.lines = [replace(line, region="us-west-2") for line in there.lines]
    assert compare(here, there).changes == ()


def test_another_stacks_bill_is_matched_by_resource_not_by_stack(round_prices: Catalog) -> None:
    one, other = bill_with(round_prices, "g4dn.xlarge"), bill_with(round_prices, "g5.xlarge")
    for index, line in enumerate(other.lines):
        moved = line.urn.replace("urn:pulumi:dev::project", "urn:pulumi:live::other")
        other.lines[index] = replace(line, urn=moved)
    assert [each.change for each in compare(one, other).changes] == ["changed"]


def test_bills_of_other_hours_are_compared_with_a_word_of_warning(round_prices: Catalog) -> None:
    short = bill_with(round_prices, "g4dn.xlarge", usage=Usage(running=Decimal(100)))
    found = compare(short, bill_with(round_prices, "g4dn.xlarge"))
    assert not found.same_assumptions
    assert "other hours" in difference_text(found, "a file", "CNY")
