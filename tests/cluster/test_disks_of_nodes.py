"""The disks of a made cluster's nodes are in the bill: each as large as its pool says, as often as there are nodes."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from pulumi_llm import catalog
from pulumi_llm._review.bill import Bill, make_bill
from pulumi_llm._review.bill_file import parse, to_json
from pulumi_llm._review.bill_text import bill_text
from pulumi_llm._review.item import Usage
from tests.cluster.fleets import planned, resolved
from tests.cluster.managed import NODES, fleet
from tests.review.samples import Program

CLOUDS = sorted(NODES)
BESIDES = {"aliyun": 0, "aws": 4, "tencent": 60}
"""GiB of a node's system disk, where images and weights lie on another."""


def bill_of(args: dict[str, Any], usage: Usage | None = None) -> Bill:
    return make_bill(planned(args), catalog.load(), usage or Usage(), today=date(2026, 11, 29))


def disks(bill: Bill, pool: str) -> list[Any]:
    return [each for each in bill.lines if each.kind == "disk" and each.resource == f"x-{pool}"]


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize("pool", ["gpu", "system"])
def test_each_pool_has_its_disks_in_the_bill_with_their_whole_size(cloud: str, pool: str) -> None:
    settled = resolved(fleet(cloud))
    assert settled.cluster is not None
    wanted = settled.cluster.request.gpus if pool == "gpu" else settled.cluster.request.system
    found = disks(bill_of(fleet(cloud)), pool)
    step = catalog.load().cloud(cloud).data_disk
    size = wanted.disk_gib if cloud == "aliyun" else step.round_up(wanted.disk_gib)
    assert sum(each.quantity for each in found) == 2 * (size + BESIDES[cloud])
    assert all(str(each.what).startswith("2 x ") for each in found)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_their_price_is_that_of_a_machines_disk_or_said_to_be_unknown(cloud: str) -> None:
    region, data = NODES[cloud]["region"], catalog.load()
    for each in disks(bill_of(fleet(cloud)), "gpu"):
        item = str(each.what).rsplit(" ", 1)[-1]
        row = data.extra_price(cloud, "disk", item, region)
        if row is None:
            assert each.per_hour is None
            assert "no price" in str(each.unknown)
        else:
            assert each.price is not None
            assert each.price.amount == Decimal(str(row.amount))
    known = [each.per_hour for each in disks(bill_of(fleet("aws")), "gpu")]
    assert known
    assert all(known)


def test_disks_are_paid_for_as_long_as_their_nodes() -> None:
    half = {each.slot: each for each in disks(bill_of(fleet("aws"), Usage(running=Decimal(365))), "gpu")}
    for each in disks(bill_of(fleet("aws")), "gpu"):
        assert half[each.slot].per_month.usd == pytest.approx(each.per_month.usd / 2, abs=Decimal("0.01"))


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_pool_with_two_bounds_is_told_at_the_upper_one_with_the_lower_beside_it(cloud: str) -> None:
    bill = bill_of(fleet(cloud, nodes={"min_count": 1}))
    (nodes,) = [each for each in bill.lines if each.slot == "nodes"]
    for each in (nodes, *disks(bill, "gpu")):
        assert ("1 at least" in str(each.note), "the cloud adds" in str(each.note)) == (True, cloud != "aws")
    assert not [each for each in disks(bill, "system") if each.note]


@pytest.mark.parametrize("cloud", CLOUDS)
def test_both_ends_are_summed_and_a_bill_from_a_file_has_them_too(cloud: str) -> None:
    bill = bill_of(fleet(cloud, nodes={"min_count": 1}))
    (nodes,) = [each for each in bill.lines if each.slot == "nodes"]
    for each in (nodes, *disks(bill, "gpu")):
        if each.per_month is None:
            assert each.fewest is None
        else:
            assert each.fewest is not None
            assert each.fewest.per_month.usd == pytest.approx(each.per_month.usd / 2, abs=Decimal("0.01"))
    assert bill.fewest is not None
    saved = sum(each.per_month.cny - each.fewest.per_month.cny for each in bill.lines if each.fewest and each.per_month)
    assert bill.per_month.cny - bill.fewest.per_month.cny == saved > 0
    text = bill_text(bill, "CNY")
    assert f"{bill.fewest.per_month.cny:,.2f}" in next(each for each in text.splitlines() if "fewest" in each)
    again = parse(json.dumps(to_json(bill)), "a file")
    assert (again.fewest, again.lines) == (bill.fewest, bill.lines)
    standing = bill_of(fleet(cloud))
    assert standing.fewest is None
    assert "fewest" not in bill_text(standing, "CNY")


def test_a_bill_that_was_written_before_there_were_two_ends_is_read() -> None:
    content = to_json(bill_of(fleet("aws")))
    for each in content["lines"]:
        del each["fewest"]
    del content["total"]["fewest"]
    assert parse(json.dumps(content), "a file").fewest is None


def test_a_pool_of_a_program_of_ones_own_is_unknown_as_a_whole() -> None:
    program = Program()
    program.in_region("aws", "aws:eks/nodeGroup:NodeGroup", "own", {"scalingConfig": {"maxSize": 2}})
    ((line,),) = [program.bill(catalog.load()).lines]
    assert line.unknown
    assert line.kind == "other"
