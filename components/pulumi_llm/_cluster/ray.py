"""A model over several nodes: KubeRay's ``RayService`` with Ray Serve's own application for language models.

Form: ray-project/kuberay, ray-operator/config/samples (ray-service.llm-serve.yaml, ray-service.high-throughput-gemma4
.yaml), read 2026-11-29. The vLLM in Ray's image is Ray's choice and not ours, so it is told what every release takes,
and nothing that only the pinned one has.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pulumi_llm import _served
from pulumi_llm._cluster import engines, names
from pulumi_llm._cluster.closed import Object, plain
from pulumi_llm._resolve.fleet import disk_gib

if TYPE_CHECKING:
    from pulumi_llm._resolve.fleet import FleetModel, ResolvedFleet

API, KIND = "ray.io/v1", "RayService"
RAY = "2.56.0"
IMAGE = f"rayproject/ray-llm:{RAY}-py312-cu130"
"""Of KubeRay's own sample (2026-11)."""
CLUSTER = "ray.io/node-type"
"""The label that KubeRay puts on each pod of a cluster: ``head`` or ``worker``."""
PORTS = {"gcs": 6379, "dashboard": 8265, "client": 10001, "serve": names.ENGINE_PORT}


def service(fleet: ResolvedFleet, *, hub_token: bool) -> Object:
    """The RayService's ``spec``: the application's configuration, the head, and a group of workers for each model."""
    return {
        "serveConfigV2": json.dumps(application(fleet), indent=1),
        "rayClusterConfig": {
            "rayVersion": RAY,
            "headGroupSpec": {
                # It schedules and serves, and runs no model.
                "rayStartParams": {"num-cpus": "0", "num-gpus": "0"},
                "template": {"spec": _pod(fleet, "ray-head", _head_sizes(), hub_token=False, ports=PORTS)},
            },
            "workerGroupSpecs": [_group(fleet, each, hub_token=hub_token) for each in fleet.models],
        },
    }


def application(fleet: ResolvedFleet) -> Object:
    """What Ray Serve runs: one deployment a model."""
    return {
        "applications": [
            {
                "name": names.RELEASE,
                "import_path": "ray.serve.llm:build_openai_app",
                "route_prefix": "/",
                "args": {"llm_configs": [_config(fleet, each) for each in fleet.models]},
            }
        ]
    }


def _config(fleet: ResolvedFleet, each: FleetModel) -> Object:
    role = _served.of_fleet(each.model, each.spec.gpus)
    known: dict[str, Any] = {
        "dtype": role.dtype,
        "tensor_parallel_size": each.spec.gpus,
        "pipeline_parallel_size": each.spec.nodes,
        "gpu_memory_utilization": role.gpu_memory_utilization,
        "max_model_len": role.max_model_len,
        "max_num_seqs": each.model.spec.max_num_seqs,
        "kv_cache_dtype": role.kv_cache_dtype,
        "quantization": role.flags.get("quantization"),
        "revision": role.revision,
        "trust_remote_code": role.trust_remote_code or None,
        "enable_auto_tool_choice": True if role.tool_call_parser else None,
        "tool_call_parser": role.tool_call_parser,
        "reasoning_parser": role.reasoning_parser,
    }
    return {
        "model_loading_config": {"model_id": each.name, "model_source": engines.source(fleet.spec, role)},
        "engine_kwargs": {name: value for name, value in known.items() if value is not None},
        "deployment_config": {"num_replicas": each.spec.copies},
    }


def _group(fleet: ResolvedFleet, each: FleetModel, *, hub_token: bool) -> Object:
    workers = each.spec.copies * each.spec.nodes
    sizes = plain(engines.quantities(fleet, each))
    return {
        "groupName": each.name,
        "replicas": workers,
        "minReplicas": workers,
        "maxReplicas": workers,
        "numOfHosts": 1,
        "rayStartParams": {"num-gpus": str(each.spec.gpus)},
        "template": {"spec": {
            **_pod(fleet, "ray-worker", sizes, hub_token=hub_token, disk=disk_gib(each)),
            **_place(fleet),
        }},
    }  # fmt: skip


def _place(fleet: ResolvedFleet) -> Object:
    wanted = fleet.spec
    found: Object = {"tolerations": [{"key": key, "operator": "Exists"} for key in wanted.nodes.taints]}
    if wanted.runtime_class:
        found["runtimeClassName"] = wanted.runtime_class
    if terms := engines.selector(wanted):
        found["affinity"] = {
            "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
        }
    return found


def _head_sizes() -> Object:
    return {"requests": {"cpu": "2", "memory": "8Gi"}, "limits": {"memory": "8Gi"}}


def _pod(
    fleet: ResolvedFleet,
    name: str,
    sizes: Object,
    *,
    hub_token: bool,
    ports: dict[str, int] | None = None,
    disk: int = 0,
) -> Object:
    env: list[Object] = [{"name": key, "value": value} for key, value in engines.environment(fleet.spec).items()]
    env.append({"name": "HF_HOME", "value": "/data"})
    if hub_token:
        told = {"secretKeyRef": {"name": names.HUB_SECRET, "key": names.HUB_KEY}}
        env.append({"name": "HF_TOKEN", "valueFrom": told})
    container: Object = {
        "name": name,
        "image": engines.image(fleet.spec, IMAGE),
        "env": env,
        "resources": sizes,
        "securityContext": {"allowPrivilegeEscalation": False},
        "volumeMounts": [{"name": "weights", "mountPath": "/data"}, {"name": "shm", "mountPath": "/dev/shm"}],  # noqa: S108
    }
    if ports:
        container["ports"] = [{"name": key, "containerPort": port} for key, port in ports.items()]
    return {
        "containers": [container],
        "automountServiceAccountToken": False,
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "volumes": [
            _weights(fleet, disk),
            {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "8Gi"}},
        ],
    }


def _weights(fleet: ResolvedFleet, disk: int) -> Object:
    """Where a pod's weights lie: on its node, or on the claim that all workers write. The head has none."""
    if disk and fleet.spec.storage_class:
        return {"name": "weights", "persistentVolumeClaim": {"claimName": names.WEIGHTS}}
    return {"name": "weights", "emptyDir": {"sizeLimit": f"{disk}Gi"} if disk else {}}
