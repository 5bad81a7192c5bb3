"""One cluster for all the tests of a fleet, and a namespace for each."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pulumi_llm._cluster import names
from tests.fleet import objects
from tests.fleet.api import Api, Object, until
from tests.fleet.cluster import Cluster, is_built, ray_operator, run_cluster
from tests.fleet.engine import PLUGIN, Stack

GPU_NODES, PLAIN_NODES = 4, 2
_numbers = itertools.count()


@pytest.fixture(scope="session")
def empty_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if not is_built():
        pytest.skip("Kubernetes is not built: tools/fetch fleet")
    with run_cluster(tmp_path_factory.mktemp("fleet")) as made:
        yield made


@pytest.fixture(scope="session")
def cluster(empty_cluster: Cluster) -> Cluster:
    """Four nodes with a GPU each, and two plain ones."""
    empty_cluster.api.apply(objects.storage_class())
    empty_cluster.add_nodes([*objects.nodes("gpu", GPU_NODES, 1), *objects.nodes("plain", PLAIN_NODES)])
    return empty_cluster


@pytest.fixture(scope="session")
def kuberay(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster with KubeRay's operator."""
    with ray_operator(cluster):
        yield cluster


@dataclass(frozen=True)
class Room:
    """A namespace of one test's own."""

    api: Api
    name: str

    def apply(self, *wanted: Object) -> list[Object]:
        """Apply objects in their order."""
        return [self.api.apply(each, self.name) for each in wanted]

    def volume(self, claim: str) -> None:
        """A volume for one claim of this namespace: in a real cluster the storage class makes it."""
        self.api.apply(objects.volume(f"{self.name}-{claim}", self.name, claim))

    def pods(self, label: str = "") -> list[Object]:
        """The pods that are meant to stay."""
        found = self.api.all("Pod", self.name, label=label)
        return [each for each in found if "deletionTimestamp" not in each["metadata"]]

    def running(self, count: int, label: str = "", seconds: float = 60) -> list[Object]:
        """Wait until exactly so many pods are there and ready, and give them."""

        def found() -> list[Object]:
            pods = self.pods(label)
            return pods if len(pods) == count and all(is_ready(each) for each in pods) else []

        return until(found, f"{count} pods {label} run", seconds)

    def left(self) -> set[str]:
        """What stands in the namespace, but for what each namespace has and what only tells of the past."""
        return set(self._all()) - {"ConfigMap/kube-root-ca.crt", "ServiceAccount/default"}

    def _all(self) -> Iterator[str]:
        versions = [
            "v1",
            *(each["preferredVersion"]["groupVersion"] for each in self.api.ask("GET", "/apis")["groups"]),
        ]
        for version in versions:
            root = f"/apis/{version}" if "/" in version else f"/api/{version}"
            for resource in self.api.ask("GET", root)["resources"]:
                if (
                    resource["namespaced"]
                    and {"list", "delete"} <= set(resource["verbs"])
                    and resource["kind"] != "Event"
                ):
                    for each in self.api.ask("GET", f"{root}/namespaces/{self.name}/{resource['name']}")["items"]:
                        yield f"{resource['kind']}/{each['metadata']['name']}"


def is_ready(pod: Object) -> bool:
    return any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", ()))


@pytest.fixture
def room(cluster: Cluster) -> Iterator[Room]:
    made = Room(cluster.api, f"fleet-{next(_numbers)}")
    cluster.api.apply(objects.namespace(made.name))
    until(lambda: cluster.api.get("ServiceAccount", "default", made.name), "the namespace may be used")
    yield made
    cluster.alive()
    cluster.api.delete("Namespace", made.name)
    for volume in cluster.api.all("PersistentVolume"):
        if volume["spec"]["claimRef"]["namespace"] == made.name:
            cluster.api.delete("PersistentVolume", volume["metadata"]["name"])
    # The next test counts on all GPUs; that the namespace itself is gone takes some seconds more.
    until(lambda: not cluster.api.all("Pod", made.name), f"no pod of {made.name} is left", 120)


@pytest.fixture
def place(kuberay: Cluster, room: Room) -> Room:
    """A namespace as a fleet finds it: with KubeRay's operator, and a volume for the gateway's ledger."""
    room.volume(names.STATE)
    return room


@pytest.fixture
def space(kuberay: Cluster) -> Iterator[Room]:
    """The namespace that a fleet is about to make, and a volume for the gateway's ledger."""
    made = Room(kuberay.api, f"engine-{next(_numbers)}")
    made.volume(names.STATE)
    yield made
    kuberay.alive()
    if kuberay.api.get("Namespace", made.name) is not None:
        kuberay.api.delete("Namespace", made.name)
    kuberay.api.delete("PersistentVolume", f"{made.name}-{names.STATE}")
    until(lambda: kuberay.api.get("Namespace", made.name) is None, "the namespace is gone", 120)


@pytest.fixture
def stack(kuberay: Cluster, space: Room, tmp_path: Path) -> Stack:
    if not PLUGIN.exists():
        pytest.skip("Pulumi's plugin for Kubernetes is not built: tools/fetch fleet")
    wanted = {
        "engine": "kuberay", "namespace": space.name, "allowed_namespaces": ["apps"],
        "models": {"chat": {"model": "Qwen/Qwen2.5-7B-Instruct", "copies": 1}},
        "nodes": {"count": 4, "gpu": "A100-80GB", "gpus": 1, "labels": {"pool": "fleet"}},
        "cluster": {"context": "fleet", "server": f"https://127.0.0.1:{kuberay.api.port}"},
        "keys": {"app": {"requests_per_minute": 60}},
    }  # fmt: skip
    return Stack(tmp_path, kuberay, wanted)
