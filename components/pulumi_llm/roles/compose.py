"""What a role's compose file may say: nothing that opens a port to others, or the host to a container."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from pulumi_llm import _engine_yaml, _yaml
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding

REFUSED = {
    "privileged": _("a privileged container has the whole machine"),
    "network_mode": _("its ports would not be those that the role names"),
    "pid": _("it would see, and could stop, every process of the machine"),
    "devices": _("a GPU is vLLM's; say {need} and have code for it", need="`needs: {gpu: true}`"),
    "build": _("a node builds nothing: it fetches an image that is pinned"),
    "container_name": _("the node looks for the name that `docker compose` gives"),
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
        raise _yaml.YAMLError(_("it has no `services`, each a mapping"))
    return services


def services(text: str) -> tuple[str, ...]:
    """The services of a compose file that is sound."""
    return tuple(_read(text))


def mistakes(role: str, text: str, images: Sequence[str]) -> list[Finding]:
    """What is wrong with a role's compose file: ``roles.bad-compose``; ``roles.open-port`` for what others reach."""
    try:
        found = _read(text)
    except _yaml.YAMLError as wrong:
        message = _("the role {role!r}: its compose file cannot be read: {problem}", role=role, problem=wrong)
        return [Finding("roles.bad-compose", message, _("`docker compose config`"))]
    return [each for name, row in found.items() for each in _of_service(role, name, row, images)]


def _of_service(role: str, name: str, row: Mapping[str, Any], images: Sequence[str]) -> Iterator[Finding]:
    where = _("the role {role!r}: the service {name!r}", role=role, name=name)
    for port in row.get("ports") or ():
        host = port.get("host_ip") if isinstance(port, Mapping) else str(port).rpartition(":")[0].rpartition(":")[0]
        if host != "127.0.0.1":
            message = _(
                "{where} publishes {port}, which docker opens to everybody, past the machine's own firewall",
                where=where,
                port=port,
            )
            yield Finding("roles.open-port", message, _('"127.0.0.1:PORT:PORT", and a listener, which Caddy serves'))
    for key, why in REFUSED.items():
        if row.get(key):
            yield Finding(
                "roles.bad-compose",
                _("{where} has {key!r}: {why}", where=where, key=key, why=why),
                f"leave {key!r} out",
            )
    if row.get("image") not in images:
        message = _(
            "{where} runs {image!r}, which is none of the images that its role.yaml pins",
            where=where,
            image=row.get("image"),
        )
        yield Finding(
            "roles.bad-compose", message, _("image: {image}, with NAME under install.images", image="{{ image.NAME }}")
        )
    if row.get("pull_policy") != "never":
        message = _("{where} may fetch another image when it starts than the stage `images` fetched", where=where)
        yield Finding("roles.bad-compose", message, "pull_policy: never")
    if "mem_limit" not in row:
        message = _("{where} has no limit of memory, and could take what vLLM needs", where=where)
        yield Finding("roles.bad-compose", message, "mem_limit: {{ memory_gib }}g")
