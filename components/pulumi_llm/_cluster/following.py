"""Engines that follow the load: KEDA asks our gateway how many calls a model has, and sets the number of its engines.

The gateway is where all calls pass, waiting ones too, and it is there while no engine is: so it is asked, and neither
each engine nor a Prometheus, which a cluster may not have. KEDA's scaler ``metrics-api``, read of KEDA 2.21.0
(2026-09-23) with its CRDs; the chart's ``keda`` of vllm-stack-0.1.12, helm/templates/scaledobject-vllm.yaml.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi_llm._cluster import names
from pulumi_llm._cluster.closed import Object
from pulumi_llm._cluster.values import (
    Advanced,
    Asked,
    Autoscaler,
    Behavior,
    Down,
    Keda,
    Named,
    Step,
    Trigger,
)

if TYPE_CHECKING:
    from pulumi_llm._resolve.fleet import FleetModel
    from pulumi_llm.spec.fleet import FleetSpec

API, KIND = "keda.sh/v1alpha1", "TriggerAuthentication"
ASKED_EVERY = 15
"""Seconds between two questions while no engine is there: Kubernetes' own autoscaler asks as often for the others."""
A_STEP = 60
"""Seconds after which another engine may go, so that what it was asked goes on elsewhere before the next one."""


def keda(fleet: FleetSpec, each: FleetModel) -> Keda | None:
    """The chart's values for a model whose engines follow the load."""
    scaling = each.spec.scaling
    if scaling is None:
        return None
    idle, may_be_none = scaling.idle_minutes * 60, scaling.least == 0
    return Keda(
        minReplicaCount=scaling.least,
        maxReplicaCount=scaling.most,
        triggers=(
            Trigger(
                metadata=Asked(
                    url=f"http://{names.LOAD}.{fleet.namespace}.svc:{names.HEALTH_PORT}{names.LOAD_PATH}",
                    valueLocation=f"models.{each.name}",
                    targetValue=str(each.calls),
                ),
                authenticationRef=Named(name=names.LOAD),
            ),
        ),
        advanced=Advanced(
            horizontalPodAutoscalerConfig=Autoscaler(
                name=f"{names.RELEASE}-{each.name}",
                behavior=Behavior(
                    scaleDown=Down(stabilizationWindowSeconds=idle, policies=(Step(value=1, periodSeconds=A_STEP),))
                ),
            )
        ),
        # KEDA warns of these where one engine always stays, as they say nothing then.
        pollingInterval=ASKED_EVERY if may_be_none else None,
        # From the last call on: an engine that is still starting is not taken away again before it has answered.
        cooldownPeriod=idle + each.starts_in if may_be_none else None,
        # The first one of an `up` stays until it has loaded its model: that shows whether it can.
        initialCooldownPeriod=fleet.ready_timeout_minutes * 60 if may_be_none else None,
    )


def authentication() -> Object:
    """The ``spec`` of what tells KEDA the gateway's key: where the Secret is, and not what is in it."""
    return {"secretTargetRef": [{"parameter": "token", "name": names.LOAD, "key": names.LOAD_KEY}]}


def service() -> Object:
    """The ``spec`` of the Service that KEDA asks. The gateway's own may have a load balancer; this one never has."""
    return {
        "type": "ClusterIP",
        "selector": {names.APP: names.GATEWAY},
        "ports": [{"name": "load", "port": names.HEALTH_PORT, "targetPort": "health", "protocol": "TCP"}],
    }
