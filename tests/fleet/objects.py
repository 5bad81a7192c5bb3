"""Objects for the tests: nodes that kwok plays, and a small fleet of the tests' own."""

from __future__ import annotations

from typing import Any

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


def service(name: str, port: int) -> Object:
    """A Service in front of a Deployment, reached from inside alone."""
    return {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"type": "ClusterIP", "selector": {"app": name}, "ports": [{"port": port, "targetPort": port}]},
    }  # fmt: skip


def closed() -> Object:
    """Nothing in, nothing out, for each pod of the namespace: what else there is opens single ways."""
    return _policy("closed", {}, policyTypes=["Ingress", "Egress"])


def way(source: str, target: str, port: int) -> list[Object]:
    """One way from the pods of one Deployment to those of another: both ends must name it."""
    ports = [{"protocol": "TCP", "port": port}]
    into = [{"from": [{"podSelector": {"matchLabels": {"app": source}}}], "ports": ports}]
    out = [{"to": [{"podSelector": {"matchLabels": {"app": target}}}], "ports": ports}]
    return [
        _policy(f"{target}-from-{source}", {"matchLabels": {"app": target}}, policyTypes=["Ingress"], ingress=into),
        _policy(f"{source}-to-{target}", {"matchLabels": {"app": source}}, policyTypes=["Egress"], egress=out),
    ]


def _policy(name: str, pods: Object, **spec: Any) -> Object:
    return {
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name},
        "spec": {"podSelector": pods, **spec},
    }  # fmt: skip


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


def small_fleet(replicas: int, pool: str | None = None) -> list[Object]:
    """Engines with a GPU each, a router in front of them without one, and the only way between the two."""
    return [
        closed(),
        *way("router", "engine", 8000),
        deployment("engine", replicas, pod_spec(1, pool=pool)),
        service("engine", 8000),
        deployment("router", 1, pod_spec()),
        service("router", 8001),
    ]
