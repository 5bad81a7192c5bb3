"""What the objects of a fleet are called, and where its parts are found inside the cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi_llm.spec.fleet import KUBERAY

if TYPE_CHECKING:
    from pulumi_llm.spec.fleet import FleetSpec

GATEWAY = "llm-gateway"
"""The gateway's Deployment, Service and label."""
SETTINGS, CODE, KEYS, CERTIFICATE, STATE = (
    f"{GATEWAY}-{each}" for each in ("settings", "code", "keys", "tls", "state")
)
ENGINE_SECRET, ENGINE_KEY = "llm-engine", "key"
"""The Secret with the engines' own key, which the gateway asks with."""
HUB_SECRET, HUB_KEY = "llm-hub", "token"
"""The Secret with the model hub's token."""
LOAD, LOAD_KEY, LOAD_PATH = "llm-load", "key", "/load"
"""The Secret with the key that KEDA asks the gateway with, how KEDA is told of it, and the Service that it asks."""
VECTORS, VECTORS_KEY = "llm-vectors", "AUTHENTICATION_APIKEY_ALLOWED_KEYS"
"""The vector store's release, its Secret with its key (called as the variable that it is read from), and its policy."""
VECTORIZER, VECTORIZER_PORT, TOKENS = "llm-vectorizer", 4002, "llm-vectors-tokens"
"""The Service and the port where the vector store asks the gateway for vectors, and the table that it counts with."""
WEIGHTS = "llm-weights"
"""The claim that Ray's workers keep weights on, where there is a storage class for that."""
RELEASE = "llm"
"""The chart's release, and the RayService: each is alone in its namespace."""
ENGINE_PORT, GATEWAY_PORT, HEALTH_PORT = 8000, 8443, 8081
APP = "app.kubernetes.io/name"


def engines_url(fleet: FleetSpec) -> str:
    """Where the gateway asks: the chart's router, or Ray's own service."""
    if fleet.engine == KUBERAY:
        return f"http://{RELEASE}-serve-svc.{fleet.namespace}.svc:{ENGINE_PORT}/v1"
    return f"http://{RELEASE}-router-service.{fleet.namespace}.svc:80/v1"


def service_names(fleet: FleetSpec) -> tuple[str, ...]:
    """The names of the gateway's Service inside the cluster, the whole one last."""
    short = f"{GATEWAY}.{fleet.namespace}"
    return (short, f"{short}.svc", f"{short}.svc.cluster.local")
