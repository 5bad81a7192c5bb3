"""The bill says how long machines that stop by themselves run, and what that makes of it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

import pulumi_llm as llm
from pulumi_llm import catalog
from pulumi_llm._review import bill_file
from pulumi_llm._review.bill import Bill, make_bill
from pulumi_llm._review.bill_text import bill_text
from pulumi_llm._review.item import Usage
from tests.leave.test_stack import HOURS, PLACES, server
from tests.test_components import WITH_PROXY, plan_of

OWN = Decimal("260.71")
"""60 of a week's 168 hours, of a month of 730."""


def bill_of(args: dict[str, Any], usage: Usage | None = None, component: Any = llm.ModelServer) -> Bill:
    data = catalog.load()
    regions = {data.cloud(cloud).pulumi_package: place["region"] for cloud, place in PLACES.items()}
    plan = plan_of(component, args)
    return make_bill(plan, data, usage or Usage(), today=date(2026, 11, 28), default_regions=regions)


def remarks(bill: Bill) -> str:
    __, __, said = bill_text(bill, "USD").partition("hours a month of servers that stop by themselves:\n")
    return said


@pytest.mark.parametrize("cloud", PLACES)
def test_hours_of_the_server_cost_what_as_many_hours_asked_for_cost(cloud: str) -> None:
    by_schedule = bill_of(server(cloud, hours=HOURS))
    asked = bill_of(server(cloud), Usage(running=OWN))
    (own,) = by_schedule.schedules
    assert own.running == OWN
    role = {each.urn for each in by_schedule.lines} - {each.urn for each in asked.lines}
    lines = {each.key: (each.hours, each.per_month) for each in by_schedule.lines if each.urn not in role}
    assert lines == {each.key: (each.hours, each.per_month) for each in asked.lines}


@pytest.mark.parametrize("cloud", PLACES)
def test_what_hours_save_is_what_the_bill_without_them_is_higher_by(cloud: str) -> None:
    with_hours, without = bill_of(server(cloud, hours=HOURS)), bill_of(server(cloud))
    (own,) = with_hours.schedules
    assert own.saved == without.per_month - with_hours.per_month
    assert own.saved.of("USD") > 100
    said = f"{own.saved.usd:,.2f} USD ({own.saved.cny:,.2f} CNY) a month less than at all 730"
    assert remarks(with_hours).strip() == f"x: 260.71 of 730, by its hours ({HOURS}): {said}"


def test_a_proxy_beside_it_runs_on_and_is_in_no_saving() -> None:
    place = {**WITH_PROXY["server"], "hours": HOURS}
    with_hours, without = (
        bill_of({**WITH_PROXY, "server": each}, component=llm.Platform) for each in (place, WITH_PROXY["server"])
    )
    (own,) = with_hours.schedules
    assert own.saved == without.per_month - with_hours.per_month
    proxies = [each for each in with_hours.lines if each.kind == "machine" and "proxy" in each.resource]
    assert proxies
    assert {each.hours for each in proxies} == {Decimal(730)}


def test_fewer_hours_asked_for_than_the_schedule_has_are_told_beside_it() -> None:
    bill = bill_of(server("aws", hours=HOURS), Usage(running=Decimal(100)))
    assert remarks(bill).strip() == f"x: 100 are counted, as asked for: its hours ({HOURS}) have 260.71"
    assert bill.schedules[0].saved is not None
    assert bill.schedules[0].saved.usd == 0


def test_a_stop_when_nobody_asks_is_named_and_takes_nothing_off() -> None:
    bill = bill_of(server("aws", idle_stop={}))
    assert bill.per_month == bill_of(server("aws")).per_month
    assert "stops after 30 minutes without a request" in remarks(bill)
    assert "is not counted" in remarks(bill)


def test_of_replicas_those_that_stay_are_told_from_those_that_stop() -> None:
    bill = bill_of(server("aws", replicas=3, idle_stop={"minutes": 20, "keep": 1}))
    assert "2 of its 3 machines stop after 20 minutes" in remarks(bill)


def test_without_a_price_of_the_machine_the_saving_is_unknown_and_not_nought() -> None:
    bill = bill_of(server("tencent", hours=HOURS, region="na-ashburn"))
    assert not [each for each in bill.lines if each.kind == "machine" and each.per_month is not None]
    assert bill.schedules[0].saved is None
    assert "260.71 of 730" in remarks(bill)
    assert "what that saves is not known" in remarks(bill)


def test_a_server_that_runs_on_has_no_such_lines() -> None:
    bill = bill_of(server("aws"))
    assert not bill.schedules
    assert not remarks(bill)


def test_the_json_has_the_same_and_is_read_back() -> None:
    import json

    bill = bill_of(server("aws", hours=HOURS, idle_stop={"minutes": 45}))
    written = bill_file.to_json(bill)
    (row,) = written["schedules"]
    saved = row.pop("saved_per_month")
    assert saved == bill.schedules[0].saved.to_json()  # type: ignore[union-attr]
    assert row == {
        "resource": "x", "hours": HOURS, "idle_minutes": 45, "keep": 0, "machines": 1, "running": 260.71,
    }  # fmt: skip
    assert bill_file.parse(json.dumps(written), "it").per_month == bill.per_month
