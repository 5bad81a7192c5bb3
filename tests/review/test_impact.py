"""The table of impacts: sourced, complete, and never against what the simulated clouds' tables say."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import _provider_facts as provider_facts
from pulumi_llm import clouds
from pulumi_llm._plan.comparison import Step
from pulumi_llm._plan.model import PlannedResource
from pulumi_llm._provider_facts import table
from pulumi_llm._review import impact
from pulumi_llm._review.comment import words_of
from pulumi_llm._review.impact import impact_table
from pulumi_llm._review.table import cost_table

MACHINES = [row.type for row in impact_table().types.values() if row.role == "machine" and table.find(row.type)]
HURTS = re.compile(r"stop/start|stop,|reboot|ForceStop|ResetInstance|ReplaceSystemDisk|shut down")
ROWS = sorted(impact_table().properties.values(), key=lambda row: (row.type, row.property))


def step(type_: str, operation: str = "update", **inputs: object) -> Step:
    resource = PlannedResource(f"urn:pulumi:s::p::{type_}::m", type_, "m", "", True, inputs)
    return Step(operation, resource, resource)  # type: ignore[arg-type]


def test_every_row_has_a_source_with_a_date() -> None:
    used = {row.source for row in ROWS} | {row.source for row in impact_table().types.values()}
    assert used <= impact_table().sources.keys()
    for each in impact_table().sources.values():
        assert len(each["title"]) > 20
        assert date(2025, 1, 1) < date.fromisoformat(each["date"]) <= date.today()


def test_every_impact_and_note_is_known_and_has_words_in_both_languages() -> None:
    codes = (
        {row.impact for row in ROWS}
        | {row.smaller for row in ROWS if row.smaller}
        | {row.else_ for row in ROWS if row.else_}
    )
    for row in impact_table().types.values():
        codes |= {each for each in (row.created, row.updated, row.replaced, row.deleted) if each}
    assert codes <= set(impact_table().order)
    notes = {row.note for row in ROWS} | {row.note for row in impact_table().types.values()}
    notes -= {
        "",
        "address-unless-attached",
        "not-run-again-address",
    }  # become two others, by whether an address is attached
    for language in ("en", "zh"):
        content = words_of(language).content  # type: ignore[arg-type]
        assert set(content["impacts"]) == set(impact_table().order)
        assert notes <= content["notes"].keys()


def test_both_languages_have_the_same_texts_with_the_same_places() -> None:
    english, chinese = words_of("en").content, words_of("zh").content
    assert english.keys() == chinese.keys()
    for key, value in english.items():
        if isinstance(value, str):
            assert set(re.findall(r"{\w+}", value)) == set(re.findall(r"{\w+}", chinese[key])), key
        else:
            assert value.keys() == chinese[key].keys(), key


def test_no_row_is_twice_in_the_file() -> None:
    def pairs_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        assert len(keys) == len(set(keys)), keys
        return dict(pairs)

    files = [each.data / "provider.json" for each in clouds.folders().values()]
    for file in (*files, *Path(provider_facts.__file__).parent.glob("data/*.json")):
        json.loads(file.read_text(encoding="utf-8"), object_pairs_hook=pairs_once)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.type.split(':')[0]}-{row.property}")
def test_no_row_says_in_place_of_what_the_clouds_table_always_replaces(row: impact.PropertyRow) -> None:
    facts = table.find(row.type)
    assert facts is not None
    assert row.property in facts.by_path
    assert facts.at(row.property).replace is not True


@pytest.mark.parametrize("type_", MACHINES)
def test_whatever_the_clouds_table_says_hurts_a_machine_has_a_row_that_says_so(type_: str) -> None:
    facts = table.find(type_)
    assert facts is not None
    lacking = []
    for path, fact in facts.inputs.items():
        effect = fact.effect or ""
        if not HURTS.search(effect) or effect.startswith("in place (Modify"):
            continue
        found = impact_table().properties.get((type_, path))
        if ("ResetInstance" in effect and "ResetInstancesType" not in effect) or "ReplaceSystemDisk" in effect:
            wanted = {"replaces-system-disk"}
        else:
            wanted = {"stops-and-starts", "reboots"}
        if "no stop/reboot" in effect:
            continue
        if found is None or found.impact not in wanted:
            lacking.append((path, effect))
    assert lacking == []


def test_every_machine_and_disk_that_is_paid_for_is_known() -> None:
    rules = cost_table().rules.values()
    missing = [
        row.type for row in rules if row.kind in ("machine", "disk", "address") and row.type not in impact_table().types
    ]
    assert missing == []


@pytest.mark.parametrize(
    ("type_", "path", "expected"),
    [
        ("aws:ebs/volume:Volume", "size", ("in-place", "refused")),
        ("alicloud:ecs/ecsDisk:EcsDisk", "size", ("in-place", "refused")),
        ("tencentcloud:Cbs/storage:Storage", "storageSize", ("in-place", "refused")),
        ("aws:ec2/instance:Instance", "rootBlockDevice.volumeSize", ("in-place", "refused")),
    ],
)
def test_a_disk_grows_in_place_and_does_not_shrink(type_: str, path: str, expected: tuple[str, str]) -> None:
    grown = impact.of_property(step(type_), path, 100, 200)
    shrunk = impact.of_property(step(type_), path, 200, 100)
    assert (grown.code, shrunk.code) == expected


def test_a_system_disk_of_tencent_grows_in_place_only_if_that_is_asked_for() -> None:
    type_ = "tencentcloud:Instance/instance:Instance"
    assert impact.of_property(step(type_), "systemDiskSize", 50, 80).code == "stops-and-starts"
    assert impact.of_property(step(type_, systemDiskResizeOnline=True), "systemDiskSize", 50, 80).code == "in-place"


def test_a_public_address_stays_only_where_it_is_attached() -> None:
    type_ = "aws:ec2/instance:Instance"
    assert "new-address" in impact.of_property(step(type_), "instanceType", "a", "b").note
    assert "new-address" not in impact.of_property(step(type_), "instanceType", "a", "b", attached=True).note


def test_what_is_protected_is_refused_and_what_is_retained_is_not_lost() -> None:
    type_ = "aws:ebs/volume:Volume"
    disk = PlannedResource(f"urn:pulumi:s::p::{type_}::d", type_, "d", "", True, {}, protect=True)
    assert impact.of_step(Step("delete", disk, None)).code == "refused"
    kept = PlannedResource(f"urn:pulumi:s::p::{type_}::d", type_, "d", "", True, {}, retain_on_delete=True)
    assert impact.of_step(Step("delete", kept, None)).code == "recorded"


def test_a_type_that_nobody_knows_is_called_so() -> None:
    assert impact.of_property(step("acme:index/thing:Thing"), "size", 1, 2).code == "not-established"
