"""Where pods land, and what a quota refuses: decided by the real scheduler and admission."""

from __future__ import annotations

import pytest

from tests.fleet import objects
from tests.fleet.api import Object, Refused, until
from tests.fleet.cluster import Cluster
from tests.fleet.conftest import GPU_NODES, Room

pytestmark = pytest.mark.fleet


def gpus_of(pod: Object) -> int:
    return sum(
        int(each.get("resources", {}).get("limits", {}).get(objects.GPU, 0)) for each in pod["spec"]["containers"]
    )


def why_not(pod: Object) -> str:
    """Why the scheduler places a pod nowhere, in its own words; empty if it has said nothing yet."""
    return next(
        (
            each["message"]
            for each in pod["status"].get("conditions", ())
            if each["type"] == "PodScheduled" and each["status"] == "False"
        ),
        "",
    )


def waits(room: Room, label: str) -> str:
    """Wait until the scheduler has said of the one pod why it waits."""
    return until(lambda: "".join(why_not(each) for each in room.pods(label)), f"{label} is told why it waits")


def test_what_asks_for_a_gpu_lands_on_nodes_with_gpus_and_nothing_else_does(room: Room) -> None:
    room.apply(objects.deployment("engine", GPU_NODES, objects.pod_spec(1)))
    room.apply(objects.deployment("other", 3, objects.pod_spec()))
    pods = room.running(GPU_NODES + 3)
    on_gpus = [each for each in pods if each["spec"]["nodeName"].startswith("gpu-")]
    assert {each["metadata"]["name"] for each in on_gpus} == {
        each["metadata"]["name"] for each in pods if gpus_of(each)
    }
    assert len({each["spec"]["nodeName"] for each in on_gpus}) == GPU_NODES


def test_the_taint_keeps_out_a_pod_that_does_not_say_that_it_is_for_gpus(room: Room) -> None:
    room.apply(objects.deployment("blind", 1, objects.pod_spec(1, tolerates=False)))
    assert f"{GPU_NODES} node(s) had untolerated taint" in waits(room, "app=blind")


def test_one_engine_more_than_there_are_gpus_waits_until_there_is_a_node_for_it(room: Room, cluster: Cluster) -> None:
    room.apply(objects.deployment("engine", GPU_NODES, objects.pod_spec(1)))
    room.running(GPU_NODES)
    room.apply(objects.deployment("one-more", 1, objects.pod_spec(1)))
    assert f"Insufficient {objects.GPU}" in waits(room, "app=one-more")
    cluster.add_nodes(objects.nodes("gpu-more", 1, 1))
    try:
        (pod,) = room.running(1, "app=one-more")
        assert pod["spec"]["nodeName"] == "gpu-more-0"
    finally:
        # What is on a node that is gone is only cleared away after a minute.
        room.api.delete("Deployment", "one-more", room.name, "apps/v1")
        until(lambda: not room.api.all("Pod", room.name, label="app=one-more"), "its pod is gone")
        cluster.remove_nodes({"gpu-more-0"})


def test_a_quota_refuses_the_one_too_many_and_says_so(room: Room) -> None:
    room.apply(objects.quota(2))
    until(
        lambda: (room.api.get("ResourceQuota", "gpus", room.name) or {})["status"].get("hard"), "the quota is counted"
    )
    room.apply(objects.deployment("engine", 2, objects.pod_spec(1)))
    room.running(2)
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "third"}, "spec": objects.pod_spec(1)}
    with pytest.raises(
        Refused, match=r"exceeded quota: gpus, requested: requests.nvidia.com/gpu=1, used: .*=2, limited"
    ):
        room.apply(pod)
    room.apply(objects.deployment("engine", 3, objects.pod_spec(1)))
    replicas = until(
        lambda: [
            each["message"]
            for each in (room.api.get("Deployment", "engine", room.name, "apps/v1") or {})["status"]["conditions"]
            if each["type"] == "ReplicaFailure"
        ],
        "the Deployment says why it has one too few",
    )
    assert "exceeded quota" in replicas[0]
    assert len(room.pods()) == 2


def test_a_pod_that_wants_the_host_is_refused_by_the_namespaces_own_standard(room: Room) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "host"}, "spec": objects.pod_spec()}
    with pytest.raises(Refused, match="violates PodSecurity"):
        room.apply({**pod, "spec": {**pod["spec"], "hostNetwork": True}})
    room.apply(pod)
