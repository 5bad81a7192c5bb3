"""A service beside a model, asked for in a stack by its role's name: what is made, what is told, what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import pulumi_llm as llm
from pulumi_llm import preflight, spec
from pulumi_llm._plan.model import Plan, is_secret
from pulumi_llm._resolve.parts import stand_of_server
from pulumi_llm._review import picture
from pulumi_llm.errors import Refusal
from tests.roles.sample import COMPOSE, ROLE, installed
from tests.test_components import PLATFORM, SERVER, plan_of, settings

WITH = {**SERVER, "services": {"ledger": {}}}
DESCRIBED = {key: SERVER[key] for key in ("cloud", "region", "gpu", "model", "context_length")}


@pytest.fixture(autouse=True)
def _package(tmp_path: Path) -> Iterator[None]:
    with installed(tmp_path / "site"):
        yield


def server(**services: Any) -> spec.ServerSpec:
    return spec.parse(spec.ServerSpec, {**DESCRIBED, "services": services})


def disk_gib(wanted: spec.ServerSpec) -> int:
    return stand_of_server(wanted, None).data_disk_gib


def codes(component: Any, args: dict[str, Any]) -> list[str]:
    with pytest.raises(Refusal) as refused:
        plan_of(component, args)
    return sorted({finding.code for finding in refused.value.findings})


def firewall(plan: Plan) -> str:
    return json.dumps([each.inputs for each in plan.resources if "firewall" in each.name])


def test_a_service_is_asked_for_by_its_roles_name() -> None:
    plan = plan_of(llm.ModelServer, WITH)
    assert "llm-ledger.service" in settings(plan)["services"]
    assert "18500" in firewall(plan)
    told = plan.outputs["services"]
    assert is_secret(told)
    password = next(each for each in plan.resources if each.name == "x-ledger-password")
    assert password.type == "random:index/randomPassword:RandomPassword"


def test_a_platform_hands_it_on_to_its_server() -> None:
    described = {**PLATFORM, "server": {**PLATFORM["server"], "services": {"ledger": {"memory_gib": 2}}}}
    plan = plan_of(llm.Platform, described)
    rows = settings(plan, "x-server-settings")["files"]
    (compose,) = (each["content"] for each in rows if each["path"] == "/opt/llm/ledger/compose.yaml")
    assert "mem_limit: 2g" in compose
    assert is_secret(plan.outputs["services"])


def test_a_server_without_services_tells_none() -> None:
    assert "services" not in plan_of(llm.ModelServer, SERVER).outputs


def test_the_picture_calls_it_by_its_title() -> None:
    labels = picture._labels(plan_of(llm.ModelServer, WITH))
    assert labels["x"][-1] == "Ledger"


def test_the_data_disk_has_room_for_it() -> None:
    plain, with_service = disk_gib(server()), disk_gib(server(ledger={}))
    assert with_service == plain + 25
    assert disk_gib(server(ledger={"disk_gib": 100})) == plain + 100


def test_memory_that_the_machine_does_not_have_is_refused_with_everybodys_share() -> None:
    found = {each.code: each for each in preflight.check_server(server(ledger={"memory_gib": 400}))}
    assert "400 GiB for Ledger" in found["fit.host-memory"].message
    assert "services.ledger.memory_gib" in found["fit.host-memory"].hint
    assert "fit.host-memory" not in {each.code for each in preflight.check_server(server(ledger={}))}


def test_a_disk_that_is_too_small_is_refused_with_everybodys_share() -> None:
    wanted = spec.parse(spec.ServerSpec, {**DESCRIBED, "model_disk_gib": 40, "services": {"ledger": {"disk_gib": 60}}})
    found = {each.code: each for each in preflight.check_server(wanted)}
    assert "60 GiB are for Ledger" in found["fit.disk-too-small"].message


def test_a_service_that_writes_no_more_on_a_disk_that_is_nearly_full_has_its_room_below_that(tmp_path: Path) -> None:
    careful = ROLE.replace("ledger", "teller").replace("Ledger", "Teller").replace("730", "740").replace("1850", "1860")
    careful = careful.replace("id: 490", "id: 491").replace("disk_gib: 25", "disk_gib: 25\n  disk_percent: 50")
    with installed(tmp_path / "more", name="teller", role=careful, compose=COMPOSE.replace("ledger", "teller")):
        sizes = {"disk_gib": 60}
        wanted = {**DESCRIBED, "model_disk_gib": 100, "services": {"teller": sizes, "ledger": {"disk_gib": 5}}}
        (found,) = [
            each
            for each in preflight.check_server(spec.parse(spec.ServerSpec, wanted))
            if each.code == "fit.disk-too-small"
        ]
        assert "60 GiB are for Teller and 5 GiB are for Ledger" in found.message
        assert "(once 50% of it are full, it is read-only for Teller)" in found.message
        assert int(found.hint.rpartition(" ")[2]) >= 2 * (60 + 5)
        weights = stand_of_server(server(), None).weights_gib
        assert weights is not None
        assert disk_gib(server(teller=sizes)) >= 2 * (2 * weights + 60)


def test_an_unknown_role_is_answered_with_those_that_can_be_asked_for() -> None:
    with pytest.raises(Refusal) as refused:
        server(zzz={})
    (found,) = refused.value.findings
    assert (found.code, found.where) == ("roles.unknown", "services")
    assert found.hint.startswith("known: ledger")
    assert not [name for name in ("vllm", "caddy", "node", "gateway", "weaviate", "docker") if name in found.hint]


@pytest.mark.parametrize(
    ("services", "code"),
    [
        ({"legder": {}}, "roles.unknown"),
        ({"vllm": {}}, "spec.not-a-service"),
        ({"caddy": {}}, "spec.not-a-service"),
        ({"weaviate": {}}, "spec.not-a-service"),
        ({"ledger": {"memory": 4}}, "spec.unknown-key"),
        ({"ledger": {"memory_gib": 0}}, "spec.wrong-value"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(services: dict[str, Any], code: str) -> None:
    assert codes(llm.ModelServer, {**SERVER, "services": services}) == [code]


def test_a_name_that_is_nearly_right_is_told() -> None:
    with pytest.raises(Refusal, match="did you mean ledger"):
        server(legder={})


def test_a_service_that_another_one_needs_comes_with_it_its_password_and_its_room_too(tmp_path: Path) -> None:
    needs = ROLE.replace("ledger", "teller").replace("Ledger", "Teller").replace("730", "740").replace("1850", "1860")
    needs = needs.replace("id: 490", "id: 491").replace("[gateway, docker]", "[gateway, docker, ledger]")
    with installed(tmp_path / "more", name="teller", role=needs, compose=COMPOSE.replace("ledger", "teller")):
        assert list(server(teller={}).services) == ["teller", "ledger"]
        assert disk_gib(server(teller={})) == disk_gib(server()) + 50
        plan = plan_of(llm.ModelServer, {**SERVER, "services": {"teller": {}}})
        services = settings(plan)["services"]
        assert services.index("llm-ledger.service") < services.index("llm-teller.service")
        assert {"x-ledger-password", "x-teller-password"} <= {each.name for each in plan.resources}
