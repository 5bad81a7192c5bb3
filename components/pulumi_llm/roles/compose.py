"""What a role's compose file may say: nothing that opens a port to others, or the host to a container."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from pulumi_llm import _engine_yaml, _yaml
from pulumi_llm.errors import Finding

REFUSED = {
    "privileged": "a privileged container has the whole machine",
    "network_mode": "its ports would not be those that the role names",
    "pid": "it would see, and could stop, every process of the machine",
    "devices": "a GPU is vLLM's; say `needs: {gpu: true}` and have code for it",
    "build": "a node builds nothing: it fetches an image that is pinned",
    "container_name": "the node looks for the name that docker compose gives",
}
"""Keys of a compose service that no role may use, and why."""


def path(role: str) -> str:
    """Where a role's compose file lies on the node."""
    return f"/opt/llm/{role}/compose.yaml"


@cache
def _read(text: str) -> dict[str, Any]:
    document = _engine_yaml.load(text)
    services = document.get("services") if isinstance(document, dict) else None
    if not isinstance(services, dict) or not all(isinstance(each, dict) for each in services.values()):
        raise _yaml.YAMLError("it has no `services`, each a mapping")
    return services


def services(text: str) -> tuple[str, ...]:
    """The services of a compose file that is sound."""
    return tuple(_read(text))


def mistakes(role: str, text: str, images: Sequence[str]) -> list[Finding]:
    """What is wrong with a role's compose file: ``roles.bad-compose``; ``roles.open-port`` for what others reach."""
    try:
        found = _read(text)
    except _yaml.YAMLError as wrong:
        message = f"the role {role!r}: its compose file cannot be read: {wrong}"
        return [Finding("roles.bad-compose", message, "docker compose config")]
    return [each for name, row in found.items() for each in _of_service(role, name, row, images)]


def _of_service(role: str, name: str, row: Mapping[str, Any], images: Sequence[str]) -> Iterator[Finding]:
    where = f"the role {role!r}: the service {name!r}"
    for port in row.get("ports") or ():
        host = port.get("host_ip") if isinstance(port, Mapping) else str(port).rpartition(":")[0].rpartition(":")[0]
        if host != "127.0.0.1":
            message = f"{where} publishes {port}, which docker opens to everybody, past the machine's own firewall"
            yield Finding("roles.open-port", message, '"127.0.0.1:PORT:PORT", and a listener, which Caddy serves')
    for key, why in REFUSED.items():
        if row.get(key):
            yield Finding("roles.bad-compose", f"{where} has {key!r}: {why}", f"leave {key!r} out")
    if row.get("image") not in images:
        message = f"{where} runs {row.get('image')!r}, which is none of the images that its role.yaml pins"
        yield Finding("roles.bad-compose", message, "image: {{ image.NAME }}, with NAME under install.images")
    if row.get("pull_policy") != "never":
        message = f"{where} may fetch another image when it starts than the stage `images` fetched"
        yield Finding("roles.bad-compose", message, "pull_policy: never")
    if "mem_limit" not in row:
        message = f"{where} has no limit of memory, and could take what vLLM needs"
        yield Finding("roles.bad-compose", message, "mem_limit: {{ memory_gib }}g")
