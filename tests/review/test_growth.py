"""Of a step up a comment says what stays, what moves and what is left to do by hand, and it says what is so."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pulumi
import pytest

import pulumi_llm as llm
from pulumi_llm import catalog
from pulumi_llm._plan.capture import capture
from pulumi_llm._plan.comparison import Comparison
from pulumi_llm._plan.forecast import Forecast
from pulumi_llm._plan.model import Plan
from pulumi_llm._review import output
from pulumi_llm._review.comment import render, words_of
from pulumi_llm._review.growth import Growth
from pulumi_llm._review.stack_review import StackReview, review
from pulumi_llm.errors import Refusal
from tests.cluster.fleets import FLEET
from tests.review.cases import base, compared, setting
from tests.test_components import SERVER

TODAY = date(2026, 11, 29)
ROOT = Path(__file__).parents[2]
Program = Callable[[], None]


def program(
    server: dict[str, Any] | None = None, fleet: dict[str, Any] | None = None, *, carry: bool = False
) -> Program:
    """A server and a fleet, each where it has arguments; ``carry``: the fleet takes the server's keys over."""

    def run() -> None:
        of_server: Any = {**SERVER, **(server or {})}
        made = llm.ModelServer("chat", of_server) if server is not None else None
        if fleet is not None:
            keys = {"carried_keys": made.api_keys} if made is not None and carry else {}
            of_fleet: Any = {**FLEET, **fleet, **keys}
            pulumi.export("keys", llm.Fleet("fleet", of_fleet).api_keys)

    return run


def comparison(before: Program, after: Program) -> Comparison:
    first = Forecast()
    stood = capture(before, standing=first)
    stood.stand_ins = first.labels
    forecast = Forecast(stood)
    return forecast.comparison(capture(after, standing=forecast))


def reviewed(found: Comparison) -> StackReview:
    return review(found, catalog.load(), today=TODAY, environment={})


def grown(before: Program, after: Program) -> Growth:
    (found,) = reviewed(comparison(before, after)).growths
    return found


def said(growth: Growth, part: str) -> dict[str, tuple[str, ...]]:
    return {each.what: each.names for each in getattr(growth, part)}


@pytest.fixture(scope="module", params=["aliyun", "aws", "tencent"])
def standing(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Plan]:
    """A shipped stack of one machine on each cloud that can all steps, with vectors beside the model."""
    return request.param, base(tmp_path_factory.mktemp("before"), request.param)


@pytest.mark.parametrize("kind", ["replicas", "nodes"])
def test_from_one_machine_to_two_keys_usage_vectors_and_address_stay(
    kind: str, standing: tuple[str, Plan], tmp_path: Path
) -> None:
    cloud, before = standing
    found = compared(tmp_path, cloud, before, setting(f"server.{kind}", 2))
    made = reviewed(found)
    (growth,) = made.growths
    assert (growth.node, growth.kind, growth.before, growth.after) == ("llm-server", kind, 1, 2)
    assert set(said(growth, "stays")) == {"keys", "usage", "vectors", "address", "authority"}
    assert said(growth, "stays")["keys"] == ("default",)
    assert set(said(growth, "moves")) == {f"{kind}-more"}
    assert set(said(growth, "by_hand")) == {f"{kind}-by-hand"}
    # What is said is what the steps say: nothing of the first machine is made anew, and nobody is broken.
    own = {each.resource.name for each in found.steps if each.operation in ("replace", "delete")}
    assert {name for name in own if f"-{kind.rstrip('s')}-" not in name} <= {"llm-server-settings", "llm-server-apply"}
    assert made.broken == []
    assert "diff.deletes-data" not in {each.code for each in made.findings}


def test_with_another_region_beside_it_nothing_is_said_to_stay_that_does_not(tmp_path: Path) -> None:
    before = base(tmp_path / "before", "aws")

    def edit(platform: dict[str, Any], cloud: str) -> None:
        setting("server.replicas", 2)(platform, cloud)
        setting("server.region", "us-west-2")(platform, cloud)
        setting("server.keys.default.generation", 2)(platform, cloud)

    (growth,) = reviewed(compared(tmp_path, "aws", before, edit)).growths
    assert not said(growth, "stays").keys() & {"keys", "usage", "vectors", "address"}
    assert said(growth, "moves").keys() >= {"keys-lost", "usage-lost", "vectors-lost", "address-lost"}
    assert said(growth, "moves")["keys-lost"] == ("default",)


@pytest.mark.parametrize("kind", ["replicas", "nodes"])
def test_the_way_back_keeps_the_first_machine_too(kind: str) -> None:
    growth = grown(program({kind: 2, "vectors": True}), program({"vectors": True}))
    assert (growth.before, growth.after) == (2, 1)
    assert set(said(growth, "stays")) >= {"keys", "usage", "vectors", "address"}
    assert set(said(growth, "moves")) == {f"{kind}-fewer"}


def test_a_change_of_something_else_is_no_step_up() -> None:
    assert reviewed(comparison(program({"replicas": 2}), program({"replicas": 2, "max_num_seqs": 9}))).growths == []
    more = {"models": {"chat": {"model": "Qwen/Qwen2.5-7B-Instruct", "copies": 1}}}
    assert reviewed(comparison(program({}, {}), program({}, more))).growths == []


KEYS: dict[str, Any] = {"keys": {"app": {}, "team": {}}}


def test_a_fleet_beside_the_server_takes_its_keys_over_and_its_vectors_stay() -> None:
    growth = grown(program({**KEYS, "vectors": True}), program({**KEYS, "vectors": True}, KEYS, carry=True))
    assert (growth.node, growth.kind, growth.after) == ("chat", "fleet-beside", 2)
    assert said(growth, "stays") == {"fleet-keys": ("app", "team"), "fleet-vectors-stay": ()}
    assert said(growth, "by_hand").keys() == {"fleet-models", "fleet-address", "fleet-usage"}
    assert said(growth, "by_hand")["fleet-models"] == ("Yi-6B-Chat",)


def test_of_a_fleet_with_keys_of_its_own_it_is_said_who_is_refused() -> None:
    routes = {"routes": {"Yi-6B-Chat": {"models": {"chat": 1}}}}
    growth = grown(program(KEYS), program(KEYS, {"keys": {"app": {}}, **routes}))
    assert said(growth, "by_hand") == {
        "fleet-keys-new": ("app",), "fleet-keys-lacking": ("team",), "fleet-address": (), "fleet-usage": ("dev",),
    }  # fmt: skip


def test_when_the_server_goes_usage_and_vectors_are_told_before_they_are_lost() -> None:
    server = {**KEYS, "vectors": True, "blocked_words": ["secret"]}
    made = reviewed(comparison(program(server, KEYS), program(None, KEYS)))
    (growth,) = made.growths
    assert growth.kind == "fleet-instead"
    assert growth.stays == ()
    assert said(growth, "by_hand").keys() >= {"fleet-usage-goes", "fleet-vectors-go", "fleet-lacks"}
    assert said(growth, "by_hand")["fleet-lacks"] == ("blocked_words",)
    assert "diff.deletes-data" in {each.code for each in made.findings}


def test_both_languages_say_it_and_the_json_has_it() -> None:
    made = reviewed(comparison(program(KEYS), program({**KEYS, "replicas": 2})))
    for language in ("en", "zh"):
        text = render([made], language)
        assert f"**{words_of(language)('step-up')}**" in text
        assert "`app`" in text
        assert "1 → 2" in text
    (stack,) = json.loads(json.dumps(output.to_json([made], None, [])))["stacks"]
    (growth,) = stack["growths"]
    assert (growth["node"], growth["kind"], growth["before"], growth["after"]) == ("chat", "replicas", 1, 2)
    assert {"what": "keys", "names": ["app", "team"]} in growth["stays"]


def test_a_comment_says_what_a_change_of_a_fleet_does_to_callers() -> None:
    ray = {"engine": "kuberay"}
    more = {"models": {"chat": {"model": "Qwen/Qwen2.5-7B-Instruct", "copies": 1}}}
    impacts = {
        row.resource: (row.impact.code, row.impact.note)
        for row in reviewed(comparison(program(None, ray), program(None, {**ray, **more}))).changes.rows
    }
    assert impacts["fleet-engines"] == ("restarts-service", "engines-anew")
    assert impacts["fleet-llm-gpus-resourcequota"][0] == "in-place"
    limits = {**ray, "keys": {"default": {"requests_per_minute": 4}}}
    (row,) = reviewed(comparison(program(None, ray), program(None, limits))).changes.rows
    assert (row.resource, row.impact.note) == ("fleet-llm-gateway-settings-configmap", "read-as-it-runs")
    gone = reviewed(comparison(program({}, ray), program({}))).findings
    assert ("diff.deletes-data", "fleet-llm-gateway-state-persistentvolumeclaim") in {
        (each.code, each.where) for each in gone
    }


@pytest.mark.parametrize(
    ("given", "code"),
    [({"caht": "sk-1"}, "spec.unknown-key"), ({"default": " "}, "secret.missing")],
)
def test_keys_that_cannot_be_carried_over_are_refused(given: dict[str, str], code: str) -> None:
    with pytest.raises(Refusal) as refused:
        capture(program(None, {"carried_keys": given}))
    assert [each.code for each in refused.value.findings] == [code]


def test_a_key_that_is_carried_over_is_the_gateways_and_stands_nowhere_in_plain_text() -> None:
    plan = capture(program(None, {**KEYS, "carried_keys": {"app": "sk-planted"}}))
    made = {each.name for each in plan.resources if each.type.endswith(":RandomPassword")}
    assert made == {"fleet-key-team", "fleet-engine-key"}
    assert "carried_keys" not in json.dumps([dict(each.inputs) for each in plan.of_type("llm:index:Fleet")])
    for each in plan.resources:
        assert "sk-planted" not in json.dumps(dict(each.inputs)), each.name


@pytest.mark.parametrize(("language", "page"), [("en", "docs/fleet.md"), ("zh", "docs/fleet.zh.md")])
def test_the_page_shows_what_a_comment_really_says(language: str, page: str) -> None:
    shown = (ROOT / page).read_text(encoding="utf-8")
    routes = {"routes": {"Yi-6B-Chat": {"models": {"chat": 1}}}}
    old: dict[str, Any] = {"vectors": True}
    new: dict[str, Any] = {"keys": {"default": {}}}
    carried = {**new, **routes, "carried_keys": {"default": "sk-planted"}}
    for before, after in (
        (program(old), program(old, new, carry=True)),
        (program(old, {**new, **routes}, carry=True), program(None, carried)),
    ):
        text = render([reviewed(comparison(before, after))], language)
        start = text.index(f"**{words_of(language)('step-up')}**")
        told = [line for line in text[start:].split("\n\n**")[0].splitlines() if line.startswith(("- ", "  - "))]
        assert len(told) > 5
        assert "\n".join(f"> {line}" for line in told) in shown
