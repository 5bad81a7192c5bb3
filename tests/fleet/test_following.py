"""Engines that follow the load, held against KEDA's own CRDs: by the API server's library, and by the server."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from pulumi_llm._cluster import following, names
from tests.cluster.fleets import FLEET, planned, values_of
from tests.fleet.api import Object, Refused
from tests.fleet.cluster import Cluster
from tests.fleet.conftest import Room
from tests.fleet.following import CHECK, CRDS, said_of, scaled_object
from tests.fleet.under_test import fleet_objects

pytestmark = pytest.mark.fleet
MODEL = "Qwen/Qwen2.5-7B-Instruct"
PLACES: tuple[tuple[str | int, ...], ...] = (
    (),
    ("scaleTargetRef",),
    ("advanced",),
    ("advanced", "horizontalPodAutoscalerConfig"),
    ("advanced", "horizontalPodAutoscalerConfig", "behavior"),
    ("advanced", "horizontalPodAutoscalerConfig", "behavior", "scaleDown"),
    ("advanced", "horizontalPodAutoscalerConfig", "behavior", "scaleDown", "policies", 0),
    ("triggers", 0),
    ("triggers", 0, "authenticationRef"),
)
"""Every object of a ScaledObject that we write, but for a trigger's metadata."""


def wanted(namespace: str = "llm", model: str = "chat", **scaling: Any) -> Object:
    args = {**FLEET, "namespace": namespace, "models": {model: {"model": MODEL, "scaling": scaling}}}
    (engines,) = values_of(planned(args))["servingEngineSpec"]["modelSpec"]
    return scaled_object(engines["keda"], model, namespace)


def misspelt(right: Object, place: tuple[str | int, ...]) -> Object:
    wrong = copy.deepcopy(right)
    at: Any = wrong["spec"]
    for step in place:
        at = at[step]
    at["replicaz"] = 1
    return wrong


def authentication() -> Object:
    metadata = {"name": names.LOAD, "namespace": "llm"}
    return {
        "apiVersion": following.API, "kind": following.KIND, "metadata": metadata, "spec": following.authentication()
    }  # fmt: skip


@pytest.fixture
def judge() -> None:
    if not CHECK.exists():
        pytest.skip("crd-check is not built: tools/fetch fleet")


@pytest.fixture(scope="module")
def keda(cluster: Cluster) -> Cluster:
    """The cluster with KEDA's CRDs, and without its operator."""
    for path in sorted(CRDS.glob("*.yaml")):
        cluster.api.create(yaml.load(path.read_text(), yaml.CSafeLoader))
    return cluster


@pytest.mark.parametrize("scaling", [{"most": 2}, {"least": 0, "most": 2}, {"least": 1, "most": 2, "idle_minutes": 60}])
def test_what_the_chart_makes_is_taken(judge: None, tmp_path: Path, scaling: dict[str, Any]) -> None:
    assert said_of(wanted(**scaling), tmp_path) == "taken"
    assert said_of(wanted(model="a" * 40, **scaling), tmp_path) == "taken"


def test_how_keda_is_told_the_key_is_taken_and_a_misspelt_field_is_not(judge: None, tmp_path: Path) -> None:
    right = authentication()
    assert said_of(right, tmp_path) == "taken"
    right["spec"]["secretTargetRef"][0]["nome"] = "x"
    assert said_of(right, tmp_path) == 'unknown field "spec.secretTargetRef[0].nome"'


@pytest.mark.parametrize("place", PLACES, ids=lambda place: ".".join(map(str, place)) or "spec")
def test_a_misspelt_field_is_refused_wherever_it_is(judge: None, tmp_path: Path, place: tuple[str | int, ...]) -> None:
    found = said_of(misspelt(wanted(least=0, most=2), place), tmp_path)
    assert found.startswith('unknown field "spec.')
    assert found.endswith('replicaz"')


def test_what_a_trigger_asks_is_any_mapping_of_texts_so_that_a_closed_class_is_all_that_keeps_it(
    judge: None, tmp_path: Path
) -> None:
    open_to_all = wanted(least=0, most=2)
    asked = open_to_all["spec"]["triggers"][0]["metadata"]
    asked["targetValu"] = asked.pop("targetValue")
    assert said_of(open_to_all, tmp_path) == "taken"
    asked["targetValue"] = 9
    assert "must be of type string" in said_of(open_to_all, tmp_path)


def test_more_at_least_than_at_most_is_refused_there_too(judge: None, tmp_path: Path) -> None:
    wrong = wanted(least=0, most=2)
    wrong["spec"]["minReplicaCount"] = 3
    assert "minReplicaCount must be less than or equal to maxReplicaCount" in said_of(wrong, tmp_path)


def test_the_api_server_stores_what_keda_follows_the_load_by(keda: Cluster, room: Room) -> None:
    models = {"chat": {"model": MODEL, "scaling": {"least": 0, "most": 2}}}
    mine = fleet_objects(room.name, engine="production-stack", models=models)
    found = [each for each in mine if names.LOAD in each["metadata"]["name"]]
    assert sorted(each["kind"] for each in found) == ["Secret", "Service", "TriggerAuthentication"]
    room.apply(*found, wanted(room.name, least=0, most=2))
    assert len(room.api.all("ScaledObject", room.name, following.API)) == 1


@pytest.mark.parametrize("place", PLACES, ids=lambda place: ".".join(map(str, place)) or "spec")
def test_the_api_server_refuses_a_misspelt_field(keda: Cluster, room: Room, place: tuple[str | int, ...]) -> None:
    with pytest.raises(Refused, match=r"replicaz.*field not declared in schema|unknown field .*replicaz"):
        room.apply(misspelt(wanted(room.name, least=0, most=2), place))
    assert not room.api.all("ScaledObject", room.name, following.API)
