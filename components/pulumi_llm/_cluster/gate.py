"""The gateway in the cluster: the same program and files as on a machine, as one pod with Caddy in front.

One pod, as limits are counted in one place. Its ledger lies on a claim that outlives the pod.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from functools import cache
from typing import TYPE_CHECKING

from pulumi_llm._bootstrap import GatewayRole, Target, Upstream
from pulumi_llm._cluster import engines, names, store
from pulumi_llm._cluster.closed import Object
from pulumi_llm._cluster.made import OTHER_NODES
from pulumi_llm._gateway import key_rows, routes_of
from pulumi_llm.errors import Refusal
from pulumi_llm.roles import files, gateway
from pulumi_llm.roles.requests import ENDPOINTS

if TYPE_CHECKING:
    from pulumi_llm._resolve.fleet import ResolvedFleet
    from pulumi_llm.spec.fleet import FleetSpec

ENGINE = "upstream_engines"
"""The name of the secret that the gateway asks the engines with."""
PYTHON_IMAGE, CADDY_IMAGE = "python:3.12.12-slim-trixie", "caddy:2.11.9-alpine"
"""Images of Docker Hub, by their tags: the lock's wheels are for Python 3.12 and glibc 2.39, and trixie has 2.41."""
USER = 471
"""The gateway's user, as on a machine."""
CODE, APP, CONFIG, SECRETS, STATE = "/code", "/app", "/etc/llm/settings", "/etc/llm/secrets", "/var/lib/llm"
TMP = "/tmp"  # noqa: S108 - in the container, and its own
ARCHIVE, LOCK, CADDYFILE = "gate.tgz", "gate.txt", "Caddyfile"
INSTALL = (
    f"set -eu; mkdir -p {APP}/lib; tar -xzf {CODE}/{ARCHIVE} -C {APP}; "
    f"python -m pip install --quiet --no-cache-dir --no-deps --require-hashes --only-binary :all: "
    f"--target {APP}/lib -r {CODE}/{LOCK}"
)
"""What is unpacked and installed before the gateway starts: our own code, and its libraries by their hashes."""
LOAD_VARIABLE = "LLM_LOAD_KEY"
LOAD = f"""	@load {{
		path {names.LOAD_PATH}
		header Authorization "Bearer {{env.{LOAD_VARIABLE}}}"
	}}
	handle @load {{
		reverse_proxy 127.0.0.1:4001
	}}
"""
"""What KEDA asks, with its key."""


def _inner(*, load: bool) -> str:
    """The site of the port that only the kubelet, and KEDA, ask."""
    return f"""
http://:{names.HEALTH_PORT} {{
	@alive path /health
	handle @alive {{
		reverse_proxy 127.0.0.1:4001
	}}
{LOAD if load else ""}	handle {{
		respond 404
	}}
}}
"""


def role(fleet: ResolvedFleet) -> GatewayRole:
    """Keys, the one upstream and the routes to it. Raises Refusal with what a gateway would refuse."""
    wanted = fleet.spec
    upstream = Upstream(name="vllm", kind="vllm", base_url=names.engines_url(wanted), secret=ENGINE)
    targets = {
        each.name: Target(
            upstream="vllm",
            model=each.name,
            price_in=0,
            price_out=0,
            window=each.model.context_length,
            wakes=None if each.spec.scaling is None else each.starts_in * (each.spec.least == 0),
        )
        for each in fleet.models
    }
    found = GatewayRole(
        https_port=names.GATEWAY_PORT,
        keys=key_rows(wanted.all_keys),
        upstreams=(upstream,),
        routes=routes_of(targets, wanted.routes),
    )
    if mistakes := gateway.mistakes(found):
        raise Refusal(mistakes)
    return found


def settings(asked: GatewayRole) -> dict[str, str]:
    """The files that say who may do what: read again when they change, so that a new limit costs no request."""
    return {"policy.json": gateway.policy(asked), "routes.json": gateway.routes(asked)}


def code(fleet: FleetSpec) -> tuple[dict[str, str], bytes]:
    """Text files by name, and the archive with the gateway's own code."""
    return {LOCK: files.text("locks/gate.txt"), CADDYFILE: caddyfile(fleet)}, archive()


@cache
def archive() -> bytes:
    """The gateway's package, packed: the same bytes for the same files."""
    packed = io.BytesIO()
    # Neither the time nor a user of the machine that packs is in it.
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as tar:
        for name, content in gateway.gate_code().items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content.encode()), 0o644
            tar.addfile(entry, io.BytesIO(content.encode()))
    return packed.getvalue()


def caddyfile(fleet: FleetSpec) -> str:
    """Caddy's configuration: the allow-lists of paths that machines have, and a port for the kubelet's question."""
    posts = [each for each in ENDPOINTS if each != "/v1/models"]
    site = {"address": f":{names.GATEWAY_PORT}", "certificate": "tls"}
    sites = [files.fill("gateway/site.j2", site=site, gate=True, posts=posts, origins=()), *store.sites(fleet)]
    return files.fill("caddy/Caddyfile.j2", sites=sites, authority=None, callers=None) + _inner(load=fleet.follows)


def deployment(fleet: FleetSpec) -> Object:
    """The Deployment's ``spec``."""
    texts, packed = code(fleet)
    digest = hashlib.sha256(packed + "".join(texts.values()).encode()).hexdigest()
    labels = {names.APP: names.GATEWAY}
    return {
        "replicas": 1,
        # Two would count apart, and write one ledger.
        "strategy": {"type": "Recreate"},
        "selector": {"matchLabels": labels},
        "template": {
            # Other code is another pod; other limits are read by the one that runs.
            "metadata": {"labels": labels, "annotations": {"pulumi-llm/code": digest[:32]}},
            "spec": _pod(fleet),
        },
    }


def _pod(fleet: FleetSpec) -> Object:
    python, caddy = (engines.image(fleet, each) for each in (PYTHON_IMAGE, CADDY_IMAGE))
    index = [{"name": "PIP_INDEX_URL", "value": fleet.package_index}] if fleet.package_index else []
    confined = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    gate = [
        *("python", "-m", "llm_gate", "--settings", CONFIG, "--secrets", SECRETS, "--state", STATE),
    ]
    # Of a cluster that is made: on a node that stays, in whose zone the ledger's disk then is.
    place = {"nodeSelector": OTHER_NODES} if fleet.cluster.managed else {}
    return {
        **place,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 60,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "initContainers": [
            {
                "name": "install",
                "image": python,
                "command": ["sh", "-c", INSTALL],
                "env": [*index, {"name": "HOME", "value": TMP}],
                "resources": _sizes("250m", "512Mi"),
                "securityContext": confined,
                "volumeMounts": [
                    _mount("code", CODE),
                    _mount("app", APP, write=True),
                    _mount("tmp", TMP, write=True),
                ],
            }
        ],
        "containers": [
            {
                "name": "gateway",
                "image": python,
                "command": gate,
                "env": [
                    {"name": "PYTHONPATH", "value": f"{APP}:{APP}/lib"},
                    {"name": "PYTHONDONTWRITEBYTECODE", "value": "1"},
                    {"name": "PYTHONUNBUFFERED", "value": "1"},
                ],
                "resources": _sizes("1", "2Gi"),
                "securityContext": confined,
                "volumeMounts": [
                    _mount("app", APP),
                    _mount("settings", CONFIG),
                    _mount("keys", SECRETS),
                    _mount("state", STATE, write=True),
                    _mount("tmp", TMP, write=True),
                ],
            },
            {
                "name": "caddy",
                "image": caddy,
                "command": ["caddy", "run", "--config", f"{CODE}/{CADDYFILE}", "--adapter", "caddyfile"],
                "env": [{"name": "HOME", "value": TMP}, *_load_key(fleet)],
                "ports": [
                    {"name": "https", "containerPort": names.GATEWAY_PORT},
                    {"name": "health", "containerPort": names.HEALTH_PORT},
                    *({"name": name, "containerPort": port} for name, port in store.ports(fleet)),
                ],
                "readinessProbe": _probe(3),
                "livenessProbe": _probe(12),
                "resources": _sizes("250m", "512Mi"),
                "securityContext": confined,
                "volumeMounts": [
                    _mount("code", CODE),
                    _mount("tls", "/srv/llm/secrets"),
                    _mount("caddy", "/var/lib/llm-caddy", write=True),
                    _mount("tmp", TMP, write=True),
                ],
            },
        ],
        "volumes": [
            {"name": "code", "configMap": {"name": names.CODE}},
            {"name": "settings", "configMap": {"name": names.SETTINGS}},
            {"name": "keys", "secret": {"secretName": names.KEYS, "defaultMode": 0o440}},
            {"name": "tls", "secret": {"secretName": names.CERTIFICATE, "defaultMode": 0o440}},
            {"name": "state", "persistentVolumeClaim": {"claimName": names.STATE}},
            *({"name": name, "emptyDir": {}} for name in ("app", "caddy", "tmp")),
        ],
    }


def _load_key(fleet: FleetSpec) -> list[Object]:
    key = {"secretKeyRef": {"name": names.LOAD, "key": names.LOAD_KEY}}
    return [{"name": LOAD_VARIABLE, "valueFrom": key}] if fleet.follows else []


def service(fleet: FleetSpec) -> Object:
    """The Service's ``spec``: inside the cluster alone, unless a load balancer is asked for."""
    found: Object = {
        "type": "ClusterIP",
        "selector": {names.APP: names.GATEWAY},
        "ports": [
            {"name": "https", "port": 443, "targetPort": "https", "protocol": "TCP"},
            *({"name": name, "port": port, "targetPort": name, "protocol": "TCP"} for name, port in store.ports(fleet)),
        ],
    }
    if not fleet.load_balancer:
        return found
    return {
        **found,
        "type": "LoadBalancer",
        "loadBalancerSourceRanges": list(fleet.allowed_cidrs),
        # So that the pod sees who calls, and the network policy with it.
        "externalTrafficPolicy": "Local",
    }


def _probe(tries: int) -> Object:
    return {"httpGet": {"path": "/health", "port": "health"}, "periodSeconds": 5, "failureThreshold": tries}


def _sizes(cpu: str, memory: str) -> Object:
    return {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": memory}}


def _mount(name: str, path: str, *, write: bool = False) -> Object:
    return {"name": name, "mountPath": path} if write else {"name": name, "mountPath": path, "readOnly": True}
