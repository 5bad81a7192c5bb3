"""The component's own fleet, whole: taken as it is, twice the same, counted, and gone when it is deleted."""

from __future__ import annotations

import copy

import pytest

from pulumi_llm._cluster import names
from pulumi_llm.spec.fleet import KUBERAY
from tests.fleet import objects
from tests.fleet.api import Object, Refused, until
from tests.fleet.conftest import Room
from tests.fleet.under_test import ENGINES, fleet_objects, namespace_object

pytestmark = pytest.mark.fleet


def runs(place: Room, copies: int) -> list[Object]:
    """Wait until all pods of a fleet on KubeRay run: engines, Ray's head, and the gateway."""
    return place.running(copies + 2, seconds=120)


def test_a_whole_fleet_is_taken_under_strict_validation_and_runs(place: Room) -> None:
    stored = place.apply(*fleet_objects(place.name, 3))
    assert {each["metadata"]["namespace"] for each in stored} == {place.name}
    pods = runs(place, 3)
    engines = [each for each in pods if each["metadata"]["labels"].get("ray.io/node-type") == "worker"]
    on = {each["spec"]["nodeName"] for each in engines}
    assert len(on) == 3
    assert all(each.startswith("gpu-") for each in on)
    others = {each["spec"]["nodeName"] for each in pods if each not in engines}
    assert all(each.startswith("plain-") for each in others), "what needs no GPU keeps none from an engine"


@pytest.mark.parametrize("engine", ENGINES)
def test_the_gateway_runs_with_either_engine(place: Room, engine: str) -> None:
    place.apply(*fleet_objects(place.name, 1, engine))
    (gateway,) = place.running(1, f"{names.APP}={names.GATEWAY}")
    claims = place.api.all("PersistentVolumeClaim", place.name)
    assert [each["status"]["phase"] for each in claims] == ["Bound"]
    label = f"kubernetes.io/service-name={names.GATEWAY}"

    def led_to() -> set[str]:
        slices = place.api.all("EndpointSlice", place.name, "discovery.k8s.io/v1", label)
        return {end["targetRef"]["uid"] for each in slices for end in each["endpoints"] or ()}

    until(lambda: led_to() == {gateway["metadata"]["uid"]}, "its Service leads to it")


def test_the_namespace_takes_the_fleets_own_labels_and_then_no_pod_that_is_privileged(place: Room) -> None:
    place.api.apply(namespace_object(place.name))
    privileged = objects.pod_spec()
    privileged["containers"][0]["securityContext"] = {"privileged": True}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": privileged}
    with pytest.raises(Refused, match="violates PodSecurity"):
        place.apply(pod)


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_applied_a_second_time_changes_nothing(place: Room, engine: str) -> None:
    first = {
        (each["kind"], each["metadata"]["name"]): each for each in place.apply(*fleet_objects(place.name, 1, engine))
    }
    for again in place.apply(*fleet_objects(place.name, 1, engine)):
        before = first[again["kind"], again["metadata"]["name"]]
        assert again["metadata"].get("generation") == before["metadata"].get("generation")
        if again["kind"] != "PersistentVolumeClaim":  # it has been told its volume meanwhile
            for part in ("spec", "data", "binaryData"):
                assert again.get(part) == before.get(part), f"{part} of {again['kind']}"


def test_a_fleet_that_is_half_made_is_made_whole_by_the_next_up(place: Room) -> None:
    wanted = fleet_objects(place.name, 1)
    place.apply(*wanted[: len(wanted) // 2])
    place.apply(*wanted)
    runs(place, 1)
    place.api.delete("Deployment", names.GATEWAY, place.name, "apps/v1")
    until(lambda: f"Deployment/{names.GATEWAY}" not in place.left(), "a part is gone")
    place.apply(*wanted)
    runs(place, 1)


def misspelt(wanted: Object) -> Object:
    """The same object with one word more, deep in it, that nobody knows."""
    wrong = copy.deepcopy(wanted)
    inside = wrong.get("spec", wrong)
    for step in ("rayClusterConfig", "headGroupSpec", "template", "spec"):
        inside = inside.get(step, inside)
    inside["tolerationz"] = []
    return wrong


@pytest.mark.parametrize("engine", ENGINES)
def test_a_misspelt_word_is_refused_in_each_kind_of_object(place: Room, engine: str) -> None:
    before = place.left()
    kinds = {each["kind"]: each for each in fleet_objects(place.name, 1, engine)}
    for wanted in kinds.values():
        with pytest.raises(Refused, match=r"tolerationz.*(not declared in schema|unknown field)"):
            place.apply(misspelt(wanted))
    assert place.left() == before


def test_another_number_of_engines_comes_with_a_ray_service_made_anew_and_the_gateway_stays(place: Room) -> None:
    place.apply(*fleet_objects(place.name, 1))
    before = {each["metadata"]["uid"] for each in runs(place, 1)}
    place.api.delete("RayService", names.RELEASE, place.name, "ray.io/v1")
    until(lambda: place.api.get("RayService", names.RELEASE, place.name, "ray.io/v1") is None, "it is gone", 120)
    place.apply(*fleet_objects(place.name, 3))
    kept = before & {each["metadata"]["uid"] for each in runs(place, 3)}
    (gateway,) = place.pods(f"{names.APP}={names.GATEWAY}")
    assert kept == {gateway["metadata"]["uid"]}


def test_the_fleets_quota_lets_nobody_take_a_gpu_more_or_open_a_door(place: Room) -> None:
    place.apply(*fleet_objects(place.name, 2))
    runs(place, 2)
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "third"}, "spec": objects.pod_spec(1)}
    with pytest.raises(Refused, match=r"exceeded quota: llm-gpus, requested: requests.nvidia.com/gpu=1"):
        place.apply(pod)
    door = {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "door"},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 443}]},
    }  # fmt: skip
    with pytest.raises(Refused, match=r"exceeded quota: llm-gpus, requested: services.loadbalancers=1"):
        place.apply(door)


@pytest.mark.parametrize("engine", ENGINES)
def test_when_a_fleet_is_deleted_nothing_of_it_is_left(place: Room, engine: str) -> None:
    before = place.left()
    fleet = fleet_objects(place.name, 1, engine)
    place.apply(*fleet)
    if engine == KUBERAY:
        runs(place, 1)
    until(lambda: len(place.left()) > len(before) + len(fleet), "controllers have made more of it")
    for each in reversed(fleet):
        place.api.delete(each["kind"], each["metadata"]["name"], place.name, each["apiVersion"])
    until(lambda: place.left() == before, "nothing is left", 90)


def test_a_namespace_takes_all_that_is_in_it_with_it_and_nothing_else(place: Room) -> None:
    place.apply(*fleet_objects(place.name, 1))
    runs(place, 1)
    other = Room(place.api, f"{place.name}-2")
    place.api.apply(objects.namespace(other.name))
    until(lambda: place.api.get("ServiceAccount", "default", other.name), "the second namespace may be used")
    other.volume(names.STATE)
    other.apply(*fleet_objects(other.name, 1))
    runs(other, 1)
    place.api.delete("Namespace", other.name)
    until(lambda: place.api.get("Namespace", other.name) is None, "the second namespace is gone", 120)
    assert not other.left()
    place.api.delete("PersistentVolume", f"{other.name}-{names.STATE}")
    assert runs(place, 1), "the first fleet is still there"
