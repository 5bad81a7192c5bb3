"""The ways through the network that the stored policies of a fleet leave open."""

from __future__ import annotations

import copy

import pytest

from pulumi_llm._cluster import names
from tests.fleet.api import Object
from tests.fleet.conftest import Room
from tests.fleet.network import End, may
from tests.fleet.under_test import CALLERS, fleet_objects

pytestmark = pytest.mark.fleet
PORTS = (22, 80, 443, 6379, 8000, 8080, 8081, 8265, 8443, 10001)
INTERNET = End("the internet", address="198.51.100.7")
SPACE = "kubernetes.io/metadata.name"


def policies(place: Room) -> list[Object]:
    """A fleet's policies, as the API server has stored them, once its pods are there."""
    place.apply(*fleet_objects(place.name, 1))
    place.running(3, seconds=120)
    return place.api.all("NetworkPolicy", place.name, "networking.k8s.io/v1")


def ends(place: Room) -> list[End]:
    """The fleet's pods as Kubernetes has them, and who else there is."""
    mine = [
        End(each["metadata"]["name"], place.name, each["metadata"].get("labels", {}), {SPACE: place.name})
        for each in place.pods()
    ]
    others = [End(name, name, {}, {SPACE: name}) for name in ("default", CALLERS, "kuberay-operator")]
    added = End("one that somebody adds", place.name, {}, {SPACE: place.name})
    return [*mine, added, *others, INTERNET]


def role_of(end: End) -> str:
    """What an end is, by the labels that KubeRay and the fleet give; else its name."""
    if "ray.io/node-type" in end.labels:
        return "ray"
    return "gateway" if end.labels.get(names.APP) == names.GATEWAY else end.name


def test_of_all_ways_only_those_are_open_that_are_meant(place: Room) -> None:
    stored = policies(place)
    everybody = ends(place)
    open_ways = {
        (role_of(source), role_of(target), port)
        for source in everybody
        for target in everybody
        for port in PORTS
        if source is not target and place.name in (source.space, target.space)
        if may(stored, source, target, port)
    }
    inside = {role_of(each) for each in everybody if each.space == place.name}
    into = {way for way in open_ways if way[1] in inside}
    assert into == {
        (CALLERS, "gateway", 8443),
        ("gateway", "ray", 8000),
        ("kuberay-operator", "ray", 8265),
        ("kuberay-operator", "ray", 8000),
        # Ray's processes take any port of each other's.
        *(("ray", "ray", port) for port in PORTS),
    }
    assert {port for *_, port in open_ways - into} == {443}, "what leaves the namespace is TLS"


def test_the_internet_may_not_call_and_an_empty_list_would_let_it(place: Room) -> None:
    stored = policies(place)
    gateway = next(each for each in ends(place) if role_of(each) == "gateway")
    assert not may(stored, INTERNET, gateway, 8443)
    assert may([], INTERNET, gateway, 22), "without a policy everybody may"
    wrong = copy.deepcopy(stored)
    for each in wrong:
        if each["metadata"]["name"] == names.GATEWAY:
            each["spec"]["ingress"][0]["from"] = []
    assert may(wrong, INTERNET, gateway, 8443)


def test_no_service_is_open_to_the_outside(place: Room) -> None:
    policies(place)
    assert {each["spec"]["type"] for each in place.api.all("Service", place.name)} == {"ClusterIP"}
