"""The settings: all that a node shall be, as one document that travels over SSH, and the two commands that take it."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from pulumi_llm.bootstrap import gateway
from pulumi_llm.bootstrap.files import data, fill, gate_code, node_code, text
from pulumi_llm.bootstrap.node_document import node_document, roles, stages, supply_document, venvs
from pulumi_llm.bootstrap.units import vllm_unit
from pulumi_llm.bootstrap.user_data import one_key_a_line, stage_units
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.texts import _, listed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_llm.bootstrap.roles import NodeRequest

UNITS = "/etc/systemd/system"
SECRETS = "/srv/llm/secrets"


def settings(request: NodeRequest) -> dict[str, Any]:
    """The node's complete desired state without its secrets, with the digest over all of it.

    Raises:
        Refusal: for a gateway or a vLLM that would not start: see `gateway.check` and `units.vllm_arguments`.
    """
    gateway.check(request.gateway)
    document: dict[str, Any] = {
        "schema": 1,
        "node": request.name,
        "stages": [each["name"] for each in stages(request)],
        "services": [f"llm-{name}.service" for name in services(request)],
        "files": _files(request),
        "secrets": {
            "required": list(secret_names(request)),
            "optional": list(optional_secret_names(request)),
            "generated": ["probe_key"],
        },
        "secret_files": _secret_files(request),
        "code": node_code(),
        "hints": data("node/hints.json"),
    }
    return document | {"digest": digest(document)}


def digest(document: Mapping[str, Any]) -> str:
    """SHA-256 over a settings document without its digest; the node computes the same."""
    plain = {key: value for key, value in document.items() if key != "digest"}
    return hashlib.sha256(json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def services(request: NodeRequest) -> list[str]:
    """What runs in the end, in the order in which it is started; the watch comes last."""
    return ["status", *roles(request), "watch"]


def secret_names(request: NodeRequest) -> tuple[str, ...]:
    """Names that the secrets document must carry."""
    names = ["tls_certificate", "tls_private_key"]
    names += [key_secret(each.name) for each in request.gateway.keys]
    for upstream in request.gateway.upstreams:
        names += [each for each in (upstream.secret, upstream.ca_secret) if each]
    if request.gateway.routes:
        names += gateway.moderator_secrets(request.gateway)
    if request.weaviate:
        names.append("weaviate_api_key")
    return tuple(dict.fromkeys(names))


def optional_secret_names(request: NodeRequest) -> tuple[str, ...]:
    """Names that the secrets document may carry: a hub token for gated models."""
    return ("hf_token",) if request.vllm else ()


def key_secret(name: str) -> str:
    """The secret that holds a gateway key."""
    return f"gateway_key_{name}"


def secrets_document(request_settings: Mapping[str, Any], secrets: Mapping[str, str]) -> str:
    """What `apply_command` reads on standard input. Secret: mark it so before it goes anywhere.

    Raises:
        Refusal: ``bootstrap.missing-secret`` naming all that are missing or empty.
    """
    missing = [name for name in request_settings["secrets"]["required"] if not str(secrets.get(name) or "").strip()]
    if missing:
        raise Refusal(
            [
                Finding(
                    "bootstrap.missing-secret",
                    _("not given: {missing}", missing=listed(missing)),
                    _("pulumi config set --secret"),
                    where=str(request_settings["node"]),
                )
            ]
        )
    wanted = [*request_settings["secrets"]["required"], *request_settings["secrets"]["optional"]]
    given = {name: secrets[name] for name in wanted if secrets.get(name)}
    return json.dumps({"settings_digest": request_settings["digest"], "secrets": given})


def stage_command() -> str:
    """The shell line that takes the settings on standard input, run as the login user."""
    # SSH answers before cloud-init has unpacked the node's code, and a machine without a working cloud-init never
    # will: wait for ten minutes, then say what cloud-init says.
    return (
        "n=0; until [ -x /opt/llm/bin/llm-node ]; do n=$((n+1)); "
        "if [ $n -gt 120 ]; then echo '[node.no-cloud-init] user data was not run within ten minutes' >&2; "
        "cloud-init status --long >&2; exit 1; fi; sleep 5; done; "
        "exec sudo -n /opt/llm/bin/llm-node stage"
    )


def apply_command(minutes: int = 180) -> str:
    """The shell line that takes the secrets document on standard input and ends when the node is ready.

    After ``minutes`` it gives up, by its own clock and with a code: give it a little less than whoever runs it waits.
    """
    # No loop around it: it follows the settings, so the node's code is there. What fails is quoted with its command.
    return f"exec sudo -n /opt/llm/bin/llm-node apply {minutes}"


def _file(path: str, content: str, *restart: str, mode: str = "0644", early: bool = False) -> dict[str, Any]:
    """One file; ``restart``: the services that have to notice; ``early``: needed by the stages already."""
    units = [f"llm-{each}.service" for each in restart]
    return {"path": path, "mode": mode, "owner": "root", "content": content, "restart": units, "early": early}


def _files(request: NodeRequest) -> list[dict[str, Any]]:
    have = roles(request)
    files = [
        _file("/opt/llm/node.json", one_key_a_line(node_document(request)) + "\n", early=True),
        _file("/opt/llm/bin/llm-node", text("node/llm-node"), mode="0755", early=True),
        _file("/etc/sysusers.d/llm.conf", text("node/sysusers.conf"), early=True),
        _file("/etc/apt/apt.conf.d/52llm", text("node/apt.conf"), early=True),
        _file(f"{UNITS}/llm.target", text("node/llm.target"), early=True),
        *[_file(path, content, early=True) for path, content in stage_units(request).items()],
        _file("/opt/llm/supply.json", json.dumps(supply_document(request), indent=1) + "\n", early=True),
        *[_file(f"/opt/llm/locks/{name}.txt", text(f"locks/{name}.txt"), early=True) for name in _locks(request)],
        _file("/opt/llm/signs.json", text("node/signs.json")),
        _file("/opt/llm/watch.json", json.dumps(_watch(request), indent=1) + "\n", "watch"),
        _file(f"{UNITS}/llm-watch.service", text("node/llm-watch.service"), "watch"),
        _file(f"{UNITS}/llm-status.service", text("node/llm-status.service"), "status"),
        _file("/opt/llm/gateway/Caddyfile", gateway.caddyfile(request.gateway), "caddy"),
        _file(f"{UNITS}/llm-caddy.service", text("gateway/llm-caddy.service"), "caddy"),
    ]
    if "gate" in have:
        environment = gateway.environment(request.gateway)
        venv = f"{environment}-{data('versions.json')[environment]['version']}"
        files += [
            # Read again by the gateway when they change: a new limit or route costs nobody a request.
            _file("/opt/llm/gateway/policy.json", gateway.policy(request.gateway)),
            _file("/opt/llm/gateway/routes.json", gateway.routes(request.gateway)),
            *[_file(f"/opt/llm/gateway/{name}", words) for name, words in gateway.word_files(request.gateway).items()],
            *[
                _file(f"/opt/llm/gateway/{name}", content, "gate")
                for name, content in {**gate_code(), **gateway.hooks(request.gateway)}.items()
            ],
            _file(f"{UNITS}/llm-gate.service", fill("gateway/llm-gate.service.j2", venv=venv), "gate"),
        ]
    if request.vllm:
        files.append(_file(f"{UNITS}/llm-vllm.service", vllm_unit(request.vllm), "vllm"))
    if request.weaviate:
        memory = request.weaviate.memory_gib
        compose = fill(
            "weaviate/compose.yaml.j2",
            image=data("versions.json")["weaviate"]["image"],
            memory_gib=memory,
            # Go gives memory back late: it is told of nine tenths of what the container may take.
            go_memory_mib=memory * 1024 * 9 // 10,
        )
        files += [
            _file("/etc/docker/daemon.json", text("node/docker-daemon.json"), early=True),
            _file(f"{UNITS}/docker.service.d/llm.conf", text("node/docker-mount.conf"), early=True),
            _file("/opt/llm/weaviate/compose.yaml", compose, "weaviate"),
            _file(f"{UNITS}/llm-weaviate.service", text("weaviate/llm-weaviate.service"), "weaviate"),
        ]
    return files


def _locks(request: NodeRequest) -> list[str]:
    wanted = venvs(request)
    return [*wanted, "uv"] if wanted else []


def _watch(request: NodeRequest) -> dict[str, Any]:
    health = {"vllm": "http://127.0.0.1:8000/health", "weaviate": "http://127.0.0.1:8080/v1/.well-known/ready"}
    health["gate"] = "http://127.0.0.1:4001/health"
    have = roles(request)
    local = {each.name for each in request.gateway.upstreams if each.kind == "vllm"}
    own = [each.name for each in request.gateway.routes if {target.upstream for target in each.targets} <= local]
    return {
        # Where the status document is.
        "https_port": request.gateway.https_port or request.gateway.vectors_https_port,
        "services": [f"llm-{name}.service" for name in have],
        "health": {name: url for name, url in health.items() if name in have},
        # A foreign vendor is not asked for a completion: it would cost, and its bad day is not this node's.
        "models": own if "gate" in have else None,
    }


def _secret_files(request: NodeRequest) -> list[dict[str, Any]]:
    def entry(name: str, owner: str, form: str, entries: dict[str, str], *restart: str) -> dict[str, Any]:
        units = [f"llm-{each}.service" for each in restart]
        return {"path": f"{SECRETS}/{name}", "owner": owner, "format": form, "entries": entries, "restart": units}

    hashes = {key_secret(each.name): each.name for each in request.gateway.keys} | {"probe_key": gateway.PROBE}
    if request.gateway.https_port is None:
        hashes["weaviate_api_key"] = "weaviate"  # who may read the vectors may read the status
    files = [
        entry("tls.crt", "llm-caddy", "raw", {"tls_certificate": ""}, "caddy"),
        entry("tls.key", "llm-caddy", "raw", {"tls_private_key": ""}, "caddy"),
        entry("gateway-keys.json", "llm-gateway", "hashes", hashes),
    ]
    if request.gateway.routes:
        upstreams = request.gateway.upstreams
        names = [*(each.secret for each in upstreams if each.secret), *gateway.moderator_secrets(request.gateway)]
        keys = {name: name.upper() for name in names}
        authorities = {each.ca_secret: "" for each in upstreams if each.ca_secret}
        files.append(entry("upstream.env", "llm-gateway", "env", keys))
        files.append(entry("upstream-ca.pem", "llm-gateway", "bundle", authorities, "gate"))
    if request.weaviate:
        key = {"weaviate_api_key": "AUTHENTICATION_APIKEY_ALLOWED_KEYS"}
        files.append(entry("weaviate.env", "root", "env", key, "weaviate"))
    if request.vllm:
        files.append(entry("hf_token", "root", "raw", {"hf_token": ""}))
    return files
