"""Weaviate in a fleet's namespace: its chart's values, the way to it through the gateway's Caddy, who may talk to it.

Callers come by TLS to the gateway's pod, at the ports and to the paths that a machine's Caddy has; behind that
Weaviate's own ports are open to that pod alone. Where it asks a model of the fleet for vectors, it comes to a port of
that pod's which leads to the gateway, with a key of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from pulumi_llm._cluster import names
from pulumi_llm._cluster.closed import Object, plain
from pulumi_llm._cluster.made import OTHER_NODES, STORAGE
from pulumi_llm._cluster.store_values import (
    Admins,
    Authorization,
    Image,
    Modules,
    On,
    Storage,
    StoreValues,
)
from pulumi_llm._cluster.values import Quantities
from pulumi_llm.roles import files, registry, weaviate

if TYPE_CHECKING:
    from pulumi_llm.roles.manifest import Listener
    from pulumi_llm.spec.fleet import FleetSpec
    from pulumi_llm.spec.store import FleetVectorsSpec

USER = 472
"""As on a machine."""
NAME = "llm"
"""Who has its key, as on a machine."""
CPU = "500m"
TOKENS = "/opt/llm/tokens"
POD: Object = {"matchLabels": {"app": "weaviate"}}
"""The label of the chart's pods (weaviate/templates/weaviateStatefulset.yaml, tag v17.8.3)."""
VECTORIZER_VARIABLE = weaviate.VARIABLE
"""The variable that the store reads the key from with which it asks for vectors."""
SERVICES = {"vectors": "weaviate:80", "grpc": "weaviate-grpc:50051"}
"""The chart's Services, by the listeners of the role: they are called so in each namespace."""
PORTS = (8080, 50051)
"""Where Weaviate listens."""


def wanted(fleet: FleetSpec) -> FleetVectorsSpec:
    """The store, of a fleet that has one."""
    assert fleet.vectors is not None  # noqa: S101 - asked of those alone
    return fleet.vectors


def values(fleet: FleetSpec) -> Object:
    """All values of the chart."""
    asked = wanted(fleet)
    secret = names.VECTORS
    found: Object = plain(
        StoreValues(
            image=_image(fleet),
            resources=Quantities(
                requests={"cpu": CPU, "memory": f"{asked.memory_gib}Gi"}, limits={"memory": f"{asked.memory_gib}Gi"}
            ),
            storage=Storage(
                size=f"{asked.disk_gib}Gi",
                storageClassName=asked.storage_class or (STORAGE if fleet.cluster.managed else ""),
            ),
            env=_environment(asked),
            envSecrets=dict.fromkeys(_keys(asked), secret),
            modules=Modules(openai=On()) if asked.vectorizer else Modules(),
            extraVolumes=({"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}}, *_volumes(asked)),
            extraVolumeMounts=({"name": "tmp", "mountPath": "/tmp"}, *_mounts(asked)),  # noqa: S108 - in the container
            authorization=Authorization(admin_list=Admins(users=(NAME,))),
            securityContext={
                "runAsNonRoot": True,
                "runAsUser": USER,
                "runAsGroup": USER,
                "fsGroup": USER,
                "fsGroupChangePolicy": "OnRootMismatch",
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            containerSecurityContext={
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            },
            # Of a cluster that is made: not on GPU nodes, which could not go while it is there.
            nodeSelector=OTHER_NODES if fleet.cluster.managed else None,
        )
    )
    return found


def _image(fleet: FleetSpec) -> Image:
    """The image that machines have, by its tag: the chart has no place for a digest."""
    (row,) = registry.role("weaviate").manifest.install.images.values()
    whole, __, tag = row.image.partition("@")[0].rpartition(":")
    host, __, repo = whole.partition("/")
    return Image(registry=fleet.registry or host, repo=repo, tag=tag)


def _environment(asked: FleetVectorsSpec) -> dict[str, str]:
    return {
        "AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED": "false",
        "AUTHENTICATION_APIKEY_ENABLED": "true",
        "AUTHENTICATION_APIKEY_USERS": NAME,
        "DISABLE_TELEMETRY": "true",
        # Go gives memory back late: it is told of nine tenths of what the container may take.
        "GOMEMLIMIT": f"{asked.memory_gib * 1024 * 9 // 10}MiB",
        **({"TIKTOKEN_CACHE_DIR": TOKENS} if asked.vectorizer else {}),
    }


def _keys(asked: FleetVectorsSpec) -> tuple[str, ...]:
    return (names.VECTORS_KEY, *((weaviate.VARIABLE,) if asked.vectorizer else ()))


def _volumes(asked: FleetVectorsSpec) -> tuple[Object, ...]:
    return ({"name": "tokens", "configMap": {"name": names.TOKENS}},) if asked.vectorizer else ()


def _mounts(asked: FleetVectorsSpec) -> tuple[Object, ...]:
    return ({"name": "tokens", "mountPath": TOKENS, "readOnly": True},) if asked.vectorizer else ()


def table() -> dict[str, str]:
    """The table that it counts tokens with, else fetched from abroad: see `roles.weaviate.table`."""
    return {weaviate.TABLE.rpartition("/")[2]: weaviate.table()}


def vectorizer_service() -> Object:
    """The ``spec`` of the Service that it asks for vectors."""
    return {
        "type": "ClusterIP",
        "selector": {names.APP: names.GATEWAY},
        "ports": [{"name": "vectors", "port": names.VECTORIZER_PORT, "protocol": "TCP"}],
    }


def vectorizer(fleet: FleetSpec) -> dict[str, str] | None:
    """What a client names in a collection whose texts the store turns into vectors itself."""
    asked, row = wanted(fleet).vectorizer, registry.role("weaviate").manifest.vectorizer
    if asked is None or row is None:
        return None
    url = f"http://{names.VECTORIZER}.{fleet.namespace}.svc:{names.VECTORIZER_PORT}"
    return {"module": row.module, "model": asked.model, "base_url": url}


def listeners() -> Mapping[str, Listener]:
    """The ports at which callers reach it, each leading to the chart's Service."""
    rows = registry.role("weaviate").manifest.listeners
    return {name: replace(cast("Any", rows[name]), to=to) for name, to in SERVICES.items()}


def sites(fleet: FleetSpec) -> list[str]:
    """Caddy's sites for it: as on a machine, with its paths; and where it asks for vectors, what leads there."""
    if fleet.vectors is None:
        return []
    found = [
        files.fill(
            "caddy/site.j2",
            name=name,
            site={"address": f":{each.port}", "certificate": "tls"},
            each=each,
            variable=None,
            status=False,
        )
        for name, each in listeners().items()
    ]
    return found + ([_way()] if fleet.vectors.vectorizer else [])


def _way() -> str:
    return f"""
http://:{names.VECTORIZER_PORT} {{
	header -Server
	@vectors expression `{{http.request.method}} == "POST" && {{http.request.uri}} == "{weaviate.ENDPOINT}"`
	request_body {{
		max_size 8MiB
	}}
	handle @vectors {{
		reverse_proxy 127.0.0.1:4000 {{
			# The gateway sees a caller of this pod, from where alone that key is good.
			header_up -X-Forwarded-*
			header_up -X-Llm-Client
			header_up -Expect
			header_down -Server
			transport http {{
				keepalive 1s
			}}
		}}
	}}
	handle {{
		respond 404
	}}
}}
"""


def ports(fleet: FleetSpec) -> list[tuple[str, int]]:
    """Ports of the gateway's pod that callers come to for it, by what they are called there."""
    if fleet.vectors is None:
        return []
    return [("vectors" if name == "vectors" else "vectors-grpc", each.port) for name, each in listeners().items()]


def policies(fleet: FleetSpec, gateway: Object) -> Iterator[tuple[str, Object]]:
    """Who may talk to it: the gateway's pod; and to whom it may, which is that pod, for vectors."""
    if fleet.vectors is None:
        return
    asks = [{"to": [{"podSelector": gateway}], "ports": [{"port": names.VECTORIZER_PORT, "protocol": "TCP"}]}]
    yield (
        names.VECTORS,
        {
            "podSelector": POD,
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                {
                    "from": [{"podSelector": gateway}],
                    "ports": [{"port": port, "protocol": "TCP"} for port in PORTS],
                }
            ],
            "egress": asks if fleet.vectors.vectorizer else [],
        },
    )
