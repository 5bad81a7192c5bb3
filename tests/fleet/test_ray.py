"""A model over several nodes, taken up by KubeRay's own operator."""

from __future__ import annotations

import time

import pytest

from tests.fleet import objects
from tests.fleet.api import Object, Refused, until
from tests.fleet.cluster import Cluster
from tests.fleet.conftest import Room

pytestmark = pytest.mark.fleet
RAY = "ray.io/v1"


def clusters(room: Room) -> list[Object]:
    return room.api.all("RayCluster", room.name, RAY)


def test_a_ray_service_becomes_a_head_and_workers_on_gpus(kuberay: Cluster, room: Room) -> None:
    room.apply(objects.ray_service("llm", 2, hosts=2))
    (head,) = room.running(1, "ray.io/node-type=head")
    workers = room.running(4, "ray.io/node-type=worker")
    assert head["spec"]["nodeName"].startswith("plain-")
    assert len({each["spec"]["nodeName"] for each in workers}) == 4
    assert all(each["spec"]["nodeName"].startswith("gpu-") for each in workers)
    # KubeRay itself gives the workers what they wait with for the head.
    assert all("ray start" in str(each["spec"]["containers"][0]) for each in (head, *workers))
    (cluster,) = clusters(room)
    assert cluster["metadata"]["ownerReferences"][0]["kind"] == "RayService"
    until(lambda: clusters(room)[0].get("status", {}).get("state") == "ready", "the RayCluster is ready")


def test_a_worker_that_is_lost_is_made_anew_by_the_operator(kuberay: Cluster, room: Room) -> None:
    room.apply(objects.ray_service("llm", 2, hosts=1))
    workers = room.running(2, "ray.io/node-type=worker")
    lost = workers[0]["metadata"]
    room.api.delete("Pod", lost["name"], room.name)
    until(lambda: lost["uid"] not in {each["metadata"]["uid"] for each in room.pods()}, "the worker is gone")
    anew = room.running(2, "ray.io/node-type=worker")
    assert workers[1]["metadata"]["uid"] in {each["metadata"]["uid"] for each in anew}


def test_kuberay_takes_up_another_number_of_workers_only_where_a_group_is_added_with_it(
    kuberay: Cluster, room: Room
) -> None:
    """What a fleet has to reckon with, in KubeRay 1.5.0: it compares services without the numbers of their workers."""
    wanted = objects.ray_service("llm", 1, hosts=1)
    room.apply(wanted)
    room.running(1, "ray.io/node-type=worker")
    wanted = objects.ray_service("llm", 3, hosts=1)
    room.apply(wanted)
    time.sleep(5)
    assert [each["replicas"] for each in clusters(room)[0]["spec"]["workerGroupSpecs"]] == [1]
    groups = wanted["spec"]["rayClusterConfig"]["workerGroupSpecs"]
    groups.append({**groups[0], "groupName": "more", "replicas": 0, "minReplicas": 0, "maxReplicas": 1})
    room.apply(wanted)
    room.running(3, "ray.io/node-type=worker")


@pytest.mark.parametrize("place", ["spec", "rayClusterConfig", "headGroupSpec", "worker", "container"])
def test_a_misspelt_field_is_refused_wherever_it_is(kuberay: Cluster, room: Room, place: str) -> None:
    wrong = objects.ray_service("llm", 1)
    config = wrong["spec"]["rayClusterConfig"]
    worker = config["workerGroupSpecs"][0]
    places = {
        "spec": wrong["spec"], "rayClusterConfig": config, "headGroupSpec": config["headGroupSpec"], "worker": worker,
        "container": worker["template"]["spec"]["containers"][0],
    }  # fmt: skip
    places[place]["replicaz"] = 1
    with pytest.raises(Refused, match=r"replicaz.*field not declared in schema|unknown field .*replicaz"):
        room.apply(wrong)
    assert not room.api.all("RayService", room.name, RAY)


def test_a_ray_service_without_a_head_is_refused(kuberay: Cluster, room: Room) -> None:
    wrong = objects.ray_service("llm", 1)
    del wrong["spec"]["rayClusterConfig"]["headGroupSpec"]
    with pytest.raises(Refused, match="headGroupSpec: Required value"):
        room.apply(wrong)


def test_when_a_ray_service_is_deleted_nothing_of_it_is_left(kuberay: Cluster, room: Room) -> None:
    before = room.left()
    room.apply(objects.ray_service("llm", 1))
    room.running(3)
    assert len(room.left()) > len(before) + 4
    room.api.delete("RayService", "llm", room.name, RAY)
    until(lambda: room.left() == before, "nothing is left", 90)


def test_the_operator_may_not_read_secrets(kuberay: Cluster, room: Room) -> None:
    with pytest.raises(Refused, match="secrets is forbidden"):
        kuberay.operator.all("Secret", room.name)
