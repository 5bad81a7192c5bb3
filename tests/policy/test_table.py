"""The table names inputs that the clouds' SDKs have, and knows where each row is from."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest

from pulumi_llm import clouds
from pulumi_llm._provider_facts import schema, table
from pulumi_llm._review.policy_settings import CODES
from pulumi_llm._review.policy_table import policy_table
from pulumi_llm._review.table import cost_table

TABLE = policy_table()
ROWS: list[tuple[str, tuple[str, ...]]] = [
    *(
        (row.type, tuple(f"{row.each}[].{path}" if row.each else path for path in (*row.cidrs, *row.ports, *row.when)))
        for row in TABLE.openings.values()
    ),
    *(
        (
            row.type,
            (f"{row.each}[].{row.at}" if row.each else row.at, *row.when, *row.or_, *filter(None, [row.set_too])),
        )
        for row in TABLE.demands
    ),
    *((row.type, (row.image, *row.user_data)) for row in TABLE.machines.values()),
    *((row["type"], ()) for row in TABLE.cannot),
    *((type_, ()) for type_ in sorted(TABLE.data_disks)),
]


@pytest.mark.parametrize(("type_", "paths"), ROWS, ids=[f"{type_}-{i}" for i, (type_, _) in enumerate(ROWS)])
def test_every_input_that_the_table_names_is_in_the_sdk(type_: str, paths: tuple[str, ...]) -> None:
    described = schema.describe(type_)
    assert described is not None, f"{type_} is no type"
    for path in paths:
        here: Any = {"object": described["inputs"]}
        for step in path.split("."):
            name = step.removesuffix("[]")
            if "map" in here:  # whose keys are the user's
                break
            assert name in here["object"], f"{type_} has no input {path}"
            here = here["object"][name]
            if step.endswith("[]"):
                here = here["list"]


@pytest.mark.parametrize("type_", TABLE.machines)
def test_a_machines_firewall_is_one_of_its_inputs(type_: str) -> None:
    described = schema.describe(type_)
    assert described is not None
    assert set(TABLE.machines[type_].groups) <= described["inputs"].keys()


def test_what_is_said_to_have_no_region_has_no_input_for_one() -> None:
    said = [(folder.package, folder.read("provider.json")["regional"]) for folder in clouds.folders().values()]
    placeless = [(package, token) for package, row in said for token in row.get("placeless", ())]
    assert placeless
    for package, token in placeless:
        described = schema.describe(token)
        assert described is not None, f"{token} is no type"
        assert table.region_input(package) not in described["inputs"]
        assert table.is_everywhere(token)


def test_each_row_has_a_source_with_a_title_and_a_day() -> None:
    rows = [*TABLE.openings.values(), *TABLE.demands, *TABLE.machines.values()]
    named = {row.source for row in rows} | {row["source"] for row in TABLE.cannot} | {TABLE.secrets["source"]}
    assert named <= TABLE.sources.keys()
    for source in TABLE.sources.values():
        assert source["title"]
        assert date.fromisoformat(source["date"]) <= date.today()


def test_each_demand_is_of_a_rule_that_says_what_is_wrong() -> None:
    demanded = {row.code for row in TABLE.demands}
    assert demanded == TABLE.faults.keys()
    assert demanded <= CODES.keys()


def test_what_is_asked_of_costs_is_asked_of_types_with_costs() -> None:
    assert {row.type for row in TABLE.machines.values() if row.groups} <= cost_table().rules.keys()


def test_every_pattern_is_one() -> None:
    patterns = [*TABLE.secrets["forms"].values(), *(row.form for row in TABLE.machines.values())]
    patterns += [TABLE.secrets[each] for each in ("assignment", "latest_image", "password_user_data")]
    for each in patterns:
        re.compile(each)
