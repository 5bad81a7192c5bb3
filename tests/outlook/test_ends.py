"""What ends: when it is to be seen to, what it is told from, and what concerns a change."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import _outlook, catalog, roles
from pulumi_llm._outlook import software, stack
from pulumi_llm._outlook.ends import End, order
from pulumi_llm._plan.model import Plan, PlannedResource
from pulumi_llm._review.policy_settings import Exemption

DATA = Path(_outlook.__file__).parent / "data"
TODAY = date(2026, 11, 28)
ADVISORIES = json.loads((DATA / "advisories.json").read_text())
SUPPORTS = json.loads((DATA / "supports.json").read_text())
KINDS = {"server": "llm:index:ModelServer", "proxy": "llm:index:OverseasProxy", "vectors": "llm:index:VectorStore"}


def plan(**components: dict[str, Any]) -> Plan:
    """A plan of components by name: ``server``, ``proxy``, ``vectors``, each with its inputs."""
    rows = [
        PlannedResource(f"urn:pulumi:s::p::{KINDS[name]}::{name}", KINDS[name], name, "", False, inputs)
        for name, inputs in components.items()
    ]
    return Plan("p", "s", rows)


def codes(ends: list[End]) -> list[str]:
    return [each.code for each in ends]


# -- levels


@pytest.mark.parametrize(
    ("day", "fault", "level", "left"),
    [
        (date(2026, 11, 27), False, "now", -1),
        (date(2026, 11, 28), False, "now", 0),
        (date(2026, 11, 29), False, "soon", 1),
        (date(2027, 2, 26), False, "soon", 90),
        (date(2027, 2, 27), False, "later", 91),
        (None, True, "now", None),
        (None, False, "note", None),
    ],
)
def test_an_end_is_seen_to_by_its_day(day: date | None, fault: bool, level: str, left: int | None) -> None:
    end = End(code="x.y", name="n", message="m", day=day, fault=fault)
    assert (end.level(TODAY), end.days_left(TODAY)) == (level, left)


def test_what_has_ended_comes_first_and_what_is_only_to_know_last() -> None:
    days = {"a": date(2030, 1, 1), "b": date(2026, 1, 1), "c": date(2026, 12, 1), "d": None, "e": date(2027, 1, 1)}
    ends = [End(code="x", name=name, message="", day=day) for name, day in days.items()]
    assert [each.name for each in sorted(ends, key=lambda each: order(each, TODAY, 90))] == ["b", "c", "e", "a", "d"]


# -- models, keys, exceptions


def test_a_model_is_told_however_late_it_ends_with_its_source() -> None:
    given = {"upstreams": {"openai": {"models": ["gpt-4", "gpt-4o", "gpt-6-luna"]}}}
    ended, ends = stack.models(plan(proxy=given), date(2026, 10, 24))
    assert (ended.name, ended.level(date(2026, 10, 24)), ended.code) == ("gpt-4", "now", "upstream.model-ended")
    assert (ends.name, ends.day, ends.code) == ("gpt-4o", date(2027, 1, 14), "upstream.model-ends")
    assert ends.where == "proxy.upstreams.openai.models"
    assert ends.source_date
    assert ends.source


def test_a_key_works_until_the_end_of_its_day() -> None:
    (key,) = stack.keys(plan(server={"keys": {"old": {"expires": "2026-12-31"}, "default": {"expires": None}}}))
    assert (key.day, key.where) == (date(2027, 1, 1), "server.keys.old")


def test_an_exception_holds_until_the_end_of_its_day() -> None:
    given = [
        Exemption(rule="policy.public-storage", reason="a demo", expires=date(2026, 12, 24)),
        Exemption(rule="policy.missing-tag", reason="for good"),
    ]
    (end,) = stack.exceptions(given)
    assert (end.name, end.day) == ("policy.public-storage", date(2026, 12, 25))
    assert "a demo" in end.message


# -- what nodes run


def test_a_node_is_told_by_what_its_component_asks_for() -> None:
    nodes = stack.nodes_of(plan(server={"vectors": True}, proxy={}, vectors={}))
    by_name = {each.name: set(each.roles) for each in nodes}
    assert by_name["server"] >= {"vllm", "gateway", "weaviate", "node", "caddy", "docker"}
    assert by_name["proxy"] == {"gateway", "node", "caddy"}
    assert "weaviate" in by_name["vectors"]
    assert "vllm" not in by_name["vectors"]


def test_the_clouds_sdks_are_on_a_node_whose_moderator_needs_them() -> None:
    named = "alibabacloud-green20220302"
    with_sdks = {"content": {"moderators": {"m": {"kind": "aliyun"}}}}
    for given, there in (({}, False), (with_sdks, True)):
        (node,) = stack.nodes_of(plan(proxy=given))
        assert (named in {each.name for each in software.pins(node)}) is there


def every_node() -> list[software.Node]:
    """Nodes that have together all that is pinned."""
    every = tuple(roles.built_in())
    of_vllm = [{}, {"sdks": True, "tpu": True}, {"ray": True}]
    return [software.Node(str(number), every, **each) for number, each in enumerate(of_vllm)]


TPUS = [{"gpu": "TPU-v6e"}, {"gpu": "v6e"}, {"cloud": "gcp", "instance_type": "ct6e-standard-1t"}]


@pytest.mark.parametrize("given", TPUS)
def test_a_machine_with_a_tpu_is_told_of_its_own_build_system_and_of_no_driver(given: dict[str, Any]) -> None:
    (node,) = nodes = stack.nodes_of(plan(server=given))
    versions = {each.name: {pin.version for pin in software.pins(node) if pin.name == each.name}
                for each in software.pins(node)}  # fmt: skip
    assert versions["vllm-tpu"] == {"0.32.0"}
    assert "vllm" not in versions
    assert len(versions["torch"]) == 1
    supported = {each.name for each in software.supports(nodes)}
    assert "ubuntu 22.04" in supported
    assert not any(each.startswith("nvidia-driver") for each in supported)


@pytest.mark.parametrize("given", [{}, {"gpu": "T4"}, {"gpu": "no such card"}, {"cloud": "gcp", "instance_type": "x"}])
def test_no_other_machine_is_told_of_a_tpus_packages(given: dict[str, Any]) -> None:
    (node,) = stack.nodes_of(plan(server=given))
    names = {each.name for each in software.pins(node)}
    assert "vllm" in names
    assert not names & {"vllm-tpu", "jax", "libtpu", "tpu-inference"}


def test_each_pin_of_each_node_was_looked_up_or_is_named_as_one_that_nobody_told_of() -> None:
    told = {
        (name, each)
        for rows in (*ADVISORIES["answered"].values(), ADVISORIES["not_answered"])
        for name, versions in rows.items()
        for each in versions
    }
    nodes = every_node()
    for pin in {pin for each in nodes for pin in software.pins(each)}:
        assert (pin.name, pin.version) in told, f"{pin}: run tools/outdated --advisories"


def test_every_advisory_has_a_dated_source_and_a_pin_that_is_there() -> None:
    nodes = every_node()
    pinned = {(pin.name, pin.version) for each in nodes for pin in software.pins(each)}
    for row in ADVISORIES["rows"]:
        date.fromisoformat(ADVISORIES["sources"][row["source"]]["date"])
        assert {(row["package"], each) for each in row["versions"]} <= pinned, row["name"]
        assert re.fullmatch(r"(CVE|GHSA|PYSEC)-[\w-]+.*", row["name"])


def test_what_is_published_against_a_pin_is_a_fault_of_the_nodes_that_have_it_and_of_no_other() -> None:
    (row,) = [each for each in ADVISORIES["rows"] if each["package"] == "torch"]
    ends = list(software.advisories(stack.nodes_of(plan(server={}, proxy={}))))
    (found,) = [each for each in ends if each.name == row["name"]]
    assert (found.code, found.where, found.level(TODAY)) == ("outlook.advisory", "server", "now")
    assert "torch" in found.message
    assert codes(list(software.advisories(stack.nodes_of(plan(proxy={}))))) == []


def test_pins_of_which_nobody_told_are_a_note_and_not_called_well() -> None:
    nodes = stack.nodes_of(plan(server={"vectors": True}))
    (note,) = [each for each in software.advisories(nodes) if each.code == "outlook.advisories-unknown"]
    silent = {(name, each) for name, versions in ADVISORIES["not_answered"].items() for each in versions}
    silent -= {(row["package"], each) for row in ADVISORIES["rows"] for each in row["versions"]}
    count = len({pin for each in nodes for pin in software.pins(each) if (pin.name, pin.version) in silent})
    assert note.level(TODAY) == "note"
    assert f"of {count} of the" in note.message
    assert count > 10  # an index does not tell them of a release that is not its newest


@pytest.mark.parametrize("engine", ["weaviate", "chroma"])
def test_a_node_is_told_of_the_vector_store_that_it_has_and_of_no_other(engine: str) -> None:
    (node,) = stack.nodes_of(plan(server={"vectors": True, "vectors_engine": engine}))
    names = {pin.name for pin in software.pins(node)}
    assert ("chromadb" in names) == (engine == "chroma")
    assert any("weaviate" in each for each in names) == (engine == "weaviate")


def test_system_and_driver_of_the_nodes_have_an_end_of_support() -> None:
    ends = {each.name: each for each in software.supports(stack.nodes_of(plan(server={}, proxy={})))}
    ubuntu = roles.role("node").manifest.facts["ubuntu"]["version"]
    branch = roles.role("vllm").manifest.facts["driver"]["branch"]
    assert ends[f"ubuntu {ubuntu}"].day == date(2029, 6, 1)
    assert ends[f"ubuntu {ubuntu}"].where == "server, proxy"
    assert ends[f"nvidia-driver {branch}"].day == date(2028, 7, 1)  # the month is told, and its last day is meant
    assert ends[f"nvidia-driver {branch}"].where == "server"
    assert any(name.startswith("python ") for name in ends)


def test_every_end_of_support_is_a_day_or_a_month_with_a_dated_source() -> None:
    for row in SUPPORTS["rows"]:
        assert re.fullmatch(r"\d{4}-\d\d(-\d\d)?", row["until"])
        date.fromisoformat(SUPPORTS["sources"][row["source"]]["date"])
        assert row["thing"] in software.SUPPORTED


# -- how old the data is


def test_data_that_is_old_is_told() -> None:
    assert [each for each in stack.known() if each.as_of is None] == []
    newest = max(each.as_of for each in stack.known() if each.as_of)
    assert list(stack.old_data(min(each.as_of for each in stack.known() if each.as_of))) == []
    old = list(stack.old_data(date(newest.year + 1, newest.month, newest.day)))
    assert codes(old) == ["outlook.old-data"] * 3
    assert catalog.load().endings


# -- what concerns a change


def concerning(before: Plan, after: Plan, *remade: str, today: date = TODAY) -> list[str]:
    return [each.code for each in stack.concerning(before, after, remade, today)]


def test_a_new_machine_with_torch_is_told_what_is_published_against_it() -> None:
    assert concerning(plan(), plan(server={})) == ["outlook.advisory"]
    assert concerning(plan(proxy={}), plan(proxy={}, server={})) == ["outlook.advisory"]
    assert concerning(plan(server={}), plan(server={}), "server") == ["outlook.advisory"]


def test_a_change_that_installs_nothing_new_is_told_nothing_of_what_stands() -> None:
    assert concerning(plan(server={}), plan(server={"context_length": 2048})) == []
    assert concerning(plan(server={}), plan()) == []
    assert concerning(plan(server={"vectors": True}), plan(server={})) == []


def test_another_vector_store_is_told_of_alone_on_a_node_that_stays() -> None:
    before, after = ({"vectors": True, "vectors_engine": each} for each in ("weaviate", "chroma"))
    found = stack.concerning(plan(server=before), plan(server=after), (), TODAY)
    assert {each.code for each in found} == {"outlook.advisory"}
    assert all("chromadb" in each.message for each in found)


def test_support_that_ends_soon_is_told_of_a_new_machine_and_not_of_the_readers_python() -> None:
    found = stack.concerning(plan(), plan(proxy={}), (), date(2029, 4, 1))
    assert [(each.code, each.severity) for each in found] == [("outlook.support-ends", "warning")]
    assert "Ubuntu" in found[0].message


def test_a_key_that_gets_a_near_end_is_told_and_one_that_has_it_is_not() -> None:
    short = {"keys": {"a": {"expires": "2026-12-31"}}}
    assert concerning(plan(proxy={}), plan(proxy=short)) == ["outlook.key-expires"]
    assert concerning(plan(proxy=short), plan(proxy=short)) == []
    assert concerning(plan(proxy={}), plan(proxy={"keys": {"a": {"expires": "2027-12-31"}}})) == []
