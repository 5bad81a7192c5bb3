"""What runs the models: images, flags and sizes of a resolved fleet as the chart's values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi_llm import _served
from pulumi_llm._cluster import following, names
from pulumi_llm._cluster.made import OTHER_NODES
from pulumi_llm._cluster.values import (
    ROUTER,
    Engines,
    Get,
    Model,
    Probe,
    Quantities,
    Rolling,
    Router,
    SecretKey,
    SharedStorage,
    Strategy,
    Switch,
    Toleration,
    Values,
    Variable,
    VllmConfig,
)
from pulumi_llm._resolve.fleet import disk_gib
from pulumi_llm.preflight import fleets
from pulumi_llm.roles import registry, vllm_flags
from pulumi_llm.roles.files import text
from pulumi_llm.spec.fleet import CHARTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_llm._bootstrap import VllmRole
    from pulumi_llm._resolve.fleet import FleetModel, ResolvedFleet
    from pulumi_llm.spec.fleet import FleetSpec

GPU = "nvidia.com/gpu"
OF_THE_CHART = {
    "--served-model-name": "",
    "--dtype": "dtype",
    "--tensor-parallel-size": "tensorParallelSize",
    "--gpu-memory-utilization": "gpuMemoryUtilization",
    "--max-model-len": "maxModelLen",
    "--max-num-seqs": "maxNumSeqs",
    "--chat-template": "chatTemplate",
}
"""Flags that are said by a key of the chart's, or (the name) by ourselves."""
ENDPOINTS = {"hf-mirror": "https://hf-mirror.com"}
STACK_LABEL = {"environment": "pulumi-llm", "release": names.RELEASE}
"""Two labels, as the chart's own default has these two, and Helm adds to a mapping what it is not told."""


def image(fleet: FleetSpec, name: str) -> str:
    """An image of Docker Hub, from the registry that stands in for it."""
    return f"{fleet.registry}/{name}" if fleet.registry else name


def values(fleet: ResolvedFleet, *, hub_token: bool) -> Values:
    """All values of the chart. ``hub_token``: whether engines have one."""
    wanted = fleet.spec
    key = SecretKey(secretName=names.ENGINE_SECRET, secretKey=names.ENGINE_KEY)
    tries = max(1, wanted.ready_timeout_minutes * 6)
    return Values(
        servingEngineSpec=Engines(
            labels=STACK_LABEL,
            vllmApiKey=key,
            modelSpec=tuple(_model(fleet, each, hub_token=hub_token) for each in fleet.models),
            startupProbe=Probe(
                initialDelaySeconds=15,
                periodSeconds=10,
                failureThreshold=tries,
                httpGet=Get(path="/health", port=names.ENGINE_PORT),
            ),
            # One engine after the other, on the GPUs that are there.
            strategy=Strategy(rollingUpdate=Rolling(maxSurge=0, maxUnavailable=1)),
        ),
        routerSpec=Router(
            repository=image(wanted, ROUTER),
            tag=CHARTS[wanted.chart_version],
            routingLogic=wanted.routing,
            labels={"environment": "router", "release": "router"},
            vllmApiKey=key,
            resources=Quantities(requests={"cpu": "1", "memory": "2Gi"}, limits={"memory": "2Gi"}),
            # Of a cluster that is made: not on GPU nodes, which could not go while it is there.
            nodeSelectorTerms=(_term(OTHER_NODES),) if wanted.cluster.managed else (),
        ),
        sharedPvcStorage=_storage(fleet),
    )


def _storage(fleet: ResolvedFleet) -> SharedStorage | Switch:
    if fleet.spec.storage_class is None:
        return Switch()
    return SharedStorage(
        size=f"{sum(disk_gib(each) for each in fleet.models)}Gi", storageClass=fleet.spec.storage_class
    )


def _model(fleet: ResolvedFleet, each: FleetModel, *, hub_token: bool) -> Model:
    wanted, role = fleet.spec, _served.of_fleet(each.model, each.spec.gpus)
    template = vllm_flags.chat_template(role)
    spec = each.model.spec
    return Model(
        name=each.name,
        repository=image(wanted, "vllm/vllm-openai"),
        tag=f"v{release()}",
        modelURL=source(wanted, role),
        modelRevision=role.revision,
        replicaCount=each.spec.most,
        keda=following.keda(wanted, each),
        resources=quantities(fleet, each),
        # What a copy's processes tell each other goes through it.
        shmSize=f"{8 if each.spec.gpus > 1 else 2}Gi",
        vllmConfig=VllmConfig(
            enablePrefixCaching=role.task is None,
            dtype=role.dtype,
            tensorParallelSize=each.spec.gpus,
            gpuMemoryUtilization=role.gpu_memory_utilization,
            maxModelLen=role.max_model_len,
            maxNumSeqs=spec.max_num_seqs,
            extraArgs=extra_args(role),
        ),
        runtimeClassName=wanted.runtime_class or "",
        tolerations=tuple(Toleration(key=key) for key in wanted.nodes.taints),
        pvcStorage=None if wanted.storage_class else {"emptyDir": {"sizeLimit": f"{disk_gib(each)}Gi"}},
        env=tuple(Variable(name=name, value=value) for name, value in environment(wanted).items()),
        hf_token=SecretKey(secretName=names.HUB_SECRET, secretKey=names.HUB_KEY) if hub_token else None,
        nodeSelectorTerms=tuple(selector(wanted)),
        chatTemplate=template,
        chatTemplateConfigMap=text(f"vllm/chat/{template}") if template else None,
    )


def release() -> str:
    """vLLM's release, as nodes have it."""
    return str(registry.role("vllm").manifest.install.environments["vllm"].version)


def source(fleet: FleetSpec, role: VllmRole) -> str:
    """What the hub calls the model."""
    return role.modelscope_id or role.model_id if fleet.hub == "modelscope" else role.model_id


def environment(fleet: FleetSpec) -> dict[str, str]:
    """What engines are told of the hub, and that they tell nobody how they are used."""
    found = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    if fleet.hub == "modelscope":
        found["VLLM_USE_MODELSCOPE"] = "True"
    elif fleet.hub in ENDPOINTS:
        found["HF_ENDPOINT"] = ENDPOINTS[fleet.hub]
    return found


def check(model: FleetModel) -> None:
    """Refuse flags that vLLM would not start with. Raises Refusal: as `vllm_flags.check_extra_arguments`."""
    vllm_flags.serving_arguments(_served.of_fleet(model.model, model.spec.gpus))


def extra_args(role: VllmRole) -> tuple[str, ...]:
    """vLLM's flags, as a node would start it, without those that the chart has keys for."""
    arguments = vllm_flags.serving_arguments(role)
    kept: list[str] = ["--served-model-name", role.served_name]
    skipped = False
    for each in arguments:
        if each.startswith("--"):
            skipped = each in OF_THE_CHART
        if not skipped:
            kept.append(each)
    return tuple(kept)


def quantities(fleet: ResolvedFleet, each: FleetModel) -> Quantities:
    """A copy's part of a node: its GPUs, and as much of the rest. Memory has no limit: a file that is read counts."""
    gpus = each.spec.gpus
    cpus, memory = fleets.share(fleet.node, gpus)
    asked = {"cpu": str(cpus or 4 * gpus), "memory": f"{memory or 16 * gpus}Gi", GPU: str(gpus)}
    return Quantities(requests=asked, limits={GPU: str(gpus)})


def selector(fleet: FleetSpec) -> list[dict[str, Any]]:
    """The nodes that may be used, as one term of a node affinity; none where any may."""
    return [_term(fleet.nodes.labels)] if fleet.nodes.labels else []


def _term(labels: Mapping[str, str]) -> dict[str, Any]:
    rows = [{"key": key, "operator": "In", "values": [value]} for key, value in sorted(labels.items())]
    return {"matchExpressions": rows}
