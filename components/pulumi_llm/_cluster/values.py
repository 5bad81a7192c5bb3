"""The values of the production-stack chart, each of a class that has the chart's own names and no others.

The chart drops a key that it does not know, and its schema, which is left out of its package, closes few objects. So a
misspelt key would be a model that runs with other settings than were asked for (seen of 0.1.12: ``maxModelLenn``).
Names and defaults: vllm-project/production-stack, tag vllm-stack-0.1.12, helm/values.yaml and helm/templates, read
2026-11-29. Defaults of the chart that are stated here all the same are those that would be wrong: images called
``latest``, a runtime class that few clusters have, an update that wants twice the GPUs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal

from pulumi_llm._dataclasses import dataclass

REPOSITORY = "https://vllm-project.github.io/production-stack"
CHART = "vllm-stack"
ROUTER = "lmcache/lmstack-router"


@dataclass(frozen=True, kw_only=True)
class SecretKey:
    """A key of a Secret that exists: the values hold no secret themselves."""

    secretName: str  # noqa: N815
    secretKey: str  # noqa: N815


@dataclass(frozen=True, kw_only=True)
class Quantities:
    """What a container asks for, and what it may have at most."""

    requests: Mapping[str, str]
    limits: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class VllmConfig:
    """vLLM's flags that the chart has keys for; all others are ``extraArgs``."""

    enablePrefixCaching: bool  # noqa: N815
    dtype: str
    tensorParallelSize: int  # noqa: N815
    gpuMemoryUtilization: float  # noqa: N815
    maxModelLen: int | None = None  # noqa: N815
    maxNumSeqs: int | None = None  # noqa: N815
    extraArgs: tuple[str, ...] = ()  # noqa: N815


@dataclass(frozen=True, kw_only=True)
class Toleration:
    """A taint that a pod may stand on."""

    key: str
    operator: Literal["Exists"] = "Exists"


@dataclass(frozen=True, kw_only=True)
class Variable:
    """A variable of a container's environment. Not a secret one."""

    name: str
    value: str


@dataclass(frozen=True, kw_only=True)
class Switch:
    """A part of the chart that is off."""

    enabled: Literal[False] = False


@dataclass(frozen=True, kw_only=True)
class Named:
    """Another object, by its name."""

    name: str


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What KEDA's scaler ``metrics-api`` asks, and where in the answer the number is. All are texts there."""

    url: str
    valueLocation: str  # noqa: N815
    targetValue: str  # noqa: N815
    format: Literal["json"] = "json"
    authMode: Literal["bearer"] = "bearer"  # noqa: N815


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """One number that KEDA follows."""

    metadata: Asked
    authenticationRef: Named  # noqa: N815
    type: Literal["metrics-api"] = "metrics-api"


@dataclass(frozen=True, kw_only=True)
class Step:
    """So many engines in so many seconds, and no more."""

    value: int
    periodSeconds: int  # noqa: N815
    type: Literal["Pods"] = "Pods"


@dataclass(frozen=True, kw_only=True)
class Down:
    """How fewer engines come to be: by the most that were needed in so many seconds."""

    stabilizationWindowSeconds: int  # noqa: N815
    policies: tuple[Step, ...]


@dataclass(frozen=True, kw_only=True)
class Behavior:
    """As Kubernetes' own autoscaler has it; how more come to be stays as it is there."""

    scaleDown: Down  # noqa: N815


@dataclass(frozen=True, kw_only=True)
class Autoscaler:
    """Kubernetes' own autoscaler, which KEDA makes. ``name``: KEDA refuses its own where that has 64 letters."""

    name: str
    behavior: Behavior


@dataclass(frozen=True, kw_only=True)
class Advanced:
    """``advanced`` of a ScaledObject."""

    horizontalPodAutoscalerConfig: Autoscaler  # noqa: N815


@dataclass(frozen=True, kw_only=True)
class Keda:
    """A model's ``keda``, of which the chart makes a ScaledObject (keda.sh/v1alpha1).

    The chart's own trigger asks a Prometheus for ``vllm:num_requests_waiting{model=…}``, a label that vLLM's numbers do
    not have (theirs is ``model_name``): it would find nothing, which KEDA takes for none. So ours is stated.
    """

    minReplicaCount: int  # noqa: N815
    maxReplicaCount: int  # noqa: N815
    triggers: tuple[Trigger, ...]
    advanced: Advanced
    pollingInterval: int | None = None  # noqa: N815
    cooldownPeriod: int | None = None  # noqa: N815
    initialCooldownPeriod: int | None = None  # noqa: N815
    enabled: Literal[True] = True


@dataclass(frozen=True, kw_only=True)
class Model:
    """One entry of ``modelSpec``: a Deployment of engines."""

    name: str
    repository: str
    tag: str
    modelURL: str  # noqa: N815
    replicaCount: int  # noqa: N815
    resources: Quantities
    shmSize: str  # noqa: N815
    vllmConfig: VllmConfig  # noqa: N815
    runtimeClassName: str  # noqa: N815
    tolerations: tuple[Toleration, ...]
    modelRevision: str | None = None  # noqa: N815
    pvcStorage: Mapping[str, Any] | None = None  # noqa: N815
    """A folder on the node: ``{"emptyDir": {"sizeLimit": …}}``. The chart's claim would be one for all copies."""
    env: tuple[Variable, ...] = ()
    hf_token: SecretKey | None = None
    nodeSelectorTerms: tuple[Mapping[str, Any], ...] = ()  # noqa: N815
    chatTemplate: str | None = None  # noqa: N815
    chatTemplateConfigMap: str | None = None  # noqa: N815
    lmcacheConfig: Switch = Switch()  # noqa: N815
    keda: Keda | None = None


@dataclass(frozen=True, kw_only=True)
class Get:
    """A path that is asked."""

    path: str
    port: int


@dataclass(frozen=True, kw_only=True)
class Probe:
    """How often an engine is asked until it is there, in seconds and tries."""

    initialDelaySeconds: int  # noqa: N815
    periodSeconds: int  # noqa: N815
    failureThreshold: int  # noqa: N815
    httpGet: Get  # noqa: N815


@dataclass(frozen=True, kw_only=True)
class Rolling:
    """How many more or fewer pods there are while one is replaced."""

    maxSurge: int  # noqa: N815
    maxUnavailable: int  # noqa: N815


@dataclass(frozen=True, kw_only=True)
class Strategy:
    """How pods are replaced. The chart's own would start as many engines again beside those that run."""

    rollingUpdate: Rolling  # noqa: N815
    type: Literal["RollingUpdate"] = "RollingUpdate"


@dataclass(frozen=True, kw_only=True)
class Engines:
    """``servingEngineSpec``."""

    labels: Mapping[str, str]
    vllmApiKey: SecretKey  # noqa: N815
    modelSpec: tuple[Model, ...]  # noqa: N815
    startupProbe: Probe  # noqa: N815
    strategy: Strategy
    runtimeClassName: str = ""  # noqa: N815
    imagePullPolicy: Literal["IfNotPresent"] = "IfNotPresent"  # noqa: N815
    enableEngine: Literal[True] = True  # noqa: N815
    containerSecurityContext: Mapping[str, Any] = field(  # noqa: N815
        # The engines' image has no user but root.
        default_factory=lambda: {"allowPrivilegeEscalation": False, "runAsNonRoot": False}
    )
    securityContext: Mapping[str, Any] = field(  # noqa: N815
        default_factory=lambda: {"seccompProfile": {"type": "RuntimeDefault"}}
    )


@dataclass(frozen=True, kw_only=True)
class Router:
    """``routerSpec``."""

    repository: str
    tag: str
    routingLogic: Literal["prefixaware", "roundrobin"]  # noqa: N815
    labels: Mapping[str, str]
    vllmApiKey: SecretKey  # noqa: N815
    resources: Quantities
    imagePullPolicy: Literal["IfNotPresent"] = "IfNotPresent"  # noqa: N815
    replicaCount: int = 1  # noqa: N815
    serviceType: Literal["ClusterIP"] = "ClusterIP"  # noqa: N815
    servicePort: int = 80  # noqa: N815
    containerPort: int = 8000  # noqa: N815
    nodeSelectorTerms: tuple[Mapping[str, Any], ...] = ()  # noqa: N815
    enableRouter: Literal[True] = True  # noqa: N815
    containerSecurityContext: Mapping[str, Any] = field(  # noqa: N815
        default_factory=lambda: {"allowPrivilegeEscalation": False}
    )
    securityContext: Mapping[str, Any] = field(  # noqa: N815
        default_factory=lambda: {"seccompProfile": {"type": "RuntimeDefault"}}
    )


@dataclass(frozen=True, kw_only=True)
class SharedStorage:
    """``sharedPvcStorage``: one claim that all engines write their weights to."""

    size: str
    storageClass: str  # noqa: N815
    enabled: Literal[True] = True
    accessModes: tuple[Literal["ReadWriteMany"], ...] = ("ReadWriteMany",)  # noqa: N815


@dataclass(frozen=True, kw_only=True)
class LoraController:
    """``loraController``, which is off."""

    enableLoraController: Literal[False] = False  # noqa: N815


@dataclass(frozen=True, kw_only=True)
class Values:
    """All that the chart is told. What it can do besides is said to be off."""

    servingEngineSpec: Engines  # noqa: N815
    routerSpec: Router  # noqa: N815
    sharedPvcStorage: SharedStorage | Switch  # noqa: N815
    cacheserverSpec: Switch = Switch()  # noqa: N815
    loraController: LoraController = LoraController()  # noqa: N815
    loraAdapters: tuple[()] = ()  # noqa: N815
    grafanaDashboards: Switch = Switch()  # noqa: N815
    prometheus: Switch = field(default=Switch(), metadata={"name": "kube-prometheus-stack"})
    adapter: Switch = field(default=Switch(), metadata={"name": "prometheus-adapter"})
