"""A whole fleet: taken as it is, twice the same, closed, and gone when it is deleted."""

from __future__ import annotations

import copy

import pytest

from tests.fleet import objects
from tests.fleet.api import Object, Refused, until
from tests.fleet.conftest import Room
from tests.fleet.under_test import fleet_objects

pytestmark = pytest.mark.fleet


def test_each_object_is_taken_under_strict_validation_and_all_of_it_runs(room: Room) -> None:
    stored = room.apply(*fleet_objects())
    assert all(each["metadata"]["namespace"] == room.name for each in stored)
    wanted = sum(each["spec"]["replicas"] for each in fleet_objects() if each["kind"] in {"Deployment", "StatefulSet"})
    room.running(wanted)


def test_what_is_applied_a_second_time_changes_nothing(room: Room) -> None:
    first = {(each["kind"], each["metadata"]["name"]): each for each in room.apply(*fleet_objects())}
    for again in room.apply(*fleet_objects()):
        before = first[again["kind"], again["metadata"]["name"]]
        assert again["metadata"].get("generation") == before["metadata"].get("generation")
        assert again.get("spec") == before.get("spec")


def test_a_fleet_that_is_half_made_is_made_whole_by_applying_it_again(room: Room) -> None:
    room.apply(*fleet_objects()[:3])
    made = room.apply(*fleet_objects())
    gone = next(each for each in made if each["kind"] == "Deployment")
    room.api.delete("Deployment", gone["metadata"]["name"], room.name, "apps/v1")
    until(lambda: f"Deployment/{gone['metadata']['name']}" not in room.left(), "one part is gone")
    room.apply(*fleet_objects())
    assert f"Deployment/{gone['metadata']['name']}" in room.left()


def misspelt(wanted: Object) -> Object:
    """The same object with one word more, somewhere in its depth, that nobody knows."""
    wrong = copy.deepcopy(wanted)
    place = wrong["spec"]
    for step in ("rayClusterConfig", "headGroupSpec", "template", "spec"):
        place = place.get(step, place)
    place["tolerationz"] = []
    return wrong


def test_a_misspelt_word_is_refused_in_each_kind_of_object(room: Room) -> None:
    kinds = {each["kind"]: each for each in fleet_objects()}
    for wanted in kinds.values():
        with pytest.raises(Refused, match=r"tolerationz.*(not declared in schema|unknown field)"):
            room.apply(misspelt(wanted))


def test_the_network_is_stored_closed_and_only_the_named_ways_are_open(room: Room) -> None:
    room.apply(*fleet_objects())
    policies = room.api.all("NetworkPolicy", room.name, "networking.k8s.io/v1")
    pods = until(room.pods, "the fleet's pods are made")
    assert pods
    for pod in pods:
        mine = [each["spec"] for each in policies if selects(each["spec"]["podSelector"], pod)]
        for direction, rules, ends in (("Ingress", "ingress", "from"), ("Egress", "egress", "to")):
            assert any(direction in each["policyTypes"] for each in mine), f"{direction} of {pod['metadata']['name']}"
            for rule in (rule for each in mine for rule in each.get(rules, ())):
                # A rule that names no end, or no port, is open to everybody.
                assert rule.get(ends), f"{rules} of {pod['metadata']['name']} from everywhere: {rule}"
                assert rule.get("ports"), f"{rules} of {pod['metadata']['name']} on each port: {rule}"
    for kind in ("Service",):
        for each in room.api.all(kind, room.name):
            assert each["spec"]["type"] == "ClusterIP", f"{each['metadata']['name']} is open to the outside"


def selects(selector: Object, pod: Object) -> bool:
    assert "matchExpressions" not in selector
    labels = pod["metadata"].get("labels", {})
    return all(labels.get(name) == value for name, value in selector.get("matchLabels", {}).items())


def test_when_a_fleet_is_deleted_nothing_of_it_is_left(room: Room) -> None:
    before = room.left()
    fleet = fleet_objects()
    room.apply(*fleet)
    until(room.pods, "the fleet's pods are made")
    assert len(room.left()) > len(before) + len(fleet)
    for each in reversed(fleet):
        room.api.delete(each["kind"], each["metadata"]["name"], room.name, each["apiVersion"])
    until(lambda: room.left() == before, "nothing is left", 90)


def test_a_namespace_takes_all_that_is_in_it_with_it(room: Room) -> None:
    room.apply(*fleet_objects())
    until(room.pods, "the fleet's pods are made")
    second = f"{room.name}-2"
    room.api.apply(objects.namespace(second))
    until(lambda: room.api.get("ServiceAccount", "default", second), "the second namespace may be used")
    other = Room(room.api, second)
    other.apply(*fleet_objects(1))
    until(other.pods, "the other fleet's pods are made")
    room.api.delete("Namespace", second)
    until(lambda: room.api.get("Namespace", second) is None, "the second namespace is gone", 120)
    assert not other.left()
    assert room.pods(), "the first fleet is still there"
