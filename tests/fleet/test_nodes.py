"""Nodes that go, and many of them."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.fleet import objects
from tests.fleet.api import until
from tests.fleet.cluster import GRACE, Cluster
from tests.fleet.conftest import Room
from tests.fleet.under_test import fleet_objects

pytestmark = pytest.mark.fleet
MANY = 200


def test_what_ran_on_a_node_that_falls_silent_is_made_anew_on_another(room: Room, cluster: Cluster) -> None:
    machine = cluster.play_alone(objects.node("silent-0", 1, pool="silent"))
    room.apply(objects.deployment("engine", 1, objects.pod_spec(1, pool="silent")))
    (pod,) = room.running(1)
    cluster.add_nodes([objects.node("silent-1", 1, pool="silent")])
    cluster.stop(machine)
    try:
        until(lambda: "silent-0" not in cluster.ready(), "the silent node is called lost", GRACE * 3)
        until(lambda: pod["metadata"]["uid"] not in {each["metadata"]["uid"] for each in room.pods()}, "it is missed")
        (anew,) = room.running(1)
        assert anew["spec"]["nodeName"] == "silent-1"
        # Nobody has confirmed that the old one has ended.
        assert {each["metadata"]["uid"] for each in room.api.all("Pod", room.name)} > {anew["metadata"]["uid"]}
    finally:
        again = cluster.play_alone(objects.node("silent-0", 1, pool="silent"))
        room.api.delete("Deployment", "engine", room.name, "apps/v1")
        until(lambda: not room.api.all("Pod", room.name), "its pods are gone")
        cluster.remove_nodes({"silent-0", "silent-1"})
        cluster.stop(again)


def test_what_ran_on_a_node_that_is_given_back_is_made_anew_on_another(room: Room, cluster: Cluster) -> None:
    cluster.add_nodes(objects.nodes("back", 2, 1, pool="back"))
    try:
        room.apply(objects.deployment("engine", 1, objects.pod_spec(1, pool="back")))
        (pod,) = room.running(1)
        lost = pod["spec"]["nodeName"]
        cluster.remove_nodes({lost})
        # The controllers look for pods without a node every 20 seconds, and give a node 40 to come back.
        until(
            lambda: pod["metadata"]["uid"] not in {each["metadata"]["uid"] for each in room.pods()}, "it is missed", 90
        )
        (anew,) = room.running(1)
        assert anew["spec"]["nodeName"] in {"back-0", "back-1"} - {lost}
    finally:
        room.api.delete("Deployment", "engine", room.name, "apps/v1")
        until(lambda: not room.api.all("Pod", room.name), "its pods are gone")
        cluster.remove_nodes({"back-0", "back-1"} & cluster.ready())


@pytest.fixture(scope="module")
def many(cluster: Cluster) -> Iterator[set[str]]:
    """Two hundred nodes with a GPU each, in a pool of their own."""
    started = time.monotonic()
    nodes = objects.nodes("many", MANY, 1, pool="many")
    cluster.add_nodes(nodes)
    print(f"{MANY} nodes ready in {time.monotonic() - started:.1f} s")
    made = {each["metadata"]["name"] for each in nodes}
    yield made
    cluster.remove_nodes(made)


def test_two_hundred_nodes_hold_two_hundred_engines_and_not_one_more(many: set[str], room: Room) -> None:
    started = time.monotonic()
    room.apply(objects.deployment("engine", MANY, objects.pod_spec(1, pool="many")))
    pods = room.running(MANY, seconds=180)
    print(f"{MANY} engines placed in {time.monotonic() - started:.1f} s")
    assert {each["spec"]["nodeName"] for each in pods} == many
    room.apply(objects.deployment("one-more", 1, objects.pod_spec(1, pool="many")))
    until(
        lambda: [
            each
            for each in room.pods("app=one-more")[0]["status"].get("conditions", ())
            if each.get("reason") == "Unschedulable" and f"{MANY} Insufficient" in each["message"]
        ],
        "the one too many is told that there is no GPU for it",
    )


def test_a_fleet_of_two_hundred_engines_is_made_by_kuberay_on_two_hundred_nodes(many: set[str], place: Room) -> None:
    nodes = {"count": MANY, "gpu": "A100-80GB", "gpus": 1, "labels": {"pool": "many"}}
    started = time.monotonic()
    place.apply(*fleet_objects(place.name, MANY, nodes=nodes))
    workers = place.running(MANY, "ray.io/node-type=worker", seconds=240)
    print(f"a fleet of {MANY} by KubeRay in {time.monotonic() - started:.1f} s")
    assert {each["spec"]["nodeName"] for each in workers} == many
