"""A fleet that `pulumi up` made, as its models, its nodes and its cluster change."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest

from pulumi_llm._cluster import names
from tests.engine.sim import said
from tests.fleet import objects
from tests.fleet.api import until
from tests.fleet.cluster import Cluster
from tests.fleet.conftest import Room
from tests.fleet.engine import Stack

pytestmark = pytest.mark.fleet

RAY = "ray.io/v1"
WORKERS = "ray.io/node-type=worker"
OTHER = "Qwen/Qwen2.5-14B-Instruct"


def uid(space: Room, label: str) -> str:
    (found,) = space.running(1, label, seconds=120)
    return str(found["metadata"]["uid"])


def test_another_model_makes_the_engines_anew_under_the_same_keys(stack: Stack, space: Room) -> None:
    stack.up()
    keys, before, gateway = stack.output("keys"), uid(space, WORKERS), uid(space, f"{names.APP}={names.GATEWAY}")
    stack.args["models"]["chat"]["model"] = OTHER
    changes = stack.preview().changes
    assert changes["fleet-engines"] == "replace"
    assert "replace" not in {what for name, what in changes.items() if name != "fleet-engines"}
    stack.up()
    until(lambda: before not in {each["metadata"]["uid"] for each in space.pods()}, "the first model's engine is gone")
    assert uid(space, WORKERS) != before
    assert uid(space, f"{names.APP}={names.GATEWAY}") == gateway
    service = space.api.get("RayService", names.RELEASE, space.name, RAY)
    assert service is not None
    (application,) = json.loads(service["spec"]["serveConfigV2"])["applications"]
    (served,) = application["args"]["llm_configs"]
    assert served["model_loading_config"] == {"model_id": "chat", "model_source": OTHER}
    assert stack.output("keys") == keys
    assert stack.preview().changes == {}


def test_keys_that_callers_have_already_are_the_fleets(stack: Stack, space: Room) -> None:
    stack.args["keys"]["second"] = {}
    stack.args["carried_keys"] = {"app": "sk-planted-of-a-server", "second": "sk-another"}
    stack.up()
    keys = stack.output("keys")
    assert keys["app"] == "sk-planted-of-a-server"
    secret = space.api.get("Secret", names.KEYS, space.name)
    assert secret is not None
    known = json.loads(base64.b64decode(secret["data"]["gateway-keys.json"]))
    assert known == {hashlib.sha256(each.encode()).hexdigest(): name for name, each in keys.items()}
    assert "sk-planted-of-a-server" not in stack.written()
    assert stack.preview().changes == {}


def test_a_node_that_is_drained_and_taken_away_changes_nothing_of_the_program(
    stack: Stack, space: Room, kuberay: Cluster
) -> None:
    kuberay.add_nodes(objects.nodes("worn", 2, 1, pool="worn"))
    try:
        stack.args["nodes"] |= {"count": 2, "labels": {"pool": "worn"}}
        stack.up()
        uid(space, WORKERS)
        (pod,) = space.pods(WORKERS)
        worn, name = pod["spec"]["nodeName"], pod["metadata"]["name"]
        kuberay.cordon(worn)
        assert [each["metadata"]["name"] for each in space.running(1, WORKERS)] == [name], "a cordon ends no engine"
        kuberay.evict(name, space.name)
        until(lambda: name not in {each["metadata"]["name"] for each in space.pods()}, "the engine leaves the node")
        (anew,) = space.running(1, WORKERS, seconds=120)
        assert {worn, anew["spec"]["nodeName"]} == {"worn-0", "worn-1"}
        kuberay.remove_nodes({worn})
        # What the engine reads back is what it made: nothing of a node is in it.
        assert set(stack.preview(refresh=True).changes.values()) <= {"refresh"}
        stack.up()
        assert [each["metadata"]["name"] for each in space.pods(WORKERS)] == [anew["metadata"]["name"]]
        stack.destroy()
        assert not space.left()
    finally:
        until(lambda: not space.api.all("Pod", space.name), "its pods are gone", 120)
        kuberay.remove_nodes({"worn-0", "worn-1"} & kuberay.known())


def test_an_object_that_somebody_took_away_is_made_again_where_the_engine_is_told_to_look(
    stack: Stack, space: Room
) -> None:
    stack.up()
    space.api.delete("NetworkPolicy", "llm-ray", space.name, "networking.k8s.io/v1")
    stack.run("up", "-s", "lab", "--yes", "--skip-preview", "--refresh")
    assert space.api.get("NetworkPolicy", "llm-ray", space.name, "networking.k8s.io/v1") is not None
    assert stack.preview().changes == {}


def test_a_kubeconfig_that_leads_elsewhere_is_refused_before_anything_is_asked_of_a_cluster(
    stack: Stack, space: Room
) -> None:
    stack.args["cluster"]["server"] = "https://203.0.113.7:6443"
    failed = stack.up(check=False)
    assert failed.returncode != 0
    assert "fleet.other-cluster" in said(failed)
    assert not any("kubernetes" in kind for kind in stack.kinds())
    assert space.api.get("Namespace", space.name) is None


def test_a_fleet_whose_chart_cannot_be_fetched_becomes_one_of_kuberay_by_the_next_up(stack: Stack, space: Room) -> None:
    stack.args |= {"engine": "production-stack"}
    failed = stack.up(check=False)
    assert failed.returncode != 0
    assert "vllm-project.github.io/production-stack" in said(failed)
    assert space.api.get("NetworkPolicy", "llm-engines", space.name, "networking.k8s.io/v1") is not None
    assert space.api.get("Deployment", names.GATEWAY, space.name, "apps/v1") is None
    stack.args |= {"engine": "kuberay"}
    stack.up()
    uid(space, WORKERS)
    assert stack.preview().changes == {}
    stack.destroy()
    assert not space.left()
