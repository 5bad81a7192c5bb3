"""What a server may be made on instead is told with its price and its fit, however the review was made."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import catalog
from pulumi_llm._plan.capture import capture_stack
from pulumi_llm._plan.model import Plan
from pulumi_llm._review.bill import make_bill
from pulumi_llm._review.comment import render
from pulumi_llm._review.item import Usage
from pulumi_llm._review.stack_review import fit, review
from tests.review.cases import base, compared, project, setting

TODAY = date(2026, 11, 25)
OTHERS = [{"zone": "cn-hangzhou-h"}, {"region": "cn-shanghai", "spot": True}]


def rows_of(plan: Plan) -> list[tuple[Any, ...]]:
    bill = make_bill(plan, catalog.load(), Usage(), today=TODAY)
    return [
        (it.number, it.taken, it.zone, line.per_month and line.per_month.cny, it.room)
        for it, line in ((each.offered, each.line) for each in bill.alternatives)
    ]


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    def edit(platform: dict[str, Any], _: str) -> None:
        platform["server"] |= {"alternatives": copy.deepcopy(OTHERS), "alternative": 1}

    return capture_stack(project(tmp_path, "aliyun", edit), "aliyun-t4")


def test_the_engines_own_preview_leads_to_the_same_rows_as_the_program(plan: Plan) -> None:
    rows = rows_of(plan)
    assert [row[:3] for row in rows] == [
        (0, False, "cn-hangzhou-b"),
        (1, True, "cn-hangzhou-h"),
        (2, False, "cn-shanghai-a"),
    ]
    assert [row[3] is None for row in rows] == [False, False, True]
    elsewhere = replace(plan, servers={})
    assert rows_of(elsewhere) == rows
    assert not [each for each in fit(elsewhere) if each.code == "spec.alternative-twice"], "it is the one that is taken"


def test_a_server_of_which_not_all_is_known_has_no_rows(plan: Plan) -> None:
    (platform,) = plan.of_type("llm:index:Platform")
    unknown = replace(platform, inputs={**platform.inputs, "server": {**platform.inputs["server"], "model": 7}})
    others = [unknown if each.urn == platform.urn else each for each in plan.resources]
    assert rows_of(replace(plan, servers={}, resources=others)) == []


def test_the_comment_has_a_row_for_each(tmp_path: Path) -> None:
    comparison = compared(
        tmp_path, "aliyun", base(tmp_path / "base", "aliyun"), setting("server.alternatives", copy.deepcopy(OTHERS))
    )
    text = render([review(comparison, catalog.load(), today=TODAY, environment={})])
    assert "| **`0`** | ecs.gn6i-c4g1.xlarge in cn-hangzhou-b | 8,489.90 | 1,250.37 | 4,096 tokens a request" in text
    assert "| `2` | ecs.gn6i-c4g1.xlarge in cn-shanghai-a, spot | unknown | unknown | 4,096 tokens a request" in text
