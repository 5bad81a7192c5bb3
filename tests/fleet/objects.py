"""Objects for the tests: nodes that kwok plays, and what asks for a place on them."""

from __future__ import annotations

from tests.fleet.api import Object

GPU = "nvidia.com/gpu"
TAINT: Object = {"key": GPU, "value": "present", "effect": "NoSchedule"}
TOLERATION: Object = {"key": GPU, "operator": "Exists", "effect": "NoSchedule"}
"""What managed clusters put on nodes with GPUs so that nothing else lands there, and what a pod for them says."""


def node(name: str, gpus: int = 0, *, pool: str = "fleet") -> Object:
    """A node that kwok plays: with GPUs it has the taint that keeps others away, without it is a plain one."""
    room: dict[str, str] = {"cpu": "32", "memory": "128Gi", "pods": "110", "ephemeral-storage": "500Gi"}
    room |= {GPU: str(gpus)} if gpus else {}
    return {
        "apiVersion": "v1", "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {"kwok.x-k8s.io/node": "fake"},
            "labels": {"kubernetes.io/os": "linux", "kubernetes.io/hostname": name, "pool": pool},
        },
        "spec": {"taints": [TAINT] if gpus else []},
        "status": {"capacity": room, "allocatable": room},
    }  # fmt: skip


def nodes(prefix: str, count: int, gpus: int = 0, *, pool: str = "fleet") -> list[Object]:
    """Several alike."""
    return [node(f"{prefix}-{number}", gpus, pool=pool) for number in range(count)]


def namespace(name: str) -> Object:
    """A namespace in which pods are held to Kubernetes's baseline."""
    labels = {"pod-security.kubernetes.io/enforce": "baseline"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def pod_spec(gpus: int = 0, *, tolerates: bool = True, pool: str | None = None) -> Object:
    """What a pod is made of: one container, which asks for GPUs or for a processor's half."""
    asked: dict[str, str] = {"cpu": "500m", "memory": "1Gi"} | ({GPU: str(gpus)} if gpus else {})
    spec: Object = {
        "automountServiceAccountToken": False,
        "containers": [{
            "name": "engine", "image": "registry.test/engine:1", "resources": {"requests": asked, "limits": asked},
        }],
    }  # fmt: skip
    if gpus and tolerates:
        spec["tolerations"] = [TOLERATION]
    if pool:
        spec["nodeSelector"] = {"pool": pool}
    return spec


def deployment(name: str, replicas: int, spec: Object) -> Object:
    """A Deployment of such pods."""
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }  # fmt: skip


def quota(gpus: int) -> Object:
    """A limit on the GPUs of a namespace."""
    hard = {f"requests.{GPU}": str(gpus)}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "gpus"}, "spec": {"hard": hard}}


def ray_service(name: str, workers: int, *, hosts: int = 2, pool: str | None = None) -> Object:
    """A model over several nodes by KubeRay: a head without a GPU, and groups of ``hosts`` workers with one each."""

    def template(role: str, spec: Object) -> Object:
        container = {**spec["containers"][0], "name": f"ray-{role}", "image": "registry.test/ray:2.46.0"}
        return {"spec": {**spec, "containers": [container]}}

    return {
        "apiVersion": "ray.io/v1", "kind": "RayService", "metadata": {"name": name},
        "spec": {
            "serveConfigV2": "applications:\n- name: llm\n  import_path: ray.serve.llm:build_openai_app\n",
            "rayClusterConfig": {
                "rayVersion": "2.46.0",
                "headGroupSpec": {
                    "rayStartParams": {"num-gpus": "0"}, "template": template("head", pod_spec()),
                },
                "workerGroupSpecs": [{
                    "groupName": "gpu", "replicas": workers, "minReplicas": workers, "maxReplicas": workers,
                    "numOfHosts": hosts, "rayStartParams": {}, "template": template("worker", pod_spec(1, pool=pool)),
                }],
            },
        },
    }  # fmt: skip


def storage_class() -> Object:
    """The cluster's default class of storage: nothing makes its volumes, a test does."""
    default = {"storageclass.kubernetes.io/is-default-class": "true"}
    return {
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
        "metadata": {"name": "played", "annotations": default}, "provisioner": "kubernetes.io/no-provisioner",
    }  # fmt: skip


def volume(name: str, namespace: str, claim: str, size: str = "5Gi") -> Object:
    """A volume for one claim."""
    return {
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"], "storageClassName": "played",
            "claimRef": {"namespace": namespace, "name": claim}, "hostPath": {"path": "/played"},
        },
    }  # fmt: skip
